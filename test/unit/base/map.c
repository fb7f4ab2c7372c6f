#include "base/map.c"
#include "unit/tap.h"

#include <stdbool.h>
#include <stdio.h>

#define N 3000

struct item {
    char key[16];
    size_t len;
    bool in;
};

static struct item items[N];

static void fill_items(void)
{
    for (int i = 0; i < N; i++)
        items[i] = (struct item){.len = (size_t)snprintf(items[i].key, 16, "k%d", i)};
    for (int i = 0; i < N; i++)
        snprintf(items[i].key, 16, "k%d", i);
}

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    return *x ^= *x << 5;
}

static void basics(void)
{
    struct map m;
    int a = 1, b = 2;

    map_init(&m, 1);
    CHECK(!map_get(&m, "a", 1));
    CHECK(!map_remove(&m, "a", 1));
    CHECK(!map_put(&m, "a", 1, &a));
    CHECK(map_put(&m, "a", 1, &b) == &a);
    CHECK_INT(m.count, 1);
    CHECK(map_get(&m, "a", 1) == &b);
    CHECK(!map_get(&m, "a\0", 2));
    CHECK(!map_get(&m, "", 0));
    CHECK(!map_put(&m, "", 0, &a));
    CHECK(map_get(&m, "", 0) == &a);
    CHECK(!map_put(&m, "a\0", 2, &a)); /* bytes, not text */
    CHECK(map_get(&m, "a", 1) == &b);
    CHECK(map_remove(&m, "a", 1) == &b);
    CHECK(!map_remove(&m, "a", 1));
    CHECK_INT(m.count, 2);
    map_release(&m);
    CHECK_INT(m.count, 0);
}

/* Ten thousand random puts and removes, held against a plain array. */
static void like_an_array(void)
{
    struct map m;
    uint32_t x = 88172645;
    size_t count = 0;

    fill_items();
    map_init(&m, 42);
    for (int step = 0; step < 20000; step++) {
        struct item *it = &items[next_random(&x) % N];
        void *was = next_random(&x) % 3 ? map_put(&m, it->key, it->len, it)
                                        : map_remove(&m, it->key, it->len);
        CHECK(was == (it->in ? it : NULL));
        bool in = map_get(&m, it->key, it->len) != NULL;
        count += (size_t)in - (size_t)it->in;
        it->in = in;
    }
    CHECK_INT(m.count, count);
    CHECK(m.count * 4 <= m.cap * 3);
    for (int i = 0; i < N; i++)
        CHECK(map_get(&m, items[i].key, items[i].len) == (items[i].in ? &items[i] : NULL));
    for (int i = 0; i < N; i++)
        map_remove(&m, items[i].key, items[i].len);
    CHECK_INT(m.count, 0);
    for (size_t i = 0; i < m.cap; i++)
        CHECK(!m.slots[i].value);
    map_release(&m);
}

/* The longest run of full slots says how well keys that look alike are spread. */
static void spreads(void)
{
    struct map m;
    size_t run = 0, longest = 0;

    fill_items();
    map_init(&m, 7);
    for (int i = 0; i < N; i++)
        map_put(&m, items[i].key, items[i].len, &items[i]);
    for (size_t i = 0; i < m.cap; i++) {
        run = m.slots[i].value ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    CHECK(longest < 100);
    map_release(&m);
}

static void seed_matters(void)
{
    struct map a, b;
    int same = 0;

    fill_items();
    map_init(&a, 1);
    map_init(&b, 2);
    for (int i = 0; i < 100; i++)
        same += hash(&a, items[i].key, items[i].len) == hash(&b, items[i].key, items[i].len);
    CHECK(same < 3);
    for (size_t n = 0; n < 15; n++) /* every length counts, also with equal bytes */
        CHECK(hash(&a, "aaaaaaaaaaaaaaaa", n) != hash(&a, "aaaaaaaaaaaaaaaa", n + 1));
}

static void reserving_leaves_nothing_to_ask_for(void)
{
    struct map m;

    fill_items();
    map_init(&m, 3);
    for (int i = 0; i < N; i++) {
        CHECK(map_reserve(&m));
        const struct map_slot *slots = m.slots;
        CHECK(!map_put(&m, items[i].key, items[i].len, &items[i]));
        CHECK(m.slots == slots);
    }
    CHECK_INT(m.count, N);
    map_release(&m);
}

/* Also when the next new one would make it grow: to replace is not to insert. */
static void replacing_never_grows(void)
{
    struct map m;
    char keys[64][8];
    int one, two;

    map_init(&m, 7);
    for (int i = 0; i < 48; i++) { /* three quarters of the first 64 */
        snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        CHECK(map_put(&m, keys[i], strlen(keys[i]), &one) == NULL);
    }
    CHECK_INT(m.cap, 64);
    for (int i = 0; i < 48; i++)
        CHECK(map_put(&m, keys[i], strlen(keys[i]), &two) == &one);
    CHECK_INT(m.cap, 64);
    CHECK_INT(m.count, 48);
    CHECK(map_get(&m, "k47", 3) == &two);
    map_release(&m);
}

static const struct tap_case cases[] = {
    {"put, get, remove", basics},
    {"agrees with an array over 20000 steps", like_an_array},
    {"like keys are spread", spreads},
    {"the seed changes the order", seed_matters},
    {"after a reserve a put asks for nothing", reserving_leaves_nothing_to_ask_for},
    {"replacing never grows", replacing_never_grows},
};

TAP_MAIN(cases)

#include "memory/region.c"
#include "unit/tap.h"

static void setup(struct budget *b, struct region *r, size_t limit, size_t first)
{
    budget_init(b, limit, NULL);
    region_init(r, b, first);
}

static void charge_is_what_malloc_holds(void)
{
    struct budget b;
    struct region r;
    size_t sum = 0;

    setup(&b, &r, 0, 512);
    for (size_t n = 1; n < 300000; n = n * 3 + 7)
        CHECK(region_alloc(&r, n) != NULL);
    for (struct region_chunk *c = r.chunks; c; c = c->next)
        sum += malloc_usable_size(c) + 8;
    CHECK_INT(b.used, sum);
    CHECK_INT(r.held, sum);
    region_release(&r);
    CHECK_INT(b.used, 0);
    CHECK_INT(r.held, 0);
}

static void small_sessions_are_small(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 0, 512);
    CHECK_INT(b.used, 0); /* nothing before the first request */
    CHECK(region_alloc(&r, 100) != NULL);
    CHECK(b.used <= 512);
    CHECK(region_alloc(&r, 300) != NULL);
    CHECK(b.used <= 512);
    CHECK(region_alloc(&r, 200) != NULL);
    CHECK(b.used <= 512 + 1024);
    CHECK(region_alloc(&r, 300) != NULL);
    CHECK(b.used <= 512 + 1024);
    region_release(&r);
}

static void chunks_double_up_to_64_kib(void)
{
    struct budget b;
    struct region r;
    size_t largest = 0, chunks = 0;

    setup(&b, &r, 0, 0);
    for (int i = 0; i < 10000; i++)
        CHECK(region_alloc(&r, 64) != NULL);
    for (struct region_chunk *c = r.chunks; c; c = c->next, chunks++)
        largest = c->charged > largest ? c->charged : largest;
    CHECK(largest <= 65536 && largest > 65000);
    CHECK(chunks < 20);
    region_release(&r);
}

static void zeroed_and_aligned(void)
{
    struct budget b;
    struct region r;
    static const char zero[40000];

    setup(&b, &r, 0, 256);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 3000; n += 37) {
            unsigned char *p = region_alloc(&r, n);
            CHECK((uintptr_t)p % 16 == 0);
            CHECK(memcmp(p, zero, n) == 0);
            memset(p, 0xff, n);
            p = region_resize(&r, p, n, n / 2); /* what is given up is dirty */
            CHECK(p != NULL);
        }
        unsigned char *big = region_alloc(&r, sizeof(zero));
        CHECK((uintptr_t)big % 16 == 0);
        CHECK(memcmp(big, zero, sizeof(zero)) == 0);
        memset(big, 0xff, sizeof(zero));
        region_release(&r);
    }
}

static void never_past_the_limit(void)
{
    unsigned seed = 7;

    for (size_t limit = 64; limit < 40000; limit = limit * 5 / 3 + 1) {
        struct budget b;
        struct region r;
        int refused = 0;
        setup(&b, &r, limit, 256);
        for (int i = 0; i < 400; i++) {
            seed = seed * 1103515245 + 12345;
            size_t used = b.used, held = r.held;
            size_t n = (seed >> 16) % (i % 7 ? 200 : 9000);
            void *p = region_alloc(&r, n);
            if (!p) {
                refused++;
                CHECK_INT(b.used, used);
                CHECK_INT(r.held, held);
            } else {
                memset(p, 0xff, n);
            }
            CHECK(b.used <= limit);
        }
        CHECK(refused > 0);
        CHECK(b.refused > 0);
        CHECK(b.peak <= limit);
        region_release(&r);
        CHECK_INT(b.used, 0);
    }
}

static void takes_the_smaller_when_doubling_does_not_fit(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 1024 + 512, 1024);
    CHECK(region_alloc(&r, 900) != NULL);
    CHECK(region_alloc(&r, 400) != NULL); /* the next chunk would be 2 KiB */
    CHECK_INT(b.refused, 0);
    CHECK(region_alloc(&r, 400) == NULL);
    CHECK(region_alloc(&r, 8) != NULL); /* there is room in the first still */
    region_release(&r);
}

static void absurd_sizes_are_refused(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 0, 0);
    CHECK(region_alloc(&r, SIZE_MAX) == NULL);
    CHECK(region_alloc(&r, SIZE_MAX / 2) == NULL);
    char *p = region_strdup(&r, "x");
    CHECK(region_resize(&r, p, 2, SIZE_MAX - 3) == NULL);
    CHECK_STR(p, "x");
    region_release(&r);
}

static void copies(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 0, 0);
    CHECK_STR(region_strdup(&r, "gin and tonic"), "gin and tonic");
    CHECK_STR(region_strndup(&r, "gin and tonic", 3), "gin");
    CHECK_STR(region_strndup(&r, "gin", 30), "gin");
    CHECK(memcmp(region_dup(&r, "a\0b", 3), "a\0b", 3) == 0);
    region_release(&r);
}

static void resize_in_place_when_newest(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 0, 1024);
    char *p = region_strdup(&r, "one"), *q = region_resize(&r, p, 4, 400);
    CHECK(p == q);
    char *other = region_strdup(&r, "two");
    q = region_resize(&r, p, 400, 410); /* same 16 bytes, but not the newest */
    CHECK(q != p);
    CHECK_STR(q, "one");
    CHECK_STR(other, "two");
    CHECK(region_resize(&r, other, 4, 2) == other);
    region_release(&r);
}

static void a_large_one_goes_back_to_malloc(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 0, 1024);
    CHECK(region_strdup(&r, "small") != NULL);
    size_t before = b.used;
    char *p = region_alloc(&r, 100000);
    memset(p, 'x', 100000);
    p = region_resize(&r, p, 100000, 300000);
    CHECK(p[99999] == 'x');
    CHECK(b.used < before + 310000);
    p = region_resize(&r, p, 300000, 50000);
    CHECK(p[49999] == 'x');
    CHECK(b.used < before + 60000);
    size_t sum = 0;
    for (struct region_chunk *c = r.chunks; c; c = c->next)
        sum += malloc_usable_size(c) + 8;
    CHECK_INT(b.used, sum);
    region__give(&r, p, 50000);
    CHECK_INT(b.used, before);
    region_release(&r);
}

static void a_resize_that_is_refused_keeps_p(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 200000, 1024);
    char *p = region_alloc(&r, 100000);
    memset(p, 'x', 100000);
    size_t used = b.used;
    CHECK(region_resize(&r, p, 100000, 250000) == NULL);
    CHECK_INT(b.used, used);
    CHECK(p[0] == 'x' && p[99999] == 'x');
    region_release(&r);
    CHECK_INT(b.used, 0);
}

static void a_buf_lives_in_it(void)
{
    struct budget b;
    struct region r;
    struct buf buf;

    setup(&b, &r, 50000, 1024);
    buf_init(&buf, &r.mem);
    while (!buf.full)
        buf_str(&buf, "0123456789");
    CHECK(b.used <= 50000);
    CHECK(buf.len > 30000); /* a buf that grows does not leave its older copies behind */
    CHECK(memcmp(buf.data + buf.len - 10, "0123456789", 10) == 0);
    buf_release(&buf);
    CHECK(b.used < 40000);
    region_release(&r);
    CHECK_INT(b.used, 0);
}

static void a_released_region_serves_again(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 4096, 256);
    for (int i = 0; i < 50; i++) {
        CHECK(region_alloc(&r, 3000) != NULL);
        region_release(&r);
    }
    region_release(&r);
    CHECK_INT(b.used, 0);
}

/* Allocations, resizes and gifts in any order: nobody's bytes are ever another's. */
static void nobody_writes_into_another(void)
{
    struct {
        unsigned char *p;
        size_t n;
    } held[64] = {0};
    struct budget b;
    struct region r;
    unsigned seed = 1;

    setup(&b, &r, 400000, 512);
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1103515245 + 12345;
        unsigned i = (seed >> 16) % 64, what = (seed >> 24) % 8;
        seed = seed * 1103515245 + 12345;
        size_t n = 1 + (seed >> 16) % (what == 7 ? 40000 : 300);
        for (size_t at = 0; at < held[i].n; at++)
            CHECK(held[i].p[at] == (unsigned char)i);
        if (what == 0 && held[i].p) {
            region__give(&r, held[i].p, held[i].n);
            held[i].p = NULL;
            held[i].n = 0;
            continue;
        }
        unsigned char *p = region_resize(&r, held[i].p, held[i].n, n);
        if (!p)
            continue;
        memset(p, (int)i, n);
        held[i].p = p;
        held[i].n = n;
        CHECK(b.used <= 400000);
        if (round % 4000 == 3999) {
            region_release(&r);
            memset(held, 0, sizeof(held));
        }
    }
    region_release(&r);
    CHECK_INT(b.used, 0);
}

/* It begins in its owner's memory, goes on with chunks of its own, and keeps what was lent. */
static void lent_memory_is_filled_first_and_kept(void)
{
    struct budget b;
    struct region r;
    size_t size = region_lent_size(3 * 32);
    char *memory = malloc(size);

    budget_init(&b, 4096, NULL);
    CHECK(budget_charge(&b, size)); /* by the owner */
    region_init(&r, &b, 0);
    region_lend(&r, memory, size);
    CHECK_INT(r.held, size);
    CHECK_INT(region_lent(&r), size);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            char *p = region_alloc(&r, 20 + (size_t)i);
            CHECK(p > memory && p < memory + size && *p == 0);
            memset(p, 'x', 20 + (size_t)i);
        }
        CHECK_INT(region_used(&r), 3 * 32);
        CHECK_INT(b.used, size); /* not charged twice */
        char *more = region_alloc(&r, 100);
        CHECK(more && (more < memory || more >= memory + size));
        CHECK_INT(b.used, r.held);
        char *json = region_resize(&r, NULL, 0, 48);
        CHECK(json != NULL);
        region_release(&r);
        CHECK_INT(b.used, size);
        CHECK_INT(r.held, size);
    }
    char *only = region_resize(&r, NULL, 0, 32);
    CHECK(only > memory && only < memory + size);
    r.mem.resize(&r.mem, only, 32, 0); /* given back whole: the memory is still its owner's */
    CHECK_INT(region_lent(&r), size);
    region_release(&r);
    free(memory);
}

static const struct tap_case cases[] = {
    {"the charge is what malloc holds", charge_is_what_malloc_holds},
    {"small sessions are small", small_sessions_are_small},
    {"chunks double up to 64 KiB", chunks_double_up_to_64_kib},
    {"zeroed and aligned", zeroed_and_aligned},
    {"never past the limit", never_past_the_limit},
    {"takes the smaller when doubling does not fit",
     takes_the_smaller_when_doubling_does_not_fit},
    {"absurd sizes are refused", absurd_sizes_are_refused},
    {"copies", copies},
    {"resize in place when newest", resize_in_place_when_newest},
    {"a large one goes back to malloc", a_large_one_goes_back_to_malloc},
    {"a resize that is refused keeps p", a_resize_that_is_refused_keeps_p},
    {"a buf lives in it", a_buf_lives_in_it},
    {"a released region serves again", a_released_region_serves_again},
    {"nobody writes into another", nobody_writes_into_another},
    {"lent memory is filled first and kept", lent_memory_is_filled_first_and_kept},
};

TAP_MAIN(cases)

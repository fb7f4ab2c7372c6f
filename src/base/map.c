#include "base/map.h"

#include "base/alloc.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_release(struct map *m)
{
    free(m->slots);
    *m = (struct map){.seed = m->seed};
}

/* wyhash's mixing step (public domain) over 8-byte words, seeded. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide r = (wide)a * b;

    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static uint32_t hash(const struct map *m, const char *key, size_t len)
{
    uint64_t h = m->seed ^ 0x9e3779b97f4a7c15u, w;

    for (; len >= 8; key += 8, len -= 8) {
        memcpy(&w, key, 8);
        h = mix(h ^ w, 0xe7037ed1a0b428dbu ^ m->seed);
    }
    w = (uint64_t)len << 56;
    memcpy(&w, key, len);
    h = mix(h ^ w ^ (uint64_t)len << 56, 0x8ebc6af09c88c6e3u);
    return (uint32_t)(h ^ h >> 32);
}

static size_t find(const struct map *m, const char *key, size_t len, uint32_t h)
{
    size_t i = h & (m->cap - 1);

    for (; m->slots[i].value; i = (i + 1) & (m->cap - 1)) {
        const struct map_slot *s = &m->slots[i];
        if (s->hash == h && s->len == len && memcmp(s->key, key, len) == 0)
            break;
    }
    return i;
}

void *map_get(const struct map *m, const char *key, size_t len)
{
    return m->cap ? m->slots[find(m, key, len, hash(m, key, len))].value : NULL;
}

bool map_reserve(struct map *m)
{
    struct map_slot *old = m->slots, *slots;
    size_t old_cap = m->cap, cap = old_cap ? old_cap * 2 : FIRST_CAP;

    if ((m->count + 1) * 4 <= old_cap * 3)
        return true;
    slots = calloc(cap, sizeof(*slots));
    if (!slots)
        return false;
    m->slots = slots;
    m->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].value)
            m->slots[find(m, old[i].key, old[i].len, old[i].hash)] = old[i];
    free(old);
    return true;
}

void *map_put(struct map *m, const char *key, size_t len, void *value)
{
    uint32_t h = hash(m, key, len);
    void *before;

    MUST(value && len <= UINT32_MAX);
    size_t i = m->cap ? find(m, key, len, h) : 0;
    before = m->cap ? m->slots[i].value : NULL;
    if (!before) { /* what takes another's place needs no room */
        if (!map_reserve(m))
            alloc_die(m->cap * 2 * sizeof(*m->slots));
        i = find(m, key, len, h);
    }
    m->slots[i] = (struct map_slot){key, (uint32_t)len, h, value};
    m->count += before == NULL;
    return before;
}

void *map_remove(struct map *m, const char *key, size_t len)
{
    if (!m->cap)
        return NULL;
    size_t i = find(m, key, len, hash(m, key, len));
    void *value = m->slots[i].value;
    if (!value)
        return NULL;
    /* Close the gap: move back every later entry of the run that may stand here. */
    for (size_t j = i;;) {
        j = (j + 1) & (m->cap - 1);
        if (!m->slots[j].value)
            break;
        size_t home = m->slots[j].hash & (m->cap - 1);
        if (((j - home) & (m->cap - 1)) >= ((j - i) & (m->cap - 1))) {
            m->slots[i] = m->slots[j];
            i = j;
        }
    }
    m->slots[i] = (struct map_slot){0};
    m->count--;
    return value;
}

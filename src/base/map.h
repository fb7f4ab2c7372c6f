/*
 * map: a hash table from byte strings to pointers, seeded, so that a client
 * that chooses keys cannot choose collisions. Owns neither keys nor values: the key must live
 * as long as its entry (it usually lies inside the value). Open addressing, at most 3/4 full.
 */
#pragma once

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    const char *key;
    uint32_t len;
    uint32_t hash;
    void *value; /* NULL: empty */
};

struct map {
    struct map_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
    uint64_t seed;
};

void map_init(struct map *m, uint64_t seed);
void map_release(struct map *m);

/* The value, or NULL. */
void *map_get(const struct map *m, const char *key, size_t len);

/* Make room for one more, so that the next map_put() asks for no memory. False: there is none.
 */
bool map_reserve(struct map *m) MUST_USE;

/*
 * Insert or replace; returns the value that was there, or NULL. `value` is not NULL. When there
 * is neither room nor memory the program ends, as with xalloc: while it serves, reserve first.
 */
void *map_put(struct map *m, const char *key, size_t len, void *value);

/* Remove; returns the value that was there, or NULL. */
void *map_remove(struct map *m, const char *key, size_t len);

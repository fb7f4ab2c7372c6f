#include "api/assets.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#define ASSET(name, path, file, type) extern const char asset_##name[], asset_##name##_end[];
#include "api/assets.def"
#undef ASSET

enum asset_index {
#define ASSET(name, path, file, type) ASSET_##name,
#include "api/assets.def"
#undef ASSET
    ASSET__COUNT
};

static struct asset assets[ASSET__COUNT] = {
#define ASSET(name, path, file, type) [ASSET_##name] = {path, type, asset_##name, 0, ""},
#include "api/assets.def"
#undef ASSET
};

static const char *const ends[ASSET__COUNT] = {
#define ASSET(name, path, file, type) [ASSET_##name] = asset_##name##_end,
#include "api/assets.def"
#undef ASSET
};

/* FNV-1a. The files are ours, nobody chooses them to collide: any good spread will do. */
static uint64_t hash(const unsigned char *data, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Lengths and hashes are not known to the compiler, only to the linker. */
static void measure(void)
{
    if (assets[0].etag[0])
        return;
    for (size_t i = 0; i < ASSET__COUNT; i++) {
        struct asset *a = &assets[i];
        int n;

        a->len = (size_t)((uintptr_t)ends[i] - (uintptr_t)a->data);
        n = snprintf(a->etag, sizeof(a->etag), "\"%016" PRIx64 "\"", hash(a->data, a->len));
        MUST(n > 0 && (size_t)n < sizeof(a->etag));
    }
}

const struct asset *asset_find(struct str path)
{
    measure();
    for (size_t i = 0; i < ASSET__COUNT; i++) {
        if (str_eq(path, assets[i].path))
            return &assets[i];
    }
    return NULL;
}

const struct asset *asset_at(size_t i)
{
    measure();
    return i < ASSET__COUNT ? &assets[i] : NULL;
}

#include "api/assets.h"

#include "seal/seal.h"

#include <stdint.h>

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
#define ASSET(name, path, file, type) [ASSET_##name] = {path, file, type, asset_##name, 0, ""},
#include "api/assets.def"
#undef ASSET
};

static const char *const ends[ASSET__COUNT] = {
#define ASSET(name, path, file, type) [ASSET_##name] = asset_##name##_end,
#include "api/assets.def"
#undef ASSET
};

/* The digest of the bytes in hex, quoted as the header wants it. */
static void tag(struct asset *a)
{
    uint8_t digest[16];
    char *at = a->etag;

    seal_digest(a->data, a->len, digest);
    *at++ = '"';
    for (size_t i = 0; i < sizeof(digest); i++) {
        *at++ = "0123456789abcdef"[digest[i] >> 4];
        *at++ = "0123456789abcdef"[digest[i] & 15];
    }
    *at++ = '"';
    *at = '\0';
}

/* Lengths and hashes are not known to the compiler, only to the linker. */
static void measure(void)
{
    if (assets[0].etag[0])
        return;
    for (size_t i = 0; i < ASSET__COUNT; i++) {
        assets[i].len = (size_t)((uintptr_t)ends[i] - (uintptr_t)assets[i].data);
        tag(&assets[i]);
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

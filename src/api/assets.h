/*
 * assets: the page at "/", the dashboard, their styles and scripts, which are part of the
 * program. They need no script, style or picture from elsewhere and nothing inline, so
 * ASSET_POLICY holds them. Owns nothing that must be freed; everything returned lives as long
 * as the process.
 */
#pragma once

#include "base/strs.h"

#include <stddef.h>

/* Content-Security-Policy to send with every asset. */
#define ASSET_POLICY                                                                           \
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

struct asset {
    const char *path; /* of the URL, "/" first */
    const char *file; /* of the source tree, "web/..." */
    const char *type; /* Content-Type */
    const void *data;
    size_t len;
    char etag[36]; /* a hash of the bytes, 32 hex digits in double quotes */
};

/* The file that is served at `path`, or NULL. The hashes are made at the first call. */
const struct asset *asset_find(struct str path);

/* The i-th file, NULL after the last: for whoever lists them all. */
const struct asset *asset_at(size_t i);

/*
 * base64: bytes as text (RFC 4648 section 4, padded).
 */
#pragma once

#include "base/must.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Pieces whose lengths are multiples of three may follow each other. */
void base64_add(struct buf *out, const void *data, size_t n);
/* The bytes of such a text, appended. False: it is none, or `out` is full; it is as it was. */
bool base64_read(struct buf *out, struct str text) MUST_USE;

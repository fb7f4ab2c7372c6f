/*
 * base64: bytes as text (RFC 4648 section 4, padded).
 */
#pragma once

#include <stddef.h>

struct buf;

/* Pieces whose lengths are multiples of three may follow each other. */
void base64_add(struct buf *out, const void *data, size_t n);

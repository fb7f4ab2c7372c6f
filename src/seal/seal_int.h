/*
 * Private to seal/: the files that hold key and salt.
 */
#pragma once

#include "seal/seal.h"

#define SEAL_KEY_BYTES 32

struct seal_file {
    const char *path;
    const char *what; /* for errors: "key" */
    size_t size;      /* exactly this many bytes */
    bool secret;      /* refuse it when others may read it */
};

/*
 * Read the file into `dst`, or make it with `fresh` when there is none (mode 0600, whole or not
 * at all, durable). When two processes make it at once, one wins and both read the same.
 * 0: found, 1: made, -1: error.
 */
int seal__file(const struct seal_file *f, const void *fresh, void *dst, struct err *e) MUST_USE;

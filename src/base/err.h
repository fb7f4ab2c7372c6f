/*
 * err: how anything fallible reports why. A `struct err` is a value in the caller's frame, so
 * an error can be told when memory is gone, and it cannot leak. A function that can fail takes
 * `struct err *e` last and returns -1 (or NULL); passing NULL means "I do not want the text".
 *
 *     return err_set(e, ERR_IO, errno, "open '%s'", path);
 *
 * Libraries return errors, edges (api, cli, loop callbacks that end a chain) log them.
 */
#pragma once

#include "base/must.h"

#include <stdbool.h>

enum err_code {
    ERR_NONE,
#define ERR(name, status, retry, code, sentence) ERR_##name,
#include "base/err.def"
#undef ERR
    ERR__COUNT
};

struct err {
    enum err_code code;
    int sys;       /* errno, or 0 */
    char msg[240]; /* one sentence, no full stop needed, no secret ever */
};

/* Fill *e and return -1. `sys` other than 0 appends ": <strerror>". */
int err_set(struct err *e, enum err_code code, int sys, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* The columns of err.def. */
const char *err_code_text(enum err_code code);
const char *err_sentence(enum err_code code);
int err_status(enum err_code code);
int err_retry_after_s(enum err_code code);

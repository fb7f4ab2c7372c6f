/*
 * buf: a growable run of bytes, always followed by a NUL that is not counted in `len`.
 * It takes its memory from malloc, or from whoever implements `struct buf_mem` (a region).
 * When memory is refused the buf turns `full`: later writes do nothing and the writer checks
 * once, at the end. With malloc behind it, `full` happens only above `max` or out of memory.
 */
#pragma once

#include "base/must.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a buf gets its bytes. resize(p, old, 0) gives them back. NULL on refusal. */
struct buf_mem {
    void *(*resize)(struct buf_mem *mem, void *p, size_t old_size, size_t new_size);
};

struct buf {
    char *data; /* NULL until the first write */
    size_t len;
    size_t cap;
    size_t max;          /* 0: no limit of its own */
    struct buf_mem *mem; /* NULL: malloc */
    bool full;
};

#define BUF_INIT                                                                               \
    {                                                                                          \
        0                                                                                      \
    }

void buf_init(struct buf *b, struct buf_mem *mem);
void buf_release(struct buf *b); /* free the bytes; the buf may be used again */
void buf_wipe(struct buf *b);    /* the same for what is secret: overwritten first */
void buf_clear(struct buf *b);   /* length 0, not full, memory kept */

/* Room for n more bytes and the NUL. NULL (and full) when refused. Does not change len. */
char *buf_reserve(struct buf *b, size_t n);

void buf_add(struct buf *b, const void *data, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* "2024-02-23T18:55:00Z" */
void buf_time(struct buf *b, int64_t unix_s);

/* Remove n bytes from the front. */
void buf_consume(struct buf *b, size_t n);

/* The text, "" when nothing was written. Borrowed from the buf. */
const char *buf_text(const struct buf *b);

/* Hand the bytes to the caller (malloc'd bufs: free() them) and empty the buf. */
char *buf_detach(struct buf *b);

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_CAP 64

void buf_init(struct buf *b, struct buf_mem *mem)
{
    *b = (struct buf){.mem = mem};
}

static void *resize(struct buf *b, size_t cap)
{
    if (b->mem)
        return b->mem->resize(b->mem, b->data, b->cap, cap);
    if (cap == 0) {
        free(b->data);
        return NULL;
    }
    return realloc(b->data, cap);
}

void buf_release(struct buf *b)
{
    if (b->data)
        resize(b, 0);
    *b = (struct buf){.mem = b->mem, .max = b->max};
}

void buf_wipe(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_release(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->full = false;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t need = b->len + n + 1;
    size_t cap = b->cap ? b->cap : FIRST_CAP;

    if (b->full || need < n || (b->max && b->len + n > b->max)) {
        b->full = true;
        return NULL;
    }
    if (need <= b->cap)
        return b->data + b->len;
    while (cap < need)
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : need;
    char *p = resize(b, cap);
    if (!p && cap > need) {
        cap = need; /* doubling may be refused where the exact need is not */
        p = resize(b, cap);
    }
    if (!p) {
        b->full = true;
        return NULL;
    }
    b->data = p;
    b->cap = cap;
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
    char *p = buf_reserve(b, n);

    if (!p)
        return;
    if (n)
        memcpy(p, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        buf_add(b, small, (size_t)n);
    } else if (n >= 0) {
        char *p = buf_reserve(b, (size_t)n);
        if (p) {
            vsnprintf(p, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_time(struct buf *b, int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    char text[40] = "";

    if (gmtime_r(&t, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_str(b, text);
}

void buf_consume(struct buf *b, size_t n)
{
    MUST(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len + 1);
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_detach(struct buf *b)
{
    char *p = buf_reserve(b, 0);

    if (p && b->len == 0)
        *p = '\0';
    p = b->data;
    *b = (struct buf){.mem = b->mem, .max = b->max};
    return p;
}

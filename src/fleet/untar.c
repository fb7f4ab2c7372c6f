/* A tar that comes in pieces. */
#include "fleet/untar.h"

#include "base/strs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of POSIX.1-1988's header. */
enum { MODE = 100, SIZE = 124, TIME = 136, SUM = 148, TYPE = 156, LINK = 157, PREFIX = 345 };

void fleet__untar_init(struct untar *u, const struct untar_sink *sink)
{
    *u = (struct untar){.sink = sink};
    u->record.max = u->path.max = u->link.max = UNTAR_RECORD_MAX;
}

void fleet__untar_release(struct untar *u)
{
    buf_release(&u->record);
    buf_release(&u->path);
    buf_release(&u->link);
}

static int broken(struct err *e)
{
    return err_set(e, ERR_IO, 0, "what the engine sends is no tar, or a broken one");
}

/* Octal, or GNU's binary with the highest bit set. */
static bool number(const char *field, size_t size, uint64_t *ret)
{
    const unsigned char *f = (const unsigned char *)field;
    uint64_t n = 0;
    size_t i = 0;

    if (f[0] & 0x80) {
        n = f[0] & 0x7f;
        for (i = 1; i < size; i++) {
            if (n >> 55)
                return false;
            n = n << 8 | f[i];
        }
        *ret = n;
        return true;
    }
    while (i < size && f[i] == ' ')
        i++;
    for (; i < size && f[i] >= '0' && f[i] <= '7'; i++)
        n = n << 3 | (uint64_t)(f[i] - '0');
    *ret = n;
    return i == size || f[i] == ' ' || f[i] == '\0';
}

static bool sum_right(const char *head)
{
    uint64_t said;
    unsigned sum = 0;

    for (int i = 0; i < UNTAR_BLOCK; i++)
        sum += i >= SUM && i < TYPE ? ' ' : (unsigned char)head[i];
    return number(head + SUM, 8, &said) && said == sum;
}

static void add_field(struct buf *out, const char *field, size_t size)
{
    buf_add(out, field, strnlen(field, size));
}

/* Where no record said it. */
static void read_names(struct untar *u)
{
    if (u->path.len == 0) {
        if (memcmp(u->head + 257, "ustar\0", 6) == 0 && u->head[PREFIX]) {
            add_field(&u->path, u->head + PREFIX, 155);
            buf_char(&u->path, '/');
        }
        add_field(&u->path, u->head, 100);
    }
    if (u->link.len == 0)
        add_field(&u->link, u->head + LINK, 100);
}

static bool in_front(char type)
{
    return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

static int begin(struct untar *u, struct err *e)
{
    uint64_t size, mode, time;
    char type = u->head[TYPE] ? u->head[TYPE] : '0';

    if (!sum_right(u->head) || !number(u->head + SIZE, 12, &size) ||
        !number(u->head + MODE, 8, &mode) || !number(u->head + TIME, 12, &time))
        return broken(e);
    u->kind = type == '7' ? '0' : type;
    if (in_front(type)) {
        buf_clear(&u->record);
        if (size > UNTAR_RECORD_MAX)
            return broken(e);
    } else {
        read_names(u);
        if (u->has_size)
            size = u->size;
        if (u->kind != '0')
            size = 0;
        const struct untar_entry entry = {.path = buf_text(&u->path),
                                          .link = buf_text(&u->link),
                                          .type = u->kind,
                                          .mode = (unsigned)mode & 07777,
                                          .size = size,
                                          .time = u->has_time ? u->time : (int64_t)time};
        if (u->path.full || u->link.full || size > INT64_MAX - UNTAR_BLOCK)
            return broken(e);
        if (!u->sink->on_entry(u->sink->ctx, &entry, e))
            return -1;
    }
    u->left = size;
    u->pad = (UNTAR_BLOCK - size % UNTAR_BLOCK) % UNTAR_BLOCK;
    return 0;
}

static void set_text(struct buf *to, const char *value, size_t len)
{
    buf_clear(to);
    buf_add(to, value, strnlen(value, len));
}

/* "path=...": one record of pax. */
static bool take_pair(struct untar *u, const char *key, size_t key_len, const char *value,
                      size_t len)
{
    const struct str k = {key, key_len};
    char text[32];

    if (str_eq(k, "path"))
        set_text(&u->path, value, len);
    else if (str_eq(k, "linkpath"))
        set_text(&u->link, value, len);
    else if (str_eq(k, "size") || str_eq(k, "mtime")) {
        int64_t n;
        size_t whole = 0;
        while (whole < len && value[whole] != '.')
            whole++;
        if (whole >= sizeof(text))
            return false;
        snprintf(text, sizeof(text), "%.*s", (int)whole, value);
        if (!str_to_int(text, &n))
            return false;
        if (str_eq(k, "size") && n < 0)
            return false;
        if (str_eq(k, "size")) {
            u->has_size = true;
            u->size = (uint64_t)n;
        } else {
            u->has_time = true;
            u->time = n;
        }
    }
    return true;
}

/* "25 path=...\n", one behind the other; the number counts all of it. */
static bool take_records(struct untar *u)
{
    const char *at = buf_text(&u->record), *end = at + u->record.len;

    while (at < end && *at) {
        char *digits_end;
        unsigned long n = strtoul(at, &digits_end, 10);
        if (*digits_end != ' ' || n == 0 || n > (size_t)(end - at) || at[n - 1] != '\n')
            return false;
        const char *key = digits_end + 1, *stop = at + n - 1;
        const char *equals = key < stop ? memchr(key, '=', (size_t)(stop - key)) : NULL;
        if (!equals ||
            !take_pair(u, key, (size_t)(equals - key), equals + 1, (size_t)(stop - equals - 1)))
            return false;
        at += n;
    }
    return true;
}

static int end_entry(struct untar *u, struct err *e)
{
    char kind = u->kind;

    u->kind = 0;
    if (kind == 'x')
        return take_records(u) ? 0 : broken(e);
    if (kind == 'L' || kind == 'K') {
        set_text(kind == 'L' ? &u->path : &u->link, buf_text(&u->record), u->record.len);
        return 0;
    }
    if (kind == 'g')
        return 0;
    buf_clear(&u->path);
    buf_clear(&u->link);
    u->has_size = u->has_time = false;
    return kind != '0' || u->sink->on_end(u->sink->ctx, e) ? 0 : -1;
}

static int take_body(struct untar *u, const char *data, size_t n, struct err *e)
{
    u->left -= n;
    if (in_front(u->kind)) {
        buf_add(&u->record, data, n);
        return 0;
    }
    return u->sink->on_data(u->sink->ctx, data, n, e) ? 0 : -1;
}

static int take_head(struct untar *u, struct err *e)
{
    static const char nothing[UNTAR_BLOCK];

    u->have = 0;
    if (memcmp(u->head, nothing, sizeof(nothing)) == 0) {
        u->zeros++;
        return 0;
    }
    return begin(u, e);
}

int fleet__untar_feed(struct untar *u, const char *data, size_t len, struct err *e)
{
    int rc = 0;

    while (rc == 0) {
        size_t n;
        if (u->kind && u->left == 0 && u->pad == 0) {
            rc = end_entry(u, e);
            continue;
        }
        if (len == 0 || u->zeros >= 2)
            break;
        if (u->kind && u->left) {
            n = len < u->left ? len : (size_t)u->left;
            rc = take_body(u, data, n, e);
        } else if (u->kind) {
            n = len < u->pad ? len : (size_t)u->pad;
            u->pad -= n;
        } else {
            n = UNTAR_BLOCK - u->have;
            n = len < n ? len : n;
            memcpy(u->head + u->have, data, n);
            u->have += n;
            if (u->have == UNTAR_BLOCK)
                rc = take_head(u, e);
        }
        data += n;
        len -= n;
    }
    return rc;
}

int fleet__untar_finish(const struct untar *u, struct err *e)
{
    if (u->zeros >= 2)
        return 0;
    return err_set(e, ERR_IO, 0, "the files came in part only: the connection broke off");
}

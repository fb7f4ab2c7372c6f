#include "base/wire.h"

#include <string.h>

#define LENGTH_BYTES 4 /* of a field that is closed later: a padded varint, < 256 MiB */

void wire_put_uint(struct buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;

    do {
        bytes[n] = (uint8_t)(v & 0x7f);
        v >>= 7;
        if (v)
            bytes[n] |= 0x80;
        n++;
    } while (v);
    buf_add(b, bytes, n);
}

void wire_put_field(struct buf *b, uint8_t tag, const void *data, size_t len)
{
    buf_char(b, (char)tag);
    wire_put_uint(b, len);
    buf_add(b, data, len);
}

static void put_number_field(struct buf *b, uint8_t tag, uint64_t v)
{
    size_t n = 1;

    for (uint64_t rest = v >> 7; rest; rest >>= 7)
        n++;
    buf_char(b, (char)tag);
    buf_char(b, (char)n);
    wire_put_uint(b, v);
}

void wire_put_uint_field(struct buf *b, uint8_t tag, uint64_t v)
{
    put_number_field(b, tag, v);
}

void wire_put_int_field(struct buf *b, uint8_t tag, int64_t v)
{
    put_number_field(b, tag, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

size_t wire_open_field(struct buf *b, uint8_t tag)
{
    buf_char(b, (char)tag);
    buf_add(b, "\0\0\0", LENGTH_BYTES);
    return b->len;
}

void wire_close_field(struct buf *b, size_t place)
{
    if (b->full)
        return;
    size_t len = b->len - place;
    uint8_t *at = (uint8_t *)b->data + place - LENGTH_BYTES;
    for (int i = 0; i < LENGTH_BYTES; i++, len >>= 7)
        at[i] = (uint8_t)((len & 0x7f) | (i < LENGTH_BYTES - 1 ? 0x80 : 0));
    if (len)
        b->full = true;
}

struct wire wire_read(const void *data, size_t len)
{
    const uint8_t *at = data;

    return (struct wire){at, at ? at + len : at, false};
}

uint64_t wire_uint(struct wire *w)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (w->at == w->end)
            break;
        uint8_t byte = *w->at++;
        if (shift == 63 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    w->bad = true;
    return 0;
}

struct str wire_bytes(struct wire *w, size_t n)
{
    if (w->bad || n > (size_t)(w->end - w->at)) {
        w->bad = true;
        return (struct str){"", 0};
    }
    struct str s = {(const char *)w->at, n};
    w->at += n;
    return s;
}

bool wire_field(struct wire *w, uint8_t *ret_tag, struct str *ret)
{
    if (w->bad || w->at == w->end)
        return false;
    *ret_tag = *w->at++;
    uint64_t n = wire_uint(w);
    *ret = wire_bytes(w, n);
    return !w->bad;
}

uint64_t wire_whole_uint(struct str field, bool *bad)
{
    struct wire w = wire_read(field.data, field.len);
    uint64_t v = wire_uint(&w);

    *bad |= w.bad || w.at != w.end;
    return v;
}

int64_t wire_whole_int(struct str field, bool *bad)
{
    uint64_t v = wire_whole_uint(field, bad);

    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

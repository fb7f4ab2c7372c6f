/*
 * wire: how numbers and fields are laid out in what we store. A varint is LEB128 (7 bits a
 * byte, low bits first, at most 10 bytes); a field is a tag byte, a varint length, the bytes.
 * Writing goes to a buf (check `full` once); reading never passes the end and turns `bad`.
 */
#pragma once

#include "base/buf.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void wire_put_uint(struct buf *b, uint64_t v);
void wire_put_field(struct buf *b, uint8_t tag, const void *data, size_t len);
void wire_put_uint_field(struct buf *b, uint8_t tag, uint64_t v);
void wire_put_int_field(struct buf *b, uint8_t tag, int64_t v);
/* A field whose bytes are written in between: open returns a place that close needs. */
size_t wire_open_field(struct buf *b, uint8_t tag);
void wire_close_field(struct buf *b, size_t place);

struct wire {
    const uint8_t *at, *end;
    bool bad; /* sticky: something did not fit or was not well formed */
};

struct wire wire_read(const void *data, size_t len);
uint64_t wire_uint(struct wire *w);
struct str wire_bytes(struct wire *w, size_t n);
/* The next field; false at the end or when bad. */
bool wire_field(struct wire *w, uint8_t *ret_tag, struct str *ret);
/* A field's bytes that are one number and nothing else. */
uint64_t wire_whole_uint(struct str field, bool *bad);
int64_t wire_whole_int(struct str field, bool *bad);

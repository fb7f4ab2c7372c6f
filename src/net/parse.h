/*
 * Private to net/. parse: the strict HTTP/1.1 request parser. Pure: no socket, no clock, no
 * allocation, so it can be tested and fuzzed alone. It refuses whatever two servers in a row
 * could read differently (RFC 9112 sections 2.2, 3.2, 5, 6, 7.1, 11), and it says so at the
 * first byte that is wrong, not at a deadline. However the bytes are cut, the result is the
 * same.
 *
 * A request: http_head_scan() until the head is whole, http_head_parse() once, then
 * Content-Length bytes of body, or http_chunked_next() until it is done.
 */
#pragma once

#include "base/strs.h"
#include "net/net.h"

/* Why a request is refused; the columns are in refuse.def. */
enum refusal {
    REFUSE_NONE,
#define REFUSE(name, status, code, close, detail) REFUSE_##name,
#include "net/refuse.def"
#undef REFUSE
    REFUSE__COUNT
};

enum parse { PARSE_MORE, PARSE_DONE, PARSE_REFUSED };

#define HTTP_MAX_HEADERS 100

/* How far a head has been looked at. All zeros at the start of a head. */
struct http_head_scan {
    uint32_t pos;   /* bytes looked at, the head's size when done */
    uint32_t line;  /* where the current line begins */
    uint16_t start; /* where the request line begins: 2 after an empty line, else 0 */
    uint16_t lines; /* lines that ended */
    bool cr;        /* the last byte was a carriage return */
};

/*
 * Look for the head's end in data[0..len), which begins with the head and has grown since the
 * last call. Checks line ends and control characters on the way.
 */
enum parse http_head_scan(struct http_head_scan *s, const char *data, size_t len, size_t max,
                          enum refusal *why);

/* A parsed head. Texts are borrowed from the bytes. */
struct http_head {
    enum http_method method; /* HTTP_METHOD__COUNT: none of ours, see method_text */
    int minor;               /* HTTP/1.minor */
    struct str method_text;
    struct str path;    /* raw: still percent-encoded, and known to decode */
    struct str query;   /* raw */
    struct str headers; /* the header lines, each with its line end */
    uint64_t length;    /* Content-Length, 0 without one */
    bool has_length, chunked, keep_alive, expect_continue;
};

/* `data` is one whole head, from the request line to the empty line. */
enum refusal http_head_parse(const char *data, size_t len, struct http_head *ret);

/* The next header of lines that http_head_parse() accepted. False: there is none. */
bool http_header_next(struct str *rest, struct str *name, struct str *value);

/* Percent-decode: writes at most raw.len bytes, returns how many; -1: not valid, or a NUL. */
ptrdiff_t http_percent_decode(struct str raw, char *out, bool plus_is_space);

bool http_is_token(struct str s);

/* chunk.c: a body in chunks. All zeros at its start. */
struct http_chunked {
    uint64_t left;     /* data bytes that the current chunk still has */
    uint64_t size;     /* the size being read */
    uint32_t overhead; /* bytes of extensions and trailers so far */
    uint8_t state;
    uint8_t digits;
};

#define HTTP_MAX_CHUNK_OVERHEAD 8192

/*
 * Decode from data[0..len). *used bytes are done with; *out is a run of body bytes inside
 * `data`, empty when there is none. Call again with the rest until PARSE_DONE; PARSE_MORE with
 * *used == len and nothing in *out wants more bytes from the client.
 */
enum parse http_chunked_next(struct http_chunked *k, const char *data, size_t len, size_t *used,
                             struct str *out, enum refusal *why);

/*
 * Fuzz target: the request parser, from bytes to requests, as a connection uses it. The input
 * is parsed whole and in pieces (the first byte says how), and both must come to the same end;
 * what was accepted must keep what the parser promises.
 */
#include "base/must.h"
#include "net/parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEAD 4096
#define MAX_BODY 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What a stream of requests came to: comparable, so made of numbers alone. */
struct end {
    uint64_t hash;
    uint32_t requests;
    enum refusal why;
};

static void add_hash(struct end *e, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        e->hash = (e->hash ^ (unsigned char)data[i]) * 0x100000001b3u;
}

static void check_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        MUST(s.data[i] != '\0' && s.data[i] != '\r' && s.data[i] != '\n');
}

/* What the owner of a request relies on. */
static void check_head(const struct http_head *h, struct end *e)
{
    struct str rest = h->headers, name, value;
    int hosts = 0, lengths = 0, codings = 0;
    char *path = malloc(h->path.len + 1);

    MUST(path && h->path.len > 0);
    MUST(h->path.data[0] == '/' || str_eq(h->path, "*"));
    ptrdiff_t n = http_percent_decode(h->path, path, false);
    MUST(n > 0 && (size_t)n <= h->path.len && !memchr(path, '\0', (size_t)n));
    free(path);
    MUST(http_percent_decode(h->query, NULL, true) >= 0);
    MUST(http_is_token(h->method_text));
    check_text(h->path);
    check_text(h->query);
    while (http_header_next(&rest, &name, &value)) {
        MUST(http_is_token(name));
        check_text(value);
        hosts += str_eq_nocase(name, "host");
        lengths += str_eq_nocase(name, "content-length");
        codings += str_eq_nocase(name, "transfer-encoding");
        add_hash(e, name.data, name.len);
        add_hash(e, value.data, value.len);
    }
    MUST(rest.len == 0 && hosts <= 1 && lengths + codings <= 1);
    MUST(hosts == 1 || h->minor == 0);
    MUST(h->has_length == (lengths == 1) && h->chunked == (codings == 1));
    add_hash(e, h->path.data, h->path.len);
    add_hash(e, h->query.data, h->query.len);
}

/* The connection in small: where it is between two reads. */
struct reader {
    struct http_head_scan scan;
    struct http_head head;
    struct http_chunked chunked;
    uint64_t left, body;
    bool in_body;
    struct end end;
};

static size_t read_head(struct reader *r, const char *data, size_t len)
{
    size_t before = r->scan.pos;

    switch (http_head_scan(&r->scan, data, len, MAX_HEAD, &r->end.why)) {
    case PARSE_MORE:
        MUST(r->scan.pos == len && r->scan.pos >= before);
        return 0;
    case PARSE_REFUSED:
        MUST(r->end.why != REFUSE_NONE);
        return 0;
    case PARSE_DONE:
        break;
    }
    size_t start = r->scan.start, size = r->scan.pos;
    MUST(size <= len && size <= MAX_HEAD && size > start);
    r->scan = (struct http_head_scan){0};
    /* a copy of its exact size, so that a read behind it is seen */
    char *exact = malloc(size - start);
    MUST(exact);
    memcpy(exact, data + start, size - start);
    r->end.why = http_head_parse(exact, size - start, &r->head);
    if (!r->end.why) {
        check_head(&r->head, &r->end);
        r->left = r->head.length;
        r->body = 0;
        r->chunked = (struct http_chunked){0};
        r->in_body = r->head.chunked || r->left > 0;
        if (r->left > MAX_BODY)
            r->end.why = REFUSE_BODY_SIZE;
        r->end.requests += !r->in_body;
    }
    free(exact);
    return size;
}

static size_t read_body(struct reader *r, const char *data, size_t len)
{
    size_t used = 0;
    struct str out = {data, 0};

    if (r->head.chunked) {
        enum parse p = http_chunked_next(&r->chunked, data, len, &used, &out, &r->end.why);
        if (p == PARSE_REFUSED) {
            MUST(r->end.why != REFUSE_NONE);
            return 0;
        }
        MUST(used <= len && out.len <= used);
        MUST(!out.len || (out.data >= data && out.data + out.len <= data + used));
        MUST(p == PARSE_DONE || used > 0);
        MUST(r->chunked.overhead <= HTTP_MAX_CHUNK_OVERHEAD);
        if (r->body + out.len + r->chunked.left > MAX_BODY)
            r->end.why = REFUSE_BODY_SIZE;
        r->in_body = p != PARSE_DONE;
    } else {
        used = len < r->left ? len : (size_t)r->left;
        out.len = used;
        r->left -= used;
        r->in_body = r->left > 0;
    }
    if (!r->end.why) {
        add_hash(&r->end, out.data, out.len);
        r->body += out.len;
        r->end.requests += !r->in_body;
    }
    return used;
}

/* Read `data` in pieces of `step` bytes; what is not used stays, as on a connection. */
static struct end read_all(const char *data, size_t len, size_t step)
{
    struct reader r = {.end = {.hash = 0xcbf29ce484222325u}};
    size_t from = 0, to = 0;

    while (to < len && !r.end.why) {
        to = len - to < step ? len : to + step;
        while (from < to && !r.end.why) {
            size_t used = r.in_body ? read_body(&r, data + from, to - from)
                                    : read_head(&r, data + from, to - from);
            if (used == 0)
                break;
            from += used;
        }
    }
    return r.end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    const char *text = (const char *)data + 1;
    struct end whole = read_all(text, len - 1, len);
    struct end parts = read_all(text, len - 1, (size_t)data[0] % 61 + 1);
    MUST(whole.why == parts.why && whole.requests == parts.requests);
    MUST(whole.why || whole.hash == parts.hash);
    return 0;
}

#include "net/net_int.h"

#include <string.h>
#include <strings.h>

/* Files in memory: entity tags, one range, 304 (RFC 9110 sections 13 and 14). */

static struct str without_weak(struct str tag)
{
    if (tag.len > 2 && memcmp(tag.data, "W/", 2) == 0)
        return (struct str){tag.data + 2, tag.len - 2};
    return tag;
}

/* If-None-Match: a list of tags or "*", compared weakly. */
static bool none_match_hits(struct str list, const char *etag)
{
    struct str own = without_weak(str_of(etag));

    if (str_eq(list, "*"))
        return true;
    while (list.len) {
        const char *comma = memchr(list.data, ',', list.len);
        struct str tag = {list.data, comma ? (size_t)(comma - list.data) : list.len};
        size_t step = tag.len + (comma != NULL);
        tag = without_weak(str_trim(tag));
        if (tag.len == own.len && memcmp(tag.data, own.data, own.len) == 0)
            return true;
        list = (struct str){list.data + step, list.len - step};
    }
    return false;
}

static bool read_number(struct str *s, uint64_t *ret)
{
    size_t i = 0;

    *ret = 0;
    for (; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
        if (i == 18)
            return false;
        *ret = *ret * 10 + (uint64_t)(s->data[i] - '0');
    }
    *s = (struct str){s->data + i, s->len - i};
    return i > 0;
}

enum range {
    RANGE_NONE, /* none, or one that is not understood: the whole file is right */
    RANGE_PART,
    RANGE_OUTSIDE
};

static enum range parse_range(struct str v, uint64_t size, uint64_t *from, uint64_t *to)
{
    uint64_t n = 0;

    if (v.len < 7 || strncasecmp(v.data, "bytes=", 6) != 0)
        return RANGE_NONE;
    v = (struct str){v.data + 6, v.len - 6};
    if (v.data[0] == '-') { /* the last n bytes */
        v = (struct str){v.data + 1, v.len - 1};
        if (!read_number(&v, &n) || v.len)
            return RANGE_NONE;
        if (n == 0 || size == 0)
            return RANGE_OUTSIDE;
        *from = n < size ? size - n : 0;
        *to = size - 1;
        return RANGE_PART;
    }
    if (!read_number(&v, from) || v.len == 0 || v.data[0] != '-')
        return RANGE_NONE;
    v = (struct str){v.data + 1, v.len - 1};
    *to = size - 1;
    if (v.len && (!read_number(&v, to) || v.len || *to < *from))
        return RANGE_NONE;
    if (*from >= size)
        return RANGE_OUTSIDE;
    if (*to >= size)
        *to = size - 1;
    return RANGE_PART;
}

void http_answer_file(struct http_req *r, const char *content_type, const char *etag,
                      const void *body, size_t len)
{
    struct str none_match = http_req_header(r, "if-none-match");
    struct str if_range = http_req_header(r, "if-range");
    uint64_t from = 0, to = 0;
    enum range range = RANGE_NONE;
    const char *start = body;

    http_header(r, "ETag", "%s", etag);
    http_header(r, "Accept-Ranges", "bytes");
    if (none_match.data && none_match_hits(none_match, etag)) {
        http_answer__send(r, 304, NULL, NULL, 0, false);
        return;
    }
    /* If-Range compares strongly; a weak tag or a date means: send it all. */
    if (r->method == HTTP_GET && (!if_range.data || str_eq(if_range, etag)))
        range = parse_range(http_req_header(r, "range"), len, &from, &to);
    switch (range) {
    case RANGE_NONE:
        http_answer__send(r, 200, content_type, body, len, true);
        return;
    case RANGE_PART:
        http_header(r, "Content-Range", "bytes %llu-%llu/%zu", (unsigned long long)from,
                    (unsigned long long)to, len);
        http_answer__send(r, 206, content_type, start + from, (size_t)(to - from + 1), true);
        return;
    case RANGE_OUTSIDE:
        http_header(r, "Content-Range", "bytes */%zu", len);
        http_answer__send(r, 416, NULL, NULL, 0, false);
        return;
    }
}

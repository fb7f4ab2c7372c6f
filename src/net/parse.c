#include "net/parse.h"

#include <string.h>
#include <strings.h>

/* What a byte may be part of: RFC 9110 5.6.2 (token), RFC 3986 (target, host), 9110 5.5. */
enum {
    TOKEN = 1,  /* a method, a header's name */
    TARGET = 2, /* a request target */
    VALUE = 4,  /* a header's value */
    HOST = 8    /* a host with its port */
};

/* clang-format off */
static const unsigned char byte_class[256] = {
   /* 00 */  0,  0,  0,  0,  0,  0,  0,  0,  0,  4,  0,  0,  0,  0,  0,  0,
   /* 10 */  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
   /* 20 */  4, 15,  4,  5, 15, 15, 15, 15, 14, 14, 15, 15, 14, 15, 15,  6,
   /* 30 */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 14,  4, 14,  4,  6,
   /* 40 */  6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
   /* 50 */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14,  4, 14,  7, 15,
   /* 60 */  7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
   /* 70 */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  6,  7,  6, 15,  0,
   /* 80 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
   /* 90 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
   /* a0 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
   /* b0 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
   /* c0 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
   /* d0 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
   /* e0 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
   /* f0 */  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,
};
/* clang-format on */

static bool all_in(struct str s, unsigned char class)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(byte_class[(unsigned char)s.data[i]] & class))
            return false;
    }
    return true;
}

bool http_is_token(struct str s)
{
    return s.len > 0 && all_in(s, TOKEN);
}

/* The byte after a CR. Returns PARSE_MORE when the head goes on. */
static enum parse end_line(struct http_head_scan *s, char c, enum refusal *why)
{
    if (c != '\n') {
        *why = REFUSE_BARE_CR;
        return PARSE_REFUSED;
    }
    s->cr = false;
    bool empty = s->pos - s->line == 1;
    s->line = s->pos + 1;
    if (!empty) {
        s->lines++;
        if (s->lines > HTTP_MAX_HEADERS + 1) {
            *why = REFUSE_HEADER_COUNT;
            return PARSE_REFUSED;
        }
        return PARSE_MORE;
    }
    if (s->lines > 0)
        return PARSE_DONE;
    if (s->start > 0) { /* one empty line before the request is forgiven (RFC 9112 2.2) */
        *why = REFUSE_LINE;
        return PARSE_REFUSED;
    }
    s->start = 2;
    return PARSE_MORE;
}

static enum refusal look_at(const struct http_head_scan *s, unsigned char c)
{
    if (c == '\n')
        return REFUSE_BARE_LF;
    if (!(byte_class[c] & VALUE))
        return REFUSE_CONTROL;
    if (s->pos == s->line && (c == ' ' || c == '\t'))
        return s->lines > 0 ? REFUSE_FOLD : REFUSE_LINE;
    return REFUSE_NONE;
}

enum parse http_head_scan(struct http_head_scan *s, const char *data, size_t len, size_t max,
                          enum refusal *why)
{
    for (; s->pos < len; s->pos++) {
        unsigned char c = (unsigned char)data[s->pos];
        if (s->pos >= max) {
            *why = REFUSE_HEAD_SIZE;
            return PARSE_REFUSED;
        }
        if (s->cr) {
            enum parse p = end_line(s, (char)c, why);
            if (p == PARSE_DONE)
                s->pos++;
            if (p != PARSE_MORE)
                return p;
        } else if (c == '\r') {
            s->cr = true;
        } else if (c <= ' ' || c == 0x7F) {
            *why = look_at(s, c);
            if (*why)
                return PARSE_REFUSED;
        }
    }
    return PARSE_MORE;
}

/* methods, in the order of enum http_method */
static const char *const method_names[] = {"GET",    "HEAD",  "POST",   "PUT",
                                           "DELETE", "PATCH", "OPTIONS"};

const char *http_method_text(enum http_method m)
{
    return m < HTTP_METHOD__COUNT ? method_names[m] : "?";
}

static enum http_method method_of(struct str s)
{
    for (int m = 0; m < HTTP_METHOD__COUNT; m++) {
        if (str_eq(s, method_names[m]))
            return (enum http_method)m;
    }
    return HTTP_METHOD__COUNT;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ptrdiff_t http_percent_decode(struct str raw, char *out, bool plus_is_space)
{
    size_t n = 0;

    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];
        if (c == '%') {
            int hi = i + 2 < raw.len ? hex_value(raw.data[i + 1]) : -1;
            int lo = hi >= 0 ? hex_value(raw.data[i + 2]) : -1;
            if (lo < 0 || (hi | lo) == 0)
                return -1;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (out)
            out[n] = c;
        n++;
    }
    return (ptrdiff_t)n;
}

static enum refusal check_host(struct str host)
{
    size_t i = 0;

    if (host.len == 0 || !all_in(host, HOST) || host.data[0] == ':')
        return REFUSE_HOST;
    if (host.data[0] == '[') {
        const char *end = memchr(host.data, ']', host.len);
        if (!end || end == host.data + 1)
            return REFUSE_HOST;
        i = (size_t)(end - host.data) + 1;
    } else {
        while (i < host.len && host.data[i] != ':')
            i++;
        if (memchr(host.data, '[', i) || memchr(host.data, ']', i))
            return REFUSE_HOST;
    }
    if (i < host.len && host.data[i++] != ':')
        return REFUSE_HOST;
    for (; i < host.len; i++) {
        if (host.data[i] < '0' || host.data[i] > '9')
            return REFUSE_HOST;
    }
    return REFUSE_NONE;
}

/* Split the target into path and query; an absolute form leaves its host in *authority. */
static enum refusal parse_target(struct str t, struct http_head *h, struct str *authority)
{
    if (t.len == 0 || !all_in(t, TARGET))
        return REFUSE_TARGET;
    if (t.len > 7 && strncasecmp(t.data, "http://", 7) == 0) {
        size_t i = 7;
        while (i < t.len && t.data[i] != '/' && t.data[i] != '?')
            i++;
        *authority = (struct str){t.data + 7, i - 7};
        t = (struct str){t.data + i, t.len - i};
        if (check_host(*authority))
            return REFUSE_TARGET;
        if (t.len == 0 || t.data[0] == '?') { /* RFC 9112 3.2.1: an empty path is "/" */
            h->path = (struct str){"/", 1};
            h->query = t.len ? (struct str){t.data + 1, t.len - 1} : t;
            return http_percent_decode(h->query, NULL, true) < 0 ? REFUSE_PERCENT : REFUSE_NONE;
        }
    } else if (t.len == 1 && t.data[0] == '*') {
        h->path = t;
        return h->method == HTTP_OPTIONS ? REFUSE_NONE : REFUSE_TARGET;
    } else if (t.data[0] != '/') {
        return REFUSE_TARGET;
    }
    const char *q = memchr(t.data, '?', t.len);
    h->path = (struct str){t.data, q ? (size_t)(q - t.data) : t.len};
    h->query = q ? (struct str){q + 1, t.len - h->path.len - 1} : (struct str){t.data, 0};
    if (http_percent_decode(h->path, NULL, false) < 0 ||
        http_percent_decode(h->query, NULL, true) < 0)
        return REFUSE_PERCENT;
    return REFUSE_NONE;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum refusal parse_version(struct str v, struct http_head *h)
{
    if (v.len != 8 || memcmp(v.data, "HTTP/", 5) != 0 || !is_digit(v.data[5]) ||
        v.data[6] != '.' || !is_digit(v.data[7]))
        return REFUSE_LINE;
    if (v.data[5] != '1' || v.data[7] > '1')
        return REFUSE_VERSION;
    h->minor = v.data[7] - '0';
    h->keep_alive = h->minor == 1;
    return REFUSE_NONE;
}

static enum refusal parse_line(struct str line, struct http_head *h, struct str *authority)
{
    const char *sp = memchr(line.data, ' ', line.len);

    if (!sp)
        return REFUSE_LINE;
    h->method_text = (struct str){line.data, (size_t)(sp - line.data)};
    if (!http_is_token(h->method_text))
        return REFUSE_METHOD;
    h->method = method_of(h->method_text);
    struct str rest = {sp + 1, line.len - h->method_text.len - 1};
    sp = memchr(rest.data, ' ', rest.len);
    if (!sp)
        return REFUSE_LINE;
    struct str target = {rest.data, (size_t)(sp - rest.data)};
    struct str version = {sp + 1, rest.len - target.len - 1};
    enum refusal why = parse_version(version, h);
    return why ? why : parse_target(target, h, authority);
}

bool http_header_next(struct str *rest, struct str *name, struct str *value)
{
    const char *end = rest->len ? memchr(rest->data, '\r', rest->len) : NULL;
    const char *colon = end ? memchr(rest->data, ':', (size_t)(end - rest->data)) : NULL;

    if (!colon)
        return false;
    const char *from = colon + 1, *to = end;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    *name = (struct str){rest->data, (size_t)(colon - rest->data)};
    *value = (struct str){from, (size_t)(to - from)};
    size_t line = (size_t)(end - rest->data) + 2;
    *rest = (struct str){rest->data + line, rest->len - line};
    return true;
}

/* What the headers that frame a message said. */
struct framing {
    struct str host;
    int hosts, lengths, codings;
    bool close, keep_alive;
};

static enum refusal parse_length(struct str v, struct http_head *h)
{
    if (v.len == 0 || v.len > 18) /* 18 digits cannot overflow */
        return REFUSE_LENGTH;
    h->length = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (!is_digit(v.data[i]))
            return REFUSE_LENGTH;
        h->length = h->length * 10 + (uint64_t)(v.data[i] - '0');
    }
    h->has_length = true;
    return REFUSE_NONE;
}

static void parse_connection(struct str v, struct framing *f)
{
    while (v.len) {
        const char *comma = memchr(v.data, ',', v.len);
        struct str word = {v.data, comma ? (size_t)(comma - v.data) : v.len};
        size_t step = word.len + (comma != NULL);
        word = str_trim(word);
        f->close |= str_eq_nocase(word, "close");
        f->keep_alive |= str_eq_nocase(word, "keep-alive");
        v = (struct str){v.data + step, v.len - step};
    }
}

static enum refusal parse_header(struct str name, struct str v, struct http_head *h,
                                 struct framing *f)
{
    switch (name.len) { /* the length first: most headers mean nothing here */
    case 4:
        if (str_eq_nocase(name, "host")) {
            f->host = v;
            if (++f->hosts > 1)
                return REFUSE_HOST_TWICE;
            return check_host(v);
        }
        break;
    case 6:
        if (str_eq_nocase(name, "expect") && h->minor == 1) {
            if (!str_eq_nocase(v, "100-continue"))
                return REFUSE_EXPECT;
            h->expect_continue = true;
        }
        break;
    case 10:
        if (str_eq_nocase(name, "connection"))
            parse_connection(v, f);
        break;
    case 14:
        if (str_eq_nocase(name, "content-length"))
            return ++f->lengths > 1 ? REFUSE_LENGTH_TWICE : parse_length(v, h);
        break;
    case 17:
        if (str_eq_nocase(name, "transfer-encoding")) {
            if (++f->codings > 1)
                return REFUSE_CODING_TWICE;
            if (!str_eq_nocase(v, "chunked"))
                return REFUSE_CODING;
            h->chunked = true;
        }
        break;
    }
    return REFUSE_NONE;
}

static bool same_host(struct str a, struct str b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* What only the headers together can tell. */
static enum refusal check_framing(const struct framing *f, struct str authority,
                                  struct http_head *h)
{
    if (h->chunked && h->minor == 0)
        return REFUSE_CODING_10;
    if (h->chunked && h->has_length)
        return REFUSE_LENGTH_AND_CODING;
    if (f->hosts == 0 && h->minor == 1)
        return REFUSE_HOST_MISSING;
    if (authority.len && f->hosts && !same_host(authority, f->host))
        return REFUSE_HOST;
    if (f->close)
        h->keep_alive = false;
    else if (f->keep_alive)
        h->keep_alive = true;
    return REFUSE_NONE;
}

enum refusal http_head_parse(const char *data, size_t len, struct http_head *ret)
{
    const char *end = memchr(data, '\r', len);
    struct framing f = {0};
    struct str authority = {0};

    *ret = (struct http_head){.method = HTTP_METHOD__COUNT, .query = {"", 0}};
    if (!end || len - (size_t)(end - data) < 4)
        return REFUSE_LINE;
    enum refusal why = parse_line((struct str){data, (size_t)(end - data)}, ret, &authority);
    if (why)
        return why;
    ret->headers = (struct str){end + 2, len - (size_t)(end - data) - 4};
    struct str rest = ret->headers;
    while (rest.len) {
        struct str name, value;
        if (!http_header_next(&rest, &name, &value) || !http_is_token(name))
            return REFUSE_HEADER_NAME;
        if (!all_in(value, VALUE))
            return REFUSE_HEADER_VALUE;
        why = parse_header(name, value, ret, &f);
        if (why)
            return why;
    }
    return check_framing(&f, authority, ret);
}

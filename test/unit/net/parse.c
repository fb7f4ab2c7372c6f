#include "net/parse.c"
#include "unit/tap.h"

#include <stdlib.h>

#define MAX_HEAD 16384

/* What became of some bytes: one refusal, or a head and a body. */
struct outcome {
    enum refusal why;
    bool whole;
    struct http_head head;
    char body[512];
    size_t body_len;
    size_t used;
};

/* Give `len` bytes to the scanner in two pieces, the first `cut` long, then parse. */
static struct outcome feed(const char *data, size_t len, size_t cut)
{
    struct http_head_scan scan = {0};
    struct outcome o = {0};
    enum parse p = PARSE_MORE;

    if (cut > 0)
        p = http_head_scan(&scan, data, cut, MAX_HEAD, &o.why);
    if (p == PARSE_MORE)
        p = http_head_scan(&scan, data, len, MAX_HEAD, &o.why);
    if (p != PARSE_DONE)
        return o;
    o.used = scan.pos;
    o.why = http_head_parse(data + scan.start, scan.pos - scan.start, &o.head);
    o.whole = o.why == REFUSE_NONE;
    return o;
}

/* One byte at a time. */
static struct outcome drip(const char *data, size_t len)
{
    struct http_head_scan scan = {0};
    struct outcome o = {0};
    enum parse p = PARSE_MORE;

    for (size_t i = 1; i <= len && p == PARSE_MORE; i++)
        p = http_head_scan(&scan, data, i, MAX_HEAD, &o.why);
    if (p == PARSE_DONE) {
        o.used = scan.pos;
        o.why = http_head_parse(data + scan.start, scan.pos - scan.start, &o.head);
        o.whole = o.why == REFUSE_NONE;
    }
    return o;
}

#define H "Host: a\r\n"
#define E "\r\n"

static const struct {
    const char *text;
    enum refusal why;
} bad[] = {
    /* line ends */
    {"GET / HTTP/1.1\n" H E, REFUSE_BARE_LF},
    {"GET / HTTP/1.1\r\nHost: a\n\n", REFUSE_BARE_LF},
    {"GET / HTTP/1.1\rHost: a\r\n\r\n", REFUSE_BARE_CR},
    {"GET / HTTP/1.1\r\nHost: a\r\n\rX", REFUSE_BARE_CR},
    {"GET / HTTP/1.1\r\n" H "X-Abc:\rxTransfer-Encoding: chunked\r\n\r\n", REFUSE_BARE_CR},
    {"GET / HTTP/1.1\r\n" H "X: a\r\r\n\r\n", REFUSE_BARE_CR},
    {"\n" H, REFUSE_BARE_LF},
    {"\r\n\r\nGET / HTTP/1.1\r\n" H E, REFUSE_LINE},
    /* folding */
    {"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", REFUSE_FOLD},
    {"GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", REFUSE_FOLD},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", REFUSE_FOLD},
    {"POST / HTTP/1.1\r\n" H "X: y\r\n Content-Length: 31\r\n\r\n", REFUSE_FOLD},
    {" GET / HTTP/1.1\r\n" H E, REFUSE_LINE},
    /* the request line */
    {"GET\r\n" H E, REFUSE_LINE},
    {"GET /\r\n" H E, REFUSE_LINE},
    {"GET  / HTTP/1.1\r\n" H E, REFUSE_LINE},
    {"GET /  HTTP/1.1\r\n" H E, REFUSE_LINE},
    {"GET / HTTP/1.1 \r\n" H E, REFUSE_LINE},
    {"GET / a HTTP/1.1\r\n" H E, REFUSE_LINE},
    {"GET /\tHTTP/1.1\r\n" H E, REFUSE_LINE},
    {"GET / http/1.1\r\n" H E, REFUSE_LINE},
    {"GET / HTTP/1.1x\r\n" H E, REFUSE_LINE},
    {"GET / HTTP/11\r\n" H E, REFUSE_LINE},
    {"GET / HTTP/a.1\r\n" H E, REFUSE_LINE},
    {"GET / HTTP/01.1\r\n" H E, REFUSE_LINE},
    {"GET / HTTP/2.0\r\n" H E, REFUSE_VERSION},
    {"GET / HTTP/1.2\r\n" H E, REFUSE_VERSION},
    {"GET / HTTP/0.9\r\n" H E, REFUSE_VERSION},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSE_VERSION},
    {"G@T / HTTP/1.1\r\n" H E, REFUSE_METHOD},
    {"GET: / HTTP/1.1\r\n" H E, REFUSE_METHOD},
    {"\"GET\" / HTTP/1.1\r\n" H E, REFUSE_METHOD},
    {"G\xc3\x89T / HTTP/1.1\r\n" H E, REFUSE_METHOD},
    {"\x16\x03\x01\x02", REFUSE_CONTROL},
    /* the target */
    {"GET a HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET a:80 HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"CONNECT a:80 HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET * HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET /a#b HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET /a\\b HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET /a\xff HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET /a<b> HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET https://a/ HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET ftp://a/ HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET http:// HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET http:///x HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET http://u@a/ HTTP/1.1\r\n" H E, REFUSE_TARGET},
    {"GET http://b/ HTTP/1.1\r\n" H E, REFUSE_HOST},
    {"GET /% HTTP/1.1\r\n" H E, REFUSE_PERCENT},
    {"GET /%4 HTTP/1.1\r\n" H E, REFUSE_PERCENT},
    {"GET /%4g HTTP/1.1\r\n" H E, REFUSE_PERCENT},
    {"GET /%-1 HTTP/1.1\r\n" H E, REFUSE_PERCENT},
    {"GET /%00 HTTP/1.1\r\n" H E, REFUSE_PERCENT},
    {"GET /?%zz HTTP/1.1\r\n" H E, REFUSE_PERCENT},
    {"GET http://a?%zz HTTP/1.1\r\n" H E, REFUSE_PERCENT},
    /* headers */
    {"GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\n" H "X\t: a\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\n" H ": a\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\n" H "X\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\n" H "X Y: a\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\n" H "\xc3\x89: a\r\n\r\n", REFUSE_HEADER_NAME},
    {"GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", REFUSE_CONTROL},
    {"GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", REFUSE_CONTROL},
    {"GET / HTTP/1.1\r\n" H "X: a\x0b\r\n\r\n", REFUSE_CONTROL},
    /* host */
    {"GET / HTTP/1.1\r\n\r\n", REFUSE_HOST_MISSING},
    {"GET / HTTP/1.1\r\nX: a\r\n\r\n", REFUSE_HOST_MISSING},
    {"GET http://a/ HTTP/1.1\r\n\r\n", REFUSE_HOST_MISSING},
    {"GET / HTTP/1.1\r\n" H H E, REFUSE_HOST_TWICE},
    {"GET / HTTP/1.1\r\n" H "hOST: b\r\n\r\n", REFUSE_HOST_TWICE},
    {"GET / HTTP/1.0\r\n" H H E, REFUSE_HOST_TWICE},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: a]\r\n\r\n", REFUSE_HOST},
    {"GET / HTTP/1.1\r\nHost: a\xff\r\n\r\n", REFUSE_HOST},
    /* lengths */
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5a\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551621\r\n\r\n", REFUSE_LENGTH},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
     REFUSE_LENGTH_TWICE},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
     REFUSE_LENGTH_TWICE},
    /* codings */
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", REFUSE_CODING},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", REFUSE_CODING},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", REFUSE_CODING},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", REFUSE_CODING},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", REFUSE_CODING},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", REFUSE_CODING},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     REFUSE_CODING_TWICE},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", REFUSE_CODING_10},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     REFUSE_LENGTH_AND_CODING},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     REFUSE_LENGTH_AND_CODING},
    {"POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", REFUSE_EXPECT},
};

static void check_refused(const char *text, size_t len, enum refusal why)
{
    char *exact = malloc(len ? len : 1); /* exact, so that a read behind it is seen */

    memcpy(exact, text, len);
    for (size_t cut = 0; cut <= len; cut++) {
        struct outcome o = feed(exact, len, cut);
        if (o.why != why || o.whole)
            printf("# cut at %zu: refused with %d: %s\n", cut, (int)o.why, text);
        CHECK_INT(o.why, why);
        CHECK(!o.whole);
    }
    CHECK_INT(drip(exact, len).why, why);
    free(exact);
}

static void refuses(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_refused(bad[i].text, strlen(bad[i].text), bad[i].why);
    static const char nul[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    check_refused(nul, sizeof(nul) - 1, REFUSE_CONTROL);
    static const char nul_name[] = "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n";
    check_refused(nul_name, sizeof(nul_name) - 1, REFUSE_CONTROL);
}

static const struct {
    const char *text, *path, *query;
    enum http_method method;
    uint64_t length;
    bool chunked, keep_alive, expect;
} good[] = {
    {"GET / HTTP/1.1\r\n" H E, "/", "", HTTP_GET, 0, false, true, false},
    {"\r\nGET / HTTP/1.1\r\n" H E, "/", "", HTTP_GET, 0, false, true, false},
    {"HEAD /a?b=c?d HTTP/1.1\r\n" H E, "/a", "b=c?d", HTTP_HEAD, 0, false, true, false},
    {"GET /? HTTP/1.1\r\n" H E, "/", "", HTTP_GET, 0, false, true, false},
    {"GET /%41%2f HTTP/1.1\r\n" H E, "/%41%2f", "", HTTP_GET, 0, false, true, false},
    {"GET /?q={a|b}[c]`^ HTTP/1.1\r\n" H E, "/", "q={a|b}[c]`^", HTTP_GET, 0, false, true,
     false},
    {"OPTIONS * HTTP/1.1\r\n" H E, "*", "", HTTP_OPTIONS, 0, false, true, false},
    {"GET http://a/x?y HTTP/1.1\r\n" H E, "/x", "y", HTTP_GET, 0, false, true, false},
    {"GET HTTP://A HTTP/1.1\r\n" H E, "/", "", HTTP_GET, 0, false, true, false},
    {"GET http://a?y HTTP/1.1\r\n" H E, "/", "y", HTTP_GET, 0, false, true, false},
    {"GET / HTTP/1.1\r\nhost:a.b-c_d:8080\r\n\r\n", "/", "", HTTP_GET, 0, false, true, false},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "/", "", HTTP_GET, 0, false, true, false},
    {"GET / HTTP/1.1\r\nHost: [fe80::1]\r\n\r\n", "/", "", HTTP_GET, 0, false, true, false},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "/", "", HTTP_GET, 0, false, true, false},
    {"GET / HTTP/1.0\r\n\r\n", "/", "", HTTP_GET, 0, false, false, false},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/", "", HTTP_GET, 0, false, true,
     false},
    {"GET / HTTP/1.1\r\n" H "Connection: x , CLOSE\r\n\r\n", "/", "", HTTP_GET, 0, false, false,
     false},
    {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n", "/", "",
     HTTP_GET, 0, false, false, false},
    {"GET / HTTP/1.1\r\n" H "Connection: closed,,\r\n\r\n", "/", "", HTTP_GET, 0, false, true,
     false},
    {"POST /p HTTP/1.1\r\n" H "Content-Length: 007\r\n\r\n", "/p", "", HTTP_POST, 7, false,
     true, false},
    {"PUT /p HTTP/1.1\r\n" H "content-length:\t12 \t\r\n\r\n", "/p", "", HTTP_PUT, 12, false,
     true, false},
    {"PATCH /p HTTP/1.1\r\n" H "Content-Length: 999999999999999999\r\n\r\n", "/p", "",
     HTTP_PATCH, 999999999999999999u, false, true, false},
    {"DELETE /p HTTP/1.1\r\n" H "Transfer-Encoding:CHUNKED\r\n\r\n", "/p", "", HTTP_DELETE, 0,
     true, true, false},
    {"POST /p HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", "/p", "",
     HTTP_POST, 1, false, true, true},
    {"POST /p HTTP/1.0\r\nExpect: anything\r\nContent-Length: 1\r\n\r\n", "/p", "", HTTP_POST,
     1, false, false, false},
    {"BREW / HTTP/1.1\r\n" H E, "/", "", HTTP_METHOD__COUNT, 0, false, true, false},
    {"get / HTTP/1.1\r\n" H E, "/", "", HTTP_METHOD__COUNT, 0, false, true, false},
    {"GET / HTTP/1.1\r\n" H "X: \xc3\xa9 \"quoted\" \t tab\r\nY:\r\n\r\n", "/", "", HTTP_GET, 0,
     false, true, false},
};

static void accepts(void)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        size_t len = strlen(good[i].text);
        for (size_t cut = 0; cut <= len; cut++) {
            struct outcome o = feed(good[i].text, len, cut);
            if (!o.whole)
                printf("# cut at %zu: refused with %d: %s\n", cut, (int)o.why, good[i].text);
            CHECK(o.whole);
            CHECK_INT(o.used, len);
            CHECK(str_eq(o.head.path, good[i].path));
            CHECK(str_eq(o.head.query, good[i].query));
            CHECK_INT(o.head.method, good[i].method);
            CHECK_INT(o.head.length, good[i].length);
            CHECK_INT(o.head.chunked, good[i].chunked);
            CHECK_INT(o.head.keep_alive, good[i].keep_alive);
            CHECK_INT(o.head.expect_continue, good[i].expect);
        }
        CHECK(drip(good[i].text, len).whole);
        /* a head that lacks its last byte is not a head yet */
        struct outcome cut = feed(good[i].text, len - 1, 0);
        CHECK(!cut.whole && cut.why == REFUSE_NONE);
    }
}

static void leaves_what_follows(void)
{
    static const char two[] = "GET /1 HTTP/1.1\r\n" H "\r\nGET /2 HTTP/1.1\r\n" H E;
    struct outcome o = feed(two, sizeof(two) - 1, 0);

    CHECK(o.whole && str_eq(o.head.path, "/1"));
    o = feed(two + o.used, sizeof(two) - 1 - o.used, 0);
    CHECK(o.whole && str_eq(o.head.path, "/2"));
}

static void bounds_the_head(void)
{
    struct http_head_scan scan = {0};
    enum refusal why = REFUSE_NONE;
    char *big = malloc(MAX_HEAD + 100);

    memset(big, 'a', MAX_HEAD + 100);
    CHECK_INT(http_head_scan(&scan, big, MAX_HEAD, MAX_HEAD, &why), PARSE_MORE);
    CHECK_INT(http_head_scan(&scan, big, MAX_HEAD + 1, MAX_HEAD, &why), PARSE_REFUSED);
    CHECK_INT(why, REFUSE_HEAD_SIZE);
    free(big);

    /* the limit itself is allowed */
    static const char small[] = "GET / HTTP/1.1\r\n" H E;
    scan = (struct http_head_scan){0};
    CHECK_INT(http_head_scan(&scan, small, sizeof(small) - 1, sizeof(small) - 1, &why),
              PARSE_DONE);
    scan = (struct http_head_scan){0};
    CHECK_INT(http_head_scan(&scan, small, sizeof(small) - 1, sizeof(small) - 2, &why),
              PARSE_REFUSED);
}

static void bounds_the_headers(void)
{
    char text[4096] = "GET / HTTP/1.1\r\n" H;
    size_t len = strlen(text);

    for (int i = 1; i < HTTP_MAX_HEADERS; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "X: %d\r\n", i);
    memcpy(text + len, E, 3);
    CHECK(feed(text, len + 2, 0).whole);
    memcpy(text + len, "Y: 1\r\n\r\n", 9);
    CHECK_INT(feed(text, len + 8, 0).why, REFUSE_HEADER_COUNT);
}

static void walks_headers(void)
{
    static const char text[] =
        "GET / HTTP/1.1\r\nHost: a\r\nX:  b c \t\r\nEmpty:\r\nT: d:e\r\n\r\n";
    static const char *const want[] = {"Host", "a", "X", "b c", "Empty", "", "T", "d:e"};
    struct outcome o = feed(text, sizeof(text) - 1, 0);
    struct str rest = o.head.headers, name, value;
    size_t n = 0;

    CHECK(o.whole);
    while (n < ARRAY_LEN(want) && http_header_next(&rest, &name, &value)) {
        CHECK(str_eq(name, want[n]));
        CHECK(str_eq(value, want[n + 1]));
        n += 2;
    }
    CHECK_INT(n, ARRAY_LEN(want));
    CHECK(!http_header_next(&rest, &name, &value));
}

static void decodes_percents(void)
{
    char out[32];

    CHECK_INT(http_percent_decode(str_of("/a%20b+c%C3%A9"), out, false), 8);
    CHECK(memcmp(out, "/a b+c\xc3\xa9", 8) == 0);
    CHECK_INT(http_percent_decode(str_of("a+b%2B"), out, true), 4);
    CHECK(memcmp(out, "a b+", 4) == 0);
    CHECK_INT(http_percent_decode(str_of("%ff"), out, true), 1);
    CHECK_INT(http_percent_decode(str_of(""), out, true), 0);
    CHECK_INT(http_percent_decode(str_of("%f"), out, true), -1);
    CHECK_INT(http_percent_decode(str_of("%"), out, true), -1);
    CHECK_INT(http_percent_decode(str_of("a%00"), out, true), -1);
    CHECK_INT(http_percent_decode(str_of("% 1"), out, true), -1);
    CHECK_INT(http_percent_decode(str_of("%1G"), out, true), -1);
}

static void names_methods(void)
{
    CHECK_STR(http_method_text(HTTP_GET), "GET");
    CHECK_STR(http_method_text(HTTP_OPTIONS), "OPTIONS");
    CHECK_STR(http_method_text(HTTP_METHOD__COUNT), "?");
    for (int m = 0; m < HTTP_METHOD__COUNT; m++)
        CHECK_INT(method_of(str_of(http_method_text((enum http_method)m))), m);
}

static const struct tap_case cases[] = {
    {"refuses what is wrong or ambiguous, however it is cut", refuses},
    {"accepts what is right, however it is cut", accepts},
    {"leaves what follows a head alone", leaves_what_follows},
    {"bounds the head", bounds_the_head},
    {"bounds the number of headers", bounds_the_headers},
    {"walks the headers", walks_headers},
    {"decodes percents", decodes_percents},
    {"names methods", names_methods},
};

TAP_MAIN(cases)

#include "net/chunk.c"
#include "unit/tap.h"

#include <stdlib.h>

struct decoded {
    enum parse last;
    enum refusal why;
    size_t used;
    char body[4096];
    size_t len;
};

/* Decode data[0..len), never giving more than `step` bytes at once. */
static struct decoded decode(const char *data, size_t len, size_t step)
{
    struct http_chunked k = {0};
    struct decoded d = {.last = PARSE_MORE};

    while (d.used < len && d.last == PARSE_MORE) {
        size_t n = len - d.used < step ? len - d.used : step, used = 0;
        char *exact = malloc(n); /* exact, so that a read behind it is seen */
        struct str out = {0};
        memcpy(exact, data + d.used, n);
        d.last = http_chunked_next(&k, exact, n, &used, &out, &d.why);
        if (d.last != PARSE_REFUSED) {
            CHECK(used > 0 || d.last == PARSE_DONE);
            CHECK(d.len + out.len <= sizeof(d.body));
            if (out.len)
                memcpy(d.body + d.len, out.data, out.len);
            d.len += out.len;
            d.used += used;
        }
        free(exact);
    }
    return d;
}

static const struct {
    const char *text, *body;
} good[] = {
    {"0\r\n\r\n", ""},
    {"000\r\n\r\n", ""},
    {"3\r\nabc\r\n0\r\n\r\n", "abc"},
    {"3\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n", "abc\r\n"},
    {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
    {"0a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
    {"1;x\r\na\r\n1;x=y\r\nb\r\n1;x=\"y;\t\xc3\xa9\"\r\nc\r\n0;last\r\n\r\n", "abc"},
    {"1;\r\na\r\n0\r\n\r\n", "a"},
    {"1\r\na\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "a"},
};

static void accepts(void)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        size_t len = strlen(good[i].text);
        for (size_t step = 1; step <= len; step++) {
            struct decoded d = decode(good[i].text, len, step);
            CHECK_INT(d.last, PARSE_DONE);
            CHECK_INT(d.used, len);
            CHECK(str_eq((struct str){d.body, d.len}, good[i].body));
        }
        CHECK_INT(decode(good[i].text, len - 1, len).last, PARSE_MORE);
    }
}

static const struct {
    const char *text;
    enum refusal why;
} bad[] = {
    {"\r\n", REFUSE_CHUNK_SIZE},
    {";x\r\n", REFUSE_CHUNK_SIZE},
    {"g\r\n", REFUSE_CHUNK_SIZE},
    {"0x3\r\nabc\r\n", REFUSE_CHUNK_SIZE},
    {"+3\r\nabc\r\n", REFUSE_CHUNK_SIZE},
    {"-3\r\nabc\r\n", REFUSE_CHUNK_SIZE},
    {" 3\r\nabc\r\n", REFUSE_CHUNK_SIZE},
    {"3 \r\nabc\r\n", REFUSE_CHUNK_SIZE},
    {"3 ;x\r\nabc\r\n", REFUSE_CHUNK_SIZE},
    {"3\nabc\r\n", REFUSE_CHUNK_SIZE},
    {"3\rabc\r\n", REFUSE_CHUNK_SIZE},
    {"1000000000000000\r\n", REFUSE_CHUNK_SIZE},
    {"0000000000000003\r\nabc", REFUSE_CHUNK_SIZE},
    {"ffffffffffffffffff\r\n", REFUSE_CHUNK_SIZE},
    {"3;a\nabc\r\n", REFUSE_CHUNK_EXTENSION},
    {"3;a\x01\r\n", REFUSE_CHUNK_EXTENSION},
    {"3;a\x7f\r\n", REFUSE_CHUNK_EXTENSION},
    {"3;a\rb\r\n", REFUSE_CHUNK_SIZE},
    {"3\r\nabcd\r\n", REFUSE_CHUNK_END},
    {"3\r\nabc\n", REFUSE_CHUNK_END},
    {"3\r\nabc\rX", REFUSE_CHUNK_END},
    {"3\r\nabc0\r\n\r\n", REFUSE_CHUNK_END},
    {"0\r\n\n", REFUSE_TRAILER},
    {"0\r\nX\r\n\r\n", REFUSE_TRAILER},
    {"0\r\nX : a\r\n\r\n", REFUSE_TRAILER},
    {"0\r\n: a\r\n\r\n", REFUSE_TRAILER},
    {"0\r\nX: a\n\r\n", REFUSE_TRAILER},
    {"0\r\nX: a\rb\r\n", REFUSE_TRAILER},
    {"0\r\nX: a\r\n folded\r\n\r\n", REFUSE_TRAILER},
    {"0\r\nX: \x01\r\n\r\n", REFUSE_TRAILER},
    {"0\r\n\rX", REFUSE_TRAILER},
};

static void refuses(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t len = strlen(bad[i].text);
        for (size_t step = 1; step <= len; step++) {
            struct decoded d = decode(bad[i].text, len, step);
            if (d.last != PARSE_REFUSED || d.why != bad[i].why)
                printf("# step %zu: %d %d: %s\n", step, (int)d.last, (int)d.why, bad[i].text);
            CHECK_INT(d.last, PARSE_REFUSED);
            CHECK_INT(d.why, bad[i].why);
        }
    }
}

static void tells_the_size_early(void)
{
    struct http_chunked k = {0};
    enum refusal why = REFUSE_NONE;
    struct str out;
    size_t used;

    CHECK_INT(http_chunked_next(&k, "fffffff\r\n", 9, &used, &out, &why), PARSE_MORE);
    CHECK_INT(k.left, 0xfffffff);
}

static void bounds_overhead(void)
{
    size_t big = HTTP_MAX_CHUNK_OVERHEAD + 100;
    char *text = malloc(big);

    memset(text, 'x', big);
    memcpy(text, "1;", 2);
    CHECK_INT(decode(text, big, big).why, REFUSE_CHUNK_EXTENSION);
    memcpy(text, "0\r\nX:", 5);
    CHECK_INT(decode(text, big, big).why, REFUSE_TRAILER);
    /* many small ones add up */
    struct http_chunked k = {0};
    enum parse p = PARSE_MORE;
    enum refusal why = REFUSE_NONE;
    for (int i = 0; i < HTTP_MAX_CHUNK_OVERHEAD && p == PARSE_MORE; i++) {
        const char one[] = "1;xxxx\r\na\r\n";
        for (size_t at = 0, used = 0; at < sizeof(one) - 1 && p == PARSE_MORE; at += used) {
            struct str out;
            p = http_chunked_next(&k, one + at, sizeof(one) - 1 - at, &used, &out, &why);
        }
    }
    CHECK_INT(p, PARSE_REFUSED);
    CHECK_INT(why, REFUSE_CHUNK_EXTENSION);
    free(text);
}

static const struct tap_case cases[] = {
    {"decodes chunks, however they are cut", accepts},
    {"refuses what is wrong, however it is cut", refuses},
    {"tells a chunk's size before its data", tells_the_size_early},
    {"bounds extensions and trailers", bounds_overhead},
};

TAP_MAIN(cases)

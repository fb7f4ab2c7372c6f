#include "base/buf.c"
#include "unit/tap.h"

#include <limits.h>

static void grows(void)
{
    struct buf b = BUF_INIT;

    CHECK_STR(buf_text(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    CHECK_INT(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    CHECK(strncmp(b.data, "0,1,2,", 6) == 0);
    CHECK(strcmp(b.data + b.len - 8, "998,999,") == 0);
    CHECK(!b.full);
    buf_clear(&b);
    CHECK_STR(buf_text(&b), "");
    buf_add(&b, "a\0b", 3);
    buf_add(&b, NULL, 0);
    CHECK_INT(b.len, 3);
    CHECK(memcmp(b.data, "a\0b", 4) == 0);
    buf_release(&b);
    CHECK(!b.data && b.len == 0 && b.cap == 0);
}

static void long_printf(void)
{
    struct buf b = BUF_INIT;

    buf_str(&b, "<");
    buf_printf(&b, "%300s|", "x"); /* above the small buffer inside */
    CHECK_INT(b.len, 302);
    CHECK(b.data[300] == 'x' && b.data[301] == '|' && b.data[302] == '\0');
    buf_clear(&b);
    for (int n = 250; n < 260; n++) { /* around its edge */
        buf_clear(&b);
        buf_printf(&b, "%*s", n, "y");
        CHECK_INT(b.len, n);
        CHECK(b.data[n - 1] == 'y' && b.data[n] == '\0');
    }
    buf_release(&b);
}

static void consume(void)
{
    struct buf b = BUF_INIT;

    buf_consume(&b, 0);
    buf_str(&b, "hello");
    buf_consume(&b, 2);
    CHECK_STR(buf_text(&b), "llo");
    buf_consume(&b, 3);
    CHECK_STR(buf_text(&b), "");
    buf_release(&b);
}

static void detach(void)
{
    struct buf b = BUF_INIT;
    char *p = buf_detach(&b);

    CHECK_STR(p, "");
    free(p);
    buf_str(&b, "mine");
    p = buf_detach(&b);
    CHECK_STR(p, "mine");
    CHECK(!b.data && b.len == 0);
    free(p);
    buf_release(&b);
}

static void bounded(void)
{
    struct buf b = {.max = 10};

    buf_str(&b, "0123456789");
    CHECK(!b.full);
    buf_char(&b, 'x');
    CHECK(b.full);
    CHECK_STR(buf_text(&b), "0123456789");
    buf_consume(&b, 5);
    buf_char(&b, 'x'); /* full sticks: a gap in the middle would be worse than an end */
    CHECK_STR(buf_text(&b), "56789");
    buf_clear(&b);
    buf_char(&b, 'x');
    CHECK_STR(buf_text(&b), "x");
    buf_release(&b);
    CHECK_INT(b.max, 10);
}

static void absurd_sizes(void)
{
    struct buf b = BUF_INIT;

    buf_str(&b, "x");
    CHECK(!buf_reserve(&b, SIZE_MAX));
    buf_clear(&b);
    CHECK(!buf_reserve(&b, SIZE_MAX - 2));
    buf_clear(&b);
    CHECK(!buf_reserve(&b, SIZE_MAX / 2 + 2)); /* doubling would wrap to nothing */
    CHECK(b.full);
    buf_clear(&b);
    buf_str(&b, "still works");
    CHECK_STR(buf_text(&b), "still works");
    buf_release(&b);
}

/* An owner of memory that counts and refuses above a limit. */
struct counted {
    struct buf_mem mem;
    size_t held, limit, largest;
};

static void *counted_resize(struct buf_mem *mem, void *p, size_t old_size, size_t new_size)
{
    struct counted *c = (struct counted *)(void *)mem;

    if (c->held - old_size + new_size > c->limit)
        return NULL;
    c->held += new_size - old_size;
    c->largest = c->held > c->largest ? c->held : c->largest;
    if (new_size)
        return realloc(p, new_size);
    free(p);
    return NULL;
}

static void others_memory(void)
{
    struct counted c = {.mem = {counted_resize}, .limit = 200};
    struct buf b;

    buf_init(&b, &c.mem);
    for (int i = 0; i < 300; i++)
        buf_char(&b, 'x');
    CHECK(b.full);
    CHECK_INT(c.held, b.cap);
    CHECK(c.largest <= 200);
    CHECK(b.len >= 127);
    CHECK_INT(strlen(b.data), b.len);
    buf_release(&b);
    CHECK_INT(c.held, 0);
    CHECK(b.mem == &c.mem);
    /* What doubling cannot get, the exact need can. */
    buf_printf(&b, "%100s", "a");
    buf_printf(&b, "%60s", "b");
    CHECK(!b.full);
    CHECK_INT(b.len, 160);
    buf_release(&b);
    CHECK_INT(c.held, 0);
}

/* An owner of memory that looks at what is given back. */
static void *looking_resize(struct buf_mem *mem, void *p, size_t old_size, size_t new_size)
{
    (void)mem;
    for (size_t i = 0; !new_size && i < old_size; i++)
        CHECK_INT(((char *)p)[i], 0);
    return new_size ? realloc(p, new_size) : NULL;
}

static void wiped(void)
{
    struct buf_mem looking = {looking_resize};
    struct buf b;

    buf_init(&b, &looking);
    buf_wipe(&b);
    buf_str(&b, "a secret, ");
    buf_str(&b, "and one that was longer");
    buf_clear(&b);
    buf_str(&b, "short");
    char *was = b.data;
    buf_wipe(&b);
    CHECK(!b.data && b.len == 0 && b.mem == &looking);
    free(was); /* it stayed where it was */
}

static void times(void)
{
    struct buf b = BUF_INIT;

    buf_time(&b, 0);
    CHECK_STR(buf_text(&b), "1970-01-01T00:00:00Z");
    buf_clear(&b);
    buf_time(&b, 1708714500);
    CHECK_STR(buf_text(&b), "2024-02-23T18:55:00Z");
    buf_clear(&b);
    buf_time(&b, INT64_MAX); /* a year that no calendar has */
    CHECK_STR(buf_text(&b), "");
    buf_release(&b);
}

static const struct tap_case cases[] = {
    {"grows and ends in NUL", grows},
    {"long printf", long_printf},
    {"consume", consume},
    {"detach", detach},
    {"a bound is kept and sticks", bounded},
    {"absurd sizes are refused", absurd_sizes},
    {"memory of another owner", others_memory},
    {"what is secret is overwritten", wiped},
    {"times", times},
};

TAP_MAIN(cases)

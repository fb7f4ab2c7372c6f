/* The event stream reader: every form of line, cut at every byte. */
#include "cli/sse.c"
#include "unit/tap.h"

static struct buf seen;

static void note(void *self, const char *id, const char *data)
{
    (void)self;
    buf_printf(&seen, "%s<%s>", id, data);
}

/* What comes out when `text` arrives in pieces of n bytes. */
static const char *read_in(const char *text, size_t len, size_t n)
{
    struct cli_sse s;

    buf_clear(&seen);
    cli__sse_init(&s, note, NULL);
    for (size_t at = 0; at < len; at += n)
        cli__sse_feed(&s, text + at, len - at < n ? len - at : n);
    cli__sse_release(&s);
    return buf_text(&seen);
}

static const struct {
    const char *text, *events;
} rows[] = {
    {"data: a\n\n", "<a>"},
    {"data:a\n\ndata:  b\n\n", "<a>< b>"},
    {"id: 7\ndata: a\n\ndata: b\n\n", "7<a><b>"},
    {"id: 7\ndata: a\n\nid: 8\nid\ndata: b\n\n", "7<a><b>"},
    {"id: 7\n\ndata: b\n\n", "<b>"},
    {"data: a\ndata\ndata: b\n\n", "<a\n\nb>"},
    {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", "<a><b><c>"},
    {": hello\n\nevent: x\n\ndata: a\nretry: 10\nother: y\n\n", "<a>"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "<a>"},
    {"data: never ended", ""},
    {"data: never ended\n", ""},
    {"data\n\n", "<>"},
    {"\n\n\n", ""},
    {"", ""},
};

static void forms(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t n = 1; n <= strlen(rows[i].text) + 1; n++)
            CHECK_STR(read_in(rows[i].text, strlen(rows[i].text), n), rows[i].events);
}

static void long_lines(void)
{
    size_t n = CLI_SSE_MAX + 100;
    struct buf text = BUF_INIT;

    buf_str(&text, "data: ");
    for (size_t i = 0; i < n; i++)
        buf_char(&text, 'x');
    buf_str(&text, "\n\ndata: after\n\n");
    /* Cut it would be half a text that looks whole, so it is left out. */
    CHECK_STR(read_in(text.data, text.len, 4096), "<after>");
    buf_clear(&text);
    for (size_t i = 0; i < n / 1000; i++)
        buf_printf(&text, "data: %01000d\n", 0);
    buf_str(&text, "data: more\n\ndata: after\n\n");
    CHECK_STR(read_in(text.data, text.len, 4096), "<after>");
    buf_release(&text);
    buf_release(&seen);
}

static const struct tap_case cases[] = {
    {"every form, cut anywhere", forms},
    {"what is too long is left out", long_lines},
};

TAP_MAIN(cases)

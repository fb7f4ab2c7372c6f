/*
 * The reader of event streams on any bytes: events come out the same however the bytes are
 * cut, and none is longer than its bound. The first byte says where to cut.
 */
#include "cli/sse.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *self, const char *id, const char *text)
{
    MUST(strlen(id) <= CLI_SSE_MAX && strlen(text) <= CLI_SSE_MAX);
    buf_printf(self, "[%s|%s]", id, text);
}

static void read_in(struct buf *out, const char *bytes, size_t size, size_t n)
{
    struct cli_sse s;

    cli__sse_init(&s, on_event, out);
    for (size_t at = 0; at < size; at += n)
        cli__sse_feed(&s, bytes + at, size - at < n ? size - at : n);
    cli__sse_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, cut = BUF_INIT;

    if (size < 2)
        return 0;
    read_in(&whole, (const char *)data + 1, size - 1, size);
    read_in(&cut, (const char *)data + 1, size - 1, (size_t)data[0] % 16 + 1);
    MUST(strcmp(buf_text(&whole), buf_text(&cut)) == 0);
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}

/*
 * The reader of tars on any bytes: entries come out the same however the bytes are cut, and no
 * more bytes of a file than its size. The first byte says where to cut.
 */
#include "fleet/untar.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf text;
    uint64_t size, got;
};

static bool on_entry(void *ctx, const struct untar_entry *entry, struct err *e)
{
    struct seen *s = ctx;

    (void)e;
    MUST(strlen(entry->path) <= UNTAR_RECORD_MAX && strlen(entry->link) <= UNTAR_RECORD_MAX);
    buf_printf(&s->text, "[%c%s|%s|%u", entry->type, entry->path, entry->link, entry->mode);
    s->size = entry->size;
    s->got = 0;
    return true;
}

static bool on_data(void *ctx, const char *bytes, size_t len, struct err *e)
{
    struct seen *s = ctx;

    (void)e;
    s->got += len;
    MUST(s->got <= s->size);
    buf_add(&s->text, bytes, len);
    return true;
}

static bool on_end(void *ctx, struct err *e)
{
    struct seen *s = ctx;

    (void)e;
    MUST(s->got == s->size);
    buf_char(&s->text, ']');
    return true;
}

static void read_in(struct seen *s, const char *bytes, size_t size, size_t n)
{
    const struct untar_sink sink = {on_entry, on_data, on_end, s};
    struct untar u;
    struct err e = {0};
    int rc = 0;

    fleet__untar_init(&u, &sink);
    for (size_t at = 0; rc == 0 && at < size; at += n)
        rc = fleet__untar_feed(&u, bytes + at, size - at < n ? size - at : n, &e);
    if (rc == 0)
        rc = fleet__untar_finish(&u, &e);
    buf_printf(&s->text, " %d", rc);
    fleet__untar_release(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {.size = 0}, cut = {.size = 0};

    if (size < 2)
        return 0;
    read_in(&whole, (const char *)data + 1, size - 1, size);
    read_in(&cut, (const char *)data + 1, size - 1, (size_t)data[0] * 3 + 1);
    MUST(whole.text.len == cut.text.len &&
         memcmp(buf_text(&whole.text), buf_text(&cut.text), cut.text.len) == 0);
    buf_release(&whole.text);
    buf_release(&cut.text);
    return 0;
}

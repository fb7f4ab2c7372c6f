/* The reader of tars: what Go's and Python's writers make, cut at every byte. */
#include "fleet/untar.c"
#include "unit/tap.h"

static struct buf seen;

static bool on_entry(void *ctx, const struct untar_entry *entry, struct err *e)
{
    (void)ctx;
    (void)e;
    buf_printf(&seen, "%c %s>%s %o %llu %lld:", entry->type, entry->path, entry->link,
               entry->mode, (unsigned long long)entry->size, (long long)entry->time);
    return true;
}

static bool on_data(void *ctx, const char *data, size_t len, struct err *e)
{
    (void)ctx;
    (void)e;
    buf_add(&seen, data, len);
    return true;
}

static bool on_end(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    buf_char(&seen, '.');
    return true;
}

/* One block of a header; the sum is made right. */
static void add_header(struct buf *out, const char *name, char type, const char *size)
{
    char h[UNTAR_BLOCK] = {0};
    unsigned sum = 0;

    snprintf(h, 100, "%s", name);
    memcpy(h + MODE, "0000644", 8);
    memcpy(h + SIZE, size, strlen(size) < 12 ? strlen(size) : 12);
    memcpy(h + TIME, "00000000012", 12);
    h[TYPE] = type;
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    memset(h + SUM, ' ', 8);
    for (size_t i = 0; i < sizeof(h); i++)
        sum += (unsigned char)h[i];
    snprintf(h + SUM, 8, "%06o", sum);
    buf_add(out, h, sizeof(h));
}

static void add_body(struct buf *out, const char *text)
{
    char block[UNTAR_BLOCK] = {0};

    memcpy(block, text, strlen(text));
    buf_add(out, block, sizeof(block));
}

static void add_end(struct buf *out)
{
    add_body(out, "");
    add_body(out, "");
}

/* What comes out, pieces of n bytes; the complaint when it fails. */
static const char *read_in(const struct buf *tar, size_t n)
{
    static const struct untar_sink sink = {on_entry, on_data, on_end, NULL};
    struct untar u;
    struct err e = {0};
    int rc = 0;

    buf_clear(&seen);
    fleet__untar_init(&u, &sink);
    for (size_t at = 0; rc == 0 && at < tar->len; at += n)
        rc = fleet__untar_feed(&u, tar->data + at, tar->len - at < n ? tar->len - at : n, &e);
    if (rc == 0)
        rc = fleet__untar_finish(&u, &e);
    fleet__untar_release(&u);
    if (rc < 0)
        buf_str(&seen, e.msg);
    return buf_text(&seen);
}

static void forms(void)
{
    struct buf tar = BUF_INIT;
    static const char want[] = "5 d/> 644 0 10:0 d/a> 644 3 10:abc.0 d/empty> 644 0 10:."
                               "0 d/long> 644 2 77:hi.2 d/l>to/there 644 0 10:0 d/gnu> 644 1 "
                               "10:g.0 d/bin> 644 2 10:bb.";

    add_header(&tar, "d/", '5', "00000000000");
    add_header(&tar, "d/a", '0', "00000000003");
    add_body(&tar, "abc");
    add_header(&tar, "d/empty", '\0', "00000000000");
    add_header(&tar, "pax", 'x', "00000000047");
    add_body(&tar, "15 path=d/long\n14 mtime=77.5\n10 size=2\n");
    add_header(&tar, "short", '0', "00000000000");
    add_body(&tar, "hi");
    add_header(&tar, "pax", 'x', "00000000025");
    add_body(&tar, "21 linkpath=to/there\n");
    add_header(&tar, "d/l", '2', "00000000000");
    add_header(&tar, "././@LongLink", 'L', "00000000006");
    add_body(&tar, "d/gnu");
    add_header(&tar, "d", '0', "00000000001");
    add_body(&tar, "g");
    add_header(&tar, "d/bin", '0', "\x80");
    tar.data[tar.len - UNTAR_BLOCK + SIZE + 11] = 2;
    unsigned sum = 0;
    memset(tar.data + tar.len - UNTAR_BLOCK + SUM, ' ', 8);
    for (size_t i = tar.len - UNTAR_BLOCK; i < tar.len; i++)
        sum += (unsigned char)tar.data[i];
    snprintf(tar.data + tar.len - UNTAR_BLOCK + SUM, 8, "%06o", sum);
    add_body(&tar, "bb");
    add_end(&tar);
    for (size_t n = 1; n < 1100; n++)
        CHECK_STR(read_in(&tar, n), want);
    CHECK_STR(read_in(&tar, tar.len), want);
    for (size_t cut = 0; cut < tar.len - UNTAR_BLOCK; cut += 97) {
        struct buf part = {.data = tar.data, .len = cut};
        CHECK(strstr(read_in(&part, 100), "in part only"));
    }
    buf_release(&tar);
}

static void broken_ones(void)
{
    static const char *const records[] = {"5 x\n",      "99 path=x\n",  "0 path=x\n",
                                          "9 pathxx\n", "10 size=-1\n", "10 size=x1\n",
                                          "-1 a=b\n"};
    struct buf tar = BUF_INIT;

    add_header(&tar, "a", '0', "0000000000x");
    CHECK(strstr(read_in(&tar, 512), "no tar"));
    buf_clear(&tar);
    add_header(&tar, "a", '0', "00000000000");
    tar.data[0] = 'b'; /* the sum is wrong */
    CHECK(strstr(read_in(&tar, 512), "no tar"));
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        char size[16];
        buf_clear(&tar);
        snprintf(size, sizeof(size), "%011o", (unsigned)strlen(records[i]));
        add_header(&tar, "pax", 'x', size);
        add_body(&tar, records[i]);
        add_header(&tar, "a", '0', "00000000000");
        CHECK(strstr(read_in(&tar, 512), "no tar"));
    }
    buf_clear(&tar);
    add_header(&tar, "pax", 'x', "00001000000"); /* more than is kept */
    CHECK(strstr(read_in(&tar, 512), "no tar"));
    buf_release(&tar);
}

static const struct tap_case cases[] = {
    {"every form comes out the same however it is cut", forms},
    {"what is broken is refused", broken_ones},
};
TAP_MAIN(cases)

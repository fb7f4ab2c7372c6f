/* One container's log: frames, pieces of lines and times, cut at every byte. */
#include "fleet/logs_source.c"
#include "unit/tap.h"

static struct buf seen;

static void add_frame(struct buf *out, int stream, const char *text)
{
    size_t n = strlen(text);
    const char head[8] = {(char)stream, 0, 0, 0, 0, 0, (char)(n >> 8), (char)n};

    buf_add(out, head, sizeof(head));
    buf_add(out, text, n);
}

static const char *read_in(const struct buf *log, size_t n, const char *grep)
{
    struct source *s = logs__source_new("c1", "/x", 3, grep);

    buf_clear(&seen);
    for (size_t at = 0; at < log->len; at += n)
        CHECK(logs__source_feed(s, log->data + at, log->len - at < n ? log->len - at : n));
    logs__source_end(s);
    while (s->first) {
        struct log_line *line = logs__source_take(s);
        buf_printf(&seen, "%d@%lld<%s>", line->stream, (long long)line->time_ns, line->text);
        free(line);
    }
    CHECK_INT(s->queued, 0);
    logs__source_free(s);
    return buf_text(&seen);
}

static void lines(void)
{
    struct buf log = BUF_INIT;

    add_frame(&log, 1, "1970-01-01T00:00:01Z one\n");
    add_frame(&log, 2, "1970-01-01T00:00:02.5Z bad\r\n");
    add_frame(&log, 1, "1970-01-01T00:00:03Z long, ");
    add_frame(&log, 2, "1970-01-01T00:00:03Z between\n");
    add_frame(&log, 1, "1970-01-01T00:00:04Z in two\n");
    add_frame(&log, 1, "1970-01-01T00:00:05Z \n");
    add_frame(&log, 3, "broken\n");
    add_frame(&log, 1, "1970-01-01T00:00:06Z never ended");
    for (size_t n = 1; n <= log.len; n++)
        CHECK_STR(read_in(&log, n, NULL),
                  "1@1000000000<one>2@2500000000<bad>2@3000000000<between>"
                  "1@3000000000<long, in two>1@5000000000<>2@3000000000<broken>"
                  "1@6000000000<never ended>");
    CHECK_STR(read_in(&log, 9, "e"), "1@1000000000<one>2@3000000000<between>"
                                     "2@3000000000<broken>1@6000000000<never ended>");
    buf_release(&log);
}

/* More than may wait: it says so, and forgets nothing. */
static void full(void)
{
    struct source *s = logs__source_new("c1", "/x", 3, NULL);
    struct buf log = BUF_INIT;
    size_t n = 0;

    add_frame(&log, 1, "1970-01-01T00:00:01Z 0123456789012345678901234567890123456789\n");
    do
        n++;
    while (logs__source_feed(s, log.data, log.len) && n < 100000);
    CHECK(n > 1000 && n < 100000);
    for (; s->first; n--)
        free(logs__source_take(s));
    CHECK_INT(n, 0);
    logs__source_free(s);
    buf_release(&log);
}

static void times(void)
{
    static const struct {
        const char *text;
        long long ns;
    } rows[] = {
        {"1970-01-01T00:00:01Z", 1000000000},
        {"1970-01-01T00:00:01.000000001Z", 1000000001},
        {"1970-01-01T00:00:01.1234567891Z", 1123456789},
        {"1970-01-01T01:00:01.5+01:00", 1500000000},
        {"1969-12-31T23:30:01-00:30", 1000000000},
        {"2026-11-26T14:51:28.230Z", 1795704688230000000},
        {"1970-01-01T00:00:01", -1},
        {"1970-01-01", -1},
        {"9999-01-01T00:00:00Z", -1},
        {"1960-01-01T00:00:00Z", -1},
        {"x", -1},
        {"", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ns = -1;
        bool fine = logs__time(rows[i].text, strlen(rows[i].text), &ns);
        CHECK_INT(ns, rows[i].ns);
        CHECK(fine == (rows[i].ns >= 0));
    }
    buf_release(&seen);
}

static const struct tap_case cases[] = {
    {"lines come out whole however they are cut", lines},
    {"who has enough says so", full},
    {"times", times},
};
TAP_MAIN(cases)

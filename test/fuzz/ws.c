/*
 * Fuzz target: what a WebSocket reads. The first byte says what it is: frames for a server or a
 * client, cut as the second byte says, or the answer to a handshake. Asked of it: no fault, the
 * same however it is cut, one end at most, and nothing held then.
 */
#include "base/must.h"
#include "net/ws_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct {
    struct loop *loop;
    struct ws *ws;
    struct buf got;
    enum ws_end why;
    int code, ends;
} f;

static void line_flush(struct ws *w)
{
    buf_clear(&w->out);
}

static size_t line_queued(const struct ws *w)
{
    (void)w;
    return 0;
}

static void line_nothing(struct ws *w)
{
    (void)w;
}

static bool line_hang_up(struct ws *w)
{
    (void)w;
    return true;
}

static const struct ws_line test_line = {.flush = line_flush,
                                         .queued = line_queued,
                                         .pause = line_nothing,
                                         .hang_up = line_hang_up,
                                         .fail = line_nothing,
                                         .drop = ws__free};

static void hear(void *ctx, bool binary, const char *data, size_t len)
{
    (void)ctx;
    MUST(len <= 300 && data[len] == '\0');
    MUST(binary || utf8_valid_prefix(data, len) == len);
    buf_printf(&f.got, "%d:", binary);
    buf_add(&f.got, data, len);
    ws_send(f.ws, binary, data, len);
}

static void hear_closed(void *ctx, const struct ws_closed *c)
{
    (void)ctx;
    f.ends++;
    f.why = c->why;
    f.code = c->code;
    MUST(utf8_valid_prefix(c->reason.data, c->reason.len) == c->reason.len ||
         c->why != WS_CLOSED);
    f.ws = NULL;
}

static void run(const char *data, size_t len, size_t step, bool client)
{
    const struct ws_cfg cfg = {.max_message = 300,
                               .max_queued = 100000,
                               .sink = {.message = hear, .closed = hear_closed}};

    buf_clear(&f.got);
    f.ends = 0;
    f.ws = ws__new(&cfg, &test_line, f.loop, client);
    MUST(f.ws);
    for (size_t at = 0; at < len && f.ws; at += step)
        ws__feed(f.ws, data + at, len - at < step ? len - at : step);
    MUST(f.ends <= 1 && (f.ends == 1) == (f.ws == NULL));
    if (f.ws)
        ws_cut(f.ws);
}

static void frames(const char *data, size_t len, bool client)
{
    size_t step = (unsigned char)data[0] + 1u;
    struct buf whole = BUF_INIT, all = BUF_INIT;
    static const char rest[140]; /* a close that is cut short is wrong sooner or later */

    buf_add(&all, data + 1, len - 1);
    buf_add(&all, rest, sizeof(rest));
    run(all.data, all.len, SIZE_MAX, client);
    buf_add(&whole, f.got.data, f.got.len);
    int ends = f.ends, code = f.code;
    enum ws_end why = f.why;
    run(all.data, all.len, step, client);
    MUST(whole.len == f.got.len &&
         (whole.len == 0 || memcmp(whole.data, f.got.data, whole.len) == 0));
    MUST(ends == f.ends);
    if (ends && why != WS_CLOSED && f.why != WS_CLOSED) /* wslay: a reason in pieces */
        MUST(why == f.why && code == f.code);
    buf_release(&whole);
    buf_release(&all);
}

static void answer(const char *data, size_t len)
{
    struct http_head_scan scan = {0};
    enum refusal why = REFUSE_NONE;
    struct ws_answer a;

    if (http_head_scan(&scan, data, len, 16384, &why) == PARSE_DONE && !scan.start &&
        ws__answer_parse(data, scan.pos, "dGhlIHNhbXBsZSBub25jZQ==", &a))
        MUST(a.status >= 100 && a.status <= 999 && (a.status == 101 || !a.wrong));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err e;

    if (!f.loop)
        MUST(loop_new(&f.loop, &e) == 0);
    if (len < 2)
        return 0;
    if (data[0] % 3 == 2)
        answer((const char *)data + 1, len - 1);
    else
        frames((const char *)data + 1, len - 1, data[0] % 3 == 1);
    return 0;
}

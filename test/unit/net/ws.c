/* Frames: both roles against each other, and against bytes written by hand. */
#include "net/ws.c"
#include "net/ws_read.c"
#include "unit/tap.h"

struct end { /* one side, on no wire */
    struct ws *ws;
    struct buf sent; /* bytes that its line was given */
    struct buf got;  /* messages, "t:" or "b:" before each and "|" behind */
    size_t stuck;    /* bytes that the line says wait */
    int closed, failed, code;
    enum ws_end why;
    char reason[WS_REASON_MAX + 1];
    char said[240];
    bool echo, cut_inside;
};

static struct {
    struct loop *loop;
    struct end a, b; /* client, server */
} t;

static struct end *end_of(const struct ws *w)
{
    return w->cfg.sink.ctx;
}

static void line_flush(struct ws *w)
{
    buf_add(&end_of(w)->sent, w->out.data, w->out.len);
    buf_clear(&w->out);
}

static size_t line_queued(const struct ws *w)
{
    return end_of(w)->stuck;
}

static void line_pause(struct ws *w)
{
    (void)w;
}

static bool line_hang_up(struct ws *w)
{
    (void)w;
    return true;
}

static void line_fail(struct ws *w)
{
    end_of(w)->failed++;
}

static void line_drop(struct ws *w)
{
    end_of(w)->ws = NULL;
    ws__free(w);
}

static const struct ws_line test_line = {.flush = line_flush,
                                         .queued = line_queued,
                                         .pause = line_pause,
                                         .hang_up = line_hang_up,
                                         .fail = line_fail,
                                         .drop = line_drop};

static void hear(void *ctx, bool binary, const char *data, size_t len)
{
    struct end *x = ctx;

    buf_printf(&x->got, "%c:", binary ? 'b' : 't');
    buf_add(&x->got, data, len);
    buf_char(&x->got, '|');
    if (x->echo)
        CHECK(ws_send(x->ws, binary, data, len));
    if (x->cut_inside)
        ws_cut(x->ws);
}

static void hear_closed(void *ctx, const struct ws_closed *c)
{
    struct end *x = ctx;

    x->closed++;
    x->why = c->why;
    x->code = c->code;
    snprintf(x->reason, sizeof(x->reason), "%.*s", STR_FMT(c->reason));
    snprintf(x->said, sizeof(x->said), "%s", c->e.msg);
    x->ws = NULL;
}

static void open_end(struct end *x, bool client)
{
    const struct ws_cfg cfg = {.max_message = 1000,
                               .max_queued = 5000,
                               .quiet_ms = 100,
                               .sink = {.ctx = x, .message = hear, .closed = hear_closed}};

    x->ws = ws__new(&cfg, &test_line, t.loop, client);
    CHECK(x->ws != NULL);
}

static void begin(void)
{
    struct err e;

    memset(&t, 0, sizeof(t));
    CHECK_INT(loop_new(&t.loop, &e), 0);
    open_end(&t.a, true);
    open_end(&t.b, false);
}

static void finish(void)
{
    struct end *ends_of_it[] = {&t.a, &t.b};

    for (size_t i = 0; i < ARRAY_LEN(ends_of_it); i++) {
        if (ends_of_it[i]->failed && ends_of_it[i]->ws)
            ws__tell(ends_of_it[i]->ws);
        else if (ends_of_it[i]->ws)
            ws_cut(ends_of_it[i]->ws);
        buf_release(&ends_of_it[i]->sent);
        buf_release(&ends_of_it[i]->got);
    }
    loop_free(&t.loop);
}

/* What one has sent goes to the other, in pieces of n. */
static void carry(struct end *from, struct end *to, size_t n)
{
    for (size_t at = 0; at < from->sent.len && to->ws; at += n) {
        size_t left = from->sent.len - at;
        ws__feed(to->ws, from->sent.data + at, left < n ? left : n);
    }
    buf_clear(&from->sent);
}

static void give(struct end *to, const char *bytes, size_t len)
{
    if (to->ws)
        ws__feed(to->ws, bytes, len);
}
#define GIVE(to, text) give(to, text, sizeof(text) - 1)

static void both_ways_however_it_is_cut(void)
{
    for (size_t n = 1; n < 40; n++) {
        char long_text[300];
        begin();
        memset(long_text, 'x', sizeof(long_text));
        t.b.echo = true;
        CHECK(ws_send(t.a.ws, false, "gr\xc3\xbc\xc3\x9f", 6));
        CHECK(ws_send(t.a.ws, true, "\0\1\2", 3));
        CHECK(ws_send(t.a.ws, false, "", 0));
        CHECK(ws_send(t.a.ws, true, long_text, sizeof(long_text)));
        carry(&t.a, &t.b, n);
        CHECK_INT(t.b.got.len, 4 * 3 + 6 + 3 + sizeof(long_text));
        CHECK(memcmp(t.b.got.data, "t:gr\xc3\xbc\xc3\x9f|b:\0\1\2|t:|b:xxx", 22) == 0);
        carry(&t.b, &t.a, n);
        CHECK_INT(t.a.got.len, t.b.got.len);
        CHECK(memcmp(t.a.got.data, t.b.got.data, t.b.got.len) == 0);
        finish();
    }
}

static void roles_mask_as_they_must(void)
{
    begin();
    ws_send(t.a.ws, false, "hello", 5);
    CHECK_INT((unsigned char)t.a.sent.data[0], 0x81);
    CHECK_INT((unsigned char)t.a.sent.data[1], 0x85);
    CHECK_INT(t.a.sent.len, 2 + 4 + 5);
    ws_send(t.b.ws, false, "hello", 5);
    CHECK(t.b.sent.len == 7 && memcmp(t.b.sent.data, "\x81\x05hello", 7) == 0);
    finish();

    begin(); /* a client that does not mask, a server that does */
    GIVE(&t.b, "\x81\x05hello");
    CHECK_INT(t.b.closed, 1);
    CHECK_INT(t.b.why, WS_PROTOCOL);
    GIVE(&t.a, "\x81\x82\1\1\1\1hi");
    CHECK_INT(t.a.why, WS_PROTOCOL);
    finish();
}

static void fragments_are_one_message(void)
{
    begin();
    GIVE(&t.a, "\x01\x03one\x89\x04ping\x00\x04 two\x80\x06 three");
    CHECK_STR(buf_text(&t.a.got), "t:one two three|");
    carry(&t.a, &t.b, 1000); /* the pong */
    CHECK_INT(t.b.got.len, 0);
    CHECK_INT(t.b.closed, 0);
    finish();
}

static void what_must_not_be_ends_it(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        int code; /* of our close */
        const char *said;
    } rows[] = {
#define ROW(bytes, code, said) {bytes, sizeof(bytes) - 1, code, said}
        ROW("\xc1\x01x", 1002, "not valid"),             /* RSV1 */
        ROW("\x83\x01x", 1002, "not valid"),             /* opcode 3 */
        ROW("\x80\x01x", 1002, "not valid"),             /* goes on with nothing */
        ROW("\x01\x01x\x81\x01y", 1002, "not valid"),    /* a message inside another */
        ROW("\x09\x01x", 1002, "not valid"),             /* a ping in fragments */
        ROW("\x89\x7e\x00\x7e", 1002, "not valid"),      /* a long ping */
        ROW("\x81\x7e\x00\x05hello", 1002, "not valid"), /* a longer length than needed */
        ROW("\x88\x01\x03", 1002, "not valid"),          /* half a code */
        ROW("\x88\x02\x03\xed", 1002, "not valid"),      /* 1005 is never sent */
        ROW("\x81\x01\xff", 1007, "not UTF-8"),
        ROW("\x81\x02\xc3\x28", 1007, "not UTF-8"),
        ROW("\x81\x01\xc3", 1007, "not UTF-8"), /* half a character */
        ROW("\x81\x03\xed\xa0\x80", 1007, "not UTF-8"),
        ROW("\x82\x7e\x03\xe9x", 1009, "1000 bytes"), /* told from its length */
        ROW("\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00x", 1009, "1000 bytes"),
        ROW("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 1002, "not valid"),
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin();
        give(&t.a, rows[i].bytes, rows[i].len);
        CHECK_INT(t.a.closed, 1);
        CHECK_INT(t.a.why, WS_PROTOCOL);
        CHECK_STR(buf_text(&t.a.got), "");
        CHECK_INT(t.a.failed, 0);
        if (!strstr(t.a.said, rows[i].said))
            CHECK_STR(t.a.said, rows[i].said);
        carry(&t.a, &t.b, 1);
        CHECK_INT(t.b.why, WS_CLOSED);
        CHECK_INT(t.b.code, rows[i].code);
        if (t.b.code != rows[i].code)
            printf("# row %zu\n", i);
        finish();
    }
}

static void fragments_count_together(void)
{
    char frame[3 + 600] = "\x02\x7e";

    begin();
    frame[2] = 0x02;
    frame[3] = 0x58; /* 600 */
    ws__feed(t.a.ws, frame, 4);
    ws__feed(t.a.ws, frame + 3, 600);
    CHECK_INT(t.a.closed, 0);
    ws__feed(t.a.ws, "\x80\x7e\x02\x58x", 5);
    CHECK_INT(t.a.closed, 1);
    CHECK(strstr(t.a.said, "1000 bytes") != NULL);
    finish();
}

static void closing_has_code_and_reason(void)
{
    begin();
    ws_close(t.b.ws, 4001, "enough");
    CHECK(!ws_send(t.b.ws, false, "more", 4));
    CHECK_INT(t.b.closed, 0); /* never inside */
    carry(&t.b, &t.a, 1);
    CHECK_INT(t.a.why, WS_CLOSED);
    CHECK_INT(t.a.code, 4001);
    CHECK_STR(t.a.reason, "enough");
    carry(&t.a, &t.b, 1); /* the answer */
    CHECK_INT(t.b.closed, 1);
    CHECK_INT(t.b.why, WS_CLOSED);
    finish();

    begin();
    GIVE(&t.a, "\x88\x00");
    CHECK_INT(t.a.why, WS_CLOSED);
    CHECK_INT(t.a.code, WS_CODE_NONE);
    finish();

    begin(); /* a newer code */
    GIVE(&t.a, "\x88\x06\x03\xf5late");
    CHECK_INT(t.a.why, WS_CLOSED);
    CHECK_INT(t.a.code, 1013);
    CHECK_STR(t.a.reason, "late");
    finish();

    static const char umlauts[] = "\x88\x08\x03\xe8\xc3\xbc\xc3\xbc\xc3\xbc";
    for (size_t cut = 1; cut < sizeof(umlauts) - 1; cut++) {
        begin();
        give(&t.a, umlauts, cut);
        give(&t.a, umlauts + cut, sizeof(umlauts) - 1 - cut);
        CHECK_INT(t.a.why, WS_CLOSED);
        CHECK(t.a.code == WS_NORMAL || t.a.code == WS_CODE_NONE);
        finish();
    }
}

static void nothing_is_heard_after_our_close(void)
{
    begin();
    ws_send(t.a.ws, false, "late", 4);
    ws_close(t.b.ws, WS_NORMAL, "");
    carry(&t.a, &t.b, 1000);
    CHECK_STR(buf_text(&t.b.got), "");
    finish();
}

static void an_unread_queue_has_an_end(void)
{
    static const char lump[1000];

    begin();
    t.a.stuck = 4500;
    CHECK(ws_can_send(t.a.ws, 400));
    CHECK(!ws_can_send(t.a.ws, 500));
    CHECK(!ws_send(t.a.ws, true, lump, 500));
    CHECK_INT(t.a.failed, 1);
    CHECK_INT(t.a.ws->why, WS_SLOW);
    finish();

    begin(); /* pings, and nobody takes the pongs */
    t.a.stuck = 4990;
    GIVE(&t.a, "\x89\x04ping\x89\x04ping\x89\x04ping");
    CHECK_INT(t.a.failed, 0);
    t.a.stuck = 5001;
    GIVE(&t.a, "\x89\x04ping");
    CHECK_INT(t.a.ws->why, WS_SLOW);
    finish();
}

static void silence_is_asked_about_once(void)
{
    begin();
    int64_t now = loop_now(t.loop);
    CHECK(ws__sweep(t.a.ws, now + 50));
    CHECK_INT(t.a.sent.len, 0);
    CHECK(ws__sweep(t.a.ws, now + 100));
    CHECK_INT((unsigned char)t.a.sent.data[0], 0x89);
    CHECK(ws__sweep(t.a.ws, now + 199));
    CHECK(!ws__sweep(t.a.ws, now + 200));
    CHECK_INT(t.a.ws->why, WS_SILENT);
    finish();

    begin();
    CHECK(ws__sweep(t.a.ws, now + 100));
    carry(&t.a, &t.b, 1);
    carry(&t.b, &t.a, 1); /* the pong */
    CHECK(!t.a.ws->pinged);
    finish();
}

static void messages_are_on_a_budget(void)
{
    struct budget b;
    char frame[4] = "\x02\x7e\x03\x20"; /* 800 */
    static char lump[800];

    begin();
    budget_init(&b, 600, NULL);
    CHECK(ws_charge(t.a.ws, &b));
    ws__feed(t.a.ws, frame, 4);
    CHECK_INT(b.used, 0); /* what is announced costs nothing */
    ws__feed(t.a.ws, lump, 300);
    CHECK(b.used >= 300);
    ws__feed(t.a.ws, lump, 500);
    CHECK_INT(t.a.closed, 1);
    CHECK_INT(t.a.why, WS_BUDGET);
    CHECK_INT(b.used, 0);
    carry(&t.a, &t.b, 1);
    CHECK_INT(t.b.code, WS_INTERNAL);
    finish();

    begin();
    ws__feed(t.a.ws, frame, 4);
    ws__feed(t.a.ws, lump, 700);
    CHECK(!ws_charge(t.a.ws, &b));
    budget_init(&b, 6000, NULL);
    CHECK(ws_charge(t.a.ws, &b));
    CHECK(b.used >= 700);
    CHECK(ws_charge(t.a.ws, NULL));
    CHECK_INT(b.used, 0);
    finish();
}

static void its_owner_may_cut_it_anywhere(void)
{
    begin();
    t.b.cut_inside = true;
    ws_send(t.a.ws, false, "one", 3);
    ws_send(t.a.ws, false, "two", 3);
    CHECK(!ws__feed(t.b.ws, t.a.sent.data, t.a.sent.len));
    CHECK_STR(buf_text(&t.b.got), "t:one|");
    CHECK(t.b.ws == NULL);
    CHECK_INT(t.b.closed, 0);
    finish();
}

static const struct tap_case cases[] = {
    {"both ways, however it is cut", both_ways_however_it_is_cut},
    {"roles mask as they must", roles_mask_as_they_must},
    {"fragments are one message", fragments_are_one_message},
    {"what must not be ends it", what_must_not_be_ends_it},
    {"fragments count together", fragments_count_together},
    {"closing has a code and a reason", closing_has_code_and_reason},
    {"nothing is heard after our close", nothing_is_heard_after_our_close},
    {"an unread queue has an end", an_unread_queue_has_an_end},
    {"silence is asked about once", silence_is_asked_about_once},
    {"messages are on a budget", messages_are_on_a_budget},
    {"its owner may cut it anywhere", its_owner_may_cut_it_anywhere},
};
TAP_MAIN(cases)

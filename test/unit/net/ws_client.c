/* What goes over a WebSocket of our client on our own server, in both directions. */
#include "net/ws_client.c"
#include "unit/net/sockets.h"

static bool both_open(void)
{
    return t.c.opened && t.s.ws;
}

static bool both_closed(void)
{
    return t.c.closed && t.s.closed;
}

static bool server_closed(void)
{
    return t.s.closed;
}

static size_t wanted;

static bool client_has_it(void)
{
    return t.c.got.len >= wanted;
}

static bool server_has_it(void)
{
    return t.s.got.len >= wanted;
}

static void words_go_both_ways(void)
{
    struct http_stats stats;

    begin();
    t.echo = true;
    ask("/", PATIENCE_MS);
    CHECK(ws_send(t.c.ws, false, "early", 5)); /* waits until it is open */
    turn_until(both_open);
    CHECK_INT(t.answered, 101);
    CHECK_STR(t.authorization, "Bearer s3cret");
    CHECK(ws_send(t.c.ws, true, "bytes", 5));
    wanted = 12;
    turn_until(client_has_it);
    CHECK_STR(buf_text(&t.c.got), "tearlybbytes");
    http_server_stats(local.server, &stats);
    CHECK_INT(stats.conns, 1);
    CHECK_INT(stats.streams, 1);
    ws_close(t.c.ws, WS_NORMAL, "done");
    turn_until(both_closed);
    CHECK_INT(t.s.last.why, WS_CLOSED);
    CHECK_INT(t.s.last.code, WS_NORMAL);
    CHECK_STR(t.s.reason, "done");
    CHECK_INT(t.c.last.why, WS_CLOSED);
    http_server_stats(local.server, &stats);
    CHECK_INT(stats.streams, 0);
    finish();
}

static void large_messages_wait_for_the_reader(void)
{
    static char lump[300000];

    begin();
    t.cfg.max_queued = 8 << 20;
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    memset(lump, 'x', sizeof(lump));
    ws_pause(t.c.ws, true);
    for (int i = 0; i < 20; i++)
        CHECK(ws_send(t.s.ws, true, lump, sizeof(lump)));
    CHECK(ws_queued(t.s.ws) > 0);
    CHECK_INT(t.c.got.len, 0);
    ws_pause(t.c.ws, false);
    wanted = 20 * (sizeof(lump) + 1);
    turn_until(client_has_it);
    CHECK_INT(t.s.drained, 1);
    for (int i = 0; i < 20; i++)
        CHECK(ws_send(t.c.ws, true, lump, sizeof(lump)));
    turn_until(server_has_it);
    CHECK(t.c.drained >= 1);
    finish();
}

static void a_held_server_reads_later(void)
{
    begin();
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    ws_pause(t.s.ws, true);
    ws_send(t.c.ws, false, "later", 5);
    turn(20);
    CHECK_INT(t.s.got.len, 0);
    ws_pause(t.s.ws, false);
    wanted = 6;
    turn_until(server_has_it);
    CHECK_STR(buf_text(&t.s.got), "tlater");
    finish();
}

static void what_nobody_reads_ends_it(void)
{
    static char lump[300000];
    int sent = 0;

    begin();
    t.cfg.max_queued = 1 << 20;
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    ws_pause(t.c.ws, true);
    while (sent < 100 && ws_send(t.s.ws, true, lump, sizeof(lump)))
        sent++;
    CHECK(sent > 2 && sent < 100);
    CHECK_INT(t.s.closed, 0); /* never inside */
    turn_until(server_closed);
    CHECK_INT(t.s.last.why, WS_SLOW);
    CHECK_STR(t.s.said, "the client does not read what it is sent");
    finish();
}

static bool is_drained(void)
{
    return t.drained;
}

static void on_drained(void *ctx)
{
    (void)ctx;
    t.drained = true;
}

static void a_drain_says_goodbye(void)
{
    begin();
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    http_server_drain(local.server, PATIENCE_MS, on_drained, NULL);
    turn_until(is_drained);
    turn_until(both_closed);
    CHECK_INT(t.s.draining, 1);
    CHECK_INT(t.c.last.code, WS_GOING_AWAY);
    CHECK_STR(t.c.reason, "bye");
    finish();

    begin(); /* one that does not go */
    t.hold_drain = true;
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    http_server_drain(local.server, 50, on_drained, NULL);
    turn_until(is_drained);
    CHECK_INT(t.s.last.why, WS_DRAIN);
    turn_until(client_closed);
    CHECK_INT(t.c.last.code, WS_CODE_NO_CLOSE);
    finish();
}

static void silence_ends_it(void)
{
    begin();
    t.cfg.quiet_ms = 60;
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    ws_pause(t.c.ws, true); /* it answers no ping */
    turn_until(server_closed);
    CHECK_INT(t.s.last.why, WS_SILENT);
    CHECK(strstr(t.s.said, "within 0.06 s") != NULL);
    finish();
}

static void either_may_cut(void)
{
    begin();
    ask("/", PATIENCE_MS);
    ws_cut(t.c.ws); /* before it began */
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    ws_cut(t.c.ws);
    turn_until(server_closed);
    CHECK_INT(t.c.closed, 0);
    CHECK_INT(t.s.last.why, WS_GONE);
    finish();

    begin();
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    ws_cut(t.s.ws);
    turn_until(client_closed);
    CHECK_INT(t.s.closed, 0);
    CHECK_INT(t.c.last.why, WS_GONE);
    finish();

    begin(); /* all at once, while it is open */
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    finish();
}

static void what_does_not_fit_ends_it(void)
{
    static char lump[2000];
    struct budget b;

    begin();
    budget_init(&b, 1000, NULL);
    ask("/", PATIENCE_MS);
    CHECK(ws_charge(t.c.ws, &b));
    CHECK(!ws_send(t.c.ws, true, lump, sizeof(lump))); /* before it is open */
    CHECK_INT(t.c.closed, 0);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_BUDGET);
    CHECK_INT(b.used, 0);
    finish();

    begin();
    ask("/", PATIENCE_MS);
    turn_until(both_open);
    CHECK(ws_charge(t.c.ws, &b));
    CHECK(!ws_send(t.c.ws, true, lump, sizeof(lump)));
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_BUDGET);
    CHECK_INT(b.used, 0);
    turn_until(server_closed);
    finish();
}

static const struct tap_case cases[] = {
    {"what does not fit ends it", what_does_not_fit_ends_it},
    {"words go both ways", words_go_both_ways},
    {"large messages wait for the reader", large_messages_wait_for_the_reader},
    {"a held server reads later", a_held_server_reads_later},
    {"what nobody reads ends it", what_nobody_reads_ends_it},
    {"a drain says goodbye", a_drain_says_goodbye},
    {"silence ends it", silence_ends_it},
    {"either may cut", either_may_cut},
};
TAP_MAIN(cases)

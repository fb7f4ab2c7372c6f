/* Both roles on one loop: a WebSocket of our client on our own server. */
#include "net/ws_client.c"
#include "unit/tap.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct ws *ws;
    struct buf got;
    int opened, closed, drained, draining;
    struct ws_closed last;
    char reason[WS_REASON_MAX + 1], said[240], body[WS_REFUSAL_MAX + 1];
};

static struct {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    struct side c, s;
    struct ws_cfg cfg;
    int port, answered;
    bool echo, drained, hold_drain;
    char authorization[64];
} t;

static void hear(void *ctx, bool binary, const char *data, size_t len)
{
    struct side *x = ctx;

    buf_printf(&x->got, "%c", binary ? 'b' : 't');
    buf_add(&x->got, data, len);
    if (t.echo && x == &t.s)
        ws_send(x->ws, binary, data, len);
}

static void hear_open(void *ctx)
{
    ((struct side *)ctx)->opened++;
}

static void hear_drained(void *ctx)
{
    ((struct side *)ctx)->drained++;
}

static void hear_draining(void *ctx)
{
    struct side *x = ctx;

    x->draining++;
    if (!t.hold_drain)
        ws_close(x->ws, WS_GOING_AWAY, "bye");
}

static void hear_closed(void *ctx, const struct ws_closed *c)
{
    struct side *x = ctx;

    x->closed++;
    x->last = *c;
    x->ws = NULL;
    snprintf(x->reason, sizeof(x->reason), "%.*s", STR_FMT(c->reason));
    snprintf(x->said, sizeof(x->said), "%s", c->e.msg);
    snprintf(x->body, sizeof(x->body), "%.*s", (int)c->body.len,
             c->body.len ? c->body.data : "");
}

static struct ws_sink sink_of(struct side *x)
{
    return (struct ws_sink){x, hear_open, hear, hear_drained, hear_draining, hear_closed};
}

static void on_request(void *ctx, struct http_req *req)
{
    struct str path = http_req_path(req), auth = http_req_header(req, "authorization");
    struct err e = {0};

    (void)ctx;
    snprintf(t.authorization, sizeof(t.authorization), "%.*s", STR_FMT(auth));
    if (str_eq(path, "/busy")) {
        http_header(req, "Retry-After", "3");
        http_answer(req, 429, "application/json", "{\"title\":\"slow\"}", 16);
        return;
    }
    if (str_eq(path, "/chunks")) {
        http_stream_begin(req, 402, "text/plain");
        http_stream_write(req, "no ", 3);
        http_stream_write(req, "money", 5);
        http_stream_end(req);
        return;
    }
    struct ws_cfg cfg = t.cfg;
    cfg.sink = sink_of(&t.s);
    if (ws_accept(req, &cfg, &t.s.ws, &e) < 0)
        http_answer(req, err_status(e.code), "text/plain", e.msg, strlen(e.msg));
}

static void on_answer(void *ctx, struct http_req *req, int status)
{
    (void)ctx;
    (void)req;
    t.answered = status;
}

static void begin(void)
{
    struct err e = {0};
    const struct http_cfg cfg = {.host = "127.0.0.1",
                                 .inherited_fd = -1,
                                 .backlog = 16,
                                 .max_head = 8192,
                                 .max_body = 1 << 20,
                                 .max_conns = 16,
                                 .max_queued = 1 << 20,
                                 .head_ms = 10000,
                                 .idle_ms = 10000,
                                 .body_ms = 10000,
                                 .write_ms = 10000,
                                 .on_request = on_request,
                                 .on_answer = on_answer};

    memset(&t, 0, sizeof(t));
    t.cfg = (struct ws_cfg){.max_message = 1 << 20, .max_queued = 1 << 20};
    CHECK_INT(loop_new(&t.loop, &e), 0);
    CHECK_INT(http_server_new(t.loop, &cfg, &t.server, &e), 0);
    t.client = http_client_new(t.loop, &(struct http_client_cfg){0});
    t.port = http_server_port(t.server);
}

static void finish(void)
{
    http_client_free(&t.client);
    http_server_free(&t.server);
    loop_free(&t.loop);
    buf_release(&t.c.got);
    buf_release(&t.s.got);
}

static void ask(const char *path, int64_t open_ms)
{
    static const char *const headers[] = {"Authorization: Bearer s3cret", NULL};
    char url[128];
    struct err e = {0};
    struct ws_ask a = {.url = url, .headers = headers, .open_ms = open_ms, .cfg = t.cfg};

    snprintf(url, sizeof(url), "ws://127.0.0.1:%d%s", t.port, path);
    a.cfg.sink = sink_of(&t.c);
    CHECK_INT(ws_connect(t.client, &a, &t.c.ws, &e), 0);
    CHECK_STR(e.msg, "");
}

static void stop(void *ctx)
{
    (void)ctx;
    loop_stop(t.loop);
}

static void turn_until(bool (*fn)(void))
{
    for (int i = 0; i < 10000 && !fn(); i++) {
        struct loop_timer *tick = loop_after(t.loop, 1, stop, NULL);
        loop_run(t.loop);
        loop_timer_free(&tick);
    }
    CHECK(fn());
}

static bool both_open(void)
{
    return t.c.opened && t.s.ws;
}

static bool both_closed(void)
{
    return t.c.closed && t.s.closed;
}

static bool client_closed(void)
{
    return t.c.closed;
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
    ask("/", 5000);
    CHECK(ws_send(t.c.ws, false, "early", 5)); /* waits until it is open */
    turn_until(both_open);
    CHECK_INT(t.answered, 101);
    CHECK_STR(t.authorization, "Bearer s3cret");
    CHECK(ws_send(t.c.ws, true, "bytes", 5));
    wanted = 12;
    turn_until(client_has_it);
    CHECK_STR(buf_text(&t.c.got), "tearlybbytes");
    http_server_stats(t.server, &stats);
    CHECK_INT(stats.conns, 1);
    CHECK_INT(stats.streams, 1);
    ws_close(t.c.ws, WS_NORMAL, "done");
    turn_until(both_closed);
    CHECK_INT(t.s.last.why, WS_CLOSED);
    CHECK_INT(t.s.last.code, WS_NORMAL);
    CHECK_STR(t.s.reason, "done");
    CHECK_INT(t.c.last.why, WS_CLOSED);
    http_server_stats(t.server, &stats);
    CHECK_INT(stats.streams, 0);
    finish();
}

static void large_messages_wait_for_the_reader(void)
{
    static char lump[300000];

    begin();
    t.cfg.max_queued = 8 << 20;
    ask("/", 5000);
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
    ask("/", 5000);
    turn_until(both_open);
    ws_pause(t.s.ws, true);
    ws_send(t.c.ws, false, "later", 5);
    for (int i = 0; i < 20; i++) {
        struct loop_timer *tick = loop_after(t.loop, 1, stop, NULL);
        loop_run(t.loop);
        loop_timer_free(&tick);
    }
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
    ask("/", 5000);
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

static void refusals_are_told(void)
{
    begin();
    ask("/busy", 5000);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_REFUSED);
    CHECK_INT(t.c.last.status, 429);
    CHECK_INT(t.c.last.retry_after_s, 3);
    CHECK_STR(t.c.body, "{\"title\":\"slow\"}");
    CHECK(strstr(t.c.said, "it answered with HTTP status 429") != NULL);
    finish();

    begin();
    ask("/chunks", 5000);
    turn_until(client_closed);
    CHECK_INT(t.c.last.status, 402);
    CHECK_STR(t.c.body, "no money");
    finish();
}

static void nobody_there(void)
{
    begin();
    http_server_free(&t.server);
    ask("/", 5000);
    CHECK_INT(t.c.closed, 0);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_UNREACHED);
    CHECK(strstr(t.c.said, "Connection refused") != NULL);
    finish();
}

static int silent_socket(int *ret_port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    CHECK_INT(listen(fd, 4), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *ret_port = ntohs(sa.sin_port);
    return fd;
}

static void one_that_says_nothing(void)
{
    int fd;

    begin();
    fd = silent_socket(&t.port);
    ask("/", 80);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_LATE);
    CHECK(strstr(t.c.said, "within 0.08 s") != NULL);
    close(fd);
    finish();
}

/* An answer written by hand, in pieces of n. */
static void answer_with(const char *text, size_t n)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);
    int fd, peer;

    begin();
    fd = silent_socket(&t.port);
    ask("/", 5000);
    for (int i = 0; i < 20; i++) {
        struct loop_timer *tick = loop_after(t.loop, 1, stop, NULL);
        loop_run(t.loop);
        loop_timer_free(&tick);
    }
    peer = accept(fd, (struct sockaddr *)&sa, &len);
    CHECK(peer >= 0);
    char request[1000]; /* what is left unread would reset the connection */
    ssize_t got = read(peer, request, sizeof(request) - 1);
    request[got > 0 ? got : 0] = '\0';
    CHECK(strstr(request, "\r\nSec-WebSocket-Version: 13\r\n") != NULL);
    CHECK(got > 4 && strcmp(request + got - 4, "\r\n\r\n") == 0);
    for (size_t at = 0; at < strlen(text); at += n) {
        size_t left = strlen(text) - at;
        if (write(peer, text + at, left < n ? left : n) < 0)
            break; /* it has seen enough */
        struct loop_timer *tick = loop_after(t.loop, 1, stop, NULL);
        loop_run(t.loop);
        loop_timer_free(&tick);
    }
    close(peer);
    close(fd);
    turn_until(client_closed);
    finish();
}

static void answers_that_are_none(void)
{
    answer_with("SSH-2.0-OpenSSH\r\n\r\n", 1000);
    CHECK_INT(t.c.last.why, WS_HANDSHAKE);
    CHECK_STR(t.c.said + strcspn(t.c.said, " "),
              " did not answer as a WebSocket server does (its answer is not HTTP/1.1)");
    answer_with("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                7);
    CHECK_INT(t.c.last.why, WS_HANDSHAKE);
    answer_with("HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nbad token and more", 1);
    CHECK_INT(t.c.last.why, WS_REFUSED);
    CHECK_STR(t.c.body, "bad token");
    answer_with("HTTP/1.1 500 No\r\n\r\nuntil the end", 5);
    CHECK_INT(t.c.last.why, WS_REFUSED);
    CHECK_STR(t.c.body, "until the end");
    answer_with("HTTP/1.1 101", 5);
    CHECK_INT(t.c.last.why, WS_GONE);
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
    ask("/", 5000);
    turn_until(both_open);
    http_server_drain(t.server, 5000, on_drained, NULL);
    turn_until(is_drained);
    turn_until(both_closed);
    CHECK_INT(t.s.draining, 1);
    CHECK_INT(t.c.last.code, WS_GOING_AWAY);
    CHECK_STR(t.c.reason, "bye");
    finish();

    begin(); /* one that does not go */
    t.hold_drain = true;
    ask("/", 5000);
    turn_until(both_open);
    http_server_drain(t.server, 50, on_drained, NULL);
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
    ask("/", 5000);
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
    ask("/", 5000);
    ws_cut(t.c.ws); /* before it began */
    ask("/", 5000);
    turn_until(both_open);
    ws_cut(t.c.ws);
    turn_until(server_closed);
    CHECK_INT(t.c.closed, 0);
    CHECK_INT(t.s.last.why, WS_GONE);
    finish();

    begin();
    ask("/", 5000);
    turn_until(both_open);
    ws_cut(t.s.ws);
    turn_until(client_closed);
    CHECK_INT(t.s.closed, 0);
    CHECK_INT(t.c.last.why, WS_GONE);
    finish();

    begin(); /* all at once, while it is open */
    ask("/", 5000);
    turn_until(both_open);
    finish();
}

static void what_does_not_fit_ends_it(void)
{
    static char lump[2000];
    struct budget b;

    begin();
    budget_init(&b, 1000, NULL);
    ask("/", 5000);
    CHECK(ws_charge(t.c.ws, &b));
    CHECK(!ws_send(t.c.ws, true, lump, sizeof(lump))); /* before it is open */
    CHECK_INT(t.c.closed, 0);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_BUDGET);
    CHECK_INT(b.used, 0);
    finish();

    begin();
    ask("/", 5000);
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
    {"refusals are told", refusals_are_told},
    {"nobody there", nobody_there},
    {"one that says nothing", one_that_says_nothing},
    {"answers that are none", answers_that_are_none},
    {"a drain says goodbye", a_drain_says_goodbye},
    {"silence ends it", silence_ends_it},
    {"either may cut", either_may_cut},
};
TAP_MAIN(cases)

/* The whole server in this process, spoken to over socket pairs of its own unix socket. */
#include "net/http.c"
#include "unit/tap.h"

#include <sys/un.h>

static struct {
    struct loop *loop;
    struct http_server *server;
    struct loop_timer *giving_up;
    struct http_cfg cfg;
    struct http_req *held;
    char folder[32], path[64];
    int requests, answers, last_status, gone, drained;
    void (*on_request)(struct http_req *r);
} t;

static void on_request(void *ctx, struct http_req *r)
{
    CHECK(ctx == &t);
    t.requests++;
    t.on_request(r);
}

static void on_answer(void *ctx, struct http_req *r, int status)
{
    (void)r;
    CHECK(ctx == &t);
    t.answers++;
    t.last_status = status;
}

static void give_up(void *ctx)
{
    (void)ctx;
    CHECK(!"the loop had nothing to do for a minute");
    loop_stop(t.loop);
}

static void begin(void (*handler)(struct http_req *r))
{
    struct err e = {0};

    memset(&t, 0, sizeof(t));
    t.on_request = handler;
    str_copy(t.folder, sizeof(t.folder), "/tmp/net-XXXXXX");
    CHECK(mkdtemp(t.folder) != NULL);
    snprintf(t.path, sizeof(t.path), "unix:%s/s", t.folder);
    t.cfg = (struct http_cfg){.host = t.path,
                              .inherited_fd = -1,
                              .max_head = 8192,
                              .max_body = 65536,
                              .max_conns = 100,
                              .max_queued = 65536,
                              .head_ms = 60000,
                              .idle_ms = 60000,
                              .body_ms = 60000,
                              .write_ms = 60000,
                              .on_request = on_request,
                              .on_answer = on_answer,
                              .ctx = &t};
    CHECK_INT(loop_new(&t.loop, &e), 0);
    CHECK_INT(http_server_new(t.loop, &t.cfg, &t.server, &e), 0);
    t.giving_up = loop_after(t.loop, 60000, give_up, NULL);
}

static void end(void)
{
    http_server_free(&t.server);
    CHECK(!t.server);
    loop_timer_free(&t.giving_up);
    loop_free(&t.loop); /* dies if anything is left open */
    CHECK_INT(rmdir(t.folder), 0);
}

static int dial(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    str_copy(sa.sun_path, sizeof(sa.sun_path), t.path + 5);
    CHECK_INT(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
}

/* Turn the loop until the condition holds. */
#define TURN_UNTIL(cond)                                                                       \
    do {                                                                                       \
        for (int turns = 0; !(cond) && turns < 10000; turns++)                                 \
            uv_run(&t.loop->uv, UV_RUN_ONCE);                                                  \
        CHECK(cond);                                                                           \
    } while (0)

/* What has been answered, without waiting. */
static const char *heard(int fd)
{
    static char text[4096];
    ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void hold(struct http_req *r)
{
    t.held = r;
}

static void hello(struct http_req *r)
{
    http_answer(r, 200, "text/plain", "hello", 5);
}

static void on_gone(void *ctx, struct http_req *r)
{
    CHECK(ctx == &t && r == t.held);
    t.gone++;
    t.held = NULL;
}

static void hold_stream(struct http_req *r)
{
    t.held = r;
    http_req_set_ctx(r, &t);
    CHECK(http_req_ctx(r) == &t);
    http_req_on_gone(r, on_gone);
    http_stream_begin(r, 200, "text/event-stream");
}

static void on_drained(void *ctx)
{
    CHECK(ctx == &t);
    t.drained++;
}

static void answers(void)
{
    begin(hello);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.answers == 1);
    CHECK_INT(t.last_status, 200);
    CHECK(strstr(heard(fd), "\r\n\r\nhello") != NULL);
    struct http_stats st;
    http_server_stats(t.server, &st);
    CHECK_INT(st.accepted, 1);
    CHECK_INT(st.requests, 1);
    CHECK_INT(st.conns, 1);
    CHECK_INT(st.busy, 0);
    close(fd);
    end();
}

static void answers_later(void)
{
    begin(hold);
    int fd = dial();
    say(fd, "POST /x%20y?a=1&b=%zz&c=d+e&f HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nContent-Length: "
            "2\r\n\r\nok");
    /* a bad encoding in the query is refused */
    TURN_UNTIL(t.answers == 1);
    CHECK_INT(t.last_status, 400);
    close(fd);
    fd = dial();
    say(fd, "POST /x%20y?a=1&b=&c=d+%65&f HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nContent-Length: "
            "2\r\n\r\nok");
    TURN_UNTIL(t.held);
    struct http_req *r = t.held;
    struct buf out = BUF_INIT;
    CHECK_INT(http_req_method(r), HTTP_POST);
    CHECK(str_eq(http_req_path(r), "/x y"));
    CHECK(str_eq(http_req_query(r), "a=1&b=&c=d+%65&f"));
    CHECK(str_eq(http_req_header(r, "x-one"), "1"));
    CHECK(!http_req_header(r, "x-two").data);
    CHECK(str_eq(http_req_body(r), "ok"));
    CHECK(str_eq(http_req_peer(r), "unix") && http_req_loopback(r));
    CHECK(http_req_started_ns(r) > 0 && http_req_started_ns(r) <= loop_hrtime_ns());
    CHECK(http_req_param(r, "c", &out));
    CHECK_STR(buf_text(&out), "d e");
    buf_clear(&out);
    CHECK(http_req_param(r, "b", &out) && out.len == 0);
    CHECK(http_req_param(r, "f", &out) && out.len == 0);
    CHECK(!http_req_param(r, "g", &out));
    CHECK(!http_req_param(r, "", &out));
    buf_release(&out);
    http_header(r, "X-Two", "a\r\nb%c%d", 0x7f, 5);
    http_answer(r, 418, NULL, "tea", 3);
    const char *said = heard(fd);
    CHECK(strncmp(said, "HTTP/1.1 418 Status\r\n", 21) == 0);
    CHECK(strstr(said, "\r\nX-Two: a  b 5\r\n") != NULL);
    CHECK(strstr(said, "Content-Type") == NULL);
    close(fd);
    end();
}

static void tells_who_is_gone(void)
{
    begin(hold_stream);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.held);
    CHECK_INT(t.gone, 0);
    close(fd);
    TURN_UNTIL(t.gone == 1);
    end();
    CHECK_INT(t.gone, 1);
}

static void hold_or_answer(struct http_req *r)
{
    static char lump[1024 * 1024];

    if (str_eq(http_req_path(r), "/hold")) {
        t.held = r;
        http_req_set_ctx(r, &t);
        http_req_on_gone(r, on_gone);
    } else {
        http_answer_file(r, "text/plain", "\"v1\"", lump, sizeof(lump));
    }
}

/* Its end was read while a large answer was on its way; the next request comes after that. */
static void tells_who_had_gone_before(void)
{
    static char got[65536];

    begin(hold_or_answer);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    for (int turns = 0; turns < 10000 && !t.gone; turns++) {
        uv_run(&t.loop->uv, UV_RUN_NOWAIT);
        while (t.requests && recv(fd, got, sizeof(got), MSG_DONTWAIT) > 0)
            ;
    }
    CHECK_INT(t.requests, 2);
    CHECK_INT(t.gone, 1);
    close(fd);
    end();
}

/* A reader that takes nothing: never told inside the write, always after it. */
static void cuts_a_stalled_reader(void)
{
    char lump[4096] = {0};

    begin(hold_stream);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.held);
    size_t queued = 0;
    for (int i = 0; i < 10000 && queued <= t.cfg.max_queued; i++)
        queued = http_stream_write(t.held, lump, sizeof(lump));
    CHECK(queued > t.cfg.max_queued);
    CHECK_INT(t.gone, 0);
    CHECK(http_stream_write(t.held, NULL, 0) >= t.cfg.max_queued);
    TURN_UNTIL(t.gone == 1);
    struct http_stats st;
    http_server_stats(t.server, &st);
    CHECK_INT(st.closed[HTTP_CLOSE_STALLED], 1);
    close(fd);
    end();
}

static size_t to_write, rooms;

/* Goes on when the reader has taken what there was, so that little ever waits. */
static void write_more(void *ctx, struct http_req *r)
{
    char lump[4096] = {0};
    size_t queued = 0;

    CHECK(ctx == &t && http_stream_write(r, NULL, 0) == 0);
    rooms++;
    while (to_write && queued == 0) {
        queued = http_stream_write(r, lump, sizeof(lump));
        to_write -= sizeof(lump);
    }
    CHECK(queued <= sizeof(lump) + 64);
    if (!to_write)
        http_stream_end(r);
}

static void tells_of_room(void)
{
    static char got[65536];
    size_t len = 0;
    ssize_t n;

    to_write = 512 * 4096;
    rooms = 0;
    begin(hold_stream);
    int fd = dial();
    say(fd, "GET / HTTP/1.0\r\n\r\n");
    TURN_UNTIL(t.held);
    http_stream_on_room(t.held, write_more);
    write_more(&t, t.held);
    while ((n = recv(fd, got, sizeof(got), MSG_DONTWAIT)) != 0) {
        len += n > 0 ? (size_t)n : 0;
        uv_run(&t.loop->uv, UV_RUN_NOWAIT);
    }
    CHECK(len > 512 * 4096);
    CHECK(rooms > 2);
    CHECK_INT(t.gone, 0);
    close(fd);
    end();
}

/* Whatever the client did not take at once comes later, in order and whole. */
static void keeps_what_is_not_taken(void)
{
    static char got[1024 * 1024];
    size_t len = 0, lumps = 0;

    begin(hold_stream);
    int fd = dial();
    say(fd, "GET / HTTP/1.0\r\n\r\n"); /* a body that is not chunked is easy to compare */
    TURN_UNTIL(t.held);
    for (size_t queued = 0; queued < t.cfg.max_queued / 2; lumps++) {
        char lump[512];
        memset(lump, 'a' + (int)(lumps % 26), sizeof(lump));
        queued = http_stream_write(t.held, lump, sizeof(lump));
    }
    http_stream_end(t.held);
    for (;;) {
        ssize_t n = recv(fd, got + len, sizeof(got) - len, MSG_DONTWAIT);
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
        uv_run(&t.loop->uv, UV_RUN_NOWAIT);
    }
    CHECK(len > lumps * 512);
    const char *body = got + len - lumps * 512;
    CHECK(memcmp(body - 4, "\r\n\r\n", 4) == 0);
    for (size_t i = 0; i < lumps * 512; i++) {
        if (body[i] != (char)('a' + (int)(i / 512 % 26))) {
            CHECK(!"a byte is not where it belongs");
            break;
        }
    }
    close(fd);
    end();
}

/* The owner ends its stream in the same breath in which the client was doomed. */
static void ends_a_doomed_stream(void)
{
    char lump[4096] = {0};

    begin(hold_stream);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.held);
    for (int i = 0; i < 10000; i++) {
        if (http_stream_write(t.held, lump, sizeof(lump)) > t.cfg.max_queued)
            break;
    }
    http_stream_end(t.held);
    struct http_stats st;
    do {
        uv_run(&t.loop->uv, UV_RUN_ONCE);
        http_server_stats(t.server, &st);
    } while (st.conns);
    CHECK_INT(t.gone, 0); /* it was answered, so it cannot be gone */
    close(fd);
    end();
}

static void free_cuts_everything(void)
{
    begin(hold_stream);
    int stream = dial(), silent = dial(), half = dial();
    say(half, "GET / HT");
    say(stream, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_stats st;
    do {
        uv_run(&t.loop->uv, UV_RUN_ONCE);
        http_server_stats(t.server, &st);
    } while (st.conns < 3 || !t.held);
    end();
    CHECK_INT(t.gone, 1);
    close(stream);
    close(silent);
    close(half);
}

static void drains(void)
{
    begin(hold);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.held);
    CHECK(!http_server_draining(t.server));
    http_server_drain(t.server, 10000, on_drained, &t);
    http_server_drain(t.server, 1, on_drained, &t); /* the first word counts */
    CHECK(http_server_draining(t.server));
    for (int i = 0; i < 5; i++)
        uv_run(&t.loop->uv, UV_RUN_NOWAIT);
    CHECK_INT(t.drained, 0);
    http_answer(t.held, 200, "text/plain", "x", 1);
    CHECK(strstr(heard(fd), "Connection: close\r\n") != NULL);
    close(fd);
    TURN_UNTIL(t.drained == 1);
    end();
    CHECK_INT(t.drained, 1);
}

static void on_deaf(void *ctx)
{
    (void)ctx;
    CHECK_INT(t.drained, 0);
    t.gone += 100;
}

static void quiet_ones_may_ask_once_more(void)
{
    begin(hello);
    t.server->cfg.last_ms = 50000;
    t.server->cfg.on_deaf = on_deaf;
    int fresh = dial(), silent = dial();
    struct http_stats st;
    do {
        uv_run(&t.loop->uv, UV_RUN_ONCE);
        http_server_stats(t.server, &st);
    } while (st.conns < 2);
    http_server_drain(t.server, 10000, on_drained, &t);
    TURN_UNTIL(t.gone == 100);
    say(fresh, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.answers == 1);
    CHECK(strstr(heard(fresh), "Connection: close\r\n") != NULL);
    CHECK_INT(t.drained, 0);
    CHECK(uv_is_active((uv_handle_t *)&t.server->last) &&
          uv_timer_get_due_in(&t.server->last) <= 50000);
    uv_timer_start(&t.server->last, on_last, 0, 0); /* the time is over */
    TURN_UNTIL(t.drained == 1);                     /* the silent one too */
    close(fresh);
    close(silent);
    end();
}

static void drain_ends_streams_that_nobody_ends(void)
{
    begin(hold_stream);
    int before = dial(), during = dial();
    say(before, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    say(during, "GET / HTTP/1.1\r\n");
    struct http_stats st;
    do {
        uv_run(&t.loop->uv, UV_RUN_ONCE);
        http_server_stats(t.server, &st);
    } while (st.conns < 2 || st.streams < 1);
    for (int i = 0; i < 3; i++) /* the half head, too, has been read */
        uv_run(&t.loop->uv, UV_RUN_NOWAIT);
    http_server_drain(t.server, 10000, on_drained, &t);
    TURN_UNTIL(t.server->drain_begun);
    say(during, "Host: a\r\n\r\n");
    TURN_UNTIL(t.answers == 2);
    do {
        uv_run(&t.loop->uv, UV_RUN_ONCE);
        http_server_stats(t.server, &st);
    } while (st.streams);
    CHECK(strstr(heard(before), "\r\n0\r\n\r\n") != NULL);
    CHECK(strstr(heard(during), "Connection: close\r\n") != NULL);
    close(before);
    close(during);
    TURN_UNTIL(t.drained == 1);
    CHECK_INT(t.gone, 0);
    end();
}

/* Write until something waits for the reader; returns what does. */
static size_t fill(struct http_req *r)
{
    static char lump[4096];
    size_t queued = 0;

    for (int i = 0; i < 10000 && !queued; i++)
        queued = http_stream_write(r, lump, sizeof(lump));
    return queued;
}

static size_t queued_bytes(void)
{
    struct http_stats st;

    http_server_stats(t.server, &st);
    return st.bytes_queued;
}

/* What waits is on the budget, moves with its payer, and is nobody's when it is read. */
static void charges_what_waits(void)
{
    static char got[65536];
    struct budget one, two;

    begin(hold_stream);
    budget_init(&one, 1 << 20, NULL);
    budget_init(&two, 1 << 20, NULL);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.held);
    http_req_charge(t.held, &one);
    CHECK_INT(one.used, 0);
    size_t waits = fill(t.held);
    CHECK(one.used >= waits && queued_bytes() == 0);
    size_t before = one.used;
    http_req_charge(t.held, &two);
    CHECK(one.used == 0 && two.used == before);
    http_req_charge(t.held, NULL);
    CHECK(two.used == 0 && queued_bytes() == before);
    http_req_charge(t.held, &one);
    CHECK(one.used == before && queued_bytes() == 0);
    http_stream_end(t.held); /* whoever paid may be gone before the reader has read */
    CHECK(one.used == 0 && queued_bytes() >= before);
    for (int turns = 0; turns < 10000 && queued_bytes(); turns++) {
        while (recv(fd, got, sizeof(got), MSG_DONTWAIT) > 0)
            ;
        uv_run(&t.loop->uv, UV_RUN_NOWAIT);
    }
    CHECK_INT(queued_bytes(), 0);
    CHECK(one.peak >= before);
    close(fd);
    end();
}

/* At every size of budget: never passed, and its reader told why. */
static void cuts_a_reader_over_budget(void)
{
    static char lump[1000];

    for (size_t limit = 0; limit < 40000; limit = limit * 2 + 100) {
        struct budget parent, b;
        begin(hold_stream);
        budget_init(&parent, 0, NULL);
        budget_init(&b, limit + 1, &parent);
        int fd = dial();
        say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        TURN_UNTIL(t.held);
        http_req_charge(t.held, &b);
        for (int i = 0; i < 10000 && !t.server->in_state[CONN_CLOSED]; i++) {
            http_stream_write(t.held, lump, sizeof(lump));
            CHECK(b.used <= b.limit);
            if (list_empty(&t.server->ready))
                continue;
            CHECK_INT(t.gone, 0); /* never inside the call */
            break;
        }
        TURN_UNTIL(t.gone == 1);
        CHECK_INT(b.used, 0);
        CHECK_INT(parent.used, 0);
        struct http_stats st;
        http_server_stats(t.server, &st);
        CHECK_INT(st.closed[HTTP_CLOSE_BUDGET], 1);
        close(fd);
        end();
    }
}

/* Moved to a budget that cannot carry it. */
static void cuts_who_does_not_fit(void)
{
    struct budget b;

    begin(hold_stream);
    budget_init(&b, 100, NULL);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.held);
    CHECK(fill(t.held) > 0);
    http_req_charge(t.held, &b);
    CHECK(b.used == 0 && t.gone == 0);
    TURN_UNTIL(t.gone == 1);
    close(fd);
    end();
}

/* All slow readers together have a bound as well. */
static void bounds_all_that_waits(void)
{
    static char lump[4096];

    begin(hold_stream);
    t.server->cfg.max_queued_all = 20000;
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(t.held);
    for (int i = 0; i < 10000 && list_empty(&t.server->ready); i++) {
        http_stream_write(t.held, lump, sizeof(lump));
        CHECK(queued_bytes() <= 20000);
    }
    TURN_UNTIL(t.gone == 1);
    struct http_stats st;
    http_server_stats(t.server, &st);
    CHECK_INT(st.closed[HTTP_CLOSE_STALLED], 1);
    close(fd);
    end();
}

static void settle_stream(struct http_req *r)
{
    hold_stream(r);
    struct http_stats before, after;
    http_server_stats(t.server, &before);
    t.held = r = http_stream_settle(r);
    http_server_stats(t.server, &after);
    CHECK(after.bytes_conns + 200 < before.bytes_conns);
    CHECK(before.bytes_bodies > 0 && after.bytes_bodies == 0);
}

/* What a request said is let go, and its stream goes on. */
static void settles(void)
{
    begin(settle_stream);
    int fd = dial();
    say(fd, "POST /some/path?and=a&query=of&some=length HTTP/1.1\r\nHost: a\r\nX-Long: "
            "0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
            "234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n"
            "Content-Length: 5\r\n\r\nhello");
    TURN_UNTIL(t.held);
    CHECK_INT(http_req_path(t.held).len, 0);
    CHECK_INT(http_req_query(t.held).len, 0);
    CHECK_INT(http_req_body(t.held).len, 0);
    CHECK(!http_req_header(t.held, "x-long").data);
    http_stream_write(t.held, "told", 4);
    CHECK(strstr(heard(fd), "\r\n4\r\ntold\r\n") != NULL);
    http_stream_end(t.held);
    CHECK(strcmp(heard(fd), "0\r\n\r\n") == 0);
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n"); /* a head that is not whole is kept */
    for (int i = 0; i < 5; i++)
        uv_run(&t.loop->uv, UV_RUN_NOWAIT);
    struct http_stats st;
    http_server_stats(t.server, &st);
    CHECK(st.bytes_conns > sizeof(struct conn) && st.bytes_conns < sizeof(struct conn) + 200);
    close(fd);
    TURN_UNTIL(t.server->conn_bytes == 0);
    end();
}

static void tells_why_it_cannot_listen(void)
{
    struct err e = {0};
    struct http_server *s = NULL;
    struct loop *l = NULL;
    struct http_cfg cfg = {.host = "unix:/nowhere/at/all/s",
                           .inherited_fd = -1,
                           .max_head = 1,
                           .max_conns = 1,
                           .max_queued = 1,
                           .head_ms = 1,
                           .idle_ms = 1,
                           .body_ms = 1,
                           .write_ms = 1,
                           .on_request = on_request};

    CHECK_INT(loop_new(&l, &e), 0);
    CHECK_INT(http_server_new(l, &cfg, &s, &e), -1);
    CHECK_STR(e.msg, "listen on '/nowhere/at/all/s': No such file or directory");
    cfg.host = "300.300.300.300";
    CHECK_INT(http_server_new(l, &cfg, &s, &e), -1);
    CHECK(strstr(e.msg, "300.300.300.300") != NULL);
    cfg.inherited_fd = 9999;
    CHECK_INT(http_server_new(l, &cfg, &s, &e), -1);
    CHECK(!s && strstr(e.msg, "9999") != NULL);
    loop_free(&l);
}

static void labels_are_told_apart(void)
{
    for (int i = 0; i < HTTP_CLOSE__COUNT; i++) {
        for (int k = i + 1; k < HTTP_CLOSE__COUNT; k++)
            CHECK(strcmp(http_close_label((enum http_close)i),
                         http_close_label((enum http_close)k)) != 0);
    }
    CHECK_STR(http_close_label(HTTP_CLOSE__COUNT), "none");
}

static const struct tap_case cases[] = {
    {"answers", answers},
    {"answers later, having shown all of the request", answers_later},
    {"tells who is gone", tells_who_is_gone},
    {"tells who had gone before its request came up", tells_who_had_gone_before},
    {"cuts a stalled reader, and not inside a call", cuts_a_stalled_reader},
    {"tells when a reader has taken everything", tells_of_room},
    {"keeps what a client does not take at once", keeps_what_is_not_taken},
    {"charges what waits", charges_what_waits},
    {"cuts a reader that does not fit its budget", cuts_a_reader_over_budget},
    {"cuts a reader whose queue fits no new budget", cuts_who_does_not_fit},
    {"bounds all that waits", bounds_all_that_waits},
    {"lets go of what a settled stream's request said", settles},
    {"ends a stream whose client was doomed", ends_a_doomed_stream},
    {"cuts everything when freed", free_cuts_everything},
    {"drains when the last one is answered", drains},
    {"who is quiet at the drain may ask once more", quiet_ones_may_ask_once_more},
    {"a drain ends streams that nobody else ends", drain_ends_streams_that_nobody_ends},
    {"tells why it cannot listen", tells_why_it_cannot_listen},
    {"labels are told apart", labels_are_told_apart},
};

TAP_MAIN(cases)

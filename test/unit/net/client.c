/* The client against our own server, on one loop. */
#include "net/client.c"
#include "unit/net/loopback.h"

#include "base/buf.h"
#include "base/log.h"

#include <unistd.h>

static struct {
    struct http_call *call, *other;
    char url[64];
    int accepted_headers, ends, gone, requests;
    int status;
    enum http_lost lost;
    char why[240];
    struct buf got, body, seen;
    char type[64];
    bool cancel_in_data, forget_in_data, again, stop_when_gone;
    int64_t first_ms, between_ms; /* of the next call; 0: no deadline */
    struct http_req *held;
} t;

static void on_gone(void *ctx, struct http_req *req)
{
    (void)ctx;
    (void)req;
    t.gone++;
    t.held = NULL;
    if (t.stop_when_gone)
        loop_stop(local.loop);
}

/* A path for each behaviour. */
static void on_request(void *ctx, struct http_req *req)
{
    struct str path = http_req_path(req), secret = http_req_header(req, "x-secret");
    struct str body = http_req_body(req);

    (void)ctx;
    t.requests++;
    t.accepted_headers += secret.data && str_eq(secret, "s3cret");
    buf_add(&t.seen, body.data, body.len);
    http_req_on_gone(req, on_gone);
    if (str_eq(path, "/silent")) {
        t.held = req;
    } else if (str_eq(path, "/stream")) {
        t.held = req;
        http_stream_begin(req, 200, "text/event-stream");
        http_stream_write(req, "one", 3);
    } else if (str_eq(path, "/busy")) {
        http_header(req, "Retry-After", "7");
        http_answer(req, 429, "application/json", "{}", 2);
    } else {
        http_answer(req, 200, "text/plain", "hello", 5);
    }
}

static void hear_header(void *ctx, int status, struct str name, struct str value)
{
    (void)ctx;
    (void)status;
    if (str_eq_nocase(name, "content-type"))
        snprintf(t.type, sizeof(t.type), "%.*s", STR_FMT(value));
}

static void hear_data(void *ctx, int status, const char *data, size_t len)
{
    (void)ctx;
    t.status = status;
    buf_add(&t.got, data, len);
    if (t.cancel_in_data) {
        http_call_cancel(t.call);
        t.call = NULL;
    }
    if (t.forget_in_data) {
        http_call_forget(t.call);
        t.call = NULL;
        http_stream_end(t.held);
        t.held = NULL;
    }
}

static void ask(const char *path);

static void hear_end(void *ctx, int status, enum http_lost lost, const struct err *e)
{
    (void)ctx;
    t.ends++;
    t.status = status;
    t.lost = lost;
    snprintf(t.why, sizeof(t.why), "%s", e ? e->msg : "");
    t.call = NULL;
    if (t.again) {
        t.again = false;
        ask("/hello");
        return;
    }
    loop_stop(local.loop);
}

static void ask_url(const char *url)
{
    static const char *const headers[] = {"X-Secret: s3cret", NULL};
    struct err e = {0};
    const struct http_ask a = {
        .url = url,
        .headers = headers,
        .body = {t.body.data, t.body.len},
        .connect_ms = PATIENCE_MS,
        .first_ms = t.first_ms,
        .between_ms = t.between_ms,
        .on_header = hear_header,
        .on_data = hear_data,
        .on_end = hear_end,
    };

    CHECK_INT(http_call_start(local.client, &a, &t.call, &e), 0);
    CHECK_STR(e.msg, "");
}

static void ask(const char *path)
{
    char url[128];

    snprintf(url, sizeof(url), "%s%s", t.url, path);
    ask_url(url);
}

static void begin(void)
{
    memset(&t, 0, sizeof(t));
    local_begin(on_request, NULL);
    snprintf(t.url, sizeof(t.url), "http://127.0.0.1:%d", local.port);
}

static void finish(void)
{
    local_end();
    buf_release(&t.got);
    buf_release(&t.body);
    buf_release(&t.seen);
}

static bool has_one(void)
{
    return t.got.len == 3;
}

static bool is_gone(void)
{
    return t.gone == 1;
}

static bool has_ended(void)
{
    return t.ends == 1;
}

static void answers_come_whole(void)
{
    begin();
    buf_str(&t.body, "{\"a\":1}");
    ask("/hello");
    CHECK_INT(t.ends, 0); /* never inside */
    loop_run(local.loop);
    CHECK_INT(t.status, 200);
    CHECK_INT(t.lost, HTTP_LOST_NONE);
    CHECK_STR(buf_text(&t.got), "hello");
    CHECK_STR(buf_text(&t.seen), "{\"a\":1}");
    CHECK_STR(t.type, "text/plain");
    CHECK_INT(t.accepted_headers, 1);
    finish();
}

static void an_error_status_is_an_answer(void)
{
    begin();
    ask("/busy");
    loop_run(local.loop);
    CHECK_INT(t.status, 429);
    CHECK_INT(t.lost, HTTP_LOST_NONE);
    CHECK_STR(buf_text(&t.got), "{}");
    finish();
}

static void connections_are_kept(void)
{
    struct http_stats stats;

    begin();
    t.again = true; /* started inside on_end */
    ask("/hello");
    loop_run(local.loop);
    http_server_stats(local.server, &stats);
    CHECK_INT(t.ends, 2);
    CHECK_INT(stats.requests, 2);
    CHECK_INT(stats.accepted, 1);
    finish();
}

static void cancel_closes_at_once(void)
{
    begin();
    ask("/stream");
    turn_until(has_one);
    http_call_cancel(t.call);
    turn_until(is_gone);
    CHECK_INT(t.ends, 0);
    finish();
}

static void cancel_inside_its_own_data(void)
{
    begin();
    t.cancel_in_data = true;
    ask("/stream");
    turn_until(is_gone);
    CHECK_INT(t.ends, 0);
    CHECK_STR(buf_text(&t.got), "one");
    finish();
}

static void cancel_before_it_began(void)
{
    begin();
    ask("/stream");
    http_call_cancel(t.call);
    ask("/hello");
    loop_run(local.loop);
    CHECK_INT(t.ends, 1);
    CHECK_STR(buf_text(&t.got), "hello");
    finish();
}

static bool nothing_runs(void)
{
    return list_empty(&local.client->running);
}

/* How many connections two calls took, of which the first was forgotten. */
static int connections_of_two(void)
{
    struct http_stats stats;

    begin();
    t.forget_in_data = true;
    ask("/stream");
    turn_until(has_one);
    t.forget_in_data = false;
    turn_until(nothing_runs); /* the end of the answer has come */
    buf_clear(&t.got);
    ask("/hello");
    turn_until(has_ended);
    http_server_stats(local.server, &stats);
    CHECK_INT(t.gone, 0);
    finish();
    return (int)stats.accepted;
}

/* It has a second for its end, which passes while this process stands still, too. */
static void a_forgotten_call_leaves_its_connection(void)
{
    int tries = 0;

    while (++tries < TRIES && connections_of_two() != 1)
        ;
    CHECK(tries < TRIES);
}

static void pause_holds_and_lets_go(void)
{
    begin();
    ask("/stream");
    turn_until(has_one);
    http_call_pause(t.call, true);
    http_stream_write(t.held, "two", 3);
    http_stream_end(t.held);
    turn(20);
    CHECK_STR(buf_text(&t.got), "one");
    CHECK_INT(t.ends, 0);
    http_call_pause(t.call, false);
    turn_until(has_ended);
    CHECK_STR(buf_text(&t.got), "onetwo");
    finish();
}

/* Whether the server had been asked before its time was over. */
static bool silence_is_told(void)
{
    begin();
    t.first_ms = 60;
    ask("/silent");
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_FIRST_MS);
    CHECK(strstr(t.why, "said nothing for 0.06 s") != NULL);
    bool asked = t.requests;
    if (asked)
        turn_until(is_gone);
    finish();
    return asked;
}

static void deadlines_say_their_phase(void)
{
    int tries = 0;

    while (++tries < TRIES && !silence_is_told())
        ;
    CHECK(tries < TRIES);

    begin();
    t.between_ms = 60;
    ask("/stream");
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_BETWEEN_MS);
    CHECK(strstr(t.why, "fell silent for 0.06 s") != NULL);
    turn_until(is_gone);
    finish();
}

static void nobody_there(void)
{
    begin();
    http_server_free(&local.server);
    ask("/hello");
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_REFUSED);
    CHECK(strstr(t.why, "127.0.0.1:") && strstr(t.why, "Connection refused"));
    CHECK(!strstr(t.why, "s3cret"));
    finish();

    begin();
    ask_url("ftp://127.0.0.1/");
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_ADDRESS);
    finish();

    begin();
    ask_url("https://user:"
            "pass@127.0.0.1:1/secret");
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_REFUSED);
    CHECK(!strstr(t.why, "pass") && !strstr(t.why, "secret"));
    finish();
}

static void plain_server_behind_https(void)
{
    char url[128];

    begin();
    snprintf(url, sizeof(url), "https%.60s/hello", t.url + 4);
    ask_url(url);
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_TLS);
    finish();
}

static void names_that_nobody_knows(void)
{
    begin();
    ask_url("http://nobody.invalid/");
    http_call_cancel(t.call); /* does not wait for the resolver */
    ask_url("http://nobody.invalid/");
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_RESOLVE);
    CHECK_STR(t.why, "the name of nobody.invalid is not known");
    finish();
}

static void a_server_that_breaks_off(void)
{
    begin();
    ask("/stream");
    turn_until(has_one);
    http_server_free(&local.server);
    loop_run(local.loop);
    CHECK_INT(t.lost, HTTP_LOST_CUT);
    finish();
}

static void free_with_calls_running(void)
{
    begin();
    ask("/stream");
    turn_until(has_one);
    ask("/silent");
    finish();
    CHECK_INT(t.ends, 0);
}

static void headers_are_one_line_each(void)
{
    static const char *const wrong[] = {"X-Key: a\r\nX-Other: b", "X-Key: a\nX-Other: b",
                                        "X-Key: a\r"};

    begin();
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *const headers[] = {"X-Secret: s3cret", wrong[i], NULL};
        const struct http_ask a = {.url = t.url, .headers = headers, .on_end = hear_end};
        struct err e = {0};
        CHECK_INT(http_call_start(local.client, &a, &t.call, &e), -1);
        CHECK(strstr(e.msg, "line break") && !strstr(e.msg, "X-Other"));
    }
    ask("/hello");
    loop_run(local.loop);
    CHECK(t.ends == 1 && t.status == 200 && t.requests == 1);
    finish();
}

static const struct tap_case cases[] = {
    {"answers come whole", answers_come_whole},
    {"an error status is an answer", an_error_status_is_an_answer},
    {"connections are kept", connections_are_kept},
    {"cancel closes at once", cancel_closes_at_once},
    {"cancel inside its own data", cancel_inside_its_own_data},
    {"cancel before it began", cancel_before_it_began},
    {"a forgotten call leaves its connection", a_forgotten_call_leaves_its_connection},
    {"pause holds and lets go", pause_holds_and_lets_go},
    {"deadlines say their phase", deadlines_say_their_phase},
    {"nobody there", nobody_there},
    {"a plain server behind https", plain_server_behind_https},
    {"names that nobody knows", names_that_nobody_knows},
    {"a server that breaks off", a_server_that_breaks_off},
    {"free with calls running", free_with_calls_running},
    {"headers are one line each", headers_are_one_line_each},
};
TAP_MAIN(cases)

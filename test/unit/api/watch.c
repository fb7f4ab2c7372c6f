/* Streams of /session/events: who is told what, and what a watched session does not notice. */
#include "api/watch.c"

#include "unit/api/watching.h"

#define DAY_S 86400

static void test_told(void)
{
    struct answer one, two, other;

    open_bar(0);
    watch("a", NULL, &one);
    watch("a", NULL, &two);
    watch("b", NULL, &other);
    CHECK_INT(bar_api->watch.stream_count, 3);
    CHECK_INT(bar_sessions->by_id.count, 0); /* nothing was made, nothing was loaded */
    talk("a", "order");
    CHECK(strcmp(buf_text(&one.body), buf_text(&two.body)) == 0);
    CHECK(strncmp(buf_text(&one.body), "id: 1\ndata: {\"type\": \"turn\"", 27) == 0);
    CHECK(strstr(buf_text(&one.body), "\"turn\": 1, \"user_input\": \"order\", "
                                      "\"full_response\": \"Mr. Smith pays $13.00. \\u00c9t"));
    heard(&one, 1, "\"current_order\": [{\"name\":\"Negroni\",");
    heard(&two, 1, "\"payment_summary\": {\"tab_amount\":");
    request("/api/payments/tip", "a", "{\"tip_percentage\":20}", 200);
    heard(&one, 1, "\"change\": \"tip\", \"turn\": 1, \"has_valid_keys\": false");
    heard(&two, 1, "\"tip_percentage\":20");
    request("/api/session/keys", "a", "{\"gemini_key\":\"AIzaSyVerySecret\"}", 200);
    CHECK(!strstr(buf_text(&one.body), "Secret"));
    heard(&one, 1, "\"change\": \"keys\", \"turn\": 1, \"has_valid_keys\": true");
    request("/api/session/reset", "a", "", 200);
    heard(&one, 1, "\"change\": \"reset\"");
    request("/api/payments/tip", "a", "{\"tip_percentage\":11}", 400); /* nothing happened */
    talk("b", "hi");
    heard(&one, 0, "");
    heard(&other, 1, "id: 1\ndata: {\"type\": \"turn\"");
    quit(&one);
    quit(&two);
    quit(&other);
    CHECK_INT(bar_api->watch.by_id.count, 0);
    close_bar();
}

/* What its owner did not wait for, and what is only told again. */
static void test_nobody_waits(void)
{
    struct http_req *r =
        fake_request(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\"}", 19);
    struct answer a, gone;

    open_bar(0);
    watch("a", NULL, &a);
    fake_header(r, "x-session-id", "a");
    fake_header(r, "idempotency-key", "k");
    fake_send(bar_api, r, &gone);
    heard(&a, 0, ""); /* it is not on disk */
    quit(&gone);
    fake_reap();
    heard(&a, 1, "\"user_input\": \"hi\"");
    r = fake_request(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\"}", 19);
    fake_header(r, "x-session-id", "a");
    fake_header(r, "idempotency-key", "k");
    fake_send(bar_api, r, &gone);
    CHECK_INT(gone.status, 200);
    answer_release(&gone);
    heard(&a, 0, "");
    fake.fail_puts = ERR_STORE;
    request("/api/chat", "a", "{\"user_input\":\"hi\"}", 503);
    request("/api/chat", "a", "{\"user_input\":\"fail\"}", 502);
    heard(&a, 0, "");
    quit(&a);
    close_bar();
}

static void test_asleep(void)
{
    struct answer a;

    open_bar(0);
    watch("a", NULL, &a);
    talk("a", "hi");
    heard(&a, 1, "id: 1");
    bar_s += 301;
    session_tick(bar_sessions, bar_s);
    CHECK_INT(bar_sessions->by_id.count, 0); /* the stream does not keep it awake */
    for (int i = 0; i < 2 * BEAT_TICKS; i++)
        api_tick(bar_api);
    CHECK_STR(buf_text(&a.body), ":\n\n:\n\n");
    CHECK_INT(bar_sessions->by_id.count, 0);
    buf_clear(&a.body);
    talk("a", "hi");
    heard(&a, 1, "id: 2");
    quit(&a);
    close_bar();
}

/* Look at every session once, and let the store answer. */
static void pass_looks(void)
{
    for (int i = 0; i < LOOK_TICKS; i++)
        api_tick(bar_api);
    fake_reap();
}

static void test_expires(void)
{
    struct answer a, late, never;

    open_bar(0);
    watch("a", NULL, &a);
    talk("a", "hi");
    heard(&a, 1, "id: 1");
    bar_s += 301;
    session_tick(bar_sessions, bar_s);
    watch("a", NULL, &late);
    watch("never", NULL, &never);
    bar_s += 3600 - 301; /* as long as it may, and not longer */
    pass_looks();
    heard(&a, 0, "");
    bar_s++;
    unsigned gets = fake.gets;
    pass_looks();
    CHECK_INT(fake.gets, gets + 1); /* asked only when it was time */
    CHECK_STR(buf_text(&a.body),
              "id: 0\ndata: {\"type\": \"ended\", \"session_id\": \"a\"}\n\n");
    heard(&a, 1, "ended");
    heard(&late, 1, "ended");
    heard(&never, 0, "");
    pass_looks();
    heard(&a, 0, ""); /* said once */
    talk("a", "hi");  /* and the stream goes on with who comes then */
    heard(&a, 1, "id: 1\ndata: {\"type\": \"turn\"");
    bar_s += DAY_S; /* it begins anew before anybody has looked */
    talk("a", "hi");
    CHECK(strstr(buf_text(&a.body), "\"ended\"") < strstr(buf_text(&a.body), "\"turn\""));
    heard(&a, 2, "id: 1\n");
    quit(&a);
    quit(&late);
    quit(&never);
    close_bar();
}

/* Known only from its row; used elsewhere meanwhile; the store cannot say; ended by hand. */
static void test_expires_asleep(void)
{
    struct answer a;

    open_bar(0);
    talk("a", "hi");
    bar_s += 301;
    session_tick(bar_sessions, bar_s);
    fake.hold_gets = true;
    watch("a", NULL, &a); /* the store's answer comes when the reader has left */
    quit(&a);
    CHECK_INT(bar_api->watch.by_id.count, 1);
    fake.hold_gets = false;
    fake_reap();
    CHECK_INT(bar_api->watch.by_id.count, 0);
    watch("a", NULL, &a);
    bar_s += 3600;
    fake.rows[0].used_s = bar_s - 10;
    pass_looks();
    heard(&a, 0, "");
    bar_s += 3600;
    fake.fail_gets = ERR_STORE;
    pass_looks();
    heard(&a, 0, "");
    fake.fail_gets = ERR_NONE;
    pass_looks();
    heard(&a, 1, "ended");
    talk("a", "hi");
    heard(&a, 1, "id: 1");
    api__watch_ended(bar_api, "a");
    api__watch_ended(bar_api, "nobody");
    heard(&a, 1, "ended");
    quit(&a);
    close_bar();
}

/* A turn that takes longer than the expiry: the session is in use all the time. */
static void test_long_turn(void)
{
    struct http_req *r =
        fake_request(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\"}", 19);
    struct answer a, slow;

    open_bar(0);
    watch("a", NULL, &a);
    talk("a", "hi");
    heard(&a, 1, "id: 1");
    fake_header(r, "x-session-id", "a");
    fake_send(bar_api, r, &slow);
    bar_s += 3601;
    for (int i = 0; i < LOOK_TICKS; i++)
        api_tick(bar_api);
    heard(&a, 0, "");
    fake_reap();
    heard(&a, 1, "id: 2");
    answer_release(&slow);
    quit(&a);
    close_bar();
}

static void comes_back(const char *last, int events, const char *part)
{
    struct http_req *r = fake_request(HTTP_GET, "/api/session/events", "session_id=a", "", 0);
    struct answer a;

    fake_header(r, "last-event-id", last);
    fake_send(bar_api, r, &a);
    heard(&a, events + 1, part);
    quit(&a);
}

static void test_comes_back(void)
{
    open_bar(0);
    comes_back("1", 1, "{\"type\": \"reload\", \"session_id\": \"a\"}");
    talk("a", "one");
    talk("a", "two");
    talk("a", "three");
    comes_back("1", 3,
               "id: 2\ndata: {\"type\": \"turn\", \"session_id\": \"a\", \"turn\": 2, "
               "\"user_input\": \"two\"");
    comes_back("1", 3, "\"user_input\": \"three\"");
    comes_back("0", 4, "\"user_input\": \"one\"");
    comes_back("3", 1, "\"change\": \"resume\", \"turn\": 3");
    struct answer a;
    ask(HTTP_GET, "/api/session/events", "session_id=a&last_event_id=2", NULL, "", &a);
    heard(&a, 3, "\"user_input\": \"three\"");
    quit(&a);
    comes_back("4", 1, "reload");      /* of a session that was here before */
    comes_back("1-2-3", 0, "session"); /* an id of another stream says nothing */
    comes_back("99999999999", 0, "session");
    request("/api/session/reset", "a", "", 200);
    comes_back("2", 1, "reload");
    comes_back("3", 1, "reload"); /* the reset may have been before or after it */
    talk("a", "four");
    talk("a", "five");
    comes_back("4", 2, "\"user_input\": \"five\"");
    bar_s += 301;
    session_tick(bar_sessions, bar_s);
    comes_back("4", 1, "reload");
    CHECK_INT(bar_sessions->by_id.count, 0);
    close_bar();
}

/* A reader that comes back is no use of a session either. */
static void test_comes_back_unnoticed(void)
{
    open_bar(0);
    talk("a", "one");
    bar_s += 299;
    session_tick(bar_sessions, bar_s);
    comes_back("0", 2, "\"user_input\": \"one\"");
    bar_s += 2;
    session_tick(bar_sessions, bar_s);
    CHECK_INT(bar_sessions->by_id.count, 0);
    close_bar();
}

static void test_too_many(void)
{
    struct answer all[MAX_WATCHERS], more;

    open_bar(0);
    for (int i = 0; i < MAX_WATCHERS; i++)
        watch("a", NULL, &all[i]);
    watch("a", NULL, &more);
    CHECK_INT(more.status, 429);
    CHECK(more.whole && strstr(buf_text(&more.headers), "Retry-After: "));
    answer_release(&more);
    watch("b", NULL, &more);
    CHECK_INT(more.status, 200);
    quit(&more);
    quit(&all[0]);
    watch("a", NULL, &all[0]);
    CHECK_INT(all[0].status, 200);
    for (int i = 0; i < MAX_WATCHERS; i++)
        quit(&all[i]);
    close_bar();
}

/* A message that would fill a reader's queue by itself is not told but pointed at. */
static void test_large(void)
{
    struct buf body = BUF_INIT;
    struct answer a;

    open_bar(0);
    bar_sessions->cfg.budget = 1 << 20;
    watch("a", NULL, &a);
    buf_str(&body, "{\"user_input\":\"");
    for (int i = 0; i <= WATCH_TELL_MAX / 8; i++)
        buf_str(&body, "so much ");
    buf_str(&body, "\"}");
    request("/api/chat", "a", buf_text(&body), 200);
    heard(&a, 1, "id: 1\ndata: {\"type\": \"reload\"");
    talk("a", "hi");
    heard(&a, 1, "id: 2\ndata: {\"type\": \"turn\"");
    comes_back("0", 1, "reload");
    comes_back("1", 2, "\"turn\": 2");
    buf_release(&body);
    quit(&a);
    close_bar();
}

/* A drain tells everybody another time to come back, and ends. */
static void test_drain(void)
{
    struct answer a, b;

    open_bar(0);
    watch("a", NULL, &a);
    watch("a", NULL, &b);
    fake_drain(&a);
    fake_drain(&b);
    CHECK(a.whole && b.whole);
    CHECK(strstr(buf_text(&a.body), "\nretry: 294\n\n"));
    CHECK(strstr(buf_text(&b.body), "\nretry: 391\n\n"));
    CHECK_INT(bar_api->watch.stream_count, 0);
    answer_release(&a);
    answer_release(&b);
    close_bar();
}

/* Every stream once in 20 seconds, and never many at once. */
static void test_heartbeats(void)
{
    static struct answer all[1000];
    size_t most = 0, before = 0;
    char id[16];

    open_bar(0);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "s%d", i / 10);
        watch(id, NULL, &all[i]);
    }
    for (int tick = 0; tick < BEAT_TICKS; tick++) {
        size_t now = 0;
        api_tick(bar_api);
        for (int i = 0; i < 1000; i++)
            now += all[i].body.len;
        most = now - before > most ? now - before : most;
        before = now;
    }
    CHECK_INT(most, 5 * 3);
    for (int i = 0; i < 1000; i++) {
        CHECK_STR(buf_text(&all[i].body), ":\n\n");
        quit(&all[i]);
    }
    close_bar();
}

/* What a turn's stream has queued is on the budget of its session. */
static void test_charged(void)
{
    struct http_req *r = fake_request(HTTP_GET, "/api/chat/stream", "message=hi", "", 0);
    struct answer a;

    open_bar(0);
    fake_header(r, "x-session-id", "a");
    fake_send(bar_api, r, &a);
    CHECK(a.from && a.from->budget && a.from->budget->limit == 65536);
    fake_reap();
    CHECK(a.whole);
    answer_release(&a);
    watch("a", NULL, &a);
    CHECK(!a.from->budget); /* a watcher holds no session */
    quit(&a);
    close_bar();
}

static const struct tap_case cases[] = {
    {"everybody who watches is told the same", test_told},
    {"what nobody waited for is told too, and repeats are not", test_nobody_waits},
    {"a watched session sleeps and wakes", test_asleep},
    {"its end is told, and its next beginning", test_expires},
    {"its end is told while it sleeps", test_expires_asleep},
    {"a turn may be longer than the expiry", test_long_turn},
    {"who comes back is told what it missed", test_comes_back},
    {"who comes back keeps nothing awake", test_comes_back_unnoticed},
    {"too many watchers", test_too_many},
    {"a very long message", test_large},
    {"a drain", test_drain},
    {"heartbeats are spread", test_heartbeats},
    {"a turn's stream is charged to its session", test_charged},
};

SEALED_MAIN(cases)

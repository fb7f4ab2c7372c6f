/* The operator's routes: who may ask, what is answered, and what never is. */
#include "unit/api/fixture.h"

#define SESSIONS "/api/v1/ops/sessions"
#define TOKEN "a-token-of-the-operator"

struct header {
    const char *name, *value;
};

static void send_with(enum http_method method, const char *path, const char *query,
                      const char *peer, const struct header *headers, struct answer *to)
{
    struct http_req *r = fake_request(method, path, query, "", 0);

    r->peer = peer;
    for (; headers && headers->name; headers++)
        fake_header(r, headers->name, headers->value);
    fake_send(bar_api, r, to);
}

/* As somebody at this machine. */
static void operate(enum http_method method, const char *path, const char *query,
                    struct answer *to)
{
    static const struct header here[] = {{"host", "127.0.0.1:8000"}, {NULL, NULL}};

    send_with(method, path, query, "127.0.0.1", here, to);
}

static void expect(const struct answer *a, int status, const char *part)
{
    CHECK(a->whole);
    CHECK_INT(a->status, status);
    CHECK(strstr(buf_text(&a->body), part));
    if (!strstr(buf_text(&a->body), part))
        printf("# '%s' is not in: %s\n", part, buf_text(&a->body));
}

static void say(const char *id, const char *body, struct answer *to)
{
    struct http_req *r = fake_request(HTTP_POST, "/api/chat", "", body, strlen(body));

    fake_header(r, "x-session-id", id);
    fake_send(bar_api, r, to);
}

static void make(const char *id)
{
    struct answer a;

    say(id, "{\"user_input\":\"order\"}", &a);
    fake_reap();
    CHECK_INT(a.status, 200);
    answer_release(&a);
}

static void test_guard_without_token(void)
{
    static const struct {
        const char *peer;
        struct header headers[3];
        int status;
        const char *part;
    } rows[] = {
        {"127.0.0.1", {{"host", "127.0.0.1:8000"}}, 200, "\"sessions\":[]"},
        {"127.4.5.6", {{"host", "127.4.5.6"}}, 200, ""},
        {"127.0.0.1", {{"host", "LocalHost:1"}}, 200, ""},
        {"127.0.0.1", {{"host", "localhost:"}}, 200, ""},
        {"127.0.0.1", {{"host", "[::1]:8000"}}, 200, ""},
        {"unix", {{"host", "localhost"}}, 200, ""},
        {"unix", {{"host", "unix"}}, 200, ""},
        {"127.0.0.1", {{"host", "a:1"}}, 403, "not 'localhost' or a loopback address"},
        {"127.0.0.1", {{"host", "unix"}}, 403, "a host"},
        {"unix", {{"host", "bar.example"}}, 403, "a host"},
        {"127.0.0.1", {{NULL, NULL}}, 403, "a host"},
        {"127.0.0.1", {{"host", ""}}, 403, "a host"},
        {"127.0.0.1", {{"host", "127.0.0.1.bar.example"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "localhost.bar.example"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "128.0.0.1"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "2130706433"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "localhost:80:80"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "localhost:x"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "[::2]"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "[::1"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "[::1]x"}}, 403, "a host"},
        {"127.0.0.1", {{"host", "["}}, 403, "a host"},
        {"10.0.0.7", {{"host", "127.0.0.1"}}, 403, "Only this machine itself may ask here"},
        {"unknown", {{"host", "localhost"}}, 403, "MAYA_ADMIN_TOKEN"},
        {"127.0.0.1", {{"host", "localhost"}, {"x-forwarded-for", ""}}, 403, "a proxy"},
        {"127.0.0.1", {{"host", "localhost"}, {"forwarded", "for=1"}}, 403, "'forwarded'"},
        {"unix", {{"host", "localhost"}, {"via", "1.1 a"}}, 403, "'via'"},
        {"127.0.0.1", {{"host", "localhost:1"}, {"origin", "http://localhost:1"}}, 200, ""},
        {"127.0.0.1", {{"host", "localhost:1"}, {"origin", "http://localhost:2"}}, 403, "page"},
        {"127.0.0.1", {{"host", "localhost:1"}, {"origin", "http://localhost"}}, 403, "page"},
        {"127.0.0.1", {{"host", "localhost"}, {"origin", "https://localhost"}}, 403, "page"},
        {"127.0.0.1", {{"host", "localhost"}, {"origin", "null"}}, 403, "origin"},
        {"127.0.0.1", {{"host", "localhost"}, {"origin", "http://a.example"}}, 403, "origin"},
        {"127.0.0.1", {{"host", "localhost"}, {"sec-fetch-site", "cross-site"}}, 403, "page"},
        {"127.0.0.1", {{"host", "localhost"}, {"sec-fetch-site", "same-site"}}, 403, "page"},
        {"127.0.0.1", {{"host", "localhost"}, {"sec-fetch-site", "same-origin"}}, 200, ""},
        {"127.0.0.1", {{"host", "localhost"}, {"sec-fetch-site", "none"}}, 200, ""},
        /* With none set, no token helps. */
        {"10.0.0.7", {{"host", "localhost"}, {"authorization", "Bearer "}}, 403, "Only"},
    };

    open_bar(0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a;
        send_with(HTTP_GET, SESSIONS, "", rows[i].peer, rows[i].headers, &a);
        expect(&a, rows[i].status, rows[i].part);
        if (a.status != rows[i].status)
            printf("# row %zu\n", i);
        CHECK(strstr(buf_text(&a.headers), "Cache-Control: no-store\n"));
        answer_release(&a);
    }
    close_bar();
}

static void test_guard_with_token(void)
{
    static const struct {
        const char *peer;
        struct header headers[3];
        int status;
    } rows[] = {
        {"10.0.0.7", {{"authorization", "Bearer " TOKEN}}, 200},
        {"127.0.0.1", {{"authorization", "bearer   " TOKEN " "}}, 200},
        {"10.0.0.7", {{"authorization", "Bearer " TOKEN}, {"origin", "http://a"}}, 200},
        {"127.0.0.1", {{"host", "localhost"}}, 401},
        {"unix", {{"host", "localhost"}}, 401},
        {"127.0.0.1", {{"authorization", TOKEN}}, 401},
        {"127.0.0.1", {{"authorization", "Basic " TOKEN}}, 401},
        {"127.0.0.1", {{"authorization", "Bearer"}}, 401},
        {"127.0.0.1", {{"authorization", "Bearer "}}, 401},
        {"127.0.0.1", {{"authorization", ""}}, 401},
        {"127.0.0.1", {{"authorization", "Bearer " TOKEN "x"}}, 401},
        {"127.0.0.1", {{"authorization", "Bearer a-token-of-the-operatoR"}}, 401},
        {"127.0.0.1", {{"authorization", "Bearer a-token-of-the-operato"}}, 401},
    };
    static const struct {
        enum http_method method;
        const char *path;
    } doors[] = {
        {HTTP_GET, SESSIONS},
        {HTTP_HEAD, SESSIONS},
        {HTTP_GET, "/api/ops/sessions"},
        {HTTP_GET, SESSIONS "/a"},
        {HTTP_DELETE, SESSIONS "/a"},
        {HTTP_POST, SESSIONS "/a/hibernate"},
    };
    struct answer a;

    bar_token = TOKEN;
    open_bar(0);
    make("a");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool named = strstr(rows[i].headers[0].value, "earer ") != NULL;
        send_with(HTTP_GET, SESSIONS, "", rows[i].peer, rows[i].headers, &a);
        expect(&a, rows[i].status, rows[i].status == 200 ? "\"totals\"" : "unauthorized");
        CHECK((strstr(buf_text(&a.headers), "WWW-Authenticate: Bearer realm=\"maya\"") !=
               NULL) == (a.status == 401));
        CHECK((strstr(buf_text(&a.headers), "invalid_token") != NULL) ==
              (a.status == 401 && named));
        CHECK(!strstr(buf_text(&a.body), "operatoR") && !strstr(buf_text(&a.body), TOKEN));
        answer_release(&a);
    }
    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        operate(doors[i].method, doors[i].path, "", &a);
        CHECK_INT(a.status, 401);
        answer_release(&a);
    }
    CHECK_INT(fake.queued, 0);
    CHECK(session_peek(bar_sessions, "a") != NULL);
    close_bar();
    bar_token = NULL;
}

static void test_list(void)
{
    static const struct {
        const char *query, *part;
    } mistakes[] = {
        {"sort=size", "'sort' must be memory, idle or age; this is 'size'"},
        {"order=up", "'order' must be desc or asc; this is 'up'"},
        {"state=hibernated", "'state' must be loading, idle, busy or ending (one that"},
        {"limit=0", "'limit' must be a whole number from 1 to 1000; this is '0'"},
        {"limit=1001", "1 to 1000"},
        {"limit=-1", "1 to 1000"},
        {"limit=1e2", "1 to 1000"},
        {"limit=", "1 to 1000"},
        {"after=5", "'after' must be the 'next' of the page before"},
        {"after=~a", "'after'"},
        {"after=x~a", "'after'"},
        {"after=5~a/b", "'after'"},
        {"after=99999999999999999999999999~a", "'after'"},
        {"after=99999999999999999999~a", "'after'"},
        {"offset=5", "There is no parameter 'offset'; there are sort, order, state, limit, "
                     "after"},
        {"sort=idle&&srot=age", "'srot'"},
        {"sort=\xff\xfe\"", "this is '\xef\xbf\xbd\xef\xbf\xbd\\\"'"},
    };
    struct answer a;

    open_bar(0);
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        operate(HTTP_GET, SESSIONS, mistakes[i].query, &a);
        expect(&a, 422, mistakes[i].part);
        expect(&a, 422, "\"code\":\"validation_error\"}");
        answer_release(&a);
    }
    make("a");
    bar_s += 10;
    make("b");
    make("c");
    bar_s += 5;
    operate(HTTP_GET, SESSIONS, "sort=age&limit=2", &a);
    expect(&a, 200, "{\"totals\":{\"resident\":3,\"max_resident\":3,\"idle\":3,\"busy\":0,");
    expect(&a, 200,
           "\"sort\":\"age\",\"order\":\"desc\",\"matched\":3,\"sessions\":[{\"id\":\"a\"");
    expect(&a, 200,
           "\"idle_s\":15,\"age_s\":15,\"expires_in_s\":3585,"
           "\"created_at\":\"1970-01-12T13:46:40Z\"");
    expect(&a, 200, "\"mind\":\"house\",\"voice\":\"off\"}");
    expect(&a, 200, "\"next\":\"-1000010~b\"");
    CHECK(!strstr(buf_text(&a.body), "\"id\":\"c\""));
    answer_release(&a);
    operate(HTTP_GET, "/api/ops/sessions", "sort=age&limit=2&after=-1000010~b", &a);
    expect(&a, 200, "\"sessions\":[{\"id\":\"c\"");
    expect(&a, 200, "\"next\":null");
    answer_release(&a);
    operate(HTTP_GET, SESSIONS, "state=busy&order=asc", &a);
    expect(&a, 200, "\"order\":\"asc\",\"matched\":0,\"sessions\":[],\"next\":null");
    answer_release(&a);
    close_bar();
    bar_s = 1000000;
}

static void test_one(void)
{
    struct answer a, b, waiting;

    open_bar(0);
    make("a");
    operate(HTTP_GET, SESSIONS "/a", "", &a);
    expect(&a, 200, "{\"id\":\"a\",\"state\":\"idle\",");
    CHECK(!strstr(buf_text(&a.headers), "X-Session-ID"));
    answer_release(&a);
    operate(HTTP_GET, SESSIONS "/nobody", "", &a);
    expect(&a, 404,
           "{\"detail\":\"There is no session with this id.\",\"code\":\"not_found\"}");
    answer_release(&a);
    operate(HTTP_GET, SESSIONS "/a b", "", &a);
    expect(&a, 400, "invalid_session_id");
    answer_release(&a);
    operate(HTTP_GET, SESSIONS "/", "", &a);
    expect(&a, 404, "Not Found");
    answer_release(&a);
    operate(HTTP_GET, SESSIONS "/a/", "", &a);
    expect(&a, 404, "Not Found");
    answer_release(&a);
    operate(HTTP_PUT, SESSIONS "/a", "", &a);
    expect(&a, 405, "Method Not Allowed");
    CHECK(strstr(buf_text(&a.headers), "Allow: GET, HEAD, DELETE\n"));
    answer_release(&a);

    /* A turn holds it: its message is on the way to the store. */
    say("a", "{\"user_input\":\"order\"}", &b);
    say("a", "{\"user_input\":\"order\"}", &waiting);
    operate(HTTP_POST, SESSIONS "/a/hibernate", "", &a);
    expect(&a, 409, "\"code\":\"session_in_use\"");
    answer_release(&a);
    operate(HTTP_DELETE, SESSIONS "/a", "", &a);
    CHECK(!a.status);
    expect(&waiting, 410, "\"code\":\"session_ended\"");
    fake_reap();
    expect(&b, 200, "\"response_text\"");
    CHECK(!a.status);
    fake_reap();
    expect(&a, 200, "{\"id\":\"a\",\"state\":\"ended\"}");
    answer_release(&a);
    answer_release(&b);
    answer_release(&waiting);
    operate(HTTP_DELETE, SESSIONS "/a", "", &a);
    expect(&a, 404, "There is no session with this id.");
    answer_release(&a);

    make("b");
    operate(HTTP_POST, SESSIONS "/b/hibernate", "", &a);
    expect(&a, 200,
           "{\"id\":\"b\",\"state\":\"hibernated\",\"used_bytes\":0,\"stored_bytes\":");
    answer_release(&a);
    CHECK(!session_peek(bar_sessions, "b"));
    operate(HTTP_POST, SESSIONS "/b/hibernate", "", &a); /* nothing to do, nothing wrong */
    expect(&a, 200, "\"state\":\"hibernated\"");
    answer_release(&a);
    operate(HTTP_POST, SESSIONS "/nobody/hibernate", "", &a);
    expect(&a, 404, "not_found");
    answer_release(&a);
    fake.fail_gets = ERR_STORE;
    operate(HTTP_GET, SESSIONS "/b", "", &a);
    expect(&a, 503, "\"code\":\"store_unavailable\"");
    answer_release(&a);
    fake.fail_gets = ERR_NONE;
    close_bar();
}

/* Words, order and keys are nobody's but the guest's. */
static void test_no_conversation(void)
{
    static const char *const secrets[] = {"grandmother", "Negroni",  "Smith",     "13.00",
                                          "AIza-key",    "current_", "order\":[", "tab"};
    static const struct {
        enum http_method method;
        const char *path;
    } asked[] = {{HTTP_GET, SESSIONS},
                 {HTTP_GET, SESSIONS "/a"},
                 {HTTP_POST, SESSIONS "/a/hibernate"},
                 {HTTP_GET, SESSIONS "/a"},
                 {HTTP_DELETE, SESSIONS "/a"}};
    static const char keys[] = "{\"gemini_key\":\"AIza-key\"}";
    struct http_req *r = fake_request(HTTP_POST, "/api/session/keys", "", keys, strlen(keys));
    struct answer a;

    open_bar(0);
    say("a", "{\"user_input\":\"my grandmother\"}", &a);
    fake_reap();
    answer_release(&a);
    make("a");
    fake_header(r, "x-session-id", "a");
    fake_send(bar_api, r, &a);
    fake_reap();
    CHECK_INT(a.status, 200);
    answer_release(&a);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        operate(asked[i].method, asked[i].path, "", &a);
        fake_reap();
        CHECK_INT(a.status, 200);
        for (size_t k = 0; k < ARRAY_LEN(secrets); k++) {
            CHECK(!strstr(buf_text(&a.body), secrets[k]));
            CHECK(!strstr(buf_text(&a.headers), secrets[k]));
        }
        answer_release(&a);
    }
    close_bar();
}

static void test_preflight(void)
{
    static const struct {
        const char *path, *methods;
    } rows[] = {
        {SESSIONS "/a", "GET, HEAD, DELETE, OPTIONS"},
        {SESSIONS "/a/hibernate", "POST, OPTIONS"},
        {"/api/chat/stream", "GET, POST, OPTIONS"},
        {"/api/v1/chat", "POST, OPTIONS"},
        {"/", "GET, HEAD, OPTIONS"},
    };

    open_bar(0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct header h[] = {{"access-control-request-method", "POST"}, {NULL, NULL}};
        char want[100];
        struct answer a;
        send_with(HTTP_OPTIONS, rows[i].path, "", "127.0.0.1", h, &a);
        snprintf(want, sizeof(want), "Access-Control-Allow-Methods: %s\n", rows[i].methods);
        CHECK(strstr(buf_text(&a.headers), want));
        CHECK_INT(a.status, 200);
        answer_release(&a);
    }
    close_bar();
}

/* Guests and operators come, wait and leave in any order. */
static void test_anybody_leaves(void)
{
    static const struct {
        enum http_method method;
        const char *path, *behind; /* of the id; NULL: a guest's, in a header */
    } routes[] = {
        {HTTP_POST, "/api/chat", NULL},
        {HTTP_POST, "/api/session/reset", NULL},
        {HTTP_GET, "/api/session/history", NULL},
        {HTTP_GET, SESSIONS "/", ""},
        {HTTP_GET, SESSIONS "/", ""},
        {HTTP_DELETE, SESSIONS "/", ""},
        {HTTP_POST, SESSIONS "/", "/hibernate"},
    };
    static struct answer answers[12];
    uint64_t rng = 17;
    int whole = 0, left = 0;

    open_bar(0);
    memset(answers, 0, sizeof(answers));
    for (int i = 0; i < 20000; i++) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        unsigned n = (unsigned)(rng >> 33);
        struct answer *a = &answers[n % ARRAY_LEN(answers)];
        size_t k = n / 16 % ARRAY_LEN(routes);
        if (n / 1024 % 4 == 0) {
            fake.hold_gets = n / 4096 % 2;
            fake.fail_puts = n / 8192 % 4 ? ERR_NONE : ERR_STORE;
            fake_reap();
        } else if (a->from) {
            fake_leave(a);
            left++;
        } else {
            const char *body = !routes[k].behind ? "{\"user_input\":\"order\"}" : "";
            char id[2] = {(char)('a' + n / 4096 % 4)}, path[64];
            snprintf(path, sizeof(path), "%s%s%s", routes[k].path, routes[k].behind ? id : "",
                     routes[k].behind ? routes[k].behind : "");
            struct http_req *r = fake_request(routes[k].method, path, "", body, strlen(body));
            fake_header(r, !routes[k].behind ? "x-session-id" : "host",
                        !routes[k].behind ? id : "localhost");
            whole += a->whole;
            answer_release(a);
            fake_send(bar_api, r, a);
        }
    }
    fake.hold_gets = false;
    for (int i = 0; i < 20; i++)
        fake_reap();
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        CHECK(!answers[i].from);
        answer_release(&answers[i]);
    }
    CHECK(whole > 1000 && left > 1000);
    CHECK(list_empty(&bar_sessions->removals) && bar_sessions->unstored == 0);
    close_bar();
}

static const struct tap_case cases[] = {
    {"who may ask where no token is set", test_guard_without_token},
    {"who may ask where one is", test_guard_with_token},
    {"the listing and its parameters", test_list},
    {"one session", test_one},
    {"no words, no order, no key", test_no_conversation},
    {"the methods of a path", test_preflight},
    {"operators and guests leave at every moment", test_anybody_leaves},
};

SEALED_MAIN(cases)

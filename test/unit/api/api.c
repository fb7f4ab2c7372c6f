/* Requests and their answers, without a socket; clients that leave at every moment. */
#include "unit/api/fixture.h"

static void expect(const struct answer *a, int status, const char *part)
{
    CHECK(a->whole);
    CHECK_INT(a->status, status);
    CHECK(strstr(buf_text(&a->body), part));
    if (!strstr(buf_text(&a->body), part))
        printf("# '%s' is not in: %s\n", part, buf_text(&a->body));
}

static void test_errors(void)
{
    static const struct {
        enum http_method method;
        const char *path, *query, *id, *body;
        int status;
        const char *part;
    } rows[] = {
        {HTTP_POST, "/api/v1/chat", "", "a", "", 422,
         "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field "
         "required\",\"input\":null}]"},
        {HTTP_POST, "/api/v1/chat", "", "a", "{", 422,
         "\"type\":\"json_invalid\",\"loc\":[\"body\",1]"},
        {HTTP_POST, "/api/v1/chat", "", "a", "[1]", 422, "\"type\":\"model_attributes_type\""},
        {HTTP_POST, "/api/chat", "", "a", "{}", 422,
         "\"loc\":[\"body\",\"user_input\"],\"msg\":\"Field required\",\"input\":{}}]"},
        {HTTP_POST, "/api/chat", "", "a", "{\"user_input\":5}", 422,
         "\"type\":\"string_type\""},
        {HTTP_POST, "/api/chat", "", "a", "{\"user_input\":\"a\\u0000b\"}", 422,
         "json_invalid"},
        {HTTP_POST, "/api/chat", "", "a", "{\"user_input\":\"\xff\"}", 422, "json_invalid"},
        {HTTP_POST, "/api/chat", "", "a b", "{\"user_input\":\"hi\"}", 400,
         "invalid_session_id"},
        {HTTP_POST, "/api/chat", "", "a", "{\"user_input\":\" \"}", 200,
         "{\"response_text\":\"Please tell me what you'd like to "
         "order.\",\"history\":[],\"current_order\":[],\"audio_base64\":null,\"payment_"
         "summary\":{\"tab_amount\":0.0,\"balance\":1000.0,\"tip_percentage\":null,\"tip_"
         "amount\":0.0},\"quota_error_html\":null}"},
        {HTTP_GET, "/api/chat/stream", "", "a", "", 400,
         "Message parameter or body payload is required for streaming."},
        {HTTP_GET, "/api/chat/stream", "message=\xff", "a", "", 400, "invalid_request"},
        {HTTP_GET, "/api/chat/stream", "message=hi&session_id=a/b", NULL, "", 400,
         "invalid_session_id"},
        {HTTP_POST, "/api/chat/stream", "message=hi", "a", "{\"message\":5}", 422,
         "string_type"},
        {HTTP_HEAD, "/api/chat/stream", "message=hi", "a", "", 405, "Method Not Allowed"},
        {HTTP_HEAD, "/api/session/events", "", "a", "", 405, "Method Not Allowed"},
        {HTTP_GET, "/api/session/events", "session_id=a/b", NULL, "", 400,
         "invalid_session_id"},
        {HTTP_GET, "/api/chat", "", "a", "", 405, "Method Not Allowed"},
        {HTTP_GET, "/api/v2/chat", "", "a", "", 404, "{\"detail\":\"Not Found\""},
        {HTTP_POST, "/api/session/keys", "", "a", "{\"gemini_key\":\"  \"}", 400,
         "Gemini API key is required."},
        {HTTP_POST, "/api/session/keys", "", "a", "{\"gemini_key\":7}", 422, "string_type"},
        {HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_percentage\":15,\"tip_amount\":1}",
         400, "Provide either tip_percentage or tip_amount, not both."},
        {HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_percentage\":25}", 400,
         "Tip percentage must be 10, 15, or 20"},
        {HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_percentage\":1e300}", 400,
         "Tip percentage must be 10, 15, or 20"},
        {HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_percentage\":15.5}", 422,
         "int_from_float"},
        {HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_amount\":-5.0}", 422,
         "\"type\":\"greater_than_equal\",\"loc\":[\"body\",\"tip_amount\"],\"msg\":\"Input "
         "should be greater than or equal to 0\",\"input\":-5.0,\"ctx\":{\"ge\":0.0}"},
        {HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_amount\":1e12}", 400, "invalid_tip"},
        {HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_percentage\":null}", 200,
         "{\"tab_amount\":0.0,\"balance\":1000.0,\"tip_percentage\":null,\"tip_amount\":0.0,"
         "\"status\":\"pending\"}"},
        {HTTP_GET, "/api/session/status", "", "a", "", 200,
         "{\"session_id\":\"a\",\"has_valid_keys\":false,\"is_active\":true}"},
    };

    open_bar(0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a;
        ask(rows[i].method, rows[i].path, rows[i].query, rows[i].id, rows[i].body, &a);
        expect(&a, rows[i].status, rows[i].part);
        answer_release(&a);
    }
    CHECK_INT(fake.puts, 0);
    close_bar();
}

static void test_changes(void)
{
    struct answer a;

    open_bar(0);
    ask(HTTP_POST, "/api/chat", "", "a", "{\"user_input\":\"order\"}", &a);
    expect(&a, 200, "\"current_order\":[{\"name\":\"Negroni\",");
    CHECK(strstr(buf_text(&a.headers), "X-Session-ID: a\n"));
    answer_release(&a);
    ask(HTTP_POST, "/api/payments/tip", "", "a", "{\"tip_percentage\":\"20\",\"x\":[1,2]}", &a);
    expect(&a, 200, "\"tip_percentage\":20,");
    answer_release(&a);
    ask(HTTP_POST, "/api/session/keys", "", "a", "{\"gemini_key\":\" k \",\"x\":[1,2]}", &a);
    expect(&a, 200,
           "{\"status\":\"success\",\"session_id\":\"a\",\"has_valid_keys\":true,"
           "\"keys\":{\"gemini\":{\"state\":\"not_checked\"");
    answer_release(&a);
    ask(HTTP_POST, "/api/session/reset", "", "a", "", &a);
    expect(&a, 200, "{\"status\":\"success\",\"session_id\":\"a\"}");
    answer_release(&a);
    ask(HTTP_GET, "/api/session/status", "", "a", "", &a);
    expect(&a, 200, "\"has_valid_keys\":false");
    answer_release(&a);
    close_bar();
}

static void test_limits(void)
{
    struct answer a;
    char id[2] = "a";

    open_bar(1);
    for (int i = 0; i < 3; i++, id[0]++) {
        ask(HTTP_POST, "/api/chat", "", id, "{\"user_input\":\"hi\"}", &a);
        expect(&a, 200, "Mr. Smith");
        answer_release(&a);
    }
    ask(HTTP_POST, "/api/chat", "", id, "{\"user_input\":\"hi\"}", &a);
    expect(&a, 503, "{\"detail\":\"Session limit reached\",\"code\":\"session_limit\"}");
    CHECK(strstr(buf_text(&a.headers), "Retry-After: 10\n"));
    answer_release(&a);
    ask(HTTP_POST, "/api/chat", "", "a", "{\"user_input\":\"hi\"}", &a);
    expect(&a, 200, "{\"response_text\":\"Rate limit exceeded: ");
    answer_release(&a);
    ask(HTTP_GET, "/api/chat/stream", "message=hi", "a", "", &a);
    expect(&a, 200, "\"type\": \"error\", \"content\": \"Rate limit exceeded: ");
    answer_release(&a);
    fake.fail_puts = ERR_STORE;
    bar_ms += 60000;
    ask(HTTP_GET, "/api/chat/stream", "message=hi", "a", "", &a);
    expect(&a, 200, "\"content\": \"The store cannot be used right now.\"");
    CHECK(strstr(buf_text(&a.body), "\"code\": \"store_unavailable\""));
    CHECK(!strstr(buf_text(&a.body), "complete"));
    answer_release(&a);
    close_bar();
}

static void test_places(void)
{
    static const char *const bad[] = {
        "",       "1",      "1-2",        "1-2-",   "-1-2-3",         "1--2-3",        " 1-2-3",
        "1-2-3-", "1-2-3x", "1-2-3-ends", "+1-2-3", "9999999999-1-1", "1-2-9999999999"};
    struct api_place p;

    CHECK(api__place_parse(str_of("12-345-6"), &p) && p.turn == 12 && p.offset == 345 &&
          p.sentences == 6 && !p.complete);
    CHECK(api__place_parse(str_of("1-0-0-end"), &p) && p.complete);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!api__place_parse(str_of(bad[i]), &p));
    CHECK(!api__place_parse((struct str){"1-2-3\0", 6}, &p));
}

/* What follows "content": in every event of this type, joined. */
static void gather(const char *events, const char *type, struct buf *out)
{
    char start[64];

    snprintf(start, sizeof(start), "data: {\"type\": \"%s\", \"content\": \"", type);
    for (const char *at = strstr(events, start); at; at = strstr(at, start)) {
        at += strlen(start);
        buf_add(out, at, strcspn(at, "\""));
        buf_char(out, '|');
    }
}

static void resume_at(const char *whole, const char *id_line)
{
    struct http_req *r = fake_request(HTTP_GET, "/api/chat/stream", "message=order", "", 0);
    const char *behind = strstr(id_line, "\n\n") + 2;
    struct buf want = BUF_INIT, got = BUF_INIT;
    struct answer a;
    char id[40];

    snprintf(id, sizeof(id), "%.*s", (int)strcspn(id_line + 4, "\n"), id_line + 4);
    fake_header(r, "x-session-id", "a");
    fake_header(r, "last-event-id", id);
    fake_send(bar_api, r, &a);
    if (!*behind) {
        CHECK_INT(a.status, 204);
    } else {
        expect(&a, 200, "\"type\": \"complete\"");
        gather(behind, "sentence", &want);
        gather(buf_text(&a.body), "sentence", &got);
        CHECK_STR(buf_text(&got), buf_text(&want));
        CHECK(strcmp(strstr(buf_text(&a.body), "-end\n"), strstr(whole, "-end\n")) == 0);
    }
    buf_release(&want);
    buf_release(&got);
    answer_release(&a);
}

static void test_resume(void)
{
    struct buf sentences = BUF_INIT;
    struct answer a;
    int places = 0;

    open_bar(0);
    ask(HTTP_GET, "/api/chat/stream", "message=order", "a", "", &a);
    expect(&a, 200, "data: {\"type\": \"session\", \"session_id\": \"a\"}\n\n");
    gather(buf_text(&a.body), "sentence", &sentences);
    CHECK_STR(buf_text(&sentences),
              "Mr. Smith pays $13.00.|\\u00c9t voil\\u00e0!|And the rest|");
    for (const char *at = buf_text(&a.body); (at = strstr(at, "id: ")); at += 4, places++)
        resume_at(buf_text(&a.body), at);
    CHECK(places > 10);
    answer_release(&a);
    struct http_req *r = fake_request(HTTP_GET, "/api/chat/stream", "message=order", "", 0);
    fake_header(r, "x-session-id", "a");
    fake_header(r, "last-event-id", "1-999-1"); /* no such place: told from the start */
    fake_send(bar_api, r, &a);
    expect(&a, 200, "data: {\"type\": \"session\", \"session_id\": \"a\"}\n\n");
    buf_clear(&sentences);
    gather(buf_text(&a.body), "sentence", &sentences);
    CHECK(strncmp(buf_text(&sentences), "Mr. Smith pays $13.00.|", 23) == 0);
    CHECK_INT(fake.puts, 1); /* nothing was ordered again */
    buf_release(&sentences);
    answer_release(&a);
    close_bar();
}

/* Clients come, wait and leave in any order, on every route. */
static void test_clients_leave(void)
{
    static const struct {
        enum http_method method;
        const char *path, *query, *body;
    } routes[] = {
        {HTTP_POST, "/api/chat", "", "{\"user_input\":\"order\"}"},
        {HTTP_POST, "/api/chat", "", "{\"user_input\":\"fail\"}"},
        {HTTP_POST, "/api/chat", "", "{\"user_input\":\" \"}"},
        {HTTP_GET, "/api/chat/stream", "message=order", ""},
        {HTTP_GET, "/api/chat/stream", "message=fail", ""},
        {HTTP_POST, "/api/chat/stream", "", "{\"message\":\"talk\"}"},
        {HTTP_POST, "/api/session/reset", "", ""},
        {HTTP_POST, "/api/session/keys", "", "{\"gemini_key\":\"k\"}"},
        {HTTP_POST, "/api/payments/tip", "", "{\"tip_percentage\":10}"},
        {HTTP_POST, "/api/payments/tip", "", "{}"},
        {HTTP_GET, "/api/payments/tab", "", ""},
        {HTTP_GET, "/api/session/history", "", ""},
        {HTTP_GET, "/api/session/events", "", ""},
    };
    static struct answer answers[16];
    uint64_t rng = 99;
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
            struct http_req *r = fake_request(routes[k].method, routes[k].path, routes[k].query,
                                              routes[k].body, strlen(routes[k].body));
            char id[2] = {(char)('a' + n / 4096 % 4)};
            whole += a->whole;
            answer_release(a);
            fake_header(r, "x-session-id", id);
            if (n / 65536 % 4 == 0)
                fake_header(r, "idempotency-key", "key");
            if (n / 65536 % 4 == 1)
                fake_header(r, "last-event-id", "3-5-0");
            fake_send(bar_api, r, a);
        }
    }
    fake.hold_gets = false;
    for (int i = 0; i < 20; i++)
        fake_reap();
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (answers[i].from) /* a stream that has no end of its own */
            fake_drain(&answers[i]);
        CHECK(!answers[i].from);
        answer_release(&answers[i]);
    }
    CHECK(whole > 1000 && left > 1000);
    close_bar();
}

static const struct tap_case cases[] = {
    {"every mistake has its answer", test_errors},
    {"changes", test_changes},
    {"limits", test_limits},
    {"places in a reply", test_places},
    {"resumed behind every event", test_resume},
    {"clients leave at every moment", test_clients_leave},
};

SEALED_MAIN(cases)

/* What a provider's answer says of a key, and what becomes of a question. */
#include "agent/keys.c"

#include "unit/agent/fake_client.h"
#include "unit/tap.h"

#define GEMINI "AIza-a-key"
#define CARTESIA "sk_car_a-key"

static struct agent_keys *keys;
static struct agent_key_verdict told[AGENT_KEY__COUNT];
static unsigned tellings;

static void on_told(void *ctx, const struct agent_key_verdict *v)
{
    (void)ctx;
    memcpy(told, v, sizeof(told));
    tellings++;
}

static void open_keys(int64_t limit_ms)
{
    const struct agent_keys_cfg cfg = {
        .url = {"https://gemini.example/", "https://cartesia.example"}, .limit_ms = limit_ms};

    fake_client = (struct fake_client){0};
    tellings = 0;
    keys = agent_keys_new(&cfg);
}

static struct agent_key_check *check(const char *gemini, const char *cartesia)
{
    const struct str given[] = {str_of(gemini), str_of(cartesia)};
    struct agent_key_check *c;

    agent_keys_check(keys, given, on_told, NULL, &c);
    return c;
}

static void expect(enum agent_key k, enum agent_key_state state, const char *why)
{
    CHECK_STR(agent_key_state_text(told[k].state), agent_key_state_text(state));
    CHECK_STR(told[k].why, why);
}

static void test_verdicts(void)
{
    static const struct {
        int status;
        const char *body;
        enum agent_key_state state;
        const char *why;
    } rows[] = {
        {200, "{\"models\":[]}", AGENT_KEY_VALID, ""},
        {200, "{\"models\":{}}", AGENT_KEY_NOT_CHECKED,
         "Gemini answered something that is no list of models."},
        {200, "[]", AGENT_KEY_NOT_CHECKED,
         "Gemini answered something that is no list of models."},
        {200, "", AGENT_KEY_NOT_CHECKED,
         "Gemini answered something that is no list of models."},
        {204, "{\"models\":[]}", AGENT_KEY_NOT_CHECKED,
         "Gemini could not tell: it answered 204."},
        {400, "{\"error\":{\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}", AGENT_KEY_INVALID,
         "Gemini does not accept this key (400 API_KEY_INVALID)."},
        {400, "{\"error\":{\"status\":\"INVALID_ARGUMENT\"}}", AGENT_KEY_NOT_CHECKED,
         "Gemini could not tell: it answered 400 INVALID_ARGUMENT."},
        {400, "{\"error\":{\"status\":\"a b\",\"details\":{}}}", AGENT_KEY_NOT_CHECKED,
         "Gemini could not tell: it answered 400."},
        {500, "{\"error\":{\"status\":\"API_KEY_INVALID\"}}", AGENT_KEY_NOT_CHECKED,
         "Gemini could not tell: it answered 500 API_KEY_INVALID."},
        {401, "", AGENT_KEY_INVALID, "Gemini does not accept this key (401)."},
        {403, "{}", AGENT_KEY_NOT_CHECKED, "Gemini could not tell: it answered 403."},
        {403, "{\"error\":{\"status\":\"PERMISSION_DENIED\"}}", AGENT_KEY_INVALID,
         "Gemini does not accept this key (403 PERMISSION_DENIED)."},
    };

    open_keys(1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t piece = 1; piece < 64; piece += 31) {
            CHECK(check(GEMINI, "") != NULL);
            fake_answer(&fake_client.calls[(fake_client.begun - 1) % 64], rows[i].status,
                        rows[i].body, strlen(rows[i].body), piece);
            expect(AGENT_KEY_GEMINI, rows[i].state, rows[i].why);
            expect(AGENT_KEY_CARTESIA, AGENT_KEY_NOT_GIVEN, "");
        }
    CHECK_INT(keys->count, 0);
    agent_keys_free(&keys);
}

static void test_both(void)
{
    const char yes[] = "{\"models\":[]}", no[] = "{\"title\":\"Unauthorized\"}";

    open_keys(1500);
    check(GEMINI, CARTESIA);
    CHECK_INT(fake_client.begun, 2);
    struct http_call *g = &fake_client.calls[0], *c = &fake_client.calls[1];
    CHECK_STR(g->url, "https://gemini.example/v1beta/models?pageSize=1");
    CHECK_STR(g->headers, "x-goog-api-key: " GEMINI "\nAccept: application/json\n");
    CHECK_STR(c->url, "https://cartesia.example/voices?limit=1");
    CHECK_STR(c->headers, "Authorization: Bearer " CARTESIA "\nAccept: application/json\n"
                          "Cartesia-Version: 2026-08-14\n");
    CHECK(g->ask.whole_ms == 1500 && c->ask.whole_ms == 1500);
    fake_answer(c, 403, no, strlen(no), 100);
    CHECK_INT(tellings, 0); /* one is still asked */
    fake_answer(g, 200, yes, strlen(yes), 100);
    CHECK_INT(tellings, 1);
    expect(AGENT_KEY_GEMINI, AGENT_KEY_VALID, "");
    expect(AGENT_KEY_CARTESIA, AGENT_KEY_INVALID, "Cartesia does not accept this key (403).");
    check(GEMINI, CARTESIA);
    fake_lost(&fake_client.calls[2], HTTP_LOST_WHOLE_MS);
    fake_lost(&fake_client.calls[3], HTTP_LOST_CERTIFICATE);
    expect(AGENT_KEY_GEMINI, AGENT_KEY_NOT_CHECKED, "Gemini did not answer within 1.5 s.");
    expect(AGENT_KEY_CARTESIA, AGENT_KEY_NOT_CHECKED,
           "Cartesia could not be asked: its certificate does not verify.");
    agent_keys_free(&keys);
}

static void test_nobody_asked(void)
{
    open_keys(0);
    CHECK(!check(GEMINI, CARTESIA));
    expect(AGENT_KEY_GEMINI, AGENT_KEY_NOT_CHECKED, "Keys are not checked here.");
    agent_keys_free(&keys);
    CHECK(!check(GEMINI, "")); /* and without anybody who could ask */
    expect(AGENT_KEY_GEMINI, AGENT_KEY_NOT_CHECKED, "Keys are not checked here.");
    open_keys(1000);
    CHECK(!check("", ""));
    expect(AGENT_KEY_GEMINI, AGENT_KEY_NOT_GIVEN, "");
    CHECK(!check(GEMINI, "a\r\nb: c"));
    CHECK_INT(told[AGENT_KEY_CARTESIA].state, AGENT_KEY_INVALID);
    CHECK_INT(told[AGENT_KEY_GEMINI].state, AGENT_KEY_NOT_CHECKED);
    fake_client.refuse = true;
    CHECK(!check(GEMINI, CARTESIA));
    expect(AGENT_KEY_GEMINI, AGENT_KEY_NOT_CHECKED, "Gemini cannot be asked.");
    CHECK_INT(fake_client.begun, 0);
    CHECK_INT(tellings, 3);
    agent_keys_free(&keys);
}

static void test_leaving(void)
{
    const char yes[] = "{\"models\":[]}";

    open_keys(1000);
    struct agent_key_check *c = check(GEMINI, CARTESIA);
    fake_answer(&fake_client.calls[0], 200, yes, strlen(yes), 100);
    agent_keys_cancel(c);
    CHECK_INT(fake_client.cancelled, 1); /* the one that still ran */
    for (int i = 0; i < AGENT_KEY_CHECKS_MAX; i++)
        CHECK(check(GEMINI, "") != NULL);
    CHECK_INT(tellings, 0);
    CHECK(!check(GEMINI, ""));
    expect(AGENT_KEY_GEMINI, AGENT_KEY_NOT_CHECKED,
           "Too many keys are being checked at this moment.");
    agent_keys_free(&keys);
    CHECK_INT(fake_client.cancelled, 1 + AGENT_KEY_CHECKS_MAX);
    CHECK_INT(tellings, 1); /* who went is not told */
}

static void test_endless(void)
{
    static char much[ANSWER_MAX * 2];

    memset(much, 'x', sizeof(much));
    open_keys(1000);
    check(GEMINI, "");
    fake_answer(&fake_client.calls[0], 200, much, sizeof(much), 4096);
    CHECK_INT(fake_client.cancelled, 1);
    expect(AGENT_KEY_GEMINI, AGENT_KEY_NOT_CHECKED,
           "Gemini answered more than a question about a key can need.");
    agent_keys_free(&keys);
}

static const struct tap_case cases[] = {
    {"what an answer says of a key", test_verdicts}, {"two keys at once", test_both},
    {"where nobody is asked", test_nobody_asked},    {"whoever leaves", test_leaving},
    {"an answer without end", test_endless},
};

int main(void)
{
    json_region_setup();
    log_setup(LOG_ERROR, false);
    return tap_run(cases, (int)ARRAY_LEN(cases));
}

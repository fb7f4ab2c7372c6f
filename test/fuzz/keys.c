/*
 * What a provider answers when it is asked about a key, on any bytes: one verdict comes, the
 * same however the bytes are cut, and its sentence repeats nothing but a word. The first two
 * bytes choose provider, status and where to cut.
 */
#include "agent/keys.c"

#include "unit/agent/fake_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct agent_key_verdict told;
static unsigned tellings;

static void on_told(void *ctx, const struct agent_key_verdict *v)
{
    const enum agent_key *k = ctx;

    told = v[*k];
    tellings++;
}

static struct agent_key_verdict judge(enum agent_key k, int status, const uint8_t *data,
                                      size_t size, size_t piece)
{
    const struct agent_keys_cfg cfg = {.url = {"http://a", "http://b"}, .limit_ms = 1};
    struct str given[AGENT_KEY__COUNT] = {{0}};
    struct agent_keys *keys = agent_keys_new(&cfg);
    struct agent_key_check *c;

    fake_client = (struct fake_client){0};
    tellings = 0;
    given[k] = str_of("key");
    agent_keys_check(keys, given, on_told, &k, &c);
    MUST(c);
    fake_answer(&fake_client.calls[0], status, (const char *)data, size, piece);
    MUST(tellings == 1);
    agent_keys_free(&keys);
    return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 429, 500, 301};
    static bool ready;

    if (!ready)
        json_region_setup();
    ready = true;
    log_setup(LOG_ERROR, false);
    if (size < 2)
        return 0;
    enum agent_key k = data[0] & 1 ? AGENT_KEY_CARTESIA : AGENT_KEY_GEMINI;
    int status = statuses[data[0] / 2 % ARRAY_LEN(statuses)];
    struct agent_key_verdict whole = judge(k, status, data + 2, size - 2, size);
    struct agent_key_verdict cut = judge(k, status, data + 2, size - 2, data[1] % 32u + 1);
    MUST(whole.state == cut.state && strcmp(whole.why, cut.why) == 0);
    MUST((whole.state == AGENT_KEY_VALID) == (whole.why[0] == '\0'));
    MUST(whole.state != AGENT_KEY_VALID || status == 200);
    for (const char *at = whole.why; *at; at++)
        MUST(*at >= ' ' && *at <= '~');
    return 0;
}

/* The wire of Gemini, split everywhere. */
#include "mind/gemini.c"
#include "unit/mind/answers.h"
#include "unit/tap.h"

#define C(parts) "data: {\"candidates\":[{\"content\":{\"parts\":[" parts "]}}]}\r\n\r\n"
#define F(reason) "data: {\"candidates\":[{\"finishReason\":\"" reason "\"}]}\r\n\r\n"

static struct reading r;

static void read_all(const char *text, size_t step)
{
    reading_begin(&r, &cloud__gemini, 1 << 20);
    reading_feed(&r, text, strlen(text), step);
}

static void words_calls_and_signatures(void)
{
    static const char text[] =
        C("{\"text\":\"a thought\",\"thought\":true},{\"text\":\"Well, \"}")
            C("{\"functionCall\":{\"id\":\"f1\",\"name\":\"add_to_order\",\"args\":{\"q\":2}},"
              "\"thoughtSignature\":\"QUJD\"},{\"functionCall\":{\"name\":\"get_tip\"}}")
                C("{\"text\":\"\",\"thoughtSignature\":\"RU5E\"},{\"text\":\"\"}") F("STOP");

    for (size_t step = 1; step <= sizeof(text); step++) {
        read_all(text, step);
        CHECK_STR(buf_text(&r.said), "Well, ");
        CHECK_INT(r.answer.tool_count, 2);
        CHECK_STR(buf_text(&r.answer.tools[0].args), "{\"q\":2}");
        CHECK_STR(buf_text(&r.answer.tools[0].id), "f1");
        CHECK_STR(buf_text(&r.answer.tools[1].name), "get_tip");
        CHECK_STR(buf_text(&r.answer.parts),
                  "{\"text\":\"Well, \"},{\"functionCall\":{\"id\":\"f1\",\"name\":"
                  "\"add_to_order\",\"args\":{\"q\":2}},\"thoughtSignature\":\"QUJD\"},"
                  "{\"functionCall\":{\"name\":\"get_tip\"}},{\"text\":\"\","
                  "\"thoughtSignature\":\"RU5E\"}");
        CHECK(r.answer.finish == CLOUD_STOP && !r.answer.ended);
        reading_end(&r);
    }
}

static void ways_to_end(void)
{
    static const struct {
        const char *reason;
        enum cloud_finish finish;
    } rows[] = {{"STOP", CLOUD_STOP},          {"FUNCTION_CALL", CLOUD_STOP}, /* some mocks */
                {"SOMETHING_NEW", CLOUD_STOP}, {"FINISH_REASON_UNSPECIFIED", CLOUD_RUNNING},
                {"MAX_TOKENS", CLOUD_LENGTH},  {"SAFETY", CLOUD_BLOCK},
                {"SPII", CLOUD_BLOCK},         {"MALFORMED_FUNCTION_CALL", CLOUD_BOTCHED}};
    char text[200];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(text, sizeof(text), F("%s"), rows[i].reason);
        read_all(text, 9);
        CHECK_INT(r.answer.finish, rows[i].finish);
        reading_end(&r);
    }
    read_all("data: {\"promptFeedback\":{\"blockReason\":\"JAILBREAK\"}}\n\n", 9);
    CHECK_INT(r.answer.finish, CLOUD_BLOCK);
    CHECK_STR(r.answer.note, "JAILBREAK");
    reading_end(&r);
}

static void usage_is_the_last(void)
{
    read_all(
        "data: {\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":1}}\n\n"
        "data: {\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":9,"
        "\"thoughtsTokenCount\":3,\"cachedContentTokenCount\":4,\"toolUsePromptTokenCount\""
        ":2}}\n\n",
        7);
    CHECK_INT(r.answer.tokens[MIND_TOKEN_PROMPT], 7);
    CHECK_INT(r.answer.tokens[MIND_TOKEN_CACHED], 4);
    CHECK_INT(r.answer.tokens[MIND_TOKEN_ANSWER], 9);
    CHECK_INT(r.answer.tokens[MIND_TOKEN_THOUGHT], 3);
    reading_end(&r);
}

static void refusals(void)
{
    static const struct {
        const char *body, *code;
        int64_t ms;
        bool final;
    } rows[] = {
        {"{\"error\":{\"status\":\"UNAVAILABLE\"}}", "UNAVAILABLE", 0, false},
        {"[{\"error\":{\"status\":\"INTERNAL\"}}]", "INTERNAL", 0, false},
        {"{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"retryDelay\":\"10.5s\"}"
         "]"
         "}}",
         "RESOURCE_EXHAUSTED", 10500, false},
        {"{\"error\":{\"details\":[{\"retryDelay\":\"-3s\"},{\"retryDelay\":\"x\"},{"
         "\"retryDelay\":7},4]}}",
         "", 0, false},
        {"{\"error\":{\"details\":[{\"violations\":[{\"quotaId\":\"AbcPerDayXyz\"}]}]}}", "", 0,
         true},
        {"{\"error\":{\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"reason\":"
         "\"API_KEY_INVALID\"}]}}",
         "API_KEY_INVALID", 0, false},
        {"7", "", 0, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cloud_refusal refusal = {0};
        json_t *body = json_loads(rows[i].body, JSON_DECODE_ANY, NULL);
        cloud__gemini.refusal(body, &refusal);
        json_decref(body);
        CHECK_STR(refusal.code, rows[i].code);
        CHECK_INT(refusal.retry_ms, rows[i].ms);
        CHECK(refusal.final == rows[i].final);
    }
}

static void the_next_round(void)
{
    const struct cloud_result results[] = {{"{\"error\":1}", 11, true}, {"{}", 2, false}};
    struct buf out = BUF_INIT;

    read_all(C("{\"functionCall\":{\"id\":\"f\\\"1\",\"name\":\"a\",\"args\":{}}},"
               "{\"functionCall\":{\"name\":\"b\"}}"),
             50);
    cloud__gemini.round(&r.answer, results, &out);
    CHECK_STR(
        buf_text(&out),
        ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"id\":\"f\\\"1\",\"name\":"
        "\"a\",\"args\":{}}},{\"functionCall\":{\"name\":\"b\"}}]},{\"role\":\"user\","
        "\"parts\":[{\"functionResponse\":{\"id\":\"f\\\"1\",\"name\":\"a\",\"response\":{"
        "\"error\":{\"error\":1}}}},{\"functionResponse\":{\"name\":\"b\",\"response\":{"
        "\"output\":{}}}}]}");
    buf_release(&out);
    reading_end(&r);
}

static void what_is_none(void)
{
    static const char *const rows[] = {"data: {\n\n", "data: 3\n\n", "data: [1]\n\n",
                                       "data: \xc3\n\n"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        read_all(rows[i], 2);
        CHECK(r.answer.malformed);
        reading_end(&r);
    }
    read_all("data: {\"candidates\":7}\n\ndata: {\"candidates\":[[]]}\n\n"
             "data: {\"candidates\":[{\"content\":{\"parts\":[1,{\"functionCall\":1}]}}]}\n\n",
             3);
    CHECK(!r.answer.malformed && r.answer.tool_count == 0 && r.answer.finish == CLOUD_RUNNING);
    reading_end(&r);
    read_all("data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}\n\n", 3);
    CHECK(r.answer.failed && r.answer.fault == 503);
    reading_end(&r);
}

static const struct tap_case cases[] = {
    {"words, calls and signatures", words_calls_and_signatures},
    {"ways to end", ways_to_end},
    {"usage is the last", usage_is_the_last},
    {"refusals", refusals},
    {"the next round", the_next_round},
    {"what is no answer", what_is_none},
};

int main(void)
{
    json_region_setup();
    return tap_run(cases, (int)ARRAY_LEN(cases));
}

/* The wire of OpenAI-compatible servers: each server's own ways, split everywhere. */
#include "mind/openai.c"
#include "unit/mind/answers.h"
#include "unit/tap.h"

#define D(delta) "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define F(reason) "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"

static struct reading r;

static void read_all(const char *text, size_t step)
{
    reading_begin(&r, &cloud__openai, 1 << 20);
    reading_feed(&r, text, strlen(text), step);
}

static void words_and_usage(void)
{
    static const char text[] = ": hello\n\n" D("{\"role\":\"assistant\",\"content\":null}")
        D("{\"content\":\"Cheers\"}") D("{\"content\":\", \\ud83c\\udf78\"}") F(
            "stop") "data: "
                    "{\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":12,"
                    "\"completion_tokens_details\":{\"reasoning_tokens\":5}}}\r\n\r\ndata: "
                    "[DONE]\r\n\r\n";

    for (size_t step = 1; step <= sizeof(text); step++) {
        read_all(text, step);
        CHECK_STR(buf_text(&r.said), "Cheers, \xf0\x9f\x8d\xb8");
        CHECK(r.answer.ended && r.answer.finish == CLOUD_STOP && !r.answer.malformed);
        CHECK_INT(r.answer.tokens[MIND_TOKEN_PROMPT], 20);
        CHECK_INT(r.answer.tokens[MIND_TOKEN_ANSWER], 7);
        CHECK_INT(r.answer.tokens[MIND_TOKEN_THOUGHT], 5);
        reading_end(&r);
    }
}

static void fragments_of_calls(void)
{
    static const char text[] =
        D("{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"get_order\","
          "\"arguments\":\"\"}}]}")
            D("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{"
              "\"name\":\"add_to_order\",\"arguments\":\"{\\\"item_\"}}]}")
                D("{\"tool_calls\":[{\"index\":0,\"id\":\"\",\"function\":{\"name\":null,"
                  "\"arguments\":\"name\\\":1}\"}},{\"index\":1,\"function\":{\"arguments\":\"{"
                  "}\"}}]}") F("stop");

    for (size_t step = 1; step <= sizeof(text); step += 7) {
        read_all(text, step);
        CHECK_INT(r.answer.tool_count, 2);
        CHECK_STR(buf_text(&r.answer.tools[0].name), "add_to_order");
        CHECK_STR(buf_text(&r.answer.tools[0].id), "a");
        CHECK_STR(buf_text(&r.answer.tools[0].args), "{\"item_name\":1}");
        CHECK_STR(buf_text(&r.answer.tools[1].args), "{}");
        CHECK(!r.answer.ended && r.answer.finish == CLOUD_STOP);
        reading_end(&r);
    }
}

static void thoughts(void)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"<think>a</think>b", "b"},
        {"<think>a</think>\n\n b", "b"},
        {"a<think>b</think>c", "ac"},
        {"<think>never ends", ""},
        {"a <b", "a <b"},
        {"a <think", "a <think"},
        {"<<think>x</think>", "<"},
        {"<think></thi</think>ok", "ok"},
        {"<think>a</think><think>b</think>c", "c"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t step = 1; step < 20; step++) {
            reading_begin(&r, &cloud__openai, 1 << 20);
            for (size_t at = 0; at < strlen(rows[i].in); at += step)
                cloud__answer_text(&r.answer, rows[i].in + at, strnlen(rows[i].in + at, step));
            cloud__answer_end(&r.answer);
            CHECK_STR(buf_text(&r.said), rows[i].out);
            reading_end(&r);
        }
}

static void errors_of_all_kinds(void)
{
    static const struct {
        const char *body, *code;
        bool final;
    } rows[] = {
        {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":\"model_not_found\"}}",
         "model_not_found", false},
        {"{\"error\":{\"message\":\"m\",\"type\":\"api_error\",\"code\":null}}", "api_error",
         false},
        {"{\"error\":{\"code\":400,\"message\":\"m\",\"type\":\"exceed_context_size_error\"}}",
         "exceed_context_size_error", false},
        {"{\"object\":\"error\",\"message\":\"m\",\"type\":\"BadRequestError\",\"code\":400}",
         "BadRequestError", false},
        {"{\"error\":{\"code\":\"insufficient_quota\"}}", "insufficient_quota", true},
        {"{\"error\":\"a text with sk-secret\"}", "", false},
        {"{\"error\":{\"code\":\"two words\"}}", "", false},
        {"{\"detail\":[]}", "", false},
        {"[]", "", false},
        {"3", "", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cloud_refusal refusal = {0};
        json_t *body = json_loads(rows[i].body, JSON_DECODE_ANY, NULL);
        cloud__openai.refusal(body, &refusal);
        json_decref(body);
        CHECK_STR(refusal.code, rows[i].code);
        CHECK(refusal.final == rows[i].final);
    }
    read_all("data: {\"error\":{\"code\":503,\"type\":\"unavailable_error\"}}\n\n", 3);
    CHECK(r.answer.failed && r.answer.fault == 503);
    CHECK_STR(r.answer.note, "unavailable_error");
    reading_end(&r);
    read_all("error: {\"code\":500,\"message\":\"x\",\"type\":\"server_error\"}\n\n", 3);
    CHECK(r.answer.failed && r.answer.fault == 500);
    reading_end(&r);
    read_all("data: {\"error\":null,\"choices\":[]}\n\n", 3);
    CHECK(!r.answer.failed);
    reading_end(&r);
}

static void what_is_none(void)
{
    static const char *const rows[] = {
        "data: {\n\n",
        "data: []\n\n",
        "data: \xff\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\u0000\"}}]}\n\n",
        D("{\"tool_calls\":[{\"index\":16,\"function\":{}}]}"),
        D("{\"tool_calls\":[{\"index\":-1,\"function\":{}}]}"),
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        read_all(rows[i], 5);
        CHECK(r.answer.malformed);
        CHECK_STR(buf_text(&r.said), "");
        reading_end(&r);
    }
    /* Strange, but not wrong. */
    read_all("data: {\"choices\":[{\"delta\":{\"content\":7,\"tool_calls\":{}}},3]}\n\n"
             "data: {\"choices\":3}\n\ndata: {}\n\nnonsense\nevent: x\ndata:\n",
             4);
    CHECK_INT(r.answer.tool_count, 0);
    reading_end(&r);
}

static void memory_refused(void)
{
    static const char text[] = D("{\"content\":\"some words that are said\"}")
        D("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"add_to_order\","
          "\"arguments\":\"{}\"}}]}") F("stop");

    for (size_t budget = 0; budget < 8192; budget += 16) {
        reading_begin(&r, &cloud__openai, budget);
        buf_init(&r.events.line, &r.room.mem);
        buf_init(&r.events.data, &r.room.mem);
        reading_feed(&r, text, strlen(text), 11);
        CHECK(!r.fits || r.answer.full || r.answer.malformed || r.answer.tool_count == 1);
        r.events.line = r.events.data = (struct buf)BUF_INIT;
        reading_end(&r);
    }
}

static void the_next_round(void)
{
    static const char text[] = D("{\"content\":\"Let me see. \"}")
        D("{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"get_menu\",\"arguments\":"
          "\"{\\\"a\"}},{\"index\":1,\"id\":\"x\",\"function\":{\"name\":\"get_bill\","
          "\"arguments\":\"{}\"}}]}");
    const struct cloud_result results[] = {{"{\"error\":1}", 11, true}, {"{}", 2, false}};
    struct buf out = BUF_INIT;

    read_all(text, 100);
    cloud__openai.round(&r.answer, results, &out);
    CHECK_STR(
        buf_text(&out),
        ",{\"role\":\"assistant\",\"content\":\"Let me see. \",\"tool_calls\":["
        "{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"get_menu\","
        "\"arguments\":\"{}\"}},{\"id\":\"x\",\"type\":\"function\",\"function\":{"
        "\"name\":\"get_bill\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
        "\"tool_call_id\":\"call_1\",\"content\":\"{\\\"error\\\":1}\"},{\"role\":\"tool\","
        "\"tool_call_id\":\"x\",\"content\":\"{}\"}");
    buf_release(&out);
    reading_end(&r);
}

static void an_event_has_a_bound(void)
{
    static char piece[65536];
    size_t fed = 0;

    memset(piece, 'x', sizeof(piece));
    reading_begin(&r, &cloud__openai, 64 << 20);
    while (r.fits && fed < 2 * CLOUD_EVENT_MAX) {
        r.fits = cloud__events_feed(&r.events, piece, sizeof(piece));
        fed += sizeof(piece);
    }
    CHECK(!r.fits && fed <= CLOUD_EVENT_MAX + sizeof(piece));
    reading_end(&r);
}

static const struct tap_case cases[] = {
    {"words and usage", words_and_usage}, {"fragments of calls", fragments_of_calls},
    {"thoughts are not said", thoughts},  {"errors of all kinds", errors_of_all_kinds},
    {"what is no event", what_is_none},   {"memory refused", memory_refused},
    {"the next round", the_next_round},   {"an event has a bound", an_event_has_a_bound},
};

int main(void)
{
    json_region_setup();
    return tap_run(cases, (int)ARRAY_LEN(cases));
}

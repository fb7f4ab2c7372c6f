#include "voice/cartesia_wire.c"

#include "unit/tap.h"

#include "memory/memory.h"

static struct cartesia_message m;

static void read_text(const char *json)
{
    cartesia__message_release(&m);
    cartesia__read(json, strlen(json), &m);
}

static void chunks(void)
{
    read_text("{\"type\":\"chunk\",\"data\":\"AQIDBA==\",\"done\":false,\"status_code\":206,"
              "\"step_time\":1.5,\"context_id\":\"c1\",\"flush_id\":1}");
    CHECK_INT(m.kind, CARTESIA_CHUNK);
    CHECK_STR(m.context, "c1");
    CHECK(m.audio.len == 4 && memcmp(m.audio.data, "\1\2\3\4", 4) == 0);
    read_text("{\"type\":\"chunk\",\"data\":\"\",\"context_id\":\"c1\"}");
    CHECK(m.kind == CARTESIA_CHUNK && m.audio.len == 0);
    static const char *const bad[] = {
        "{\"type\":\"chunk\",\"data\":\"AQID!\",\"context_id\":\"c1\"}",
        "{\"type\":\"chunk\",\"data\":\"AQI\",\"context_id\":\"c1\"}",
        "{\"type\":\"chunk\",\"data\":7,\"context_id\":\"c1\"}",
        "{\"type\":\"chunk\",\"context_id\":\"c1\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        read_text(bad[i]);
        CHECK_INT(m.kind, CARTESIA_MALFORMED);
        CHECK_STR(m.context, "c1");
    }
}

static void phonemes(void)
{
    read_text("{\"type\":\"phoneme_timestamps\",\"context_id\":\"c\",\"phoneme_timestamps\":{"
              "\"phonemes\":[\"h\",\"\xc9\x9b\",\"l\",\"o\xca\x8a\",\"b\",\"\"],"
              "\"start\":[0,0.1,0.2,0.25,0.5,0.6],\"end\":[0.1,0.2,0.25,0.5,0.6,0.7]}}");
    CHECK(m.kind == CARTESIA_PHONEMES && m.viseme_count == 4);
    CHECK(m.visemes[0].at_ms == 0 && m.visemes[0].mouth == VOICE_MOUTH_A);
    CHECK(m.visemes[1].at_ms == 100 && m.visemes[1].mouth == VOICE_MOUTH_E);
    CHECK(m.visemes[2].at_ms == 250 && m.visemes[2].mouth == VOICE_MOUTH_O);
    CHECK(m.visemes[3].at_ms == 500 && m.visemes[3].mouth == VOICE_MOUTH_CLOSED);
    /* Times never go back, and what is no time or no phoneme is left out. */
    read_text("{\"type\":\"phoneme_timestamps\",\"context_id\":\"c\",\"phoneme_timestamps\":{"
              "\"phonemes\":[\"a\",\"o\",5,\"i\",\"m\"],\"start\":[0.5,0.2,0.3,-1,1e9]}}");
    CHECK(m.kind == CARTESIA_PHONEMES && m.viseme_count == 1);
    CHECK(m.visemes[0].at_ms == 500 && m.visemes[0].mouth == VOICE_MOUTH_O);
    read_text("{\"type\":\"phoneme_timestamps\",\"context_id\":\"c\",\"phoneme_timestamps\":{"
              "\"phonemes\":[\"a\",\"o\"],\"start\":[0.5]}}");
    CHECK_INT(m.kind, CARTESIA_MALFORMED);
}

static void others(void)
{
    static const struct {
        const char *json;
        enum cartesia_kind kind;
    } rows[] = {
        {"{\"type\":\"done\",\"context_id\":\"c\",\"done\":true}", CARTESIA_DONE},
        {"{\"type\":\"flush_done\",\"context_id\":\"c\",\"flush_id\":2}", CARTESIA_FLUSHED},
        {"{\"type\":\"timestamps\",\"context_id\":\"c\"}", CARTESIA_OTHER},
        {"{\"type\":\"what\"}", CARTESIA_OTHER},
        {"{\"type\":7}", CARTESIA_MALFORMED},
        {"{}", CARTESIA_MALFORMED},
        {"[]", CARTESIA_MALFORMED},
        {"", CARTESIA_MALFORMED},
        {"{\"type\":\"done\"", CARTESIA_MALFORMED},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        read_text(rows[i].json);
        CHECK_INT(m.kind, rows[i].kind);
    }
}

/* Of an error only a word goes on: its sentences may hold a key. */
static void errors(void)
{
    char code[48];
    const char *body = "{\"error_code\":\"concurrency_limited\",\"message\":\"sk_car_x\"}";

    read_text("{\"type\":\"error\",\"context_id\":\"c\",\"status_code\":429,\"done\":true,"
              "\"error_code\":\"concurrency_limited\",\"message\":\"sk_car_x\"}");
    CHECK(m.kind == CARTESIA_ERROR && m.status == 429);
    CHECK_STR(m.code, "concurrency_limited");
    read_text("{\"type\":\"error\",\"status_code\":7,\"error_code\":\"two words\"}");
    CHECK(m.kind == CARTESIA_ERROR && m.status == 0 && !m.context[0] && !m.code[0]);
    cartesia__code(body, strlen(body), code, sizeof(code));
    CHECK_STR(code, "concurrency_limited");
    cartesia__code("No: sk_car_x", 12, code, sizeof(code));
    CHECK_STR(code, "");
    cartesia__code("", 0, code, sizeof(code));
    CHECK_STR(code, "");
}

static void requests(void)
{
    struct voice_how how = {.language = "en-us", .speed = 1};
    struct cartesia_say say = {.how = &how, .text = str_of("Say \"it\".")};
    struct buf out = BUF_INIT;

    cartesia__write(&say, &out);
    CHECK_STR(buf_text(&out),
              "{\"model_id\":\"sonic-3.5\",\"transcript\":\"Say \\\"it\\\".\",\"voice\":{"
              "\"mode\":\"id\",\"id\":\"f786b574-daa5-4673-aa0c-cbe3e8534c02\"},"
              "\"language\":\"en\",\"output_format\":{\"container\":\"raw\",\"encoding\":"
              "\"pcm_s16le\",\"sample_rate\":24000}}");
    buf_clear(&out);
    how.speed = 2; /* more than it takes */
    how.cartesia = (struct voice_cartesia){.model = "sonic-3", .language = "de", .volume = 0.5};
    say = (struct cartesia_say){&how, {"", 0}, "id", true, true};
    cartesia__write(&say, &out);
    CHECK_STR(buf_text(&out),
              "{\"model_id\":\"sonic-3\",\"transcript\":\"\",\"voice\":{\"mode\":\"id\",\"id\":"
              "\"f786b574-daa5-4673-aa0c-cbe3e8534c02\"},\"language\":\"de\","
              "\"generation_config\":{\"speed\":1.5,\"volume\":0.5},\"output_format\":{"
              "\"container\":\"raw\",\"encoding\":\"pcm_s16le\",\"sample_rate\":24000},"
              "\"context_id\":\"id\",\"add_phoneme_timestamps\":true,\"continue\":true,"
              "\"flush\":true}");
    buf_clear(&out);
    cartesia__write_cancel("id", &out);
    CHECK_STR(buf_text(&out), "{\"context_id\":\"id\",\"cancel\":true}");
    buf_release(&out);
}

static void names(void)
{
    CHECK(voice_cartesia_id(CARTESIA_VOICE));
    CHECK(voice_cartesia_id("F786B574-DAA5-4673-AA0C-CBE3E8534C02"));
    CHECK(!voice_cartesia_id("") && !voice_cartesia_id("Katie"));
    CHECK(!voice_cartesia_id("f786b574-daa5-4673-aa0c-cbe3e8534c0"));
    CHECK(!voice_cartesia_id("f786b574-daa5-4673-aa0c-cbe3e8534c022"));
    CHECK(!voice_cartesia_id("f786b574xdaa5-4673-aa0c-cbe3e8534c02"));
    CHECK_STR(voice_cartesia_instead("sonic"), "sonic-3.5");
    CHECK(!voice_cartesia_instead("sonic-2") && !voice_cartesia_instead(CARTESIA_MODEL));
}

static const struct tap_case cases[] = {
    {"chunks", chunks}, {"phonemes", phonemes}, {"other messages", others},
    {"errors", errors}, {"requests", requests}, {"names of voices and models", names},
};

int main(void)
{
    int rc;

    json_region_setup();
    rc = tap_run(cases, sizeof(cases) / sizeof(cases[0]));
    cartesia__message_release(&m);
    return rc;
}

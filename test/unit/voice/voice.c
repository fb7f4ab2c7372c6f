/* Who speaks, and when that is known: on the real library. */
#include "voice/voice.c"

#include "unit/tap.h"

static struct {
    struct loop *loop;
    struct voice *voice;
    unsigned chunks, ended;
    enum voice_outcome outcome;
} t;

static void begin(const char *choice)
{
    struct err e = {0};

    memset(&t, 0, sizeof(t));
    CHECK_INT(loop_new(&t.loop, &e), 0);
    const struct voice_cfg cfg = {.loop = t.loop,
                                  .choice = choice,
                                  .how = {.language = "en", .speed = 1},
                                  .now_ns = loop_hrtime_ns};
    CHECK_INT(voice_new(&cfg, &t.voice, &e), 0);
}

static void over(void)
{
    voice_free(&t.voice);
    CHECK(!t.voice);
    loop_free(&t.loop);
}

static void on_audio(void *ctx, const struct speech_chunk *c)
{
    (void)ctx;
    CHECK(c->data.len > 0);
    t.chunks++;
}

static void on_ended(void *ctx, enum voice_outcome o)
{
    (void)ctx;
    t.ended++;
    t.outcome = o;
}

static struct speech *say(const char *text)
{
    const struct speech_want want = {.format = VOICE_WAV};
    const struct speech_sink sink = {&t, on_audio, on_ended};
    struct speech *s = speech_new(t.voice, &want, &sink);

    speech_say(s, str_of(text));
    return s;
}

static void off(void)
{
    struct err e;

    begin("off");
    CHECK_STR(voice_name(t.voice), "");
    CHECK_INT(voice_ready(t.voice, VOICE_WAV, &e), -1);
    CHECK_INT(e.code, ERR_VOICE);
    over();
}

static void named(void)
{
    struct err e;

    begin("espeak");
    CHECK(voice_stats(t.voice)->loaded[VOICE_ESPEAK]);
    CHECK_STR(voice_name(t.voice), "espeak");
    for (unsigned f = 0; f < VOICE_FORMAT__COUNT; f++)
        CHECK_INT(voice_ready(t.voice, (enum voice_format)f, &e), 0);
    over();
}

/* Nothing is loaded at first; the first word loads it, and is spoken then. */
static void when_needed(void)
{
    begin("auto");
    CHECK_STR(voice_name(t.voice), "espeak");
    CHECK(!voice_stats(t.voice)->loaded[VOICE_ESPEAK] && !t.voice->seats[VOICE_ESPEAK].loading);
    struct speech *s = say("Hello.");
    CHECK(t.voice->seats[VOICE_ESPEAK].loading != NULL);
    speech_finish(s);
    loop_run(t.loop);
    CHECK(voice_stats(t.voice)->loaded[VOICE_ESPEAK]);
    CHECK(t.chunks > 0 && t.ended == 1 && t.outcome == VOICE_SPOKEN);
    CHECK_INT(voice_stats(t.voice)->sentences[VOICE_ESPEAK][VOICE_SPOKEN], 1);
    over();
}

/* Freed before it is loaded, while it is, with a speech that was stopped meanwhile. */
static void freed_early(void)
{
    begin("auto");
    over();
    begin("auto");
    struct speech *s = say("Hello.");
    speech_stop(&s);
    over();
}

static unsigned freed;

static void count_free(struct voice_provider *p)
{
    freed++;
    voice__cartesia.free(p);
}

/* One that is being loaded keeps no other: what that has of the network goes before the loop.
 */
static void freed_while_another_loads(void)
{
    struct voice_ops counted = voice__cartesia;
    struct err e;

    memset(&t, 0, sizeof(t));
    freed = 0;
    counted.free = count_free;
    CHECK_INT(loop_new(&t.loop, &e), 0);
    const struct voice_cfg cfg = {.loop = t.loop,
                                  .http = (struct http_client *)&t, /* not asked */
                                  .choice = "auto",
                                  .cartesia_url = "http://127.0.0.1:1",
                                  .how = {.language = "en", .speed = 1},
                                  .now_ns = loop_hrtime_ns};
    CHECK_INT(voice_new(&cfg, &t.voice, &e), 0);
    t.voice->seats[VOICE_CARTESIA].ops = &counted;
    voice__hurry(t.voice, VOICE_ESPEAK);
    CHECK(t.voice->seats[VOICE_ESPEAK].loading != NULL);
    voice_free(&t.voice);
    CHECK_INT(freed, 1);
    loop_free(&t.loop);
    CHECK_INT(freed, 1);
}

/* A provider that cannot be loaded: what waits for it ends, and says so. */
static int fail_load(struct voice_provider *p, uint32_t *ret_rate, struct err *e)
{
    (void)p;
    (void)ret_rate;
    return err_set(e, ERR_VOICE, 0, "told to fail");
}

static void not_loaded(void)
{
    struct voice_ops broken = voice__espeak;
    struct err e;

    broken.load = fail_load;
    begin("auto");
    t.voice->seats[VOICE_ESPEAK].ops = &broken;
    struct speech *s = say("Hello."), *other = say("Two.");
    speech_finish(s);
    speech_finish(other);
    loop_run(t.loop);
    CHECK(t.ended == 2 && t.outcome == VOICE_FAILED);
    CHECK_STR(voice_name(t.voice), "");
    CHECK_INT(voice_ready(t.voice, VOICE_WAV, &e), -1);
    CHECK_STR(e.msg, "told to fail");
    over();
}

static const struct tap_case cases[] = {
    {"off", off},
    {"a provider that is named", named},
    {"loaded when it is needed", when_needed},
    {"freed early", freed_early},
    {"freed while another one loads", freed_while_another_loads},
    {"a provider that is not there", not_loaded},
};
TAP_MAIN(cases)

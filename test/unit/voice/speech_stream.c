/* A speech of a voice that streams and may fail, with another one that stands in for it. */
#include "voice/speech.c"

#include "unit/voice/fixture.h"

static unsigned overs, visemes;

static void fake_hold(struct voice_task *k, bool held)
{
    k->held = held;
}

static void fake_over(struct voice_provider *p, uint64_t speech)
{
    (void)p;
    (void)speech;
    overs++;
}

static const struct voice_ops streaming = {.name = "first",
                                           .streams = true,
                                           .ahead = 3,
                                           .bytes = 100,
                                           .start = fake_start,
                                           .stop = fake_stop,
                                           .hold = fake_hold,
                                           .over = fake_over};
static const struct voice_ops plain = {
    .name = "second", .start = fake_start, .stop = fake_stop};

static void on_audio(void *ctx, const struct speech_chunk *c)
{
    (void)ctx;
    CHECK(c->data.len > 0 && c->data.len <= SPEECH_CHUNK);
    note("%zu:%zu:%zu%s%s%s ", c->sentence, c->index, c->data.len, c->last ? "." : "",
         c->seconds > 0 ? "s" : "", c->voice == VOICE_CARTESIA ? "" : "e");
    buf_add(&t.data, c->data.data, c->data.len);
    visemes += (unsigned)c->viseme_count;
    if (++t.chunks == t.stop_at)
        speech_stop(&t.speech);
}

static void begin(enum voice_format format, bool joined, size_t budget)
{
    overs = visemes = 0;
    voice_begin();
    t.voice.seats[VOICE_CARTESIA] =
        (struct voice_seat){.state = SEAT_READY, .ops = &streaming, .rate = RATE};
    t.voice.seats[VOICE_ESPEAK] =
        (struct voice_seat){.state = SEAT_READY, .ops = &plain, .rate = RATE / 2};
    speech_begin(format, joined, budget, on_audio);
}

static uint64_t counted(enum voice_id v, enum voice_outcome o)
{
    return t.voice.stats.sentences[v][o];
}

/* Audio goes out as it comes, but for a last bit, so that the last chunk can say so. */
static void as_it_comes(void)
{
    begin(VOICE_PCM, false, 0);
    say("One.");
    heard(0, 10, 1);
    CHECK_STR(t.log, "0:0:18 ");
    heard(0, 10, 2);
    CHECK_STR(t.log, "0:0:18 0:1:20 ");
    said(0, NULL);
    CHECK_STR(t.log, "0:0:18 0:1:20 0:2:2.s ");
    CHECK_INT(visemes, 4);
    CHECK_INT(t.data.len, 40);
    CHECK_INT(overs, 0);
    speech_finish(t.speech);
    CHECK(t.ended == 1 && t.outcome == VOICE_SPOKEN && t.by == VOICE_CARTESIA && !t.why[0]);
    CHECK_INT(overs, 1);
    over();
}

/* Several are asked for at once; what comes early of a later one waits for its turn. */
static void ahead(void)
{
    begin(VOICE_PCM, false, 0);
    say("One.");
    say("Two.");
    say("Three.");
    say("Four.");
    speech_finish(t.speech);
    CHECK(t.started == 3 && overs == 0);
    heard(1, 5, 2);
    said(1, NULL);
    CHECK_STR(t.log, "");
    heard(0, 5, 1);
    said(0, NULL);
    CHECK_STR(t.log, "0:0:8 0:1:2.s 1:0:10.s ");
    CHECK(t.started == 4 && overs == 1); /* none comes behind the fourth */
    heard(2, 5, 3);
    said(2, NULL);
    heard(3, 5, 4);
    said(3, NULL);
    CHECK(t.ended == 1 && counted(VOICE_CARTESIA, VOICE_SPOKEN) == 4);
    for (int i = 0; i < 20; i++)
        CHECK_INT(t.data.data[2 * i], i / 5 + 1);
    over();
    begin(VOICE_PCM, false, 0); /* so much waits that no more is asked for */
    say("One.");
    say("Two.");
    t.voice.seats[VOICE_CARTESIA].rate = 24000;
    speech_pause(t.speech, true);
    CHECK(t.tasks[0].held && t.tasks[1].held);
    for (int i = 0; i < 3; i++)
        heard(1, 50000, 1);
    say("Three.");
    speech_pause(t.speech, false);
    CHECK(!t.tasks[0].held && t.started == 2);
    over();
}

/* Nothing was heard of it: another voice says it, and what is behind it. */
static void another_voice(void)
{
    begin(VOICE_PCM, false, 0);
    say("One.");
    say("Two.");
    say("Three.");
    heard(0, 5, 1);
    said(0, NULL);
    heard(2, 5, 3); /* early, and lost */
    said(1, "it answers 500");
    CHECK(t.tasks[2].stopped && overs == 1);
    CHECK_INT(t.started, 4); /* one at a time there */
    CHECK_STR(t.tasks[3].text, "Two.");
    heard(3, 5, 2);
    said(3, NULL);
    CHECK_STR(t.tasks[4].text, "Three.");
    heard(4, 5, 3);
    said(4, NULL);
    speech_finish(t.speech);
    CHECK_STR(t.log, "0:0:8 0:1:2.s 1:0:10.se 2:0:10.se ");
    CHECK(t.ended == 1 && t.outcome == VOICE_SPOKEN && t.by == VOICE_ESPEAK);
    CHECK_STR(t.why, "first: it answers 500");
    CHECK_INT(t.voice.stats.fallbacks[VOICE_CARTESIA], 1);
    CHECK_INT(counted(VOICE_CARTESIA, VOICE_FAILED), 1);
    CHECK_INT(counted(VOICE_ESPEAK, VOICE_SPOKEN), 2);
    over();
}

/* What was begun ends where it is, and says so. */
static void breaks_off(void)
{
    begin(VOICE_WAV, false, 0);
    say("One.");
    say("Two.");
    heard(0, 5, 1);
    said(0, "cut");
    CHECK_STR(t.log, "0:0:52 0:1:2.s ");
    CHECK_STR(t.tasks[2].text, "Two.");
    speech_finish(t.speech);
    said(2, "no");
    CHECK(t.ended == 1 && t.outcome == VOICE_FAILED);
    CHECK_STR(t.why, "first: cut");
    CHECK_INT(counted(VOICE_CARTESIA, VOICE_FAILED), 1);
    over();
}

/* One file for all has the rate of the first voice: the other's samples are made to fit. */
static void two_rates(void)
{
    begin(VOICE_PCM, true, 0);
    say("One.");
    say("Two.");
    heard(0, 10, 100);
    said(0, NULL);
    said(1, "cut");
    heard(2, 5, 100);
    heard(2, 5, 100);
    said(2, NULL);
    speech_finish(t.speech);
    CHECK(t.ended == 1 && t.outcome == VOICE_SPOKEN);
    CHECK_INT(t.data.len, 60); /* twice as many */
    for (size_t i = 13; i < 30; i++)
        CHECK_INT((unsigned char)t.data.data[2 * i], 100);
    over();
}

/* Nobody left: text only. And a voice that is not there is not asked. */
static void nobody(void)
{
    begin(VOICE_PCM, false, 0);
    t.voice.seats[VOICE_ESPEAK].state = SEAT_ABSENT;
    say("One.");
    speech_finish(t.speech);
    said(0, "it answers 401");
    CHECK(t.ended == 1 && t.outcome == VOICE_FAILED && t.by == VOICE__COUNT);
    CHECK_STR(t.why, "first: it answers 401");
    over();
    begin(VOICE_PCM, false, 0);
    speech_stop(&t.speech);
    t.voice.seats[VOICE_CARTESIA].own_only = true;
    CHECK_INT(voice__next(&t.voice, 0, false), VOICE_ESPEAK);
    CHECK_INT(voice__next(&t.voice, 0, true), VOICE_CARTESIA);
    over();
}

/* Its place is not in the budget, but the other's is. */
static void too_dear(void)
{
    begin(VOICE_PCM, false, 0);
    t.budget.limit = t.budget.used + sizeof(struct line) + SPEECH_BLOCK + 54;
    say("One.");
    CHECK_INT(t.started, 1);
    said(0, "x");
    over();
    begin(VOICE_PCM, false, 0);
    t.budget.limit = t.budget.used + 5 * sizeof(struct line);
    for (int i = 0; i < 3; i++)
        say("One.");
    over();
}

/* With every budget: never above it, never anything left behind, every sentence accounted for.
 */
static void budgets(void)
{
    for (size_t limit = 1; limit < 9000; limit += 13)
        for (int form = 0; form < 2; form++) {
            begin(form ? VOICE_WAV : VOICE_PCM, form, limit);
            if (t.speech) {
                say("One.");
                say("Two.");
                speech_finish(t.speech);
                for (unsigned i = 0; i < t.started; i++)
                    for (int k = 0; k < 4 && !t.tasks[i].stopped && !t.tasks[i].over; k++)
                        k < 3 ? heard(i, 400, 1) : said(i, NULL);
                CHECK_INT(t.ended, 1);
            }
            CHECK(t.budget.peak <= limit);
            over();
        }
}

/* Stopped from inside any of its chunks. */
static void stopped_inside(void)
{
    for (unsigned at = 1; at < 8; at++) {
        begin(VOICE_PCM, false, 0);
        t.stop_at = at;
        say("One.");
        say("Two.");
        for (unsigned i = 0; i < 2; i++) {
            heard(i, 9000, 1);
            heard(i, 10, 1);
            said(i, NULL);
        }
        over();
        CHECK(at > 6 || t.chunks == at);
    }
}

static void endless(void)
{
    begin(VOICE_PCM, false, 0);
    say("One.");
    for (int i = 0; i < 100 && !t.tasks[0].stopped; i++)
        heard(0, 1000, 1);
    CHECK(t.tasks[0].stopped && t.data.len <= 2 * RATE * VOICE_SECONDS_MAX);
    CHECK_INT(counted(VOICE_CARTESIA, VOICE_FAILED), 1);
    over();
}

/* Opus and MP3, piece by piece on the pool. */
static void on_the_pool(void)
{
    static const enum voice_format formats[] = {VOICE_OPUS, VOICE_MP3};
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        for (int join = 0; join < 2; join++) {
            begin(formats[i], join, 0);
            t.voice.seats[VOICE_CARTESIA].rate = 24000;
            CHECK_INT(voice__encoder(formats[i])->load(&e), 0);
            say("One.");
            say("Two.");
            speech_finish(t.speech);
            for (unsigned k = 0; k < 2; k++) {
                for (int n = 0; n < 8; n++) {
                    heard(k, 6000, 1);
                    loop_run(t.loop);
                }
                CHECK(t.chunks > 0); /* before it is whole */
                said(k, NULL);
                loop_run(t.loop);
            }
            CHECK_INT(t.ended, 1);
            CHECK_INT(counted(VOICE_CARTESIA, VOICE_SPOKEN), 2);
            over();
            begin(formats[i], join, 0); /* stopped while the pool works */
            t.voice.seats[VOICE_CARTESIA].rate = 24000;
            say("One.");
            heard(0, 6000, 1);
            over();
            begin(formats[i], join, 0); /* it breaks off */
            t.voice.seats[VOICE_CARTESIA].rate = 24000;
            say("One.");
            for (int n = 0; n < 8; n++) {
                heard(0, 6000, 1);
                loop_run(t.loop);
            }
            said(0, "cut");
            speech_finish(t.speech);
            loop_run(t.loop);
            CHECK(t.ended == 1 && t.outcome == VOICE_FAILED);
            over();
        }
}

static const struct tap_case cases[] = {
    {"audio goes out as it comes", as_it_comes}, {"sentences are asked for ahead", ahead},
    {"another voice goes on", another_voice},    {"a sentence that breaks off", breaks_off},
    {"two rates in one file", two_rates},        {"nobody is left", nobody},
    {"a voice that is too dear", too_dear},      {"never over the budget", budgets},
    {"stopped from inside", stopped_inside},     {"a sentence without end", endless},
    {"encoded on the pool", on_the_pool},
};
TAP_MAIN(cases)

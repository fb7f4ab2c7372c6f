#include "voice/speech.c"

#include "unit/voice/fixture.h"

static unsigned pause_at; /* this chunk; 0: never */

static const struct voice_ops fake = {.name = "fake", .start = fake_start, .stop = fake_stop};

static void on_audio(void *ctx, const struct speech_chunk *c)
{
    CHECK(ctx == &t && c->data.len <= SPEECH_CHUNK && c->data.len > 0);
    note("%zu:%.*s:%zu%s ", c->sentence, STR_FMT(c->text), c->index, c->last ? "." : "");
    buf_add(&t.data, c->data.data, c->data.len);
    t.chunks++;
    if (t.chunks == t.stop_at)
        speech_stop(&t.speech);
    else if (t.chunks == pause_at)
        speech_pause(t.speech, true);
}

static void begin(enum voice_format format, bool joined, size_t budget)
{
    pause_at = 0;
    voice_begin();
    t.voice.seats[0] = (struct voice_seat){.state = SEAT_READY, .ops = &fake, .rate = RATE};
    speech_begin(format, joined, budget, on_audio);
}

static uint64_t counted(enum voice_outcome o)
{
    return t.voice.stats.sentences[0][o];
}

static void in_order(void)
{
    begin(VOICE_WAV, false, 0);
    say("It is $2.");
    say("Two. ");
    CHECK_INT(t.started, 1); /* one at a time */
    CHECK_STR(t.tasks[0].text, "It is two dollars.");
    heard(0, 10, 7);
    CHECK_STR(t.log, "");
    said(0, NULL);
    CHECK_STR(t.log, "0:It is $2.:0. ");
    CHECK_INT(t.started, 2);
    heard(1, 10000, 8);
    said(1, NULL);
    CHECK_STR(t.log, "0:It is $2.:0. 1:Two. :0 1:Two. :1. ");
    CHECK_INT(t.ended, 0);
    speech_finish(t.speech);
    CHECK(t.ended == 1 && t.outcome == VOICE_SPOKEN);
    CHECK_INT(counted(VOICE_SPOKEN), 2);
    CHECK_INT((int)(t.voice.stats.seconds[0] * 100), 1001);
    CHECK_INT(t.voice.stats.first_seconds.count, 1);
    /* two files, each with its own sizes */
    CHECK(memcmp(t.data.data, "RIFF", 4) == 0 && memcmp(t.data.data + 64, "RIFF", 4) == 0);
    CHECK_INT((unsigned char)t.data.data[40], 20);
    CHECK_INT(t.data.len, 44 + 20 + 44 + 20000);
    over();
}

static void joined(void)
{
    begin(VOICE_WAV, true, 0);
    say("One.");
    say("Two.");
    speech_finish(t.speech);
    heard(0, 3, 1);
    said(0, NULL);
    heard(1, 3, 2);
    said(1, NULL);
    CHECK_INT(t.ended, 1);
    CHECK_INT(t.data.len, 44 + 12); /* one header */
    CHECK_INT((unsigned char)t.data.data[40], 0xff);
    voice_wav_finish(t.data.data, t.data.len);
    CHECK_INT((unsigned char)t.data.data[40], 12);
    CHECK_INT((unsigned char)t.data.data[4], 48);
    CHECK(t.data.data[44] == 1 && t.data.data[50] == 2);
    over();
}

static void nothing_to_say(void)
{
    begin(VOICE_PCM, false, 0);
    say("\xf0\x9f\x8d\xb8");
    say("***");
    CHECK_INT(t.started, 0);
    speech_finish(t.speech);
    CHECK(t.ended == 1 && t.outcome == VOICE_SPOKEN);
    over();
    begin(VOICE_PCM, false, 0);
    speech_finish(t.speech);
    CHECK(t.ended == 1 && t.outcome == VOICE_SPOKEN);
    over();
}

static void failures(void)
{
    begin(VOICE_PCM, false, 0);
    say("One.");
    say("Two.");
    say("Three.");
    said(0, "no");
    CHECK_INT(t.started, 2); /* the next one is spoken all the same */
    heard(1, 5, 1);
    said(1, "no"); /* half of it: none of it */
    heard(2, 5, 1);
    said(2, NULL);
    CHECK_STR(t.log, "2:Three.:0. ");
    t.no_memory = true;
    say("Four.");
    CHECK_INT(counted(VOICE_FAILED), 3);
    speech_finish(t.speech);
    CHECK(t.ended == 1 && t.outcome == VOICE_SPOKEN);
    over();
    begin(VOICE_PCM, false, 0);
    t.no_memory = true;
    say("One.");
    speech_finish(t.speech);
    CHECK(t.ended == 1 && t.outcome == VOICE_FAILED);
    over();
}

/* With every budget from nothing to enough: never above it, never anything left behind. */
static void over_budget(void)
{
    unsigned spoken = 0, refused = 0;

    for (size_t limit = 1; limit < 6000; limit += 7) {
        begin(VOICE_WAV, false, limit);
        if (t.speech) {
            say("One.");
            say("Two.");
            for (unsigned i = 0; i < t.started; i++) {
                heard(i, 1000, 1);
                said(i, NULL);
            }
            speech_finish(t.speech);
            CHECK_INT(t.ended, 1);
            CHECK_INT(counted(VOICE_SPOKEN) + counted(VOICE_OVER_BUDGET), 2);
            CHECK(t.outcome == (counted(VOICE_SPOKEN) ? VOICE_SPOKEN : VOICE_OVER_BUDGET));
            spoken += counted(VOICE_SPOKEN) == 2;
            refused += counted(VOICE_OVER_BUDGET) == 2;
        }
        CHECK(t.budget.peak <= limit);
        over();
    }
    CHECK(spoken > 0 && refused > 0);
}

static void paused(void)
{
    begin(VOICE_PCM, false, 0);
    pause_at = 1;
    say("One.");
    say("Two.");
    speech_finish(t.speech);
    heard(0, 20000, 1);
    said(0, NULL);
    CHECK_STR(t.log, "0:One.:0 ");
    CHECK_INT(t.started, 1);
    speech_pause(t.speech, false);
    CHECK_STR(t.log, "0:One.:0 0:One.:1 0:One.:2 0:One.:3. ");
    CHECK_INT(t.started, 2);
    speech_pause(t.speech, true);
    heard(1, 10, 1);
    said(1, NULL);
    CHECK_INT(t.ended, 0);
    speech_pause(t.speech, false);
    CHECK_INT(t.ended, 1);
    over();
}

/* Stopped before, while and after it is spoken, and from inside its own callback. */
static void stopped(void)
{
    for (int when = 0; when < 5; when++) {
        begin(VOICE_PCM, false, 0);
        t.stop_at = when == 3 ? 1 : when == 4 ? 2 : 0;
        say("One.");
        say("Two.");
        if (when > 0)
            heard(0, 9000, 1);
        if (when > 1)
            said(0, NULL);
        CHECK_INT(t.chunks, when < 2 ? 0 : when == 3 ? 1 : 2);
        speech_stop(&t.speech);
        CHECK(!t.speech);
        CHECK_INT(t.tasks[0].stopped, when < 2);
        CHECK_INT(t.tasks[1].stopped, when == 2);
        CHECK_INT(t.ended, 0);
        CHECK_INT(counted(VOICE_STOPPED), 1);
        over();
    }
}

/* The session leaves memory: what is held moves to the voice's own, if that has room. */
static void moves(void)
{
    begin(VOICE_PCM, false, 0);
    pause_at = 1;
    say("One.");
    heard(0, 20000, 1);
    said(0, NULL);
    size_t held = t.budget.used;
    CHECK(held > 40000);
    CHECK(speech_charge(t.speech, NULL));
    CHECK_INT(t.budget.used, 0);
    CHECK_INT(t.voice.own.used, held);
    CHECK_INT(t.voice.stats.own_bytes, held);
    CHECK(speech_charge(t.speech, &t.budget));
    t.voice.own.limit = held - 1;
    CHECK(!speech_charge(t.speech, NULL));
    CHECK_INT(t.budget.used, held);
    CHECK(speech_carry(t.speech, 10));
    CHECK_INT(t.budget.used, held + 10);
    over();
}

static void long_sentence(void)
{
    char text[1200];

    begin(VOICE_PCM, false, 0);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 10 == 9 ? ' ' : i % 100 == 98 ? ',' : 'a';
    speech_say(t.speech, (struct str){text, sizeof(text)});
    say("Two.");
    speech_finish(t.speech);
    for (unsigned i = 0; i < t.started; i++) {
        CHECK(strlen(t.tasks[i].text) <= SPEECH_SENTENCE_MAX);
        heard(i, 10, 1);
        said(i, NULL);
    }
    CHECK(t.started >= 4);
    CHECK_INT(t.ended, 1);
    CHECK(strstr(t.log, "1:Two.:0. "));
    over();
    begin(VOICE_PCM, false, 0); /* no place to cut, and characters of three bytes */
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "\xe4\xbd\xa0"[i % 3];
    speech_say(t.speech, (struct str){text, sizeof(text)});
    CHECK(utf8_valid_prefix(t.tasks[0].text, strlen(t.tasks[0].text)) ==
          strlen(t.tasks[0].text));
    over();
}

static void too_long(void)
{
    static struct voice_task *k;

    begin(VOICE_PCM, false, 0);
    say("One.");
    k = &t.tasks[0];
    heard(0, RATE * VOICE_SECONDS_MAX, 1);
    heard(0, 1, 1);
    k->ear.said(k->ear.ctx, NULL);
    CHECK_INT(t.chunks, 0);
    CHECK_INT(counted(VOICE_FAILED), 1);
    over();
}

/* Encoders of the libraries, on the pool. */
static void encoded(void)
{
    static const enum voice_format formats[] = {VOICE_OPUS, VOICE_MP3};
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        for (int join = 0; join < 2; join++) {
            begin(formats[i], join, 0);
            t.voice.seats[0].rate = 22050;
            CHECK_INT(voice__encoder(formats[i])->load(&e), 0);
            say("One.");
            say("Two.");
            speech_finish(t.speech);
            for (unsigned k = 0; k < 2; k++) {
                heard(k, 22050, 1);
                said(k, NULL);
                loop_run(t.loop);
            }
            CHECK_INT(t.ended, 1);
            CHECK_INT(counted(VOICE_SPOKEN), 2);
            CHECK(t.data.len > 1000);
            unsigned files = 0;
            for (size_t at = 0; at + 40 < t.data.len; at++)
                files += memcmp(t.data.data + at, "OpusHead", 8) == 0;
            if (formats[i] == VOICE_OPUS)
                CHECK_INT(files, join ? 1 : 2);
            else
                CHECK(t.data.data[0] == '\xff' && (t.data.data[1] & 0xe0) == 0xe0);
            over();
            /* stopped while the pool works, and over budget there */
            begin(formats[i], join, 0);
            say("One.");
            heard(0, 2000, 1);
            said(0, NULL);
            over();
            begin(formats[i], join, 6000);
            say("One.");
            heard(0, 2000, 1);
            said(0, NULL);
            loop_run(t.loop);
            CHECK_INT(counted(VOICE_OVER_BUDGET), 1);
            over();
        }
}

static const struct tap_case cases[] = {
    {"sentences come in order, in chunks", in_order},
    {"all sentences in one file", joined},
    {"nothing to say", nothing_to_say},
    {"what fails is left out", failures},
    {"never over the budget", over_budget},
    {"a reader that is behind", paused},
    {"stopped at any moment", stopped},
    {"another budget pays", moves},
    {"a sentence that is long", long_sentence},
    {"a voice that does not end", too_long},
    {"encoded on the pool", encoded},
};
TAP_MAIN(cases)

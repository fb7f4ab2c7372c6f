/* On the real library: that it speaks, how long, and that what is stopped stays silent. */
#include "voice/espeak.c"

#include "unit/tap.h"

#define MANY 8

struct listener {
    struct voice_task *task;
    size_t count, viseme_count;
    double loudness; /* mean of squares */
    struct voice_viseme visemes[VISEMES_MAX];
    int said, order;
    bool failed;
};

static struct {
    struct loop *loop;
    struct voice_provider *p;
    uint32_t rate;
    int told;
} t;

static struct voice_how how = {.language = "en-us", .speed = 1};

static void begin(void)
{
    struct err e = {0};

    memset(&t, 0, sizeof(t));
    CHECK_INT(loop_new(&t.loop, &e), 0);
    static struct voice_cfg cfg;

    cfg.loop = t.loop;
    cfg.how = how;
    t.p = make(&cfg, NULL);
    CHECK_INT(load(t.p, &t.rate, &e), 0);
    CHECK_STR(e.msg, "");
}

static void over(void)
{
    provider_free(t.p);
    loop_free(&t.loop);
}

static void on_heard(void *ctx, const int16_t *samples, size_t count,
                     const struct voice_viseme *visemes, size_t viseme_count)
{
    struct listener *l = ctx;

    for (size_t i = 0; i < count; i++)
        l->loudness += (double)samples[i] * samples[i] / (double)count;
    l->count += count;
    memcpy(l->visemes, visemes, viseme_count * sizeof(*visemes));
    l->viseme_count = viseme_count;
}

static void on_said(void *ctx, const struct err *failed)
{
    struct listener *l = ctx;

    l->said++;
    l->order = t.told++;
    l->failed = failed != NULL;
}

static void speak(struct listener *l, const char *text)
{
    const struct voice_line line = {.text = str_of(text)};
    const struct voice_ear ear = {l, on_heard, on_said};

    memset(l, 0, sizeof(*l));
    l->task = start(t.p, &line, &ear);
    CHECK(l->task != NULL);
    CHECK_INT(l->said, 0); /* never inside */
}

static void speaks(void)
{
    static struct listener l, slow;
    const char *text = "That is two Martinis, dry, for twenty six dollars.";

    begin();
    CHECK_INT(t.rate, 22050);
    speak(&l, text);
    loop_run(t.loop);
    CHECK(l.said == 1 && !l.failed);
    double seconds = (double)l.count / t.rate;
    CHECK(seconds > 2 && seconds < 6);
    CHECK(l.loudness > 100 * 100);
    CHECK(l.viseme_count > 10);
    for (size_t i = 0; i < l.viseme_count; i++) {
        CHECK(l.visemes[i].mouth < VOICE_MOUTH__COUNT);
        CHECK(l.visemes[i].at_ms <= seconds * 1000);
        if (i)
            CHECK(l.visemes[i].at_ms > l.visemes[i - 1].at_ms &&
                  l.visemes[i].mouth != l.visemes[i - 1].mouth);
    }
    CHECK_INT(l.visemes[l.viseme_count - 1].mouth, VOICE_MOUTH_CLOSED);
    over();
    how.speed = 0.5;
    begin();
    speak(&slow, text);
    loop_run(t.loop);
    CHECK(slow.count > l.count * 3 / 2);
    how.speed = 1;
    over();
}

static void in_turn(void)
{
    static struct listener l[MANY];

    begin();
    for (int i = 0; i < MANY; i++)
        speak(&l[i], i % 2 ? "Yes." : "Certainly, and with pleasure.");
    loop_run(t.loop);
    for (int i = 0; i < MANY; i++) {
        CHECK(l[i].said == 1 && !l[i].failed && l[i].order == i);
        CHECK_INT(l[i].count > l[1].count * 3 / 2, i % 2 == 0);
    }
    over();
}

/* Who hears nothing yet comes before who is listening already. */
static void first_lines_first(void)
{
    static struct listener l[MANY];
    const struct voice_ear ears[MANY] = {{&l[0], on_heard, on_said},
                                         {&l[1], on_heard, on_said},
                                         {&l[2], on_heard, on_said},
                                         {&l[3], on_heard, on_said},
                                         {&l[4], on_heard, on_said}};

    begin();
    for (int i = 0; i < 5; i++) {
        const struct voice_line line = {.text = str_of("Yes."), .first = i == 2 || i == 4};
        l[i] = (struct listener){0};
        CHECK(start(t.p, &line, &ears[i]) != NULL);
    }
    loop_run(t.loop);
    CHECK(l[0].order == 0 && l[2].order == 1 && l[4].order == 2);
    CHECK(l[1].order == 3 && l[3].order == 4);
    over();
}

static void stopped(void)
{
    static struct listener l[MANY];

    begin();
    for (int i = 0; i < MANY; i++)
        speak(&l[i], "One after the other, and none twice.");
    stop(l[0].task); /* on the pool, or about to be */
    stop(l[3].task);
    loop_run(t.loop);
    for (int i = 0; i < MANY; i++)
        CHECK_INT(l[i].said, i != 0 && i != 3);
    speak(&l[0], "Gone.");
    over(); /* freed while it speaks */
    CHECK_INT(l[0].said, 0);
}

/* A name that is none is no reason to be silent. */
static void unknown_voice(void)
{
    static struct listener l;

    how.name[VOICE_ESPEAK] = "nobody";
    begin();
    speak(&l, "Hello.");
    loop_run(t.loop);
    CHECK(l.said == 1 && !l.failed && l.count > 0);
    over();
    how.name[VOICE_ESPEAK] = "en-us+f3";
    how.language = "xx";
    begin();
    speak(&l, "Hello.");
    loop_run(t.loop);
    CHECK(l.said == 1 && !l.failed && l.count > 0);
    over();
    how.name[VOICE_ESPEAK] = NULL;
    how.language = "en-us";
}

/* What takes for ever to say is cut; what is strange does no harm. */
static void bounded(void)
{
    static struct listener l;
    char digits[SPEECH_SENTENCE_MAX + 1], strange[256];

    begin();
    memset(digits, '7', SPEECH_SENTENCE_MAX);
    for (int i = 1; i < SPEECH_SENTENCE_MAX; i += 2)
        digits[i] = ' ';
    digits[SPEECH_SENTENCE_MAX] = '\0';
    speak(&l, digits);
    loop_run(t.loop);
    CHECK(l.said == 1 && !l.failed);
    CHECK(l.count <= (size_t)t.rate * VOICE_SECONDS_MAX);
    CHECK(l.count > (size_t)t.rate * 10);
    for (int i = 0; i < 255; i++)
        strange[i] = (char)(i + 1);
    strange[255] = '\0';
    speak(&l, strange);
    loop_run(t.loop);
    CHECK_INT(l.said, 1);
    speak(&l, "\xe4\xbd\xa0\xe5\xa5\xbd <b>[[x]] &amp;");
    loop_run(t.loop);
    CHECK_INT(l.said, 1);
    over();
}

static void mouths(void)
{
    static const struct {
        const char *ipa;
        int mouth; /* -1: none */
    } rows[] = {
        {"", VOICE_MOUTH_CLOSED},
        {"m", VOICE_MOUTH_CLOSED},
        {"i\xcb\x90", VOICE_MOUTH_E},
        {"\xc9\x91\xcb\x90\xc9\xb9", VOICE_MOUTH_A},
        {"u\xcb\x90", VOICE_MOUTH_O},
        {"t", -1},
        {"\xcb\x88"
         "a",
         VOICE_MOUTH_A},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum voice_mouth m = VOICE_MOUTH__COUNT;
        CHECK_INT(voice__mouth(rows[i].ipa, strlen(rows[i].ipa), &m), rows[i].mouth >= 0);
        if (rows[i].mouth >= 0)
            CHECK_INT(m, rows[i].mouth);
    }
}

static const struct tap_case cases[] = {
    {"a sentence, its length and its mouths", speaks},
    {"many speeches take turns", in_turn},
    {"the first line of a speech comes first", first_lines_first},
    {"what is stopped stays silent", stopped},
    {"an unknown voice", unknown_voice},
    {"a line without end", bounded},
    {"phonemes to mouths", mouths},
};
TAP_MAIN(cases)

/* Answers that are spoken, by a voice that speaks when it is told to; and barge-in. */
#include "unit/api/fixture.h"

#include "voice/voice_int.h"

#define TASKS 16

struct voice_task {
    struct voice_ear ear;
    char text[200];
    bool stopped, over;
};

static struct voice_task tasks[TASKS];
static unsigned started;
static struct voice the_voice;

static struct voice_task *fake_start(struct voice_provider *p, const struct voice_line *line,
                                     const struct voice_ear *ear)
{
    struct voice_task *k = &tasks[started];

    (void)p;
    MUST(started++ < TASKS);
    *k = (struct voice_task){.ear = *ear};
    snprintf(k->text, sizeof(k->text), "%.*s", STR_FMT(line->text));
    return k;
}

static void fake_stop(struct voice_task *k)
{
    k->stopped = true;
}

static const struct voice_ops fake_ops = {
    .name = "fake", .start = fake_start, .stop = fake_stop};

static uint64_t now_ns(void)
{
    return 1;
}

static void open_speaking_bar(void)
{
    open_bar(0);
    started = 0;
    fake_waiting = 0;
    the_voice = (struct voice){
        .cfg = {.how = {.language = "en", .speed = 1}, .now_ns = now_ns},
    };
    the_voice.seats[0] =
        (struct voice_seat){.state = SEAT_READY, .ops = &fake_ops, .rate = 1000};
    list_init(&the_voice.speeches);
    budget_init(&the_voice.own, 20000, NULL);
    histogram_init(&the_voice.stats.first_seconds, histogram_seconds, histogram_seconds_count);
    bar_api->cfg.voice = &the_voice;
}

/* Everything was given back. */
static void close_speaking_bar(void)
{
    struct session_stats st;

    CHECK_INT(the_voice.stats.speeches, 0);
    CHECK(list_empty(&the_voice.speeches));
    CHECK_INT(the_voice.own.used, 0);
    CHECK_INT(bar_api->talkers.count, 0);
    bar_s += 301;
    for (int i = 0; i < 20; i++)
        fake_reap();
    session_tick(bar_sessions, bar_s);
    session_stats(bar_sessions, &st);
    CHECK_INT(st.used, 0);
    close_bar();
}

/* Speak what waits: `count` samples; then what came after that, and so on. */
static void speak(size_t count)
{
    static int16_t samples[60000];
    const struct voice_viseme visemes[] = {{0, VOICE_MOUTH_A}, {7, VOICE_MOUTH_CLOSED}};

    for (unsigned i = 0; i < started; i++) {
        struct voice_task *k = &tasks[i];
        if (k->stopped || k->over)
            continue;
        k->over = true;
        k->ear.heard(k->ear.ctx, samples, count, visemes, 2);
        k->ear.said(k->ear.ctx, NULL);
    }
}

static void send(enum http_method method, const char *path, const char *query, const char *body,
                 struct answer *to)
{
    struct http_req *r = fake_request(method, path, query, body, strlen(body));

    fake_header(r, "x-session-id", "a");
    fake_send(bar_api, r, to);
}

static void stream(const char *more, struct answer *to)
{
    char query[200];

    snprintf(query, sizeof(query), "message=hi&%s", more);
    send(HTTP_GET, "/api/chat/stream", query, "", to);
}

static void stop(const char *wanted)
{
    struct answer a;

    send(HTTP_POST, "/api/chat/stop", "", "", &a);
    CHECK_INT(a.status, 200);
    CHECK(strstr(buf_text(&a.body), wanted) != NULL);
    answer_release(&a);
}

/* The kinds of the events, in order, in one letter each; audio with its sentence. */
static const char *kinds(const struct answer *a)
{
    static char out[400];
    size_t used = 0;

    out[0] = '\0';
    for (const char *at = buf_text(&a->body); (at = strstr(at, "\"type\": \"")); at++) {
        const char *type = at + 9, *sentence = strstr(at, "\"sentence\": ");
        if (strncmp(type, "audio\"", 6) == 0)
            used += (size_t)snprintf(out + used, sizeof(out) - used, "%c", sentence[12]);
        else if (strncmp(type, "text_chunk", 10) != 0)
            used += (size_t)snprintf(out + used, sizeof(out) - used, "%s",
                                     strncmp(type, "audio_end", 9) == 0 ? "E"
                                     : strncmp(type, "session", 7) == 0 ? ""
                                     : *type == 's'                     ? "s"
                                     : *type == 'c'                     ? "C"
                                                                        : "X");
    }
    return out;
}

static bool has(const struct answer *a, const char *part)
{
    return strstr(buf_text(&a->body), part) != NULL;
}

static void test_events(void)
{
    struct answer a;

    open_speaking_bar();
    stream("voice=1", &a);
    CHECK_STR(kinds(&a), "ss");
    CHECK_STR(tasks[0].text, "Mister Smith pays thirteen dollars.");
    speak(50);
    CHECK_STR(kinds(&a), "ss01"); /* while the turn is being committed */
    fake_reap();
    CHECK_STR(kinds(&a), "ss01sC");
    CHECK(!a.whole);
    speak(50);
    CHECK_STR(kinds(&a), "ss01sC2E");
    CHECK(a.whole);
    CHECK(has(
        &a, "data: {\"type\": \"audio\", \"session_id\": \"a\", \"sentence\": 0, \"chunk\": 0, "
            "\"last\": true, \"format\": \"wav\", \"sample_rate\": 1000, \"content\": \"Mr. "
            "Smith pays $13.00.\", \"voice\": \"cartesia\", \"seconds\": 0.050, \"visemes\": "
            "[{\"at\": 0.000, "
            "\"viseme\": \"mouth_talk_a\"}, {\"at\": 0.007, \"viseme\": \"mouth_closed\"}], "
            "\"audio_base64\": \"UklGRogAAABXQVZF"));
    CHECK(has(&a, "{\"type\": \"audio_end\", \"session_id\": \"a\", \"outcome\": \"spoken\", "
                  "\"voice\": \"cartesia\"}"));
    CHECK(!has(&a, "id: 1-0-0\ndata: {\"type\": \"audio"));
    answer_release(&a);
    close_speaking_bar();
}

/* Who does not ask gets what there always was; where nobody speaks, text. */
static void test_silence(void)
{
    struct answer plain, asked, body;

    open_speaking_bar();
    stream("voice=0", &plain);
    fake_reap();
    CHECK(plain.whole);
    CHECK_STR(kinds(&plain), "sssC");
    CHECK_INT(started, 0);
    answer_release(&plain);
    the_voice.seats[0].state = SEAT_EMPTY;
    stream("audio=wav", &asked);
    fake_reap();
    CHECK(asked.whole);
    CHECK_STR(kinds(&asked), "sssCE");
    CHECK(has(&asked, "\"outcome\": \"failed\""));
    answer_release(&asked);
    send(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\",\"voice\":true}", &body);
    fake_reap();
    CHECK(body.whole && has(&body, "\"audio_base64\":null"));
    answer_release(&body);
    bar_api->cfg.voice = NULL;
    send(HTTP_GET, "/api/speech/1", "", "", &body);
    CHECK(body.status == 501 && has(&body, "voice_unavailable"));
    answer_release(&body);
    bar_api->cfg.voice = &the_voice;
    close_speaking_bar();
}

static void test_whole_answer(void)
{
    struct answer a;

    open_speaking_bar();
    send(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\",\"audio\":\"WAV\"}", &a);
    fake_reap();
    CHECK(!a.whole);
    speak(5);
    CHECK(a.whole && a.status == 200);
    CHECK(has(&a, "{\"response_text\":\"Mr. Smith"));
    CHECK(has(&a, ",\"audio_base64\":\"UklGRkIAAABXQVZFZm10IB")); /* its sizes are known */
    CHECK(has(&a, "\",\"payment_summary\":{"));
    answer_release(&a);
    /* more than the budget holds: text all the same */
    send(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\",\"voice\":true}", &a);
    fake_reap();
    speak(9000);
    CHECK(a.whole && has(&a, "\"audio_base64\":null,\"payment_summary\""));
    answer_release(&a);
    close_speaking_bar();
}

static void test_bad_parameters(void)
{
    static const struct {
        const char *query, *part;
    } rows[] = {
        {"voice=maybe", "voice is yes or no"},
        {"audio=flac", "audio is one of wav, pcm, opus and mp3"},
        {"interrupt=2", "interrupt is yes or no"},
    };
    struct answer a;

    open_speaking_bar();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        stream(rows[i].query, &a);
        CHECK(a.status == 400 && has(&a, rows[i].part));
        answer_release(&a);
    }
    send(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\",\"voice\":[]}", &a);
    CHECK(a.status == 400 && has(&a, "voice is yes or no"));
    answer_release(&a);
    close_speaking_bar();
}

static void test_stop_undoes(void)
{
    struct answer first, waiting, a;

    open_speaking_bar();
    fake.hold_gets = true;
    stream("voice=1", &first); /* its session is being read */
    stream("", &waiting);      /* and this one waits for it */
    stop("\"turns\":2,\"speeches\":0");
    CHECK(first.whole && first.status == 409 && has(&first, "turn_stopped"));
    CHECK(waiting.whole && waiting.status == 409);
    fake.hold_gets = false;
    fake_reap();
    CHECK_INT(fake.puts, 0);
    answer_release(&first);
    answer_release(&waiting);
    ask(HTTP_GET, "/api/session/history", "", "a", "", &a);
    CHECK(has(&a, "\"history\":[]"));
    answer_release(&a);
    close_speaking_bar();
}

static void test_stop_silences(void)
{
    struct answer a, text;

    open_speaking_bar();
    stream("voice=1", &a);
    stop("\"turns\":0,\"speeches\":1"); /* being committed: it stands */
    CHECK(tasks[0].stopped);
    fake_reap();
    CHECK(a.whole);
    CHECK_STR(kinds(&a), "sssCE");
    CHECK(has(&a, "\"outcome\": \"stopped\""));
    answer_release(&a);
    stream("voice=1", &a);
    fake_reap();
    speak(10);
    stream("voice=1", &text);
    fake_reap();
    stop("\"turns\":0,\"speeches\":1"); /* one is over already */
    CHECK(a.whole && text.whole);
    CHECK_STR(kinds(&text), "sssCE");
    stop("\"turns\":0,\"speeches\":0");
    answer_release(&a);
    answer_release(&text);
    send(HTTP_POST, "/api/chat", "", "{\"user_input\":\"hi\",\"voice\":true}", &a);
    fake_reap();
    stop("\"turns\":0,\"speeches\":1");
    CHECK(a.whole && a.status == 200 && has(&a, "\"audio_base64\":null"));
    answer_release(&a);
    struct http_req *r = fake_request(HTTP_POST, "/api/chat/stop", "", "", 0);
    fake_send(bar_api, r, &a);
    CHECK(a.status == 400 && has(&a, "must say which session"));
    answer_release(&a);
    close_speaking_bar();
}

static void test_interrupt(void)
{
    struct answer old, new;

    open_speaking_bar();
    stream("voice=1", &old);
    fake_reap();
    send(HTTP_POST, "/api/chat", "", "{\"user_input\":\"wait\",\"interrupt\":true}", &new);
    CHECK(old.whole);
    CHECK_STR(kinds(&old), "sssCE");
    fake_reap();
    CHECK(new.whole &&has(&new, "\"content\":\"wait\""));
    answer_release(&old);
    answer_release(&new);
    stream("voice=1", &old); /* without it nobody is interrupted */
    fake_reap();
    stream("", &new);
    fake_reap();
    CHECK(new.whole && !old.whole);
    speak(10);
    CHECK(old.whole);
    answer_release(&old);
    answer_release(&new);
    close_speaking_bar();
}

/* Whoever asked leaves at every moment. */
static void test_gone(void)
{
    static const char *const bodies[] = {NULL, "{\"user_input\":\"hi\",\"voice\":true}"};
    struct answer a;

    for (size_t kind = 0; kind < ARRAY_LEN(bodies); kind++)
        for (int when = 0; when < 6; when++) {
            open_speaking_bar();
            fake.hold_gets = when == 0;
            if (bodies[kind])
                send(HTTP_POST, "/api/chat", "", bodies[kind], &a);
            else
                stream("voice=1", &a);
            if (when == 1)
                speak(10);
            if (when >= 2)
                fake_reap();
            for (int i = 2; i < when && i < 5; i++) { /* one sentence, two */
                tasks[i - 2].over = true;
                tasks[i - 2].ear.said(tasks[i - 2].ear.ctx, &(struct err){.code = ERR_VOICE});
            }
            CHECK_INT(a.whole, when == 5);
            fake_leave(&a);
            fake.hold_gets = false;
            answer_release(&a);
            close_speaking_bar();
        }
}

static void test_reader_behind(void)
{
    struct answer a;

    open_speaking_bar();
    stream("voice=1", &a);
    fake_reap();
    fake_waiting = 100000;
    speak(12000);
    CHECK_STR(kinds(&a), "sssC0"); /* the first of two chunks */
    CHECK_INT(started, 1);
    a.from->on_room(a.from->ctx, a.from);
    CHECK_STR(kinds(&a), "sssC00");
    fake_drain(&a); /* it may end what it has begun */
    CHECK(!a.whole);
    fake_waiting = 0;
    a.from->on_room(a.from->ctx, a.from);
    CHECK_INT(started, 2);
    speak(10);
    CHECK(a.whole);
    CHECK_STR(kinds(&a), "sssC0012E");
    answer_release(&a);
    close_speaking_bar();
}

/* The session falls asleep while its last words wait for their listener. */
static void test_session_sleeps(void)
{
    struct session_stats st;
    struct answer a;

    for (int room = 0; room < 2; room++) {
        open_speaking_bar();
        the_voice.own.limit = room ? 0 : 100;
        stream("voice=1", &a);
        fake_reap();
        fake_waiting = 100000;
        speak(8000);
        bar_s += 301;
        session_tick(bar_sessions, bar_s);
        session_stats(bar_sessions, &st);
        CHECK_INT(st.resident, 0);
        CHECK_INT(st.used, 0);
        CHECK_INT(the_voice.own.used > 16000, room);
        CHECK_INT(a.whole, !room);
        CHECK_INT(has(&a, "\"outcome\": \"over_budget\""), !room);
        fake_waiting = 0;
        if (room) {
            a.from->on_room(a.from->ctx, a.from);
            speak(10);
            CHECK(a.whole && has(&a, "\"outcome\": \"spoken\""));
        }
        answer_release(&a);
        close_speaking_bar();
    }
}

static void test_resumed(void)
{
    struct answer a;

    open_speaking_bar();
    stream("", &a);
    fake_reap();
    answer_release(&a);
    struct http_req *r =
        fake_request(HTTP_GET, "/api/chat/stream", "message=hi&voice=1", "", 0);
    fake_header(r, "x-session-id", "a");
    fake_header(r, "last-event-id", "1-30-1");
    fake_send(bar_api, r, &a);
    speak(10);
    CHECK(a.whole);
    CHECK_STR(kinds(&a), "ssC12E"); /* only what was not told, by its number */
    answer_release(&a);
    close_speaking_bar();
}

static void test_repeated(void)
{
    struct answer a;

    open_speaking_bar();
    for (int i = 0; i < 2; i++) {
        struct http_req *r =
            fake_request(HTTP_GET, "/api/chat/stream", "message=hi&voice=1", "", 0);
        fake_header(r, "x-session-id", "a");
        fake_header(r, "idempotency-key", "k");
        fake_send(bar_api, r, &a);
        fake_reap();
        speak(10);
        speak(10);
        CHECK(a.whole);
        CHECK(strchr(kinds(&a), 'E') && strchr(kinds(&a), '2'));
        answer_release(&a);
    }
    close_speaking_bar();
}

static void test_speech(void)
{
    static const struct {
        const char *path, *query;
        int status;
        const char *part;
    } rows[] = {
        {"/api/speech/2", "", 404, "no turn of that number"},
        {"/api/speech/0", "", 404, "A turn is a number"},
        {"/api/speech/x", "", 404, "A turn is a number"},
        {"/api/speech/99999999999999999999", "", 404, "A turn is a number"},
        {"/api/speech/1", "format=flac", 400, "format is one of wav, pcm, opus and mp3"},
    };
    struct answer a;

    open_speaking_bar();
    stream("", &a);
    fake_reap();
    answer_release(&a);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        send(HTTP_GET, rows[i].path, rows[i].query, "", &a);
        CHECK(a.whole && a.status == rows[i].status && has(&a, rows[i].part));
        answer_release(&a);
    }
    send(HTTP_HEAD, "/api/speech/1", "", "", &a);
    CHECK_INT(a.status, 405);
    answer_release(&a);
    struct http_req *r =
        fake_request(HTTP_GET, "/api/speech/1", "session_id=a&format=wav", "", 0);
    fake_send(bar_api, r, &a);
    CHECK_INT(a.status, 0);
    speak(10);
    CHECK(a.whole && a.status == 200);
    CHECK_INT(a.body.len, 44 + 3 * 20);
    CHECK(strstr(buf_text(&a.headers), "X-Session-ID: a\n"));
    answer_release(&a);
    send(HTTP_GET, "/api/speech/1", "", "", &a); /* gone, before and while it is heard */
    fake_leave(&a);
    answer_release(&a);
    send(HTTP_GET, "/api/speech/1", "", "", &a);
    fake_waiting = 100000;
    speak(10);
    CHECK(a.status == 200 && !a.whole);
    fake_leave(&a);
    answer_release(&a);
    fake_waiting = 0;
    send(HTTP_GET, "/api/speech/1", "", "", &a); /* stopped */
    stop("\"turns\":0,\"speeches\":1");
    CHECK(a.whole && a.status == 409);
    answer_release(&a);
    close_speaking_bar();
}

/* Many readings of one session, some that wait for it: bounded, and ended with one word. */
static void test_many_readings(void)
{
    struct answer turn, a[9];

    open_speaking_bar();
    stream("", &turn);
    fake_reap();
    answer_release(&turn);
    stream("", &turn); /* holds the session */
    for (int i = 0; i < 7; i++)
        send(HTTP_GET, "/api/speech/1", "", "", &a[i]);
    CHECK_INT(a[4].status, 429); /* so many may wait for a session */
    fake_reap();
    for (int i = 0; i < 9; i++) {
        if (i < 4)
            continue;
        if (i < 7)
            answer_release(&a[i]);
        send(HTTP_GET, "/api/speech/1", "", "", &a[i]);
    }
    CHECK(a[8].whole && a[8].status == 429 && has(&a[8], "8 answers are being spoken"));
    stop("\"turns\":0,\"speeches\":8");
    for (int i = 0; i < 9; i++) {
        CHECK(a[i].whole && a[i].status == (i < 8 ? 409 : 429));
        answer_release(&a[i]);
    }
    answer_release(&turn);
    stream("", &turn);
    send(HTTP_GET, "/api/speech/1", "", "", &a[0]); /* waits for the session */
    stop("\"turns\":0,\"speeches\":1");
    CHECK(a[0].whole && a[0].status == 409);
    answer_release(&a[0]);
    fake_reap();
    answer_release(&turn);
    close_speaking_bar();
}

static const struct tap_case cases[] = {
    {"audio comes between the events of a reply", test_events},
    {"who does not ask, and where nobody speaks", test_silence},
    {"a whole answer with its audio", test_whole_answer},
    {"bad parameters", test_bad_parameters},
    {"a stop undoes what is not committed", test_stop_undoes},
    {"a stop silences what is", test_stop_silences},
    {"a message that interrupts", test_interrupt},
    {"clients that leave at every moment", test_gone},
    {"a reader that is behind", test_reader_behind},
    {"a session that falls asleep while it speaks", test_session_sleeps},
    {"a reader that comes back", test_resumed},
    {"a message that is repeated", test_repeated},
    {"a reply read out", test_speech},
    {"many readings of one session", test_many_readings},
};

SEALED_MAIN(cases)

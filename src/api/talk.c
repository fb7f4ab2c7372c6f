/*
 * A speech for a client: on the session's budget as long as that is in memory, and no faster
 * than the client takes it.
 */
#include "api/api_int.h"

#include "base/json_text.h"
#include "mind/mind.h"

#include <string.h>

#define QUEUE_HIGH                                                                             \
    ((size_t)64 * 1024) /* above, a reader gets no more until it has all of it                 \
                         */

static void on_audio(void *ctx, const struct speech_chunk *chunk)
{
    struct api_talk *t = ctx;
    size_t waiting = t->audio(t, chunk);

    if (waiting && t->speech) /* more when the reader has all of it */
        speech_pause(t->speech, true);
}

/* Who speaks is known as long as there is a speech. */
static void note(struct api_talk *t)
{
    t->voice = speech_voice(t->speech);
    str_copy(t->why, sizeof(t->why), speech_why(t->speech));
}

static void on_ended(void *ctx, enum voice_outcome o)
{
    struct api_talk *t = ctx;

    session_alight(&t->rider);
    note(t);
    t->speech = NULL;
    t->outcome = o;
    t->ended(t);
}

/* The session leaves memory. What cannot be held without it is not said. */
static void on_session_gone(struct session_rider *r)
{
    struct api_talk *t = LIST_ITEM(r, struct api_talk, rider);

    if (speech_charge(t->speech, NULL))
        return;
    api__talk_stop(t, VOICE_OVER_BUDGET);
    t->ended(t);
}

bool api__talk_begin(struct api_talk *t, struct api *a, const struct session *s,
                     enum voice_format format, bool joined)
{
    const struct speech_sink sink = {t, on_audio, on_ended};
    struct speech_want want = {.format = format, .joined = joined};
    struct buf key = BUF_INIT;

    t->outcome = VOICE_FAILED;
    t->voice = VOICE__COUNT;
    t->rider.gone = on_session_gone;
    session_ride(s, &t->rider);
    want.budget = &t->rider.session->budget;
    buf_reserve(&key, 1024); /* so that no copy of it is left behind by growing */
    if (session_cartesia_key(s, &key, NULL) == 0)
        want.key = (struct str){key.data, key.len};
    t->speech = speech_new(a->cfg.voice, &want, &sink);
    buf_wipe(&key);
    if (!t->speech)
        session_alight(&t->rider);
    return t->speech != NULL;
}

void api__talk_stop(struct api_talk *t, enum voice_outcome why)
{
    if (!t->speech)
        return;
    note(t);
    speech_stop(&t->speech);
    session_alight(&t->rider);
    t->outcome = why;
}

void api__talk_room(struct api_talk *t)
{
    if (t->speech)
        speech_pause(t->speech, false);
}

void api__talk_say(struct api_talk *t, struct str text)
{
    size_t n;

    while (t->speech && (n = sentence_next(text.data, text.len, true)) > 0) {
        speech_say(t->speech, (struct str){text.data, n});
        text = (struct str){text.data + n, text.len - n};
    }
}

void api__voice_members(struct buf *out, const struct api_talk *t, const char *between)
{
    const char *colon = strlen(between) > 1 ? ": " : ":";

    if (!t->speech && *voice_text(t->voice))
        buf_printf(out, "%s\"voice\"%s\"%s\"", between, colon, voice_text(t->voice));
    if (!t->why[0])
        return;
    buf_printf(out, "%s\"voice_why\"%s", between, colon);
    json_text(out, t->why, strlen(t->why), colon[1] == ' ');
}

/* Who asks for audio, and for which. */

static bool asked(struct http_req *req, const char *name, struct str given, bool *ret)
{
    static const char *const yes[] = {"1", "true", "yes", "on"},
                             *no[] = {"", "0", "false", "no", "off"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (str_eq_nocase(given, yes[i])) {
            *ret = true;
            return true;
        }
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (str_eq_nocase(given, no[i])) {
            *ret = false;
            return true;
        }
    struct err e;
    err_set(&e, ERR_INVALID, 0, "%s is yes or no: true or false, 1 or 0", name);
    api__error(req, &e);
    return false;
}

/* A member of the body, or else a parameter, as text; false: neither. */
static bool given(struct http_req *req, const json_t *body, const char *name, struct buf *out)
{
    const json_t *v = json_object_get(body, name);

    buf_clear(out);
    if (json_is_string(v))
        buf_add(out, json_string_value(v), json_string_length(v));
    else if (json_is_boolean(v))
        buf_str(out, json_is_true(v) ? "true" : "false");
    else if (json_is_integer(v))
        buf_printf(out, "%lld", (long long)json_integer_value(v));
    else if (v && !json_is_null(v))
        buf_str(out, "?"); /* refused below */
    else
        return http_req_param(req, name, out);
    return true;
}

bool api__flag(struct http_req *req, const json_t *body, const char *name, bool *ret)
{
    struct buf text = BUF_INIT;
    bool fine = true;

    if (given(req, body, name, &text))
        fine = asked(req, name, (struct str){buf_text(&text), text.len}, ret);
    buf_release(&text);
    return fine;
}

bool api__format(struct http_req *req, const json_t *body, const char *name,
                 enum voice_format *ret, bool *ret_given)
{
    struct buf text = BUF_INIT;
    struct err e;
    bool fine = true;

    *ret_given = given(req, body, name, &text) && text.len;
    if (*ret_given && !voice_format_parse((struct str){text.data, text.len}, ret)) {
        err_set(&e, ERR_INVALID, 0, "%s is one of wav, pcm, opus and mp3", name);
        api__error(req, &e);
        fine = false;
    }
    buf_release(&text);
    return fine;
}

bool api__wants_voice(struct api *a, struct http_req *req, const json_t *body, bool *ret,
                      enum voice_format *ret_format)
{
    bool format_given;
    struct err e;

    *ret = false;
    *ret_format = VOICE_WAV;
    if (!api__format(req, body, "audio", ret_format, &format_given))
        return false;
    *ret = format_given;
    if (!api__flag(req, body, "voice", ret))
        return false;
    /* Nobody speaking is no reason not to answer; a format that cannot be had is one to ask. */
    if (*ret && a->cfg.voice && *voice_name_own(a->cfg.voice) &&
        voice_ready(a->cfg.voice, *ret_format, &e) < 0) {
        api__error(req, &e);
        return false;
    }
    return true;
}

/*
 * GET /speech/{turn}: the reply of a turn, read out, for an <audio> element. The answer begins
 * with the first audio, so that what prevents it can still be said with a status.
 */
#include "api/api_int.h"

#include <stdlib.h>

#define MAX_TALKERS 8 /* of one session */

struct speak {
    struct api_call call;
    struct api *api;
    struct http_req *req;
    struct session_wait wait;
    struct api_talker talker;
    struct api_talk talk;
    enum voice_format format;
    uint32_t turn;
    bool waiting, inside, over, begun;
    char id[SESSION_ID_MAX + 1];
};

static void end(struct speak *k)
{
    api__talk_stop(&k->talk, VOICE_STOPPED);
    api__talker_remove(&k->talker);
    k->over = true;
    if (!k->inside)
        free(k);
}

static void on_gone(void *ctx, struct http_req *req)
{
    struct speak *k = http_req_ctx(req);

    (void)ctx;
    if (k->waiting)
        session_wait_cancel(&k->wait);
    end(k);
}

static void on_drain(void *ctx, struct http_req *req)
{
    (void)ctx;
    (void)req; /* it ends soon by itself */
}

static void on_room(void *ctx, struct http_req *req)
{
    struct speak *k = http_req_ctx(req);

    (void)ctx;
    api__talk_room(&k->talk);
}

static size_t on_audio(struct api_talk *t, const struct speech_chunk *c)
{
    struct speak *k = LIST_ITEM(t, struct speak, talk);

    if (!k->begun) {
        char type[64];
        bool bare = k->format == VOICE_PCM; /* which does not say how to play it */
        snprintf(type, sizeof(type), bare ? "%s; rate=%u; channels=1" : "%s",
                 voice_format_type(k->format), c->rate);
        http_header(k->req, "X-Session-ID", "%s", k->id);
        http_header(k->req, "Cache-Control", "no-store");
        http_stream_begin(k->req, 200, type);
        http_stream_on_drain(k->req, on_drain);
        http_stream_on_room(k->req, on_room);
    }
    k->begun = true;
    return http_stream_write(k->req, c->data.data, c->data.len);
}

static void on_spoken(struct api_talk *t)
{
    static const enum err_code codes[VOICE_OUTCOME__COUNT] = {
        [VOICE_STOPPED] = ERR_STOPPED,
        [VOICE_OVER_BUDGET] = ERR_SESSION_MEMORY,
        [VOICE_FAILED] = ERR_VOICE,
    };
    struct speak *k = LIST_ITEM(t, struct speak, talk);

    if (k->begun)
        http_stream_end(k->req);
    else if (t->outcome == VOICE_SPOKEN) /* nothing of it can be said */
        http_answer(k->req, 204, NULL, NULL, 0);
    else
        api__error_code(k->req, codes[t->outcome],
                        t->outcome == VOICE_FAILED && t->why[0] ? t->why : NULL);
    end(k);
}

static void hush(struct api_talker *talker, struct api_hushed *did)
{
    struct speak *k = LIST_ITEM(talker, struct speak, talker);

    did->speeches++;
    if (k->waiting) /* for its session: then it will not come */
        session_wait_cancel(&k->wait);
    k->waiting = false;
    api__talk_stop(&k->talk, VOICE_STOPPED);
    k->talk.outcome = VOICE_STOPPED;
    on_spoken(&k->talk);
}

static void on_looked(struct session_wait *w, struct session *s, const struct err *e)
{
    struct speak *k = LIST_ITEM(w, struct speak, wait);
    const struct session_message *said = s ? api__said_in(s, k->turn) : NULL;
    bool outer = k->inside;

    k->waiting = false;
    if (e) {
        api__error(k->req, e);
    } else if (!said) {
        api__error_code(k->req, ERR_NOT_FOUND,
                        "This session's history has no turn of that number.");
    } else if (!api__talk_begin(&k->talk, k->api, s, k->format, true)) {
        api__error_code(k->req, ERR_SESSION_MEMORY, NULL);
    } else {
        k->inside = true;
        api__talk_say(&k->talk, (struct str){said->next->text, said->next->len});
        session_leave(s);
        if (k->talk.speech)
            speech_finish(k->talk.speech);
        k->inside = outer;
        if (k->over && !outer)
            free(k);
        return;
    }
    if (s)
        session_leave(s);
    end(k);
}

/* False: answered. */
static bool read_turn(struct http_req *req, uint32_t *ret)
{
    struct str given = api__path_param(req);
    char text[16];
    int64_t turn = 0;
    bool fine = given.len < sizeof(text);

    snprintf(text, sizeof(text), "%.*s", fine ? (int)given.len : 0, given.data);
    fine = fine && str_to_int(text, &turn) && turn > 0 && turn <= INT32_MAX;
    *ret = fine ? (uint32_t)turn : 0;
    if (!fine)
        api__error_code(req, ERR_NOT_FOUND, "A turn is a number from 1 on.");
    return fine;
}

/* Somebody speaks, and in this format? False: answered. */
static bool read_format(struct api *a, struct http_req *req, enum voice_format *ret)
{
    struct err e;
    bool given;

    *ret = VOICE_WAV;
    if (!api__format(req, NULL, "format", ret, &given))
        return false;
    if (!a->cfg.voice) {
        api__error_code(req, ERR_VOICE, NULL);
        return false;
    }
    if (voice_ready(a->cfg.voice, *ret, &e) < 0) {
        api__error(req, &e);
        return false;
    }
    return true;
}

/* One session must not keep the voice for itself. False: answered. */
static bool enlist(struct speak *k)
{
    struct err e;

    if (api__talker_count(k->api, k->id) >= MAX_TALKERS) {
        err_set(&e, ERR_BUSY_TURN, 0, "%d answers are being spoken in this session already",
                MAX_TALKERS);
        api__error(k->req, &e);
        return false;
    }
    if (api__talker_add(k->api, &k->talker, k->id))
        return true;
    api__error_code(k->req, ERR_NOMEM, NULL);
    return false;
}

void api__speech(struct api *a, struct http_req *req)
{
    const struct api_call *call = http_req_ctx(req);
    struct speak *k = calloc(1, sizeof(*k));

    if (!k) {
        api__error_code(req, ERR_NOMEM, NULL);
        return;
    }
    *k = (struct speak){
        .call = *call, .api = a, .req = req, .wait = {.ready = on_looked}, .waiting = true};
    k->talk.audio = on_audio;
    k->talk.ended = on_spoken;
    k->talker.hush = hush;
    if (!read_turn(req, &k->turn) || !api__stream_session_id(req, k->id) ||
        !read_format(a, req, &k->format)) {
        free(k);
        return;
    }
    if (!enlist(k)) {
        free(k);
        return;
    }
    http_req_set_ctx(req, k);
    http_req_on_gone(req, on_gone);
    k->inside = true;
    agent_look(a->cfg.agent, k->id, &k->wait);
    k->inside = false;
    if (k->over)
        free(k);
}

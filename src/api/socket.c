/* A spoken conversation on a WebSocket: its life, and what its client says. */
#include "api/socket_int.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX ((size_t)64 * 1024)
#define QUEUED_MAX ((size_t)1024 * 1024)
#define QUIET_MS 30000

static const struct {
    const char *type;
    void (*handler)(struct conversation *v, const json_t *said);
} messages[] = {
#define SAID(name, type, handler, members, what) {type, handler},
#include "api/socket_said.def"
#undef SAID
};

void socket__enter(struct conversation *v)
{
    v->inside++;
}

void socket__leave(struct conversation *v)
{
    if (--v->inside || !v->over)
        return;
    buf_release(&v->text);
    buf_release(&v->next);
    buf_release(&v->early);
    free(v);
}

void socket__error(struct conversation *v, const struct err *e)
{
    if (!v->over)
        api__event_error(&v->events, e);
}

void socket__error_code(struct conversation *v, enum err_code code, const char *text)
{
    struct err e;

    err_set(&e, code, 0, "%s", text ? text : err_sentence(code));
    socket__error(v, &e);
}

/* The session leaves memory: nobody pays any more, and the limits of the socket hold. */
static void on_session_gone(struct session_rider *r)
{
    struct conversation *v = LIST_ITEM(r, struct conversation, rider);

    if (v->hearing && !hearing_charge(v->hearing, NULL))
        socket__deaf(v);
    if (v->ws && !ws_charge(v->ws, NULL))
        ws_close(v->ws, WS_INTERNAL, "out of memory");
}

void socket__bind(struct conversation *v, const struct session *s)
{
    if (v->over || (v->rider.session && v->rider.session == s))
        return;
    v->rider.gone = on_session_gone;
    session_ride(s, &v->rider);
    struct budget *b = &v->rider.session->budget;
    if (ws_charge(v->ws, b) && (!v->hearing || hearing_charge(v->hearing, b)))
        return;
    on_session_gone(&v->rider);
    session_alight(&v->rider);
    socket__error_code(v, ERR_SESSION_MEMORY, NULL);
}

/* What the client says. */

static bool read_id(struct conversation *v, const json_t *said)
{
    const json_t *id = json_object_get(said, "session_id");
    const char *text = json_string_value(id);

    if (!id || json_is_null(id))
        return true;
    if (!text || !session_id_valid(text, json_string_length(id))) {
        socket__error_code(v, ERR_SESSION_ID,
                           "session_id must be 1 to 128 characters of A-Z a-z 0-9 _ - . :");
        return false;
    }
    if (strcmp(text, v->id) == 0)
        return true;
    if (v->known || v->audio != AUDIO_NONE) {
        socket__error_code(v, ERR_INVALID,
                           "This conversation has begun in another session; open a new one");
        return false;
    }
    str_copy(v->id, sizeof(v->id), text);
    str_copy(v->events.id, sizeof(v->events.id), text);
    return true;
}

/* speak: true, false, or {"format": "opus"}. */
static bool read_speak(struct conversation *v, const json_t *said)
{
    struct voice *voice = v->api->cfg.voice;
    const json_t *speak = json_object_get(said, "speak");
    const json_t *format = json_object_get(speak, "format");
    struct str name = {json_string_value(format), json_string_length(format)};
    enum voice_format f = VOICE_WAV;
    struct err e;

    if (!speak || json_is_null(speak))
        return true;
    if (json_is_boolean(speak)) {
        v->voiced = json_is_true(speak);
    } else if (!json_is_object(speak) || (format && !json_is_string(format)) ||
               (format && !voice_format_parse(name, &f))) {
        socket__error_code(v, ERR_INVALID,
                           "speak is true, false or {\"format\": one of wav, pcm, opus, mp3}");
        return false;
    } else {
        v->voiced = true;
    }
    v->format = f;
    if (v->voiced && voice && *voice_name_own(voice) && voice_ready(voice, f, &e) < 0) {
        v->voiced = false;
        socket__error(v, &e);
        return false;
    }
    return true;
}

/* False: told. */
static bool read_audio(struct conversation *v, const json_t *audio)
{
    const json_t *encoding = json_object_get(audio, "encoding");
    const json_t *rate = json_object_get(audio, "sample_rate");
    struct str name = {json_string_value(encoding), json_string_length(encoding)};
    json_int_t hz = rate ? json_integer_value(rate) : 16000;

    v->encoding = EARS_PCM;
    if (!json_is_object(audio) || (encoding && !json_is_string(encoding)) ||
        (encoding && !ears_encoding_parse(name, &v->encoding))) {
        socket__error_code(
            v, ERR_INVALID,
            "audio is {\"encoding\": pcm_s16le or opus, \"sample_rate\": 16000}");
        return false;
    }
    if ((rate && !json_is_integer(rate)) || hz < EARS_RATE_LEAST || hz > EARS_RATE_MOST) {
        socket__error_code(v, ERR_INVALID, "sample_rate is a number from 8000 to 48000");
        return false;
    }
    v->rate = (uint32_t)hz;
    return true;
}

static void tell_session(struct conversation *v)
{
    struct api_events *ev = &v->events;
    struct voice *voice = v->api->cfg.voice;
    bool heard = v->audio == AUDIO_HEARD || v->audio == AUDIO_LOOKING;

    api__event_open(ev, "session");
    buf_printf(&ev->line, ", \"audio\": %s, \"speak\": %s", heard ? "true" : "false",
               v->voiced && voice && *voice_name_own(voice) ? "true" : "false");
    api__event_send(ev);
}

void socket__start(struct conversation *v, const json_t *said)
{
    const json_t *audio = json_object_get(said, "audio");
    bool wanted = audio && !json_is_null(audio) && !json_is_false(audio);

    if (!read_id(v, said) || !read_speak(v, said) || (wanted && !read_audio(v, audio)))
        return;
    socket__deaf(v);
    v->audio = wanted ? AUDIO_LOOKING : AUDIO_NONE;
    tell_session(v);
    if (wanted)
        socket__listen(v);
}

void socket__text(struct conversation *v, const json_t *said)
{
    const json_t *text = json_object_get(said, "text");
    struct str s = {json_string_value(text), json_string_length(text)};

    if (!json_is_string(text) || str_trim(s).len == 0)
        socket__error_code(v, ERR_INVALID,
                           "A message of type text has a text that is not empty");
    else
        socket__say(v, s);
}

void socket__stop(struct conversation *v, const json_t *said)
{
    struct api_hushed did = socket__hush(v);

    (void)said;
    api__event_open(&v->events, "stopped");
    buf_printf(&v->events.line, ", \"turns\": %u, \"speeches\": %u", did.turns, did.speeches);
    api__event_send(&v->events);
}

void socket__finalize(struct conversation *v, const json_t *said)
{
    (void)said;
    v->finalize = v->audio == AUDIO_LOOKING;
    if (v->hearing)
        hearing_finalize(v->hearing);
}

void socket__close(struct conversation *v, const json_t *said)
{
    (void)said;
    ws_close(v->ws, WS_NORMAL, "");
}

static void unknown(struct conversation *v)
{
    static const char known[] = "type must be one of"
#define SAID(name, type, handler, members, what) " " type
#include "api/socket_said.def"
#undef SAID
        ;

    socket__error_code(v, ERR_INVALID, known);
}

static void on_text(struct conversation *v, const char *data, size_t len)
{
    json_error_t je = {0};
    json_t *said = json_region_load(data, len, 0, &je);
    const json_t *type = json_object_get(said, "type");
    struct err e;

    if (!said && json_error_code(&je) == json_error_out_of_memory) {
        socket__error_code(v, ERR_NOMEM, NULL);
    } else if (!json_is_object(said)) {
        err_set(&e, ERR_INVALID, 0, "A text message is one JSON object with a type%s%.120s",
                said ? "" : ": ", said ? "" : je.text);
        socket__error(v, &e);
    } else {
        void (*handler)(struct conversation *, const json_t *) = NULL;
        for (size_t i = 0; json_is_string(type) && i < ARRAY_LEN(messages); i++)
            if (strcmp(json_string_value(type), messages[i].type) == 0)
                handler = messages[i].handler;
        if (handler)
            handler(v, said);
        else
            unknown(v);
    }
    json_decref(said);
}

static void on_message(void *ctx, bool binary, const char *data, size_t len)
{
    struct conversation *v = ctx;

    socket__enter(v);
    if (binary)
        socket__audio(v, (struct str){data, len});
    else
        on_text(v, data, len);
    socket__leave(v);
}

/* Life. */

static void on_drained(void *ctx)
{
    socket__room(ctx);
}

static void on_draining(void *ctx)
{
    struct conversation *v = ctx;

    socket__enter(v);
    v->draining = true;
    socket__deaf(v);
    if (!v->turn && !v->talk.speech)
        ws_close(v->ws, WS_GOING_AWAY, "the server is shutting down");
    socket__leave(v);
}

static void on_closed(void *ctx, const struct ws_closed *c)
{
    struct conversation *v = ctx;

    log_debug("api", "conversation_over", "session=%s why=%s code=%d", log_id(v->id),
              ws_end_label(c->why), c->code);
    socket__enter(v);
    socket__deaf(v);
    if (v->rider.session && !ws_charge(v->ws, NULL))
        log_debug("api", "charge", "session=%s", log_id(v->id));
    session_alight(&v->rider);
    v->over = true;
    socket__turn_end(v);
    api__events_release(&v->events);
    v->ws = NULL;
    socket__leave(v);
}

/* A page may talk where it came from, and where its origin is allowed. */
static bool origin_may(const struct api *a, const struct http_req *req)
{
    struct str origin = http_req_header(req, "origin"), host = http_req_header(req, "host");
    const char *at = origin.len ? memchr(origin.data, ':', origin.len) : NULL;
    size_t skip = at ? (size_t)(at - origin.data) + strlen("://") : origin.len;

    if (!origin.data || api__origin_allowed(a, origin))
        return true;
    return host.data && origin.len - skip == host.len && origin.len > skip &&
           memcmp(origin.data + skip, host.data, host.len) == 0;
}

static int open_socket(struct api *a, struct http_req *req, struct conversation *v,
                       struct err *e)
{
    const struct ws_cfg cfg = {.max_message = MESSAGE_MAX,
                               .max_queued = QUEUED_MAX,
                               .quiet_ms = QUIET_MS,
                               .sink = {.ctx = v,
                                        .message = on_message,
                                        .drained = on_drained,
                                        .draining = on_draining,
                                        .closed = on_closed}};

    if (!origin_may(a, req))
        return err_set(e, ERR_FORBIDDEN, 0,
                       "A page of this origin may not talk here; ALLOW_ORIGINS says which may");
    return ws_accept(req, &cfg, &v->ws, e);
}

void api__voice(struct api *a, struct http_req *req)
{
    struct conversation *v = calloc(1, sizeof(*v));
    struct err e;

    if (!v) {
        api__error_code(req, ERR_NOMEM, NULL);
        return;
    }
    v->api = a;
    if (!api__stream_session_id(req, v->id)) {
        free(v);
        return;
    }
    if (open_socket(a, req, v, &e) < 0) {
        api__error(req, &e);
        free(v);
        return;
    }
    v->events.ws = v->ws;
    memcpy(v->events.id, v->id, sizeof(v->id));
    log_debug("api", "conversation", "session=%s", log_id(v->id));
    tell_session(v);
}

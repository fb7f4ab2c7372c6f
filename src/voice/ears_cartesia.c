/*
 * Cartesia's speech-to-text for conversations: one WebSocket a hearing, audio as binary
 * messages, turns as JSON. Wire format: docs.cartesia.ai, "STT (turns)", version 2026-08-14.
 */
#include "voice/ears_int.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "ink-2"
#define VERSION "2026-08-14"
#define MESSAGE_MAX ((size_t)64 * 1024)
#define QUEUE_MAX ((size_t)512 * 1024)  /* above it there is no helping it */
#define QUEUE_FULL ((size_t)128 * 1024) /* above it nobody gives more */
#define QUIET_MS 20000
#define HEADER_MAX 2048
#define FINAL_SILENCE_MS 1000

/* The shortest wait for more words that may be asked for, and what it is otherwise. */
#define HASTE                                                                                  \
    "{\"type\":\"config\",\"turn\":{\"turn_end_threshold\":0.5,\"turn_end_timeout_ms\":640}}"
#define PATIENCE                                                                               \
    "{\"type\":\"config\",\"turn\":{\"turn_end_threshold\":0.2,\"turn_end_timeout_ms\":5600}}"

struct ears_stream {
    struct hearing *hearing;
    struct ws *ws;
    uint32_t rate;
    bool opened, hasty, was_full;
};

static void stream_free(struct ears_stream *s)
{
    free(s);
}

/* It is over by its own words; the socket is not needed any more. */
static void give_up(struct ears_stream *s, enum ears_outcome o, bool again)
{
    struct hearing *h = s->hearing;

    ws_cut(s->ws);
    stream_free(s);
    hearing__over(h, o, again, 0);
}

static enum ears_outcome outcome_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return EARS_KEY;
    case 402:
        return EARS_CREDIT;
    case 429:
        return EARS_BUSY;
    default:
        return status >= 400 && status < 500 && status != 408 ? EARS_REFUSED : EARS_UNREACHABLE;
    }
}

static void on_opened(void *ctx)
{
    struct ears_stream *s = ctx;

    s->opened = true;
    hearing__listening(s->hearing);
}

static struct str text_of(const json_t *root, const char *name)
{
    const json_t *v = json_object_get(root, name);

    return json_is_string(v) ? (struct str){json_string_value(v), json_string_length(v)}
                             : (struct str){"", 0};
}

static void calm(struct ears_stream *s)
{
    if (s->hasty && s->ws)
        ws_send(s->ws, false, PATIENCE, strlen(PATIENCE));
    s->hasty = false;
}

/* May end `s`. */
static void take(struct ears_stream *s, const json_t *root)
{
    struct str type = text_of(root, "type");
    struct hearing *h = s->hearing;

    if (str_eq(type, "turn.start")) {
        hearing__began(h);
    } else if (str_eq(type, "turn.update")) {
        hearing__words(h, text_of(root, "transcript"), false);
    } else if (str_eq(type, "turn.end")) {
        calm(s);
        hearing__words(h, text_of(root, "transcript"), true);
    } else if (str_eq(type, "error")) {
        int status = (int)json_integer_value(json_object_get(root, "status_code"));
        enum ears_outcome o = outcome_of(status);
        give_up(s, o, o == EARS_UNREACHABLE);
    }
    /* turn.eager_end and turn.resume are a preview; what is not known yet is no error */
}

static void on_message(void *ctx, bool binary, const char *data, size_t len)
{
    struct ears_stream *s = ctx;
    json_error_t je;
    json_t *root = binary ? NULL : json_region_load(data, len, 0, &je);

    if (json_is_object(root))
        take(s, root);
    else if (!binary && !root && json_error_code(&je) == json_error_out_of_memory)
        give_up(s, EARS_NO_MEMORY, false);
    else if (!binary)
        give_up(s, EARS_MALFORMED, true);
    json_decref(root);
}

static void on_drained(void *ctx)
{
    struct ears_stream *s = ctx;

    if (!s->was_full)
        return;
    s->was_full = false;
    hearing__room(s->hearing);
}

static void on_closed(void *ctx, const struct ws_closed *c)
{
    struct ears_stream *s = ctx;
    struct hearing *h = s->hearing;
    bool opened = s->opened;

    stream_free(s);
    if (c->why == WS_REFUSED)
        hearing__over(h, outcome_of(c->status), false, c->retry_after_s);
    else if (c->why == WS_MEMORY || c->why == WS_BUDGET)
        hearing__over(h, EARS_NO_MEMORY, false, 0);
    else
        hearing__over(h, opened ? EARS_CUT : EARS_UNREACHABLE, opened, 0);
}

static bool write_url(struct buf *out, const struct ears_ask *ask)
{
    const char *rest = strstr(ask->url, "://");
    size_t len = rest ? strlen(rest) : 0;

    if (!rest)
        return false;
    while (len && rest[len - 1] == '/')
        len--;
    buf_printf(out,
               "ws%s%.*s/stt/turns/websocket?model=" MODEL "&encoding=pcm_s16le&sample_rate=%u",
               strncmp(ask->url, "https:", 6) == 0 ? "s" : "", (int)len, rest, ask->rate);
    return !out->full;
}

static struct ears_stream *open_cartesia(struct ears *n, struct hearing *h,
                                         const struct ears_ask *ask, struct err *e)
{
    struct ears_stream *s = calloc(1, sizeof(*s));
    struct buf url = BUF_INIT;
    char key[HEADER_MAX];
    const char *const headers[] = {key, "Cartesia-Version: " VERSION, NULL};
    struct ws_ask a = {.headers = headers,
                       .open_ms = ask->connect_ms,
                       .cfg = {.max_message = MESSAGE_MAX,
                               .max_queued = QUEUE_MAX,
                               .quiet_ms = QUIET_MS,
                               .sink = {.ctx = s,
                                        .opened = on_opened,
                                        .message = on_message,
                                        .drained = on_drained,
                                        .closed = on_closed}}};

    snprintf(key, sizeof(key), "Authorization: Bearer %.*s", STR_FMT(ask->key));
    bool fine = s && write_url(&url, ask);
    a.url = url.data;
    if (!fine)
        err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    else if (ws_connect(n->cfg.http, &a, &s->ws, e) < 0)
        fine = false;
    explicit_bzero(key, sizeof(key));
    buf_release(&url);
    if (fine && ask->budget && !ws_charge(s->ws, ask->budget)) {
        ws_cut(s->ws);
        err_set(e, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
        fine = false;
    }
    if (!fine) {
        free(s);
        return NULL;
    }
    s->hearing = h;
    s->rate = ask->rate;
    return s;
}

static void give(struct ears_stream *s, const int16_t *samples, size_t count)
{
    ws_send(s->ws, true, samples, count * sizeof(*samples));
}

static bool full(const struct ears_stream *s)
{
    bool is = ws_queued(s->ws) > QUEUE_FULL;

    if (is)
        ((struct ears_stream *)(uintptr_t)s)->was_full = true;
    return is;
}

/* It hears silence, and is told not to wait long for what might follow. */
static void finalize(struct ears_stream *s)
{
    static const int16_t silence[1024];
    size_t left = (size_t)s->rate * FINAL_SILENCE_MS / 1000;

    if (!s->hasty)
        ws_send(s->ws, false, HASTE, strlen(HASTE));
    s->hasty = true;
    for (; left && !full(s); left -= left < ARRAY_LEN(silence) ? left : ARRAY_LEN(silence))
        give(s, silence, left < ARRAY_LEN(silence) ? left : ARRAY_LEN(silence));
}

static bool charge(struct ears_stream *s, struct budget *b)
{
    return ws_charge(s->ws, b);
}

static void close_cartesia(struct ears_stream *s)
{
    ws_cut(s->ws);
    stream_free(s);
}

const struct ears_ops voice__ears_cartesia = {
    .name = "cartesia",
    .open = open_cartesia,
    .give = give,
    .full = full,
    .finalize = finalize,
    .charge = charge,
    .close = close_cartesia,
};

/*
 * Lines over contexts of a WebSocket. The speeches that use the server's key share one socket,
 * which is opened by the first and stays for the next; one with a key of its own has a socket
 * of its own. What comes for a context that nobody has any more is dropped.
 */
#include "voice/cartesia_int.h"

#include "base/log.h"
#include "seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUED_MAX ((size_t)256 << 10)
#define QUIET_MS 20000      /* then a ping asks whether it is still there */
#define IDLE_MS 240000      /* it closes an idle one after five minutes; we are first */
#define CONTEXT_IDLE_MS 700 /* it forgets a context a second after its last audio */
#define VISEMES_MAX 8192

struct cartesia_socket {
    struct list link; /* provider->sockets */
    struct voice_provider *provider;
    struct ws *ws;
    struct list talks;
    bool own;  /* with a key that is not the server's, or not any more */
    bool open; /* one may send */
    bool closing;
    int64_t idle_ms; /* since when nobody uses it */
};

static void free_socket(struct cartesia_socket *s)
{
    s->provider->asks->sockets--;
    list_remove(&s->link);
    free(s);
}

/* It is held up when everybody on it is. */
static void balance(struct cartesia_socket *s)
{
    bool held = !list_empty(&s->talks);

    LIST_EACH(at, after, &s->talks)
    {
        const struct voice_task *k =
            cartesia__first(LIST_ITEM(at, struct cartesia_talk, member));
        held &= k && k->held;
    }
    if (s->open && !s->closing)
        ws_pause(s->ws, held);
}

void cartesia__ws_hold(struct cartesia_talk *t)
{
    t->heard_ms = cartesia__now(t->provider);
    if (t->socket)
        balance(t->socket);
}

static bool send_say(struct cartesia_talk *t, struct str text, bool more, bool flush)
{
    const struct cartesia_say say = {
        .how = &t->provider->cfg->how,
        .text = text,
        .context = t->id,
        .more = more,
        .flush = flush,
    };
    struct buf out = BUF_INIT;
    bool sent;

    cartesia__write(&say, &out);
    sent = !out.full && ws_send(t->socket->ws, false, out.data, out.len);
    buf_release(&out);
    return sent;
}

static void send_cancel(struct cartesia_talk *t)
{
    struct buf out = BUF_INIT;

    cartesia__write_cancel(t->id, &out);
    if (!out.full)
        ws_send(t->socket->ws, false, out.data, out.len);
    buf_release(&out);
}

/* The context is over, on either side. */
static void forget_context(struct cartesia_talk *t)
{
    t->id[0] = '\0';
    t->pending = 0;
    t->before = t->now = 0;
    t->finished = false;
    free(t->visemes);
    t->visemes = NULL;
    t->viseme_count = 0;
}

void cartesia__ws_leave(struct cartesia_talk *t)
{
    struct cartesia_socket *s = t->socket;

    if (!s)
        return;
    if (t->id[0] && s->open && !s->closing) {
        if (t->pending)
            send_cancel(t);
        else if (!t->finished)
            send_say(t, (struct str){"", 0}, false, false);
    }
    forget_context(t);
    list_remove(&t->member);
    t->socket = NULL;
    s->idle_ms = cartesia__now(s->provider);
    if (s->own && !s->closing) {
        s->closing = true;
        ws_close(s->ws, WS_NORMAL, "");
    } else {
        balance(s);
    }
}

/* What comes. */

static struct cartesia_talk *find(struct cartesia_socket *s, const char *id)
{
    LIST_EACH(at, after, &s->talks)
    {
        struct cartesia_talk *t = LIST_ITEM(at, struct cartesia_talk, member);
        if (t->id[0] && strcmp(t->id, id) == 0)
            return t;
    }
    return NULL;
}

/* Those whose audio has come; times from now on since the line's beginning. */
static void tell_visemes(struct cartesia_talk *t)
{
    struct voice_task *k = cartesia__first(t);
    uint64_t begin = (uint64_t)t->before * 1000 / CARTESIA_RATE;
    uint64_t end = (uint64_t)(t->before + t->now) * 1000 / CARTESIA_RATE;
    size_t n = 0;

    while (n < t->viseme_count && t->visemes[n].at_ms < end)
        n++;
    if (n == 0 || !k || !k->pushed)
        return;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = t->visemes[i].at_ms;
        t->visemes[i].at_ms = at < begin ? 0 : (uint32_t)(at - begin);
    }
    uint64_t serial = k->serial;
    struct voice_viseme *told = t->visemes;
    size_t left = t->viseme_count - n;
    t->visemes = NULL; /* the listener may end the context */
    t->viseme_count = 0;
    if (!k->skip)
        k->ear.heard(k->ear.ctx, NULL, 0, told, n);
    if (cartesia__still(t, serial) && left) {
        memmove(told, told + n, left * sizeof(*told));
        t->visemes = told;
        t->viseme_count = left;
    } else {
        free(told);
    }
}

static void keep_visemes(struct cartesia_talk *t, const struct cartesia_message *m)
{
    size_t n = t->viseme_count + m->viseme_count;
    struct voice_viseme *more;

    if (m->viseme_count == 0 || n > VISEMES_MAX)
        return;
    more = realloc(t->visemes, n * sizeof(*more));
    if (!more)
        return; /* a mouth that does not move is no reason to be silent */
    memcpy(more + t->viseme_count, m->visemes, m->viseme_count * sizeof(*more));
    t->visemes = more;
    t->viseme_count = n;
    tell_visemes(t);
}

static void take_audio(struct cartesia_talk *t, const struct cartesia_message *m)
{
    struct voice_task *k = cartesia__first(t);

    if (!k || !k->pushed)
        return;
    uint64_t serial = k->serial;
    t->now += m->audio.len / 2;
    cartesia__audio(t, m->audio.data, m->audio.len);
    if (cartesia__still(t, serial))
        tell_visemes(t);
}

/* The first line is whole. */
static void line_done(struct cartesia_talk *t)
{
    struct voice_task *k = cartesia__first(t);

    if (!k || !k->pushed)
        return;
    if (t->pending)
        t->pending--;
    t->before += t->now;
    t->now = 0;
    t->heard_ms = cartesia__now(t->provider);
    cartesia__said(t);
}

static void context_done(struct cartesia_talk *t)
{
    const struct voice_task *k;

    while (t->id[0] && (k = cartesia__first(t)) && k->pushed)
        line_done(t);
    if (!t->id[0])
        return;
    cartesia__settle(t, VOICE_ASKED_OK, 200);
    forget_context(t);
    if (!list_empty(&t->tasks))
        cartesia__later(t, 0);
}

static void context_failed(struct cartesia_talk *t, const struct cartesia_message *m)
{
    char why[100];

    snprintf(why, sizeof(why), "it reports an error%s%s", m->code[0] ? " " : "", m->code);
    forget_context(t); /* it is dead there, too */
    if (list_empty(&t->tasks)) {
        cartesia__settle(t, VOICE_ASKED_FAILED, m->status);
        return;
    }
    cartesia__lost(t,
                   m->status == 429                      ? VOICE_ASKED_LIMITED
                   : m->status >= 400 && m->status < 500 ? VOICE_ASKED_REFUSED
                                                         : VOICE_ASKED_FAILED,
                   m->status ? m->status : 500, why);
}

/* Everybody goes on without it. */
static void abandon(struct cartesia_socket *s, enum voice_asked o, const char *why)
{
    struct list all;

    list_init(&all);
    list_append_all(&all, &s->talks);
    while (!list_empty(&all)) {
        struct cartesia_talk *t = LIST_ITEM(all.next, struct cartesia_talk, member);
        cartesia__enter(t);
        list_remove(&t->member);
        t->socket = NULL;
        forget_context(t);
        if (!list_empty(&t->tasks)) {
            t->wire = VOICE_SOCKET;
            cartesia__lost(t, o, 0, why);
        } else {
            cartesia__settle(t, o, 0);
        }
        cartesia__leave(t);
    }
}

static void cut(struct cartesia_socket *s, const char *why)
{
    s->closing = true;
    ws_cut(s->ws);
    abandon(s, VOICE_ASKED_MALFORMED, why);
    free_socket(s);
}

static void dispatch(struct cartesia_talk *t, const struct cartesia_message *m)
{
    switch (m->kind) {
    case CARTESIA_CHUNK:
        take_audio(t, m);
        break;
    case CARTESIA_PHONEMES:
        keep_visemes(t, m);
        break;
    case CARTESIA_FLUSHED:
        line_done(t);
        break;
    case CARTESIA_DONE:
        context_done(t);
        break;
    case CARTESIA_ERROR:
        context_failed(t, m);
        break;
    case CARTESIA_MALFORMED:
        cartesia__lost(t, VOICE_ASKED_MALFORMED, 0, "it sent what the protocol does not have");
        break;
    case CARTESIA_NO_MEMORY:
        cartesia__lost(t, VOICE_ASKED_CUT, 0, "no memory for what it sent");
        break;
    case CARTESIA_OTHER:
        break;
    }
}

static void on_message(void *ctx, bool binary, const char *data, size_t len)
{
    struct cartesia_socket *s = ctx;
    struct cartesia_message m;
    struct cartesia_talk *t;

    if (s->closing)
        return;
    cartesia__read(binary ? "" : data, binary ? 0 : len, &m);
    t = find(s, m.context);
    if (t) {
        cartesia__enter(t);
        dispatch(t, &m);
        cartesia__leave(t);
    } else if (!m.context[0] && m.kind != CARTESIA_OTHER) {
        cut(s, m.kind == CARTESIA_ERROR ? "it reports an error" : "it sent what is no message");
    }
    cartesia__message_release(&m);
}

static void on_opened(void *ctx)
{
    struct cartesia_socket *s = ctx;

    s->open = true;
    if (!s->own)
        breaker_good(&s->provider->ws_breaker);
    LIST_EACH(at, after, &s->talks)
    {
        struct cartesia_talk *t = LIST_ITEM(at, struct cartesia_talk, member);
        cartesia__enter(t);
        cartesia__later(t, 0);
        cartesia__leave(t);
    }
}

static enum voice_asked outcome_of(const struct ws_closed *c)
{
    switch (c->why) {
    case WS_REFUSED:
        return c->status == 429  ? VOICE_ASKED_LIMITED
               : c->status < 500 ? VOICE_ASKED_REFUSED
                                 : VOICE_ASKED_FAILED;
    case WS_HANDSHAKE:
    case WS_PROTOCOL:
        return VOICE_ASKED_MALFORMED;
    case WS_UNREACHED:
        return VOICE_ASKED_UNREACHABLE;
    case WS_LATE:
    case WS_SILENT:
        return VOICE_ASKED_TIMEOUT;
    default:
        return VOICE_ASKED_CUT;
    }
}

static void on_closed(void *ctx, const struct ws_closed *c)
{
    struct cartesia_socket *s = ctx;
    struct voice_provider *p = s->provider;
    bool used = !list_empty(&s->talks);

    if (!s->open)
        p->asks->outcomes[VOICE_SOCKET][outcome_of(c)]++;
    if (!s->own && (used || !s->open))
        breaker_bad(&p->ws_breaker, cartesia__now(p));
    if (!s->closing)
        log_info("voice", "socket", "voice=cartesia end=%s talks=%d why=\"%s\"",
                 ws_end_label(c->why), used, c->e.msg);
    s->closing = true;
    abandon(s, VOICE_ASKED_CUT, c->e.msg);
    free_socket(s);
}

/* Asking. */

static struct cartesia_socket *connect_to(struct cartesia_talk *t)
{
    struct voice_provider *p = t->provider;
    struct cartesia_socket *s = calloc(1, sizeof(*s));
    static const char version[] = "Cartesia-Version: " CARTESIA_VERSION;
    struct buf key = BUF_INIT;
    struct err e;
    int rc = -1;

    if (!s)
        return NULL;
    s->provider = p;
    s->own = t->key.len > 0;
    list_init(&s->talks);
    list_init(&s->link);
    cartesia__key_header(t, &key);
    const char *const headers[] = {version, buf_text(&key), NULL};
    const struct ws_ask ask = {
        .url = p->ws_url,
        .headers = headers,
        .open_ms = p->cfg->connect_ms,
        .cfg = {.max_message = CARTESIA_MESSAGE_MAX,
                .max_queued = QUEUED_MAX,
                .quiet_ms = QUIET_MS,
                .sink = {.ctx = s,
                         .opened = on_opened,
                         .message = on_message,
                         .closed = on_closed}},
    };
    if (!key.full)
        rc = ws_connect(p->cfg->http, &ask, &s->ws, &e);
    buf_wipe(&key);
    if (rc < 0) {
        free(s);
        return NULL;
    }
    p->asks->sockets++;
    list_append(&p->sockets, &s->link);
    return s;
}

/* False: there is none to be had. */
static bool join(struct cartesia_talk *t)
{
    struct voice_provider *p = t->provider;
    struct cartesia_socket *s = NULL;

    LIST_EACH(at, after, &p->sockets)
    {
        struct cartesia_socket *other = LIST_ITEM(at, struct cartesia_socket, link);
        if (!t->key.len && !other->own && !other->closing)
            s = other;
    }
    if (!s) {
        if (!t->key.len && !breaker_try(&p->ws_breaker, cartesia__now(p)))
            return false;
        s = connect_to(t);
        if (!s && !t->key.len)
            breaker_bad(&p->ws_breaker, cartesia__now(p));
    }
    if (!s)
        return false;
    list_append(&s->talks, &t->member);
    t->socket = s;
    balance(s);
    return true;
}

static bool to_push(const struct cartesia_talk *t)
{
    LIST_EACH(at, after, &t->tasks)
    {
        if (!LIST_ITEM(at, struct voice_task, link)->pushed)
            return true;
    }
    return false;
}

/* A context to push into. False: Cartesia is not to be asked. */
static bool open_context(struct cartesia_talk *t)
{
    if (t->id[0] && !t->pending && cartesia__now(t->provider) - t->heard_ms > CONTEXT_IDLE_MS) {
        cartesia__settle(t, VOICE_ASKED_OK, 200);
        forget_context(t);
    }
    if (t->id[0])
        return true;
    if (!cartesia__try(t, VOICE_SOCKET))
        return false;
    snprintf(t->id, sizeof(t->id), "%016llx%016llx", (unsigned long long)seal_random_u64(),
             (unsigned long long)seal_random_u64());
    return true;
}

/* A line, and the mark behind it. A space parts it from the next. */
static bool push_line(struct cartesia_talk *t, struct voice_task *k)
{
    struct buf text = BUF_INIT;
    bool sent;

    buf_add(&text, k->text, k->len);
    buf_char(&text, ' ');
    sent = !text.full && send_say(t, (struct str){text.data, text.len}, true, false) &&
           send_say(t, (struct str){"", 0}, true, true);
    buf_release(&text);
    if (!t->pending)
        t->heard_ms = cartesia__now(t->provider);
    k->pushed = true;
    t->pending++;
    return sent;
}

bool cartesia__ws_push(struct cartesia_talk *t)
{
    if (!t->provider->ws_url || (!t->socket && !join(t)))
        return false;
    if (!t->socket->open || t->socket->closing)
        return true; /* on_opened() or on_closed() goes on */
    if (to_push(t) && !open_context(t)) {
        t->wire = VOICE_SOCKET;
        cartesia__lost(t, VOICE_ASKED_SKIPPED, 0,
                       "it has failed several times and is left alone for a while");
        return true;
    }
    LIST_EACH(at, after, &t->tasks)
    {
        struct voice_task *k = LIST_ITEM(at, struct voice_task, link);
        if (!k->pushed && !push_line(t, k)) {
            cartesia__lost(t, VOICE_ASKED_CUT, 0, "it cannot be told");
            return true;
        }
    }
    if (t->ended && t->id[0] && !t->finished)
        t->finished = send_say(t, (struct str){"", 0}, false, false);
    return true;
}

void cartesia__ws_sweep(struct voice_provider *p)
{
    int64_t now = cartesia__now(p);

    LIST_EACH(at, after, &p->talks)
    {
        struct cartesia_talk *t = LIST_ITEM(at, struct cartesia_talk, link);
        const struct voice_task *k = cartesia__first(t);
        bool begun = t->before || t->now;
        if (!t->pending || !k || k->held || t->inside ||
            now - t->heard_ms < (begun ? p->cfg->between_ms : p->cfg->first_ms))
            continue;
        cartesia__enter(t);
        cartesia__lost(t, VOICE_ASKED_TIMEOUT, 0, "it took too long");
        cartesia__leave(t);
        break; /* others may be gone; the next look is soon */
    }
    LIST_EACH(at, after, &p->sockets)
    {
        struct cartesia_socket *s = LIST_ITEM(at, struct cartesia_socket, link);
        if (!s->open || s->closing || !list_empty(&s->talks) || now - s->idle_ms < IDLE_MS)
            continue;
        s->closing = true;
        ws_close(s->ws, WS_NORMAL, "");
    }
}

void cartesia__ws_retire(struct voice_provider *p)
{
    LIST_EACH(at, after, &p->sockets)
    {
        struct cartesia_socket *s = LIST_ITEM(at, struct cartesia_socket, link);
        s->own = true;
        if (!s->open || s->closing || !list_empty(&s->talks))
            continue;
        s->closing = true;
        ws_close(s->ws, WS_NORMAL, "");
    }
}

void cartesia__ws_close(struct voice_provider *p)
{
    LIST_EACH(at, after, &p->sockets)
    {
        struct cartesia_socket *s = LIST_ITEM(at, struct cartesia_socket, link);
        ws_cut(s->ws);
        free_socket(s);
    }
}

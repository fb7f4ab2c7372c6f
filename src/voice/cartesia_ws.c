/*
 * The WebSockets that contexts are on. The speeches that use the server's key share one socket,
 * which is opened by the first and stays for the next; one with a key of its own has a socket
 * of its own. What comes for a context that nobody has any more is dropped.
 */
#include "voice/cartesia_int.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define QUEUED_MAX ((size_t)256 << 10)
#define QUIET_MS 20000 /* then a ping asks whether it is still there */
#define IDLE_MS 240000 /* it closes an idle one after five minutes; we are first */

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

void cartesia__ws_leave(struct cartesia_talk *t)
{
    struct cartesia_socket *s = t->socket;

    if (!s)
        return;
    if (s->open && !s->closing)
        cartesia__context_end(t);
    cartesia__context_forget(t);
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
        cartesia__context_forget(t);
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
        cartesia__context_take(t, &m);
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

bool cartesia__ws_send(struct cartesia_talk *t, const struct buf *message)
{
    return !message->full && ws_send(t->socket->ws, false, message->data, message->len);
}

bool cartesia__ws_push(struct cartesia_talk *t)
{
    if (!t->provider->ws_url || (!t->socket && !join(t)))
        return false;
    if (!t->socket->open || t->socket->closing)
        return true; /* on_opened() or on_closed() goes on */
    cartesia__context_push(t);
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

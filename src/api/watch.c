/*
 * GET /session/events: a stream that tells what happens in a session, whoever caused it, for as
 * long as its reader likes. To watch is no use of a session: it is not made, loaded or kept in
 * memory for it. What is kept is a `struct watched` for each session id that is watched and a
 * `struct watcher` for each stream; together with the connection about a kilobyte.
 *
 * A session that is asleep expires with nobody noticing, so api_tick() compares the time of its
 * last use with the clock, and asks the store only when that is too long ago. One that another
 * container goes on with is found in watch_beside.c.
 */
#include "api/watch_int.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WATCHERS 16 /* streams of one session */
#define BEAT_TICKS 200  /* in which every stream gets a heartbeat: 20 s */
#define LOOK_TICKS 20   /* in which every session is looked at: 2 s */
/* How soon a reader comes back that was cut off: each at another time, so that many are spread.
 */
#define RETRY_MS 100
#define RETRY_SPREAD_MS 300
#define RETRY_SPREAD_MAX_MS 9900
#define BACK_PER_MS 5

int64_t watch__now_s(const struct api *a)
{
    return a->cfg.now_s ? a->cfg.now_s(a->cfg.clock_ctx) : 0;
}

/* Forget a session that nobody watches any more. */
static void drop_unwatched(struct watched *on)
{
    if (on->watcher_count || on->asking)
        return;
    map_remove(&on->api->watch.by_id, on->id, strlen(on->id));
    list_remove(&on->link);
    list_remove(&on->unsure);
    free(on);
}

static void leave(struct watcher *w)
{
    struct watched *on = w->on;

    list_remove(&w->link);
    list_remove(&w->beat);
    on->api->watch.stream_count--;
    on->watcher_count--;
    free(w);
    drop_unwatched(on);
}

static void on_gone(void *ctx, struct http_req *req)
{
    (void)req;
    leave(ctx);
}

static unsigned retry_ms(struct api_watch *watch)
{
    unsigned spread = watch->stream_count / BACK_PER_MS;

    spread = spread < RETRY_SPREAD_MS ? RETRY_SPREAD_MS : spread;
    spread = spread > RETRY_SPREAD_MAX_MS ? RETRY_SPREAD_MAX_MS : spread;
    return RETRY_MS + watch->retry_count++ * 97 % spread;
}

void watch__bid_farewell(struct watcher *w, const char *why)
{
    char bye[80];
    int n =
        snprintf(bye, sizeof(bye), ": %s\nretry: %u\n\n", why, retry_ms(&w->on->api->watch));

    http_stream_write(w->req, bye, (size_t)n);
    http_stream_end(w->req);
    leave(w);
}

static void on_drain(void *ctx, struct http_req *req)
{
    (void)req;
    watch__bid_farewell(ctx, "the container stops");
}

/* It may be cut off with no word: by a container that is killed, by a gateway that ends. */
static void send_first(const struct watched *on, struct watcher *w)
{
    char retry[32];
    int n = snprintf(retry, sizeof(retry), "retry: %u\n", retry_ms(&on->api->watch));

    http_stream_write(w->req, retry, (size_t)n);
    watch__send_bare(on, w, "session");
}

static void tell_ended(struct watched *on)
{
    on->used_s = -1;
    watch__send_ended(on);
}

/* What the agent tells. */

struct watched *watch__find(struct api *a, const char *id)
{
    return map_get(&a->watch.by_id, id, strlen(id));
}

/* NULL: nobody watches. A session that is younger than the one known took its place. */
static struct watched *news_of(struct api *a, const struct session *s)
{
    struct watched *on = watch__find(a, s->id);

    if (!on)
        return NULL;
    if (on->used_s >= 0 && s->created_s > on->used_s)
        tell_ended(on);
    on->used_s = s->used_s;
    watch__written(on, s->version);
    return on;
}

static void on_turn(void *ctx, const struct turn_done *d)
{
    struct watched *on = news_of(ctx, d->session);

    if (on)
        watch__send_turn(on, NULL, d);
}

static void on_changed(void *ctx, const struct session *s, enum agent_change_kind kind)
{
    struct watched *on = news_of(ctx, s);

    if (on)
        watch__send_changed(on, NULL, s, agent_change_text(kind));
}

void api__watch_ended(struct api *a, const char *id)
{
    struct watched *on = watch__find(a, id);

    if (on)
        tell_ended(on);
}

void api__watch_init(struct api *a)
{
    const struct agent_listener listener = {a, on_turn, on_changed};

    map_init(&a->watch.by_id, a->cfg.seed);
    list_init(&a->watch.sessions);
    list_init(&a->watch.streams);
    list_init(&a->watch.unsure);
    agent_listen(a->cfg.agent, &listener);
}

void api__watch_release(struct api *a)
{
    MUST(a->watch.stream_count == 0 && list_empty(&a->watch.sessions));
    map_release(&a->watch.by_id);
    buf_release(&a->watch.line);
}

/* The clock. */

static bool past(const struct watched *on)
{
    return on->used_s >= 0 && watch__now_s(on->api) - on->used_s > on->api->cfg.expiry_s;
}

static void on_seen(struct session_seen *q, int64_t used_s, const struct err *e)
{
    struct watched *on = LIST_ITEM(q, struct watched, seen);

    on->asking = false;
    if (!e)
        watch__stored(on, q->version);
    if (e) {
        /* the store cannot say: it is asked again */
    } else if (used_s >= 0) {
        on->used_s = used_s > on->used_s ? used_s : on->used_s;
    } else if (past(on)) { /* else it was used while we asked */
        tell_ended(on);
    }
    drop_unwatched(on);
}

/* Whether it is there, and since when unused; `on` may be gone afterwards. */
static void look_up(struct watched *on)
{
    on->asking = true;
    on->seen.told = on_seen;
    session_seen(on->api->cfg.sessions, on->id, watch__now_s(on->api), &on->seen);
}

/* How many of `count` are due when each shall be once in `ticks`; the rest is kept. */
static unsigned due(unsigned *credit, unsigned count, unsigned ticks)
{
    *credit += count;
    unsigned n = *credit / ticks;
    *credit %= ticks;
    return n;
}

static void beat(struct watcher *w)
{
    static const char heartbeat[] = ":\n\n";

    if (http_stream_write(w->req, NULL, 0) == 0) /* who is behind is not pushed */
        http_stream_write(w->req, heartbeat, sizeof(heartbeat) - 1);
}

void api_tick(struct api *a)
{
    struct api_watch *watch = &a->watch;
    unsigned beats = due(&watch->beat_credit, watch->stream_count, BEAT_TICKS);
    unsigned looks = due(&watch->look_credit, (unsigned)watch->by_id.count, LOOK_TICKS);

    api__ready_tick(a);
    watch__beside_tick(a);
    for (; beats && !list_empty(&watch->streams); beats--) {
        struct watcher *w = LIST_ITEM(watch->streams.next, struct watcher, beat);
        list_remove(&w->beat);
        list_append(&watch->streams, &w->beat);
        beat(w);
    }
    for (; looks && !list_empty(&watch->sessions); looks--) {
        struct watched *on = LIST_ITEM(watch->sessions.next, struct watched, link);
        list_remove(&on->link);
        list_append(&watch->sessions, &on->link);
        if (past(on) && !on->asking)
            look_up(on);
    }
}

/* A new stream. */

static struct watched *watched_new(struct api *a, const char *id)
{
    size_t len = strlen(id);
    struct watched *on = map_reserve(&a->watch.by_id) ? calloc(1, sizeof(*on) + len + 1) : NULL;

    if (!on)
        return NULL;
    on->api = a;
    on->used_s = -1;
    memcpy(on->id, id, len);
    list_init(&on->watchers);
    list_init(&on->link);
    list_init(&on->unsure);
    list_append(&a->watch.sessions, &on->link);
    map_put(&a->watch.by_id, on->id, len, on);
    return on;
}

/* NULL: answered. */
static struct watcher *watcher_new(struct api *a, struct http_req *req, const char *id)
{
    struct watched *on = watch__find(a, id);
    const struct api_call *call = http_req_ctx(req);

    if (on && on->watcher_count >= MAX_WATCHERS) {
        struct err e;
        err_set(&e, ERR_WATCHERS, 0,
                "%d event streams watch this session already; close one of them first",
                MAX_WATCHERS);
        api__error(req, &e);
        return NULL;
    }
    struct watcher *w = calloc(1, sizeof(*w));
    if (!w || (!on && !(on = watched_new(a, id)))) {
        free(w);
        api__error_code(req, ERR_NOMEM, NULL);
        return NULL;
    }
    *w = (struct watcher){.call = *call, .req = req, .on = on};
    list_append(&on->watchers, &w->link);
    list_append(&a->watch.streams, &w->beat);
    on->watcher_count++;
    a->watch.stream_count++;
    return w;
}

/* The number of a turn, as in the ids of our events. */
static bool turn_number(struct str last, uint32_t *ret)
{
    uint32_t n = 0;

    for (size_t i = 0; i < last.len; i++) {
        if (last.data[i] < '0' || last.data[i] > '9' || i > 8)
            return false;
        n = n * 10 + (uint32_t)(last.data[i] - '0');
    }
    *ret = n;
    return last.len > 0;
}

/*
 * Last-Event-ID, or ?last_event_id= of an EventSource, which can send the header only when it
 * comes back by itself.
 */
static bool last_turn(struct http_req *req, uint32_t *ret)
{
    struct str last = http_req_header(req, "last-event-id");
    struct buf param = BUF_INIT;

    if (last.data)
        return turn_number(str_trim(last), ret);
    bool given = http_req_param(req, "last_event_id", &param) &&
                 turn_number((struct str){buf_text(&param), param.len}, ret);
    buf_release(&param);
    return given;
}

void api__session_events(struct api *a, struct http_req *req)
{
    char id[SESSION_ID_MAX + 1];
    uint32_t last = 0;
    struct watcher *w;

    if (!api__stream_session_id(req, id) || !(w = watcher_new(a, req, id)))
        return;
    bool back = last_turn(req, &last);
    http_req_set_ctx(req, w);
    http_req_on_gone(req, on_gone);
    api__stream_begin(req, id);
    w->req = http_stream_settle(req);
    send_first(w->on, w);
    w->placed = back;
    if (back)
        watch__catch_up(w->on, w, last);
    if (w->on->used_s < 0 && !w->on->asking)
        look_up(w->on);
    http_stream_on_drain(w->req, on_drain);
}

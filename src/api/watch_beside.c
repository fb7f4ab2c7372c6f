/*
 * Who watches a session hears of the turns of this container. Where several share a store the
 * session may go on in another one: while this one is about to be replaced, after a gateway has
 * forgotten who was where. Then those who watch it here are let go of, and come back to where
 * it is (docs/gateway.md): they say what they heard last, and are told the rest.
 *
 * A row has a version, which is one more after each commit; all that are made here are told to
 * the agent's listener. So a row with another version than the one known is somebody else's.
 */
#include "api/watch_int.h"

#define LATELY_TICKS 3 /* between two looks: 0.3 s */

void watch__knows(struct watched *on, uint64_t version)
{
    on->known = true;
    on->version = version;
    list_remove(&on->unsure);
}

void watch__written(struct watched *on, uint64_t version)
{
    if (on->known && version > on->version + 1)
        watch__send_bare(on, NULL, "reload");
    watch__knows(on, version);
}

void watch__stored(struct watched *on, uint64_t version)
{
    if (on->known && (version <= on->version || session_held(on->api->cfg.sessions, on->id)))
        return;
    if (on->known)
        watch__send_bare(on, NULL, "reload");
    watch__knows(on, version);
}

/* `on` may be gone afterwards. */
static void send_away(struct watched *on, uint64_t version)
{
    watch__knows(on, version);
    for (unsigned n = on->watcher_count; n > 0; n--) {
        struct watcher *w = LIST_ITEM(on->watchers.next, struct watcher, link);
        if (!w->placed) /* it could not say where to go on */
            watch__send_bare(on, w, "reload");
        watch__bid_farewell(w, "the session goes on in another container");
    }
}

/* What is held may be about to tell of just that version. */
static void on_written(void *ctx, const char *id, uint64_t version)
{
    struct api *a = ctx;
    struct watched *on = watch__find(a, id);

    if (!on || !on->known || on->version == version)
        return;
    on->newer = version;
    if (!session_held(a->cfg.sessions, id))
        send_away(on, version);
    else if (list_empty(&on->unsure))
        list_append(&a->watch.unsure, &on->unsure);
}

void watch__beside_tick(struct api *a)
{
    struct api_watch *watch = &a->watch;

    if (watch->by_id.count == 0) {
        watch->lately = (struct session_lately){0};
        return;
    }
    LIST_EACH(at, after, &watch->unsure)
    {
        struct watched *on = LIST_ITEM(at, struct watched, unsure);
        if (!session_held(a->cfg.sessions, on->id))
            send_away(on, on->newer);
    }
    if (++watch->lately_ticks < LATELY_TICKS)
        return;
    watch->lately.told = on_written;
    watch->lately.ctx = a;
    if (!session_lately(a->cfg.sessions, watch__now_s(a), &watch->lately))
        watch->lately_ticks = 0;
}

/* What those who watch a session are told: the events of their streams. */
#include "api/watch_int.h"

#include "base/json_text.h"

#define LINE_KEEP 16384 /* of the buffer in which events are written */

#define NO_ID UINT32_MAX /* of an event that moves nobody's place */

static struct buf *open_event(struct api *a, const char *type, const char *id, uint32_t turn)
{
    struct buf *line = &a->watch.line;

    buf_clear(line);
    a->watch.line_places = turn != NO_ID;
    if (turn != NO_ID)
        buf_printf(line, "id: %u\n", turn);
    buf_printf(line, "data: {\"type\": \"%s\", \"session_id\": \"%s\"", type, id);
    return line;
}

static void add_text(struct buf *line, const char *name, struct str text)
{
    buf_printf(line, ", \"%s\": ", name);
    json_text(line, text.data, text.len, true);
}

static void add_tab(struct buf *line, struct str order, struct str summary)
{
    buf_printf(line, ", \"current_order\": %.*s, \"payment_summary\": %.*s", STR_FMT(order),
               STR_FMT(summary));
}

static void end_line(struct buf *line)
{
    if (line->cap > LINE_KEEP)
        buf_release(line);
}

static void write_to(struct watcher *w, struct str line, bool places)
{
    http_stream_write(w->req, line.data, line.len);
    w->placed |= places;
}

/* To one, or to all of a session. Without memory for an event a reader is told to read again.
 */
static void tell(const struct watched *on, struct watcher *only)
{
    static const char again[] = "data: {\"type\": \"reload\"}\n\n";
    struct buf *line = &on->api->watch.line;

    buf_str(line, "}\n\n");
    bool places = on->api->watch.line_places && !line->full;
    struct str what = line->full ? str_of(again) : (struct str){line->data, line->len};
    if (only)
        write_to(only, what, places);
    LIST_EACH(at, after, &on->watchers)
    {
        if (!only)
            write_to(LIST_ITEM(at, struct watcher, link), what, places);
    }
    end_line(line);
}

/* Of `d`: turn, said, reply, order, summary, mind. */
void watch__send_turn(const struct watched *on, struct watcher *only, const struct turn_done *d)
{
    bool large = d->said.len + d->reply.len > WATCH_TELL_MAX;
    struct buf *line = open_event(on->api, large ? "reload" : "turn", on->id, d->turn);

    if (large) {
        tell(on, only);
        return;
    }
    buf_printf(line, ", \"turn\": %u", d->turn);
    add_text(line, "user_input", d->said);
    add_text(line, "full_response", d->reply);
    add_tab(line, d->order, d->summary);
    api__mind_members(line, d->mind, ", ");
    tell(on, only);
}

void watch__send_changed(const struct watched *on, struct watcher *only,
                         const struct session *s, const char *what)
{
    struct buf order = BUF_INIT, summary = BUF_INIT;
    struct buf *line = open_event(on->api, "changed", on->id, s->turns);

    api__tab_texts(s, &order, &summary);
    buf_printf(line, ", \"change\": \"%s\", \"turn\": %u, \"has_valid_keys\": %s", what,
               s->turns, session_has_keys(s) ? "true" : "false");
    add_tab(line, (struct str){buf_text(&order), order.len},
            (struct str){buf_text(&summary), summary.len});
    line->full |= order.full || summary.full;
    tell(on, only);
    buf_release(&order);
    buf_release(&summary);
}

void watch__send_bare(const struct watched *on, struct watcher *only, const char *type)
{
    open_event(on->api, type, on->id, NO_ID);
    tell(on, only);
}

void watch__send_ended(const struct watched *on)
{
    open_event(on->api, "ended", on->id, 0); /* what comes now begins with turn 1 */
    tell(on, NULL);
}

/* Bytes of the turns behind `last`; false: not all of them are in the history. */
static bool missed(const struct session *s, uint32_t last, size_t *ret)
{
    uint32_t in_memory = s->message_count / 2;
    /* A turn before this one was there when the session was last reset, or at its start. */
    uint32_t first = s->turns - (s->message_count + s->folded_count) / 2;
    const struct session_message *m = s->first;

    if (last > s->turns || last < s->turns - in_memory || (first && last <= first))
        return false;
    for (uint32_t i = 2 * (in_memory - (s->turns - last)); i > 0; i--)
        m = m->next;
    for (*ret = 0; m; m = m->next)
        *ret += m->len;
    return true;
}

void watch__catch_up(struct watched *on, struct watcher *w, uint32_t last)
{
    const struct session *s =
        session_at_rest(on->api->cfg.sessions, on->id, watch__now_s(on->api));
    struct buf order = BUF_INIT, summary = BUF_INIT;
    size_t bytes;

    if (!s || (on->known && on->version > s->version) || !missed(s, last, &bytes) ||
        bytes > WATCH_TELL_MAX) {
        watch__send_bare(on, w, "reload");
        return;
    }
    if (!on->known)
        watch__knows(on, s->version);
    const struct session_message *m = s->first;
    api__tab_texts(s, &order, &summary);
    for (uint32_t turn = s->turns - s->message_count / 2 + 1; m && m->next; turn++) {
        const struct session_message *reply = m->next;
        char mind[API_MIND_MAX];
        const struct turn_done d = {.turn = turn,
                                    .said = {m->text, m->len},
                                    .reply = {reply->text, reply->len},
                                    .order = str_of(buf_text(&order)),
                                    .summary = str_of(buf_text(&summary)),
                                    .mind = api__mind_of(s, reply, mind)};
        if (turn > last)
            watch__send_turn(on, w, &d);
        m = reply->next;
    }
    buf_release(&order);
    buf_release(&summary);
    watch__send_changed(on, w, s, "resume"); /* tip and keys have no turn by which to tell */
}

/* The agent's part of a session, and how it looks as JSON. */
#include "agent/agent_int.h"

#include "base/json_text.h"
#include "base/wire.h"
#include "memory/memory.h"

#include <jansson.h>
#include <string.h>

enum tag { TAG_TAB = 1, TAG_MEMO = 2, TAG_BY = 3 };

static void *make(struct region *r)
{
    return region_alloc(r, sizeof(struct agent_state));
}

static void encode(const void *state, struct buf *out)
{
    const struct agent_state *s = state;
    size_t place = wire_open_field(out, TAG_TAB);

    bar_tab_encode(&s->tab, out);
    wire_close_field(out, place);
    if (s->memo.len)
        wire_put_field(out, TAG_MEMO, s->memo.data, s->memo.len);
    if (s->by != MIND_HOUSE)
        wire_put_field(out, TAG_BY, &s->by, 1);
}

static void *decode(struct region *r, const void *data, size_t len, struct err *e)
{
    struct agent_state *s = make(r);
    struct wire w = wire_read(data, len);
    struct str field;
    uint8_t tag;

    if (!s) {
        err_set(e, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
        return NULL;
    }
    while (wire_field(&w, &tag, &field)) {
        if (tag == TAG_TAB) {
            if (bar_tab_decode(&s->tab, r, field.data, field.len, e) < 0)
                return NULL;
        } else if (tag == TAG_MEMO && field.len <= MIND_MEMO_MAX) {
            s->memo.len = (uint8_t)field.len;
            memcpy(s->memo.data, field.data, field.len);
        } else if (tag == TAG_BY && field.len == 1 && (uint8_t)field.data[0] < MIND__COUNT) {
            s->by = (uint8_t)field.data[0];
        } else {
            w.bad = true;
        }
    }
    if (w.bad) {
        err_set(e, ERR_CORRUPT, 0, "the stored order cannot be read");
        return NULL;
    }
    return s;
}

const struct session_state_ops *agent_state_ops(void)
{
    static const struct session_state_ops ops = {make, encode, decode};

    return &ops;
}

struct agent_state *agent__state(const struct session *s)
{
    return s->agent;
}

struct bar_tab *agent_tab(const struct session *s)
{
    return &agent__state(s)->tab;
}

void agent__mark(struct session_message *reply, enum mind_id by)
{
    reply->mark = ((unsigned)by + 1) & 0x7f;
}

const char *agent_answered_by(const struct session *s, const struct session_message *reply)
{
    if (reply->mark)
        return reply->mark <= MIND__COUNT ? mind_name((enum mind_id)(reply->mark - 1)) : NULL;
    return reply == s->last ? mind_name(agent__state(s)->by) : NULL;
}

static json_t *dollars(int64_t cents)
{
    return json_real((double)cents / 100.0);
}

static json_t *line_json(const struct bar_line *l)
{
    return json_pack("{s:s, s:o, s:s, s:i}", "name", l->name, "price",
                     dollars(l->unit_cents * l->quantity), "modifiers",
                     l->modifiers[0] ? l->modifiers : "no modifiers", "quantity",
                     (int)l->quantity);
}

/* The predecessor's clients know three percentages; any other shows as its amount alone. */
static json_t *tip_percentage(const struct bar_tab *t)
{
    if (t->tip_kind == BAR_TIP_PERCENT &&
        (t->tip_value == 1000 || t->tip_value == 1500 || t->tip_value == 2000))
        return json_integer(t->tip_value / 100);
    return json_null();
}

json_t *agent_tab_json(const struct bar_tab *t)
{
    json_t *order = json_array();

    for (int32_t i = 0; order && i < t->line_count; i++) {
        if (json_array_append_new(order, line_json(&t->lines[i])) < 0) {
            json_decref(order);
            return NULL;
        }
    }
    return json_pack("{s:o, s:{s:o, s:o, s:o, s:o}}", "current_order", order, "payment_summary",
                     "tab_amount", dollars(bar_tab_cents(t)), "balance",
                     dollars(bar_balance_cents(t)), "tip_percentage", tip_percentage(t),
                     "tip_amount", dollars(bar_tip_cents(t)));
}

/* What a rule did to this turn; what it only counted is nobody's business. */
static void write_hit(const struct safety_hit *h, struct buf *out)
{
    if (!h->rule || h->action == SAFETY_COUNT)
        return;
    buf_printf(
        out, ",\"safety\":{\"rule\":\"%s\",\"kind\":\"%s\",\"where\":\"%s\",\"action\":\"%s\"",
        h->rule, safety_kind_label(h->kind), safety_where_label(h->where),
        safety_action_label(h->action));
    if (h->category[0]) {
        buf_str(out, ",\"category\":");
        json_text(out, h->category, strlen(h->category), true);
    }
    buf_char(out, '}');
}

bool agent__tail_write(const struct bar_tab *t, const struct mind_turn *m,
                       const struct safety_hit *hit, struct buf *out)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
    json_t *tail = agent_tab_json(t);

    json_region_dump(json_object_get(tail, "current_order"), flags, out);
    buf_char(out, '\n');
    json_region_dump(json_object_get(tail, "payment_summary"), flags, out);
    json_decref(tail);
    buf_printf(out, "\n{\"mind\":\"%s\"", mind_name(m->by));
    if (m->why[0]) {
        buf_str(out, ",\"mind_why\":");
        json_text(out, m->why, strlen(m->why), true);
    }
    write_hit(hit, out);
    buf_char(out, '}');
    return !out->full;
}

static struct str next_line(struct str *rest, const char *otherwise)
{
    const char *cut = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    size_t len = cut ? (size_t)(cut - rest->data) : rest->len;
    struct str line = {rest->data, len};

    *rest = (struct str){rest->data + len + (cut != NULL), rest->len - len - (cut != NULL)};
    return len ? line : str_of(otherwise);
}

void agent__tail_split(struct str tail, struct turn_done *ret)
{
    /* Not written by us: an answer without figures is better than none. */
    if (!memchr(tail.len ? tail.data : "", '\n', tail.len))
        tail = str_of("");
    ret->order = next_line(&tail, "[]");
    ret->summary = next_line(&tail, "{}");
    ret->mind = next_line(&tail, "{}");
}

/* The agent's part of a session, and how it looks as JSON. */
#include "agent/agent_int.h"

#include "base/wire.h"
#include "memory/memory.h"

#include <jansson.h>
#include <string.h>

enum tag { TAG_TAB = 1, TAG_MEMO = 2 };

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

bool agent__tail_write(const struct bar_tab *t, struct buf *out)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
    json_t *tail = agent_tab_json(t);

    json_region_dump(json_object_get(tail, "current_order"), flags, out);
    buf_char(out, '\n');
    json_region_dump(json_object_get(tail, "payment_summary"), flags, out);
    json_decref(tail);
    return !out->full;
}

void agent__tail_split(struct str tail, struct str *ret_order, struct str *ret_summary)
{
    const char *cut = memchr(tail.data, '\n', tail.len);

    if (!cut) { /* not written by us; an answer without figures is better than none */
        *ret_order = str_of("[]");
        *ret_summary = str_of("{}");
        return;
    }
    *ret_order = (struct str){tail.data, (size_t)(cut - tail.data)};
    *ret_summary = (struct str){cut + 1, tail.len - ret_order->len - 1};
}

/* The session monitor: which sessions are in memory, the largest, idlest or oldest first. */
#include "api/api_int.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 50
#define LIMIT_MAX 1000

struct wanted {
    struct session_query q;
    char after_id[SESSION_ID_MAX + 1];
};

/* What a parameter may be, one by one; NULL after the last. */

static const char *sort_name(unsigned i)
{
    return session_sort_text((enum session_sort)i);
}

static const char *order_name(unsigned i)
{
    static const char *const names[] = {"desc", "asc", NULL};

    return names[i];
}

static const char *state_name(unsigned i)
{
    return session_state_text(i);
}

/* The place of `value` among the names, or -1. */
static int place_of(const char *(*name)(unsigned i), const char *value)
{
    for (unsigned i = 0; name(i); i++)
        if (strcmp(name(i), value) == 0)
            return (int)i;
    return -1;
}

static bool read_sort(struct wanted *w, const char *value)
{
    int i = place_of(sort_name, value);

    w->q.by = (enum session_sort)i;
    return i >= 0;
}

static bool read_order(struct wanted *w, const char *value)
{
    int i = place_of(order_name, value);

    w->q.ascending = i == 1;
    return i >= 0;
}

static bool read_state(struct wanted *w, const char *value)
{
    int i = place_of(state_name, value);

    w->q.state = i < 0 ? NULL : state_name((unsigned)i);
    return i >= 0;
}

static bool read_limit(struct wanted *w, const char *value)
{
    int64_t n;

    if (!str_to_int(value, &n) || n < 1 || n > LIMIT_MAX)
        return false;
    w->q.most = (size_t)n;
    return true;
}

/* <place in the order>~<id of the last one seen> */
static bool read_after(struct wanted *w, const char *value)
{
    size_t n = strcspn(value, "~");
    const char *id = value + n + (value[n] != '\0');
    char place[24];

    if (n >= sizeof(place) || !session_id_valid(id, strlen(id)))
        return false;
    snprintf(place, sizeof(place), "%.*s", (int)n, value);
    str_copy(w->after_id, sizeof(w->after_id), id);
    w->q.after_id = w->after_id;
    return str_to_int(place, &w->q.after);
}

static const struct {
    const char *name;
    bool (*read)(struct wanted *w, const char *value);
    const char *(*choice)(unsigned i); /* or in words: */
    const char *may_be;
} parameters[] = {
    {"sort", read_sort, sort_name, NULL},
    {"order", read_order, order_name, NULL},
    {"state", read_state, state_name, " (one that hibernates is asked for by its id)"},
    {"limit", read_limit, NULL, "a whole number from 1 to 1000"},
    {"after", read_after, NULL, "the 'next' of the page before, as it is"},
};

static void complain(struct http_req *req, size_t p, const char *value)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "'%s' must be ", parameters[p].name);
    for (unsigned i = 0; parameters[p].choice && parameters[p].choice(i); i++) {
        const char *before = i == 0 ? "" : parameters[p].choice(i + 1) ? ", " : " or ";
        buf_printf(&text, "%s%s", before, parameters[p].choice(i));
    }
    buf_printf(&text, "%s; this is '%.60s'", parameters[p].may_be ? parameters[p].may_be : "",
               value);
    api__error_code(req, ERR_UNPROCESSABLE, buf_text(&text));
    buf_release(&text);
}

/* The next name of a query, as it is written. */
static bool next_name(struct str *q, struct str *ret)
{
    const char *amp = q->len ? memchr(q->data, '&', q->len) : NULL;
    size_t pair = amp ? (size_t)(amp - q->data) : q->len;
    const char *eq = pair ? memchr(q->data, '=', pair) : NULL;
    size_t step = pair + (amp != NULL);

    if (q->len == 0)
        return false;
    *ret = (struct str){q->data, eq ? (size_t)(eq - q->data) : pair};
    *q = (struct str){q->data + step, q->len - step};
    return true;
}

/* A name that is none of ours is a mistake that would otherwise go unseen. False: answered. */
static bool only_known(struct http_req *req)
{
    struct str q = http_req_query(req), name;
    struct buf text = BUF_INIT;

    while (next_name(&q, &name)) {
        size_t i = 0;
        while (i < ARRAY_LEN(parameters) && !str_eq(name, parameters[i].name))
            i++;
        if (i < ARRAY_LEN(parameters) || name.len == 0)
            continue;
        buf_printf(&text, "There is no parameter '%.*s'; there are",
                   name.len < 40 ? (int)name.len : 40, name.data);
        for (i = 0; i < ARRAY_LEN(parameters); i++)
            buf_printf(&text, "%s %s", i ? "," : "", parameters[i].name);
        api__error_code(req, ERR_UNPROCESSABLE, buf_text(&text));
        buf_release(&text);
        return false;
    }
    return true;
}

/* False: answered. */
static bool read_query(struct http_req *req, struct wanted *w)
{
    struct buf value = BUF_INIT;
    bool ok = only_known(req);

    for (size_t i = 0; ok && i < ARRAY_LEN(parameters); i++) {
        buf_clear(&value);
        if (!http_req_param(req, parameters[i].name, &value) ||
            parameters[i].read(w, buf_text(&value)))
            continue;
        complain(req, i, buf_text(&value));
        ok = false;
    }
    buf_release(&value);
    return ok;
}

static void add_time(struct buf *out, const char *name, int64_t unix_s)
{
    buf_printf(out, ",\"%s\":", name);
    if (unix_s == 0) {
        buf_str(out, "null");
        return;
    }
    buf_char(out, '"');
    buf_time(out, unix_s);
    buf_char(out, '"');
}

void api__figures_text(const struct api *a, struct buf *out, const struct session *s)
{
    struct session_figures f;

    session_figures(s, loop_unix_s(), &f);
    buf_printf(out,
               "{\"id\":\"%s\",\"state\":\"%s\",\"used_bytes\":%zu,\"peak_bytes\":%zu,"
               "\"budget_bytes\":%zu,\"refused\":%llu,\"turns\":%u,\"messages\":%u,"
               "\"folded\":%u,\"waiting\":%u,\"idle_s\":%lld,\"age_s\":%lld,"
               "\"expires_in_s\":%lld",
               f.id, f.state, f.used, f.peak, f.budget, (unsigned long long)f.refused, f.turns,
               f.messages, f.folded, f.waiters, (long long)f.idle_s, (long long)f.age_s,
               (long long)f.expires_in_s);
    add_time(out, "created_at", f.created_s);
    add_time(out, "used_at", f.used_s);
    buf_printf(out, ",\"version\":%llu,\"mind\":\"%s\",\"voice\":\"%s\"}",
               (unsigned long long)f.version, agent_mind_name(a->cfg.agent, s),
               agent_voice_name(a->cfg.agent, s));
}

void api__stored_text(struct buf *out, const char *id, const struct session_stored *row)
{
    buf_printf(out,
               "{\"id\":\"%s\",\"state\":\"hibernated\",\"used_bytes\":0,\"stored_bytes\":%zu,"
               "\"idle_s\":%lld,\"expires_in_s\":%lld",
               id, row->bytes, (long long)row->idle_s, (long long)row->expires_in_s);
    add_time(out, "used_at", row->used_s);
    buf_printf(out, ",\"version\":%llu}", (unsigned long long)row->version);
}

static void totals_text(const struct api *a, struct buf *out)
{
    struct session_totals n;

    session_totals(a->cfg.sessions, &n);
    buf_printf(out,
               "\"totals\":{\"resident\":%llu,\"max_resident\":%u,\"idle\":%u,\"busy\":%u,"
               "\"loading\":%u,\"ending\":%u,\"hibernated\":%llu,\"stored\":%llu,"
               "\"used_bytes\":%llu,\"reserved_bytes\":%llu,\"budget_bytes\":%zu}",
               (unsigned long long)n.resident, n.max_resident, n.idle, n.busy, n.loading,
               n.ending, (unsigned long long)n.hibernated, (unsigned long long)n.stored,
               (unsigned long long)n.used, (unsigned long long)n.reserved, n.budget);
}

static void list_text(const struct api *a, const struct wanted *w,
                      const struct session **sessions, struct buf *out)
{
    struct session_query q = w->q;
    size_t matched;

    q.most++; /* one more tells whether there is a next page */
    size_t n = session_list(a->cfg.sessions, &q, sessions, &matched);
    bool more = n > w->q.most;
    buf_char(out, '{');
    totals_text(a, out);
    buf_printf(out, ",\"sort\":\"%s\",\"order\":\"%s\",\"matched\":%zu,\"sessions\":[",
               session_sort_text(q.by), order_name(q.ascending), matched);
    n -= more;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(out, ',');
        api__figures_text(a, out, sessions[i]);
    }
    if (more)
        buf_printf(out, "],\"next\":\"%lld~%s\"",
                   (long long)session_place(sessions[n - 1], q.by), sessions[n - 1]->id);
    else
        buf_str(out, "],\"next\":null");
    add_time(out, "timestamp", loop_unix_s());
    buf_char(out, '}');
}

void api__ops_sessions(struct api *a, struct http_req *req)
{
    struct wanted w = {.q = {.most = LIMIT}};
    struct buf body = BUF_INIT;

    if (!read_query(req, &w))
        return;
    const struct session **sessions = malloc((w.q.most + 1) * sizeof(*sessions));
    if (!sessions) {
        api__error_code(req, ERR_NOMEM, NULL);
        return;
    }
    list_text(a, &w, sessions, &body);
    free(sessions);
    api__answer_text(req, NULL, &body);
    buf_release(&body);
}

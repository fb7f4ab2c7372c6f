/* Answers that only look at a session: status, history, tab. */
#include "api/api_int.h"

#include "bar/bar.h"
#include "base/json_text.h"

#include <stdlib.h>
#include <string.h>

struct look {
    struct api_call call;
    struct api *api;
    struct http_req *req;
    struct session_wait wait;
    api_show_fn *show;
    bool inside; /* session_open() has not returned */
    bool over;
    char id[SESSION_ID_MAX + 1];
};

static void end(struct look *l)
{
    l->over = true;
    if (!l->inside)
        free(l);
}

static void on_gone(void *ctx, struct http_req *req)
{
    struct look *l = http_req_ctx(req);

    (void)ctx;
    session_wait_cancel(&l->wait);
    end(l);
}

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    struct look *l = LIST_ITEM(w, struct look, wait);

    if (e)
        api__error(l->req, e);
    else
        l->show(l->api, l->req, l->id, s);
    if (s)
        session_leave(s);
    end(l);
}

void api__look(struct api *a, struct http_req *req, api_show_fn *show)
{
    const struct api_call *call = http_req_ctx(req);
    struct look *l = calloc(1, sizeof(*l));

    if (!l) {
        api__error_code(req, ERR_NOMEM, NULL);
        return;
    }
    *l = (struct look){
        .call = *call, .api = a, .req = req, .show = show, .wait = {.ready = on_ready}};
    if (!api__session_id(req, l->id)) {
        free(l);
        return;
    }
    http_req_set_ctx(req, l);
    http_req_on_gone(req, on_gone);
    l->inside = true;
    agent_look(a->cfg.agent, l->id, &l->wait);
    l->inside = false;
    if (l->over)
        free(l);
}

static void show_status(struct api *a, struct http_req *req, const char *id,
                        const struct session *s)
{
    (void)a;
    api__answer_json(req, id,
                     json_pack("{s:s, s:b, s:b}", "session_id", id, "has_valid_keys",
                               s && session_has_keys(s), "is_active", 1));
}

void api__status(struct api *a, struct http_req *req)
{
    api__look(a, req, show_status);
}

json_t *api__tab_object(const struct session *s)
{
    static const struct bar_tab nothing;

    return agent_tab_json(s ? agent_tab(s) : &nothing);
}

void api__tab_texts(const struct session *s, struct buf *order, struct buf *summary)
{
    json_t *tab = api__tab_object(s);

    api__dump(order, json_object_get(tab, "current_order"));
    api__dump(summary, json_object_get(tab, "payment_summary"));
    json_decref(tab);
}

static void show_tab(struct api *a, struct http_req *req, const char *id,
                     const struct session *s)
{
    (void)a;
    api__answer_json(req, id, api__tab_json(s));
}

json_t *api__tab_json(const struct session *s)
{
    json_t *both = api__tab_object(s);
    json_t *tab = json_incref(json_object_get(both, "payment_summary"));

    json_decref(both);
    if (tab && json_object_set_new(tab, "status",
                                   json_string(bar_payment_text(s ? agent_tab(s)->payment
                                                                  : BAR_PENDING))) < 0) {
        json_decref(tab);
        return NULL;
    }
    return tab;
}

void api__tab(struct api *a, struct http_req *req)
{
    api__look(a, req, show_tab);
}

void api__mind_members(struct buf *out, struct str mind, const char *before)
{
    if (mind.len <= 2) /* {}: not known */
        return;
    buf_str(out, before);
    buf_add(out, mind.data + 1, mind.len - 2);
}

struct str api__mind_of(const struct session *s, const struct session_message *reply,
                        char ret[API_MIND_MAX])
{
    const char *by = agent_answered_by(s, reply);
    int n = snprintf(ret, API_MIND_MAX, by ? "{\"mind\":\"%s\"}" : "{}", by ? by : "");

    return (struct str){ret, (size_t)n};
}

void api__history_text(struct buf *out, const struct session *s, size_t count)
{
    const struct session_message *m = s ? s->first : NULL;

    buf_str(out, "\"history\":[");
    for (size_t i = 0; i < count && m; i++, m = m->next) {
        buf_str(out, i ? ",{\"role\":\"" : "{\"role\":\"");
        buf_str(out, m->from_person ? "user\",\"content\":" : "assistant\",\"content\":");
        json_text(out, m->text, m->len, false);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void show_history(struct api *a, struct http_req *req, const char *id,
                         const struct session *s)
{
    struct buf body = BUF_INIT, order = BUF_INIT, summary = BUF_INIT;

    (void)a;
    api__tab_texts(s, &order, &summary);
    buf_printf(&body, "{\"session_id\":\"%s\",", id);
    api__history_text(&body, s, SIZE_MAX);
    buf_printf(&body, ",\"turn\":%u", s ? s->turns : 0);
    if (s && s->folded_count) {
        struct buf told = BUF_INIT;
        agent_summary(s, &told);
        buf_printf(&body, ",\"folded\":%u,\"summary\":", s->folded_count);
        json_text(&body, buf_text(&told), told.len, false);
        body.full |= told.full;
        buf_release(&told);
    }
    buf_printf(&body, ",\"current_order\":%s,\"payment_summary\":%s}", buf_text(&order),
               buf_text(&summary));
    body.full |= order.full || summary.full;
    api__answer_text(req, id, &body);
    buf_release(&body);
    buf_release(&order);
    buf_release(&summary);
}

void api__history(struct api *a, struct http_req *req)
{
    api__look(a, req, show_history);
}

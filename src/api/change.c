/* Answers that change a session outside a turn: reset, tip. Keys: keys.c. */
#include "api/api_int.h"

#include "bar/bar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct change {
    struct api_call call;
    struct http_req *req;
    struct agent_change *running;
    agent_apply_fn *apply;
    json_t *body; /* NULL: none wanted */
    bool inside, over;
    enum agent_change_kind kind;
    int64_t tip_percent, tip_cents; /* -1: not given */
    json_t *(*show)(const struct session *s);
    char id[SESSION_ID_MAX + 1];
};

static void end(struct change *c)
{
    json_decref(c->body);
    c->body = NULL;
    c->over = true;
    if (!c->inside)
        free(c);
}

static void on_gone(void *ctx, struct http_req *req)
{
    struct change *c = http_req_ctx(req);

    (void)ctx;
    if (c->running)
        agent_change_abandon(c->running);
    end(c);
}

static void on_changed(void *ctx, struct session *s, const struct err *e)
{
    struct change *c = ctx;

    if (e)
        api__error(c->req, e);
    else
        api__answer_json(c->req, c->id, c->show(s));
    end(c);
}

/* NULL: answered already. */
static struct change *begin(struct http_req *req, enum agent_change_kind kind,
                            agent_apply_fn *apply, json_t *(*show)(const struct session *s))
{
    const struct api_call *call = http_req_ctx(req);
    struct change *c = calloc(1, sizeof(*c));

    if (!c) {
        api__error_code(req, ERR_NOMEM, NULL);
        return NULL;
    }
    *c = (struct change){.call = *call,
                         .req = req,
                         .kind = kind,
                         .apply = apply,
                         .show = show,
                         .tip_percent = -1,
                         .tip_cents = -1};
    if (api__session_id(req, c->id))
        return c;
    free(c);
    return NULL;
}

/* The same, with what the request's body says. */
static struct change *begin_body(struct http_req *req, enum agent_change_kind kind,
                                 agent_apply_fn *apply,
                                 json_t *(*show)(const struct session *s))
{
    struct change *c = begin(req, kind, apply, show);

    if (!c)
        return NULL;
    c->body = api__body_object(req);
    if (c->body)
        return c;
    free(c);
    return NULL;
}

static void run(struct api *a, struct change *c)
{
    struct agent_change *running;

    http_req_set_ctx(c->req, c);
    http_req_on_gone(c->req, on_gone);
    c->inside = true;
    agent_change_start(a->cfg.agent, c->id, c->kind, c->apply, on_changed, c, &running);
    c->inside = false;
    if (c->over)
        free(c);
    else
        c->running = running;
}

/* Reset. */

static int apply_reset(void *ctx, struct session *s, struct err *e)
{
    (void)ctx;
    return session_reset(s, e);
}

static json_t *show_reset(const struct session *s)
{
    return json_pack("{s:s, s:s}", "status", "success", "session_id", s->id);
}

void api__reset(struct api *a, struct http_req *req)
{
    struct change *c = begin(req, AGENT_CHANGE_RESET, apply_reset, show_reset);

    if (!c)
        return;
    run(a, c);
}

/* Tip. */

static int apply_tip(void *ctx, struct session *s, struct err *e)
{
    struct change *c = ctx;
    struct bar_tab *tab = agent_tab(s);
    enum bar_outcome o = BAR_OK;

    if (c->tip_percent >= 0)
        o = bar_tip_percent(tab, c->tip_percent * 100);
    else if (c->tip_cents >= 0)
        o = bar_tip_amount(tab, c->tip_cents);
    if (o != BAR_OK)
        return err_set(e, ERR_TIP, 0, "The tip cannot be set: %s", bar_outcome_code(o));
    return 0;
}

static void complain(struct http_req *req, const char *field, const json_t *v, const char *type,
                     const char *msg, const char *ctx)
{
    api__invalid(req, &(struct api_complaint){
                          .type = type, .msg = msg, .loc = field, .input = v, .ctx = ctx});
}

/* A number, or a text that is one, as the predecessor took it. False: answered. */
static bool number_of(struct http_req *req, const char *field, const json_t *v, bool whole,
                      double *ret)
{
    if (json_is_number(v)) {
        *ret = json_number_value(v);
    } else if (json_is_string(v)) {
        if (!str_to_double(json_string_value(v), ret)) {
            complain(req, field, v, whole ? "int_parsing" : "float_parsing",
                     whole
                         ? "Input should be a valid integer, unable to parse string as an "
                           "integer"
                         : "Input should be a valid number, unable to parse string as a number",
                     NULL);
            return false;
        }
    } else {
        complain(req, field, v, whole ? "int_type" : "float_type",
                 whole ? "Input should be a valid integer" : "Input should be a valid number",
                 NULL);
        return false;
    }
    if (whole && *ret != floor(*ret)) {
        complain(req, field, v, "int_from_float",
                 "Input should be a valid integer, got a number with a fractional part", NULL);
        return false;
    }
    return true;
}

/* False: answered. */
static bool read_tip(struct http_req *req, struct change *c)
{
    const json_t *percent = json_object_get(c->body, "tip_percentage");
    const json_t *amount = json_object_get(c->body, "tip_amount");
    double p = -1, x = -1;

    if (percent && !json_is_null(percent) &&
        !number_of(req, "\"tip_percentage\"", percent, true, &p))
        return false;
    if (amount && !json_is_null(amount)) {
        if (!number_of(req, "\"tip_amount\"", amount, false, &x))
            return false;
        if (x < 0) {
            complain(req, "\"tip_amount\"", amount, "greater_than_equal",
                     "Input should be greater than or equal to 0", "{\"ge\":0.0}");
            return false;
        }
    }
    bool has_percent = percent && !json_is_null(percent), has_amount = x >= 0;
    if (has_percent && has_amount) {
        api__error_code(req, ERR_TIP, "Provide either tip_percentage or tip_amount, not both.");
        return false;
    }
    if (has_percent && p != 10 && p != 15 && p != 20) {
        api__error_code(req, ERR_TIP, NULL);
        return false;
    }
    if (has_amount && x > BAR_START_CENTS / 100.0) {
        api__error_code(req, ERR_TIP, "A tip can be at most $1000.00");
        return false;
    }
    c->tip_percent = has_percent ? (int64_t)p : -1;
    c->tip_cents = has_amount ? llround(x * 100) : -1;
    return true;
}

void api__tip(struct api *a, struct http_req *req)
{
    struct change *c = begin_body(req, AGENT_CHANGE_TIP, apply_tip, api__tab_json);

    if (!c)
        return;
    if (!read_tip(req, c)) {
        end(c);
        return;
    }
    json_decref(c->body);
    c->body = NULL;
    if (c->tip_percent < 0 && c->tip_cents < 0) { /* nothing asked: a look at the tab */
        free(c);
        api__tab(a, req);
        return;
    }
    run(a, c);
}

/* The session monitor: one session, wherever it is; hibernated or ended by hand. */
#include "api/api_int.h"

#include <stdlib.h>
#include <string.h>

struct one {
    struct api_call call;
    struct api *api;
    struct http_req *req; /* NULL: the client has left */
    struct session_ask ask;
    struct session_removal removal;
    bool inside, over;
    char id[SESSION_ID_MAX + 1];
};

static void end(struct one *o)
{
    o->over = true;
    if (!o->inside)
        free(o);
}

/* NULL: answered already. */
static struct one *begin(struct api *a, struct http_req *req)
{
    const struct api_call *call = http_req_ctx(req);
    struct str id = api__path_param(req);
    struct one *o;
    struct err e;

    if (!session_id_valid(id.data, id.len)) {
        err_set(&e, ERR_SESSION_ID, 0,
                "A session id is 1 to %d characters of A-Z a-z 0-9 _ - . : (this has %zu "
                "bytes).",
                SESSION_ID_MAX, id.len);
        api__error(req, &e);
        return NULL;
    }
    o = calloc(1, sizeof(*o));
    if (!o) {
        api__error_code(req, ERR_NOMEM, NULL);
        return NULL;
    }
    *o = (struct one){.call = *call, .api = a, .req = req};
    memcpy(o->id, id.data, id.len);
    return o;
}

static void nobody(struct http_req *req)
{
    api__error_code(req, ERR_NOT_FOUND, "There is no session with this id.");
}

static void answer_figures(struct one *o, const struct session *s)
{
    struct buf body = BUF_INIT;

    api__figures_text(o->api, &body, s);
    api__answer_text(o->req, NULL, &body);
    buf_release(&body);
}

static void answer_stored(struct one *o, const struct session_stored *row)
{
    struct buf body = BUF_INIT;

    api__stored_text(&body, o->id, row);
    api__answer_text(o->req, NULL, &body);
    buf_release(&body);
}

static void on_told(struct session_ask *ask, const struct session_stored *row,
                    const struct err *e)
{
    struct one *o = LIST_ITEM(ask, struct one, ask);
    const struct session *s = session_peek(o->api->cfg.sessions, o->id);

    if (!o->req)
        ;
    else if (s) /* woken meanwhile */
        answer_figures(o, s);
    else if (row)
        answer_stored(o, row);
    else if (e)
        api__error(o->req, e);
    else
        nobody(o->req);
    end(o);
}

/* The store's answer cannot be called off. */
static void on_asker_gone(void *ctx, struct http_req *req)
{
    struct one *o = http_req_ctx(req);

    (void)ctx;
    o->req = NULL;
}

static void ask_store(struct one *o)
{
    http_req_set_ctx(o->req, o);
    http_req_on_gone(o->req, on_asker_gone);
    o->ask.told = on_told;
    o->inside = true;
    session_ask_store(o->api->cfg.sessions, o->id, loop_unix_s(), &o->ask);
    o->inside = false;
    if (o->over)
        free(o);
}

void api__ops_session(struct api *a, struct http_req *req)
{
    struct one *o = begin(a, req);

    if (!o)
        return;
    const struct session *s = session_peek(a->cfg.sessions, o->id);
    if (!s) {
        ask_store(o);
        return;
    }
    answer_figures(o, s);
    free(o);
}

void api__ops_hibernate(struct api *a, struct http_req *req)
{
    struct one *o = begin(a, req);
    struct err e;

    if (!o)
        return;
    if (session_hibernate_one(a->cfg.sessions, o->id, &e) < 0 && e.code != ERR_NOT_FOUND) {
        api__error(req, &e);
        free(o);
        return;
    }
    ask_store(o); /* it is only there, now or already before */
}

static void on_removed(struct session_removal *r, const struct err *e)
{
    struct one *o = LIST_ITEM(r, struct one, removal);
    struct buf body = BUF_INIT;

    if (e && e->code == ERR_NOT_FOUND) {
        nobody(o->req);
    } else if (e) {
        api__error(o->req, e);
    } else {
        api__watch_ended(o->api, o->id);
        buf_printf(&body, "{\"id\":\"%s\",\"state\":\"ended\"}", o->id);
        api__answer_text(o->req, NULL, &body);
        buf_release(&body);
    }
    end(o);
}

static void on_ender_gone(void *ctx, struct http_req *req)
{
    struct one *o = http_req_ctx(req);

    (void)ctx;
    session_removal_cancel(&o->removal);
    end(o);
}

void api__ops_end(struct api *a, struct http_req *req)
{
    struct one *o = begin(a, req);

    if (!o)
        return;
    http_req_set_ctx(req, o);
    http_req_on_gone(req, on_ender_gone);
    o->removal.done = on_removed;
    o->inside = true;
    session_remove(a->cfg.sessions, o->id, loop_unix_s(), &o->removal);
    o->inside = false;
    if (o->over)
        free(o);
}

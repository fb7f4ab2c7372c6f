/* A change outside a turn: open, apply, commit, tell, leave. */
#include "agent/agent_int.h"

#include "memory/memory.h"

#include <stdlib.h>

struct agent_change {
    struct agent *agent;
    struct session_wait wait;
    struct session *session;
    agent_apply_fn *apply;
    agent_changed_fn *done;
    void *ctx;
    enum agent_change_kind kind;
    bool silent, starting, ended;
};

const char *agent_change_text(enum agent_change_kind k)
{
    static const char *const texts[AGENT_CHANGE__COUNT] = {
        [AGENT_CHANGE_TIP] = "tip",
        [AGENT_CHANGE_KEYS] = "keys",
        [AGENT_CHANGE_RESET] = "reset",
    };

    return k < AGENT_CHANGE__COUNT ? texts[k] : "unknown";
}

static void end(struct agent_change *c)
{
    c->ended = true;
    if (!c->starting)
        free(c);
}

static void finish(struct agent_change *c, const struct err *failed, bool undo)
{
    struct agent *a = c->agent;
    struct session *s = c->session;
    struct err e;

    if (s && failed) {
        e = *failed;
        budget_blame(&s->budget, &e);
        failed = &e;
    }
    if (!c->silent)
        c->done(c->ctx, failed ? NULL : s, failed);
    if (s && !failed && a->listener.changed)
        a->listener.changed(a->listener.ctx, s, c->kind);
    if (s) {
        if (undo)
            session_revert(s, agent__now_s(a));
        else
            session_leave(s);
    }
    end(c);
}

static void on_committed(void *ctx, const struct err *e)
{
    finish(ctx, e, e != NULL);
}

static void on_ready(struct session_wait *w, struct session *s, const struct err *failed)
{
    struct agent_change *c = LIST_ITEM(w, struct agent_change, wait);
    struct err e;

    if (!s) {
        finish(c, failed, false);
        return;
    }
    c->session = s;
    if (agent__fold(c->agent, s, &e) < 0 || c->apply(c->ctx, s, &e) < 0 ||
        session_commit(s, agent__now_s(c->agent), on_committed, c, &e) < 0)
        finish(c, &e, true);
}

void agent_change_start(struct agent *a, const char *session_id, enum agent_change_kind kind,
                        agent_apply_fn *apply, agent_changed_fn *done, void *ctx,
                        struct agent_change **ret)
{
    struct agent_change *c = calloc(1, sizeof(*c));
    struct err e;

    *ret = NULL;
    if (!c) {
        err_set(&e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
        done(ctx, NULL, &e);
        return;
    }
    *c = (struct agent_change){
        .agent = a, .apply = apply, .done = done, .ctx = ctx, .kind = kind, .starting = true};
    c->wait.ready = on_ready;
    session_open(a->sessions, session_id,
                 kind == AGENT_CHANGE_RESET ? SESSION_RENEW : SESSION_CREATE, agent__now_s(a),
                 &c->wait);
    c->starting = false;
    if (c->ended)
        free(c);
    else
        *ret = c;
}

void agent_change_abandon(struct agent_change *c)
{
    c->silent = true;
    if (c->session)
        return;
    session_wait_cancel(&c->wait);
    end(c);
}

void agent_look(struct agent *a, const char *session_id, struct session_wait *w)
{
    session_open(a->sessions, session_id, SESSION_LOOK, agent__now_s(a), w);
}

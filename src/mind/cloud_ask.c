/* One request of a turn: what is asked, with which key, and who hears the answer. */
#include "mind/cloud_int.h"

#include <string.h>

static void begin_request(struct cloud_call *c)
{
    struct cloud_answer *a = &c->answer;

    region_release(&c->room);
    region_release(&c->wire);
    buf_init(&c->body, &c->wire.mem);
    buf_init(&c->said, &c->room.mem);
    buf_init(&c->refusal, &c->room.mem);
    c->refusal.max = CLOUD_REFUSAL_MAX;
    c->events = (struct cloud_events){.on_event = cloud__on_event, .ctx = c};
    buf_init(&c->events.line, &c->room.mem);
    buf_init(&c->events.data, &c->room.mem);
    c->events.data.max = c->events.line.max = CLOUD_EVENT_MAX;
    a->say = cloud__on_say;
    a->ctx = c;
    cloud__answer_begin(a, &c->room);
    c->bytes = 0;
    c->retry_ms = 0;
    c->should_retry = 0;
    c->whole = c->worded = false;
}

/* The header that opens the door; empty when there is none. */
static void write_key(struct cloud_call *c, const char *token, struct buf *out)
{
    const char *key = c->mind->cfg.key;

    buf_reserve(out, 1024); /* so that no copy of it is left behind by growing */
    if (token) {
        buf_printf(out, "Authorization: Bearer %s", token);
    } else if (c->mind->id == MIND_GEMINI) {
        buf_str(out, "x-goog-api-key: ");
        if (c->turn->own_key)
            c->turn->own_key(c->turn->key_ctx, out);
        else
            buf_str(out, key ? key : "");
    } else if (key && *key) {
        buf_printf(out, "Authorization: Bearer %s", key);
    }
}

static void send_request(struct cloud_call *c, const char *token)
{
    const struct mind_cfg *all = &c->mind->all;
    struct buf key = BUF_INIT;
    struct err e = {0};

    write_key(c, token, &key);
    const char *const headers[] = {"Content-Type: application/json",
                                   "Accept: text/event-stream, application/json",
                                   key.len ? buf_text(&key) : NULL, NULL};
    int64_t gone = loop_now(all->loop) - c->began_ms;
    const struct http_ask ask = {
        .url = c->turn->own_key ? c->mind->own_url : c->mind->url,
        .headers = headers,
        .body = {buf_text(&c->body), c->body.len},
        .connect_ms = all->connect_ms,
        .first_ms = all->first_ms,
        .between_ms = all->between_ms,
        .whole_ms = all->whole_ms > gone ? all->whole_ms - gone : 1,
        .on_header = cloud__on_header,
        .on_data = cloud__on_data,
        .on_end = cloud__on_end,
        .ctx = c,
    };
    c->asked_ns = loop_hrtime_ns();
    c->heard_ms = loop_now(all->loop);
    if (http_call_start(all->http, &ask, &c->http, &e) < 0)
        cloud__lost_with(c, MIND_OUTCOME_UNREACHABLE, 0, "it cannot be asked", e.msg);
    buf_wipe(&key);
}

static void on_token(struct gemini_auth_wait *w, const char *token, const struct err *e)
{
    struct cloud_call *c = LIST_ITEM(w, struct cloud_call, auth);

    c->inside++;
    c->waiting = false;
    if (token)
        send_request(c, token);
    else
        cloud__lost_with(c, MIND_OUTCOME_UNREACHABLE, 0, "there is no token for it", e->msg);
    cloud__leave(c);
}

/* About as long as the request is. */
static size_t size_of(const struct cloud_request *r)
{
    const struct mind_turn *t = r->turn;
    size_t n = r->prompt->system.len + r->prompt->tools.len + r->rounds->len + t->text.len +
               t->summary.len + 1024;

    for (size_t i = 0; i < t->past_count; i++)
        n += t->past[i].text.len + t->past[i].text.len / 16 + 48;
    for (size_t i = 0; i < t->knowledge_count; i++) {
        const struct knowledge_passage *p = &t->knowledge[i];
        n += p->text.len + p->text.len / 16 + strlen(p->title) + strlen(p->heading) + 48;
    }
    return n;
}

void cloud__ask(struct cloud_call *c)
{
    struct cloud *m = c->mind;
    const struct cloud_request r = {
        .prompt = &m->prompt,
        .turn = c->turn,
        .model = m->cfg.model,
        .rounds = &c->rounds,
        .last = c->round + 1 >= CLOUD_ROUNDS_MAX,
    };

    begin_request(c);
    /* Who has begun a turn may end it. */
    if (!c->turn->own_key && c->round == 0 &&
        !breaker_try(&m->breaker, loop_now(m->all.loop))) {
        cloud__lost(c, MIND_OUTCOME_SKIPPED, 0,
                    "it has failed several times and is left alone for a while");
        return;
    }
    c->asking = true;
    buf_reserve(&c->body, size_of(&r)); /* doubling would take up to twice as much */
    m->codec->request(&r, &c->body);
    if (c->body.full) {
        cloud__no_memory(c);
        return;
    }
    if (m->auth && !c->turn->own_key) {
        c->waiting = true;
        c->auth.ready = on_token;
        gemini_auth__get(m->auth, &c->auth);
    } else {
        send_request(c, NULL);
    }
}

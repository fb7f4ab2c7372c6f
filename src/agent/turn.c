/*
 * One turn: OPENING (wait for the session) -> SCANNING (what the person says; scan.c) ->
 * FOLDING (only when its history is long and the mind folds; fold.c) -> THINKING (mind and
 * tools) -> COMMITTING (the store) -> ENDING (its owner is told) -> ended. Its state is struct
 * turn, so it can be shown, timed out and stopped.
 * Everything it needs on the way lies in its scratch region, charged to the session's budget.
 */
#include "agent/turn_int.h"

#include "memory/memory.h"
#include "seal/seal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PAST_MAX 20 /* messages of the past that a mind is shown */

static const char *const outcome_texts[TURN_OUTCOME__COUNT] = {
    [TURN_COMPLETED] = "completed",  [TURN_REPLAYED] = "replayed",
    [TURN_STOPPED] = "stopped",      [TURN_REJECTED] = "rejected",
    [TURN_LIMITED] = "rate_limited", [TURN_OVER_BUDGET] = "over_budget",
    [TURN_FAILED] = "failed",
};

const char *turn_outcome_text(enum turn_outcome o)
{
    return o < TURN_OUTCOME__COUNT ? outcome_texts[o] : "unknown";
}

static enum turn_outcome outcome_of(const struct err *e)
{
    switch (e->code) {
    case ERR_SESSION_LIMIT:
    case ERR_MEMORY_PRESSURE:
    case ERR_INSUFFICIENT_MEMORY:
    case ERR_BUSY_TURN:
        return TURN_REJECTED;
    case ERR_ENDED:
        return TURN_STOPPED;
    case ERR_RATE_LIMITED:
        return TURN_LIMITED;
    case ERR_SESSION_MEMORY:
        return TURN_OVER_BUDGET;
    default:
        return TURN_FAILED;
    }
}

static double seconds_since(const struct turn *t)
{
    return (double)(t->agent->cfg.now_ns() - t->started_ns) / 1e9;
}

/* Free the turn; whoever started it is told with *ret when it ended inside turn_start(). */
static void end(struct turn *t, enum turn_outcome o)
{
    t->agent->stats.turns[o]++;
    t->agent->stats.turns_now--;
    t->phase = TURN_ENDED;
    if (!t->starting)
        free(t);
}

/* Give the session back, with what the turn changed or (undo) without it. */
static void let_go(struct turn *t, bool undo)
{
    struct agent *a = t->agent;
    struct session *s = t->session;

    if (!s)
        return;
    t->session = NULL;
    list_remove(&t->folding);
    turn__scan_release(t);
    histogram_add(&a->stats.session_bytes, (double)s->budget.used);
    region_release(&t->scratch);
    region_release(&t->words);
    budget_return(&s->budget, t->charge);
    t->charge = 0;
    /* Others go on from here, maybe inside this turn's mind: their JSON is not this turn's. */
    struct region *before = json_region_enter(NULL);
    if (undo)
        session_revert(s, agent__now_s(a));
    else
        session_leave(s);
    json_region_leave(before);
}

void turn__fail(struct turn *t, const struct err *why)
{
    struct err e = *why; /* it may lie in what let_go() frees */

    if (t->session)
        budget_blame(&t->session->budget, &e);
    enum turn_outcome o = outcome_of(&e);
    t->phase = TURN_ENDING;
    if (!t->silent)
        t->sink.fail(t->sink.ctx, t->session, &e);
    let_go(t, t->dirty);
    end(t, o);
}

void turn__over_budget(struct turn *t)
{
    struct err e;

    err_set(&e, ERR_SESSION_MEMORY, 0,
            "The session's memory budget of %zu bytes cannot hold this message. Send a shorter "
            "one; the conversation goes on as it was",
            t->session->budget.limit);
    budget_blame(&t->session->budget, &e);
    if (e.code == ERR_SESSION_MEMORY)
        session_count_over_budget(t->agent->sessions);
    turn__fail(t, &e);
}

/* The mind speaks. */

void turn__tell(struct turn *t, size_t from)
{
    bool outer = t->inside;

    if (t->reply.full)
        t->over_budget = true; /* said when the mind has ended */
    if (t->over_budget || t->silent || t->reply.len == from)
        return;
    if (!t->first_word) {
        t->first_word = true;
        histogram_add(&t->agent->stats.first_word_seconds, seconds_since(t));
    }
    t->inside = true; /* what is told lies in the turn */
    t->sink.text(t->sink.ctx, t->reply.data + from, t->reply.len - from);
    t->inside = outer;
}

static void count_tool(struct turn *t, const json_t *result, int index)
{
    struct agent_stats *stats = &t->agent->stats;
    const char *error = json_string_value(json_object_get(result, "error"));

    /* No room for what the person asked: the turn says so, whatever the mind makes of it. */
    if (error && strcmp(error, bar_outcome_code(BAR_MEMORY)) == 0)
        t->over_budget = true;
    if (index < 0 || index >= (int)ARRAY_LEN(stats->tool_ok))
        return;
    if (error)
        stats->tool_error[index]++;
    else
        stats->tool_ok[index]++;
}

static int on_tool(void *ctx, const char *name, json_t *args, json_t **ret)
{
    struct turn *t = ctx;
    struct agent *a = t->agent;
    struct bar_tab *tab = agent_tab(t->session);
    struct bar_guest guest = {a->menu, tab, &t->session->region, agent__seed(a)};
    struct region *before = json_region_enter(&t->scratch);
    int64_t tab_before = bar_tab_cents(tab);
    int index = -1;

    *ret = bar_tool_call(&guest, name, args, &index);
    json_region_leave(before);
    if (!*ret) {
        t->over_budget = true;
        return -1;
    }
    if (bar_tab_cents(tab) > tab_before)
        t->ordered = true;
    count_tool(t, *ret, index);
    return 0;
}

/* The person's own key, for a mind that asks with it. */
static void on_key(void *ctx, struct buf *out)
{
    struct turn *t = ctx;

    if (session_gemini_key(t->session, out, NULL) < 0)
        buf_clear(out);
}

/* The store has answered. */
static void on_committed(void *ctx, const struct err *e)
{
    struct turn *t = ctx;
    struct session *s = t->session;

    if (e) {
        turn__fail(t, e);
        return;
    }
    histogram_add(&t->agent->stats.turn_seconds, seconds_since(t));
    t->phase = TURN_ENDING;
    const struct session_message *said = t->before ? t->before->next : s->first;
    struct turn_done d = {
        .session = s,
        .said = {said->text, said->len}, /* not t->text: its owner may be gone */
        .reply = {t->reply.data, t->reply.len},
        .history_count = s->message_count,
        .turn = s->turns,
    };
    agent__tail_split((struct str){t->tail.data, t->tail.len}, &d);
    if (!t->silent)
        t->sink.done(t->sink.ctx, &d);
    if (t->agent->listener.turn)
        t->agent->listener.turn(t->agent->listener.ctx, &d);
    let_go(t, false);
    end(t, TURN_COMPLETED);
}

/* Order and summary as they are now, in the scratch region. */
static void write_tail(struct turn *t)
{
    struct region *before = json_region_enter(&t->scratch);

    if (!agent__tail_write(agent_tab(t->session), &t->mind_turn, &t->hit, &t->tail))
        t->over_budget = true;
    json_region_leave(before);
}

void turn__said(void *ctx)
{
    struct turn *t = ctx;
    struct session *s = t->session;
    struct err e;

    t->call = NULL;
    turn__heard(t);
    struct str reply = {t->reply.data, t->reply.len};
    if (t->silent) {
        let_go(t, true);
        end(t, TURN_STOPPED);
        return;
    }
    if (!t->over_budget && reply.len == 0) {
        err_set(&e, ERR_MIND, 0, "the mind said nothing");
        turn__fail(t, &e);
        return;
    }
    /* What the mind needed is given back before the session grows by this turn. */
    region_release(&t->scratch);
    region_init(&t->scratch, &s->budget, TURN_SCRATCH_FIRST);
    bar_turn_done(agent_tab(s), t->ordered);
    agent__state(s)->by = (uint8_t)t->mind_turn.by;
    write_tail(t);
    t->before = s->last;
    if (t->over_budget || !session_say(s, t->text, reply) ||
        (t->keyed &&
         !session_replay_keep(s, t->key, t->body, (struct str){t->tail.data, t->tail.len}))) {
        turn__over_budget(t);
        return;
    }
    agent__mark(s->last, t->mind_turn.by);
    t->phase = TURN_COMMITTING;
    if (session_commit(s, agent__now_s(t->agent), on_committed, t, &e) < 0)
        turn__fail(t, &e);
}

static void on_fail(void *ctx, const struct err *e)
{
    struct turn *t = ctx;

    t->call = NULL;
    if (t->over_budget || e->code == ERR_SESSION_MEMORY)
        turn__over_budget(t);
    else
        turn__fail(t, e);
}

/* The session is ours. */

/* The same question was answered before: give that answer again. */
static void replay(struct turn *t, const struct session_replay *r)
{
    struct session *s = t->session;
    uint32_t count = r->messages > s->folded_count ? r->messages - s->folded_count : 0;
    const struct session_message *m = s->first;
    struct err e;

    if (memcmp(r->body, t->body, sizeof(r->body)) != 0) {
        err_set(&e, ERR_IDEMPOTENCY, 0, "%s", err_sentence(ERR_IDEMPOTENCY));
        turn__fail(t, &e);
        return;
    }
    if (count == 0 || count > s->message_count) {
        err_set(&e, ERR_IDEMPOTENCY, 0,
                "That message was answered, but too long ago to repeat");
        turn__fail(t, &e);
        return;
    }
    for (uint32_t i = 1; i < count; i++)
        m = m->next;
    struct turn_done d = {
        .session = s,
        .said = t->text,
        .reply = {m->text, m->len},
        .replayed = true,
        .history_count = count,
        .turn = r->turn,
    };
    agent__tail_split((struct str){r->tail, r->tail_len}, &d);
    t->phase = TURN_ENDING;
    t->sink.opened(t->sink.ctx, s, r->turn);
    if (!t->silent)
        t->sink.text(t->sink.ctx, m->text, m->len);
    if (!t->silent)
        t->sink.done(t->sink.ctx, &d);
    let_go(t, false);
    end(t, TURN_REPLAYED);
}

static bool show_past(struct turn *t)
{
    struct session *s = t->session;
    uint32_t skip = s->message_count > PAST_MAX ? s->message_count - PAST_MAX : 0;
    size_t n = 0;
    struct mind_said *past = region_alloc(&t->scratch, PAST_MAX * sizeof(*past));

    if (!past)
        return false;
    for (const struct session_message *m = s->first; m; m = m->next) {
        if (skip) {
            skip--;
            continue;
        }
        past[n++] =
            (struct mind_said){m->from_person ? MIND_USER : MIND_ASSISTANT, {m->text, m->len}};
    }
    t->mind_turn.past = past;
    t->mind_turn.past_count = n;
    return true;
}

/* What was folded, in the scratch region; nothing when nothing was. */
static bool show_summary(struct turn *t)
{
    struct buf text;

    buf_init(&text, &t->scratch.mem);
    agent_summary(t->session, &text);
    t->mind_turn.summary = (struct str){text.data, text.len};
    return !text.full;
}

void turn__think(struct turn *t)
{
    struct agent *a = t->agent;
    struct agent_state *state = agent__state(t->session);
    struct mind_sink sink = {t, turn__hear, on_tool, turn__said, on_fail};

    t->mind_turn = (struct mind_turn){
        .text = t->text,
        .tab = &state->tab,
        .memo = &state->memo,
        .scratch = &t->scratch,
        .seed = agent__seed(a),
        .turn_number = (int64_t)t->session->turns + 1,
        .own_key = session_has_keys(t->session) ? on_key : NULL,
        .key_ctx = t,
    };
    if (!show_past(t) || !show_summary(t) || !turn__listen(t)) {
        turn__over_budget(t);
        return;
    }
    turn__recall(t);
    struct mind_call *call = NULL;
    bool outer = t->starting;
    t->phase = TURN_THINKING;
    t->dirty = true; /* a mind may write its memo and nothing else */
    t->starting = t->inside = true;
    t->sink.opened(t->sink.ctx, t->session, t->session->turns + 1);
    if (!t->silent) {
        struct region *before = json_region_enter(&t->scratch);
        a->mind->ops->start(a->mind, &t->mind_turn, &sink, &call);
        json_region_leave(before);
    }
    t->starting = outer;
    t->inside = false;
    if (t->phase == TURN_ENDED) {
        if (!outer)
            free(t);
        return;
    }
    if (t->phase != TURN_THINKING)
        return;
    t->call = call;
    if (t->silent)
        turn_stop(t);
}

static void on_ready(struct session_wait *w, struct session *s, const struct err *failed)
{
    struct turn *t = LIST_ITEM(w, struct turn, wait);
    struct agent *a = t->agent;
    const struct session_replay *r;
    struct err e;
    size_t charge = t->charge;

    t->charge = 0;
    if (!s) {
        turn__fail(t, failed);
        return;
    }
    t->session = s;
    region_init(&t->scratch, &s->budget, TURN_SCRATCH_FIRST);
    region_init(&t->words, &s->budget, 0);
    buf_init(&t->reply, &t->words.mem);
    buf_init(&t->tail, &t->words.mem);
    if (!budget_charge(&s->budget, charge)) {
        turn__over_budget(t);
        return;
    }
    t->charge = charge;
    if (t->keyed && (r = session_replay_find(s, t->key))) {
        replay(t, r);
        return;
    }
    if (agent__limit(a, s, &e) < 0) {
        turn__fail(t, &e);
        return;
    }
    turn__scan(t);
}

void turn_start(struct agent *a, const struct turn_request *req, const struct turn_sink *sink,
                struct turn **ret)
{
    struct turn *t = calloc(1, sizeof(*t));
    struct err e;

    *ret = NULL;
    if (!t) {
        err_set(&e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
        sink->fail(sink->ctx, NULL, &e);
        return;
    }
    t->agent = a;
    t->sink = *sink;
    list_init(&t->folding);
    t->text = req->text;
    t->charge = req->charge;
    t->started_ns = req->started_ns;
    t->keyed = req->idempotency_key.len > 0;
    if (t->keyed) {
        seal_digest(req->idempotency_key.data, req->idempotency_key.len, t->key);
        seal_digest(req->text.data, req->text.len, t->body);
        if (req->key_once)
            session_replay_once(t->key);
    }
    a->stats.turns_now++;
    t->starting = true;
    t->wait.ready = on_ready;
    session_open(a->sessions, req->session_id, SESSION_CREATE, agent__now_s(a), &t->wait);
    t->starting = false;
    if (t->phase == TURN_ENDED)
        free(t);
    else
        *ret = t;
}

void turn_stop(struct turn *t)
{
    t->silent = true;
    if (t->inside)
        return; /* turn__hear(), turn__said(), turn__think() and turn__fold() see it */
    switch (t->phase) {
    case TURN_OPENING:
        session_wait_cancel(&t->wait);
        end(t, TURN_STOPPED);
        break;
    case TURN_SCANNING:
    case TURN_FOLDING:
    case TURN_THINKING:
        if (t->call)
            t->agent->mind->ops->stop(t->call);
        let_go(t, t->dirty);
        end(t, TURN_STOPPED);
        break;
    case TURN_COMMITTING: /* too late to undo: it will be there when the person asks again */
    case TURN_ENDING:
    case TURN_ENDED:
        break;
    }
}

bool turn_can_stop(const struct turn *t)
{
    return t->phase <= TURN_THINKING && !t->silent;
}

/*
 * Everything that can happen to sessions, in any order: turns with minds that end at once,
 * later or never, clients that leave, changes, looks, a store that fails or is changed by
 * another container, time that passes. After every step the books must balance.
 */
#include "agent/agent_int.h"

#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "base/log.h"
#include "memory/memory.h"
#include "seal/seal.h"
#include "session/session_int.h"

#include <jansson.h>
#include <malloc.h>

#define IDS 5
#define KEYS 3
#define TURNS 16
#define OTHERS 8
#define EXPIRY_S 100
#define BUDGET 30000

static uint64_t rng;
static bool alone;   /* no other container writes the same store */
static bool lasting; /* little goes wrong and nobody leaves: conversations get long */
static int64_t clock_now = 1000000;
static struct agent *maya;
static struct session_table *table;

/* What was promised about each id. */
static struct promise {
    char id[8];
    uint32_t turns; /* acknowledged: never fewer are there */
    int64_t at_s;
    bool keys[KEYS]; /* acknowledged with this Idempotency-Key */
} promises[IDS];

static struct call {
    struct mind_sink sink;
    bool running;
} calls[TURNS];

static struct talk {
    struct turn *turn;
    struct promise *to;
    int key; /* -1: none */
    bool live, opened;
    char text[12000];
} talks[TURNS];

static struct alter {
    struct agent_change *change;
    struct promise *to;
    bool live, fails;
    int what;
} alters[OTHERS];

static struct glance {
    struct session_wait wait;
    struct promise *to;
    bool live;
} glances[OTHERS];

static unsigned pick(unsigned n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

static int64_t get_time(void *ctx)
{
    (void)ctx;
    return clock_now;
}

static int64_t get_ms(void *ctx)
{
    (void)ctx;
    return clock_now * 1000;
}

static uint64_t get_ns(void)
{
    return 0;
}

/* The mind. */

/* Goes on with an answer; false when it ended, and then its place may be another's already. */
static bool go_on(struct call *c)
{
    static char words[3000];
    json_t *result, *args;
    struct err e;

    memset(words, 'w', sizeof(words));
    switch (lasting && pick(8) ? 2 + pick(4) : pick(6)) {
    case 0:
        args = json_pack("{s:s, s:i}", "item_name", "Negroni", "quantity", 1);
        if (c->sink.call_tool(c->sink.ctx, "add_to_order", args, &result) == 0)
            json_decref(result);
        json_decref(args);
        break;
    case 1:
        c->running = false;
        err_set(&e, ERR_MIND, 0, "told to fail");
        c->sink.fail(c->sink.ctx, &e);
        return false;
    case 2:
    case 3:
        c->running = false;
        c->sink.done(c->sink.ctx);
        return false;
    default:
        c->sink.text(c->sink.ctx, words, 1 + pick(pick(4) ? 40 : sizeof(words)));
    }
    return true;
}

static void begin(const struct mind_sink *sink, struct mind_call **ret)
{
    struct call *c = calls;

    while (c->running)
        c++;
    *c = (struct call){*sink, true};
    *ret = (struct mind_call *)(void *)c;
    if (pick(3) == 0)
        return;
    while (go_on(c))
        continue;
    *ret = NULL;
}

static void monkey_start(struct mind *m, struct mind_turn *turn, const struct mind_sink *sink,
                         struct mind_call **ret)
{
    (void)m;
    if (pick(3) == 0)
        turn->memo->len = (uint8_t)pick(MIND_MEMO_MAX);
    begin(sink, ret);
}

static void monkey_fold(struct mind *m, const struct mind_fold *fold,
                        const struct mind_sink *sink, struct mind_call **ret)
{
    (void)m;
    for (size_t i = 0; i < fold->gone_count; i++)
        CHECK(utf8_valid_prefix(fold->gone[i].text.data, fold->gone[i].text.len) ==
              fold->gone[i].text.len);
    begin(sink, ret);
}

static void monkey_stop(struct mind_call *call)
{
    struct call *c = (struct call *)(void *)call;

    CHECK(c->running);
    c->running = false;
}

static void monkey_free(struct mind *m)
{
    (void)m;
}

static const struct mind_ops monkey_ops = {.name = "monkey",
                                           .start = monkey_start,
                                           .stop = monkey_stop,
                                           .free = monkey_free,
                                           .fold = monkey_fold};
static struct mind monkey_mind = {&monkey_ops};

/* Turns. */

static void stop(struct talk *t)
{
    t->live = false;
    turn_stop(t->turn);
    memset(t->text, '!', sizeof(t->text)); /* it was borrowed until now */
}

static void on_opened(void *ctx, const struct session *s, uint32_t turn)
{
    struct talk *t = ctx;

    CHECK(t->live && !t->opened && strcmp(s->id, t->to->id) == 0 && turn >= 1);
    t->opened = true;
    if (t->turn && pick(10) == 0)
        stop(t);
}

static void on_text(void *ctx, const char *data, size_t len)
{
    struct talk *t = ctx;

    CHECK(t->live && t->opened && utf8_valid_prefix(data, len) == len);
    if (t->turn && pick(20) == 0)
        stop(t);
}

static void forget(struct promise *p)
{
    p->turns = 0;
    memset(p->keys, 0, sizeof(p->keys));
}

static void on_done(void *ctx, const struct turn_done *d)
{
    struct talk *t = ctx;
    const struct fake_row *row = fake_find(t->to->id);

    CHECK(t->live && t->opened && d->reply.len);
    if (clock_now - t->to->at_s > EXPIRY_S)
        forget(t->to);
    if (!d->replayed) {
        CHECK(row && row->version == d->session->version && d->turn == d->session->turns);
        CHECK(t->key < 0 || !t->to->keys[t->key]); /* never twice */
        t->to->turns = d->turn;
        t->to->at_s = row ? row->used_s : 0;
        if (t->key >= 0)
            t->to->keys[t->key] = true;
    }
    t->live = false;
}

static void on_fail(void *ctx, const struct session *s, const struct err *e)
{
    struct talk *t = ctx;

    (void)s;
    CHECK(t->live && e->code != ERR_NONE && e->code != ERR_CORRUPT);
    CHECK(!alone || e->code != ERR_CONFLICT);
    t->live = false;
}

static void start_talk(void)
{
    const struct turn_sink sink = {NULL, on_opened, on_text, on_done, on_fail};
    struct talk *t = &talks[pick(TURNS)];
    struct turn_sink mine = sink;
    char key[4];

    if (t->live)
        return;
    t->live = true;
    t->opened = false;
    t->turn = NULL;
    t->to = &promises[pick(IDS)];
    t->key = (int)pick(KEYS * 2) - KEYS;
    size_t len = t->key >= 0 ? 5 : 1 + pick(pick(4) ? 200 : sizeof(t->text));
    memset(t->text, t->key >= 0 ? 'k' : 'm', len);
    snprintf(key, sizeof(key), "%d", t->key);
    const struct turn_request req = {
        .session_id = t->to->id,
        .text = {t->text, len},
        .charge = len,
        .idempotency_key = t->key >= 0 ? str_of(key) : (struct str){"", 0},
    };
    struct turn *turn;
    mine.ctx = t;
    turn_start(maya, &req, &mine, &turn);
    CHECK(!turn == !t->live);
    if (t->live)
        t->turn = turn;
}

/* Changes. */

static int apply(void *ctx, struct session *s, struct err *e)
{
    struct alter *c = ctx;

    CHECK(c->live);
    if (c->fails)
        return err_set(e, ERR_TIP, 0, "told to fail");
    if (c->what == 0) {
        memset(c->to->keys, 0, sizeof(c->to->keys));
        return session_reset(s, e);
    }
    if (c->what == 1)
        return session_set_keys(s, str_of("AIzaSomeKey"), str_of(""), e);
    bar_tip_percent(agent_tab(s), 1500);
    return 0;
}

static void on_changed(void *ctx, struct session *s, const struct err *e)
{
    struct alter *c = ctx;

    CHECK(c->live && !s == !!e);
    c->live = false;
}

static void start_change(void)
{
    struct alter *c = &alters[pick(OTHERS)];
    struct agent_change *change;

    if (c->live)
        return;
    *c = (struct alter){
        .to = &promises[pick(IDS)], .live = true, .fails = pick(4) == 0, .what = (int)pick(3)};
    c->what += c->what == 0 && lasting;
    agent_change_start(maya, c->to->id, false, apply, on_changed, c, &change);
    CHECK(!change == !c->live);
    c->change = change;
}

/* Looks. */

static void on_glance(struct session_wait *w, struct session *s, const struct err *e)
{
    struct glance *g = LIST_ITEM(w, struct glance, wait);
    struct promise *p = g->to;

    CHECK(g->live && !(s && e));
    g->live = false;
    if (!e && clock_now - p->at_s <= EXPIRY_S)
        CHECK(s ? s->turns >= p->turns : p->turns == 0);
    if (!s)
        return;
    json_t *tab = agent_tab_json(agent_tab(s));
    CHECK(tab != NULL);
    json_decref(tab);
    session_leave(s);
}

static void start_glance(void)
{
    struct glance *g = &glances[pick(OTHERS)];

    if (g->live)
        return;
    *g =
        (struct glance){.wait = {.ready = on_glance}, .to = &promises[pick(IDS)], .live = true};
    agent_look(maya, g->to->id, &g->wait);
}

/* The world. */

static void other_container(void)
{
    struct promise *p = &promises[pick(IDS)];
    struct fake_row *row = fake_find(p->id);

    if (!row)
        return;
    row->version += 1 + pick(2);
    if (pick(4))
        return;
    fake_drop(row);
    forget(p);
}

static void pass_time(void)
{
    clock_now += pick(8) || lasting ? pick(10) : EXPIRY_S + pick(700);
    for (int i = 0; i < IDS; i++)
        if (clock_now - promises[i].at_s > EXPIRY_S)
            forget(&promises[i]);
}

static void step(void)
{
    struct memory_sample sample = {.known = true, .limit = 1u << 30};
    struct talk *t = &talks[pick(TURNS)];
    struct alter *c = &alters[pick(OTHERS)];
    struct glance *g = &glances[pick(OTHERS)];
    struct call *call = &calls[pick(TURNS)];

    switch (pick(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        start_talk();
        break;
    case 4:
        if (t->live)
            stop(t);
        break;
    case 5:
    case 6:
        if (call->running)
            go_on(call);
        break;
    case 7:
        start_change();
        break;
    case 8:
        if (c->live) {
            c->live = false;
            agent_change_abandon(c->change);
        }
        break;
    case 9:
        start_glance();
        break;
    case 10:
        if (g->live) {
            g->live = false;
            session_wait_cancel(&g->wait);
        }
        break;
    case 11:
        fake.fail_puts = pick(lasting ? 40 : 4) ? ERR_NONE : ERR_STORE;
        fake.fail_gets = pick(lasting ? 40 : 8) ? ERR_NONE : ERR_STORE;
        fake.hold_gets = pick(3) == 0;
        break;
    case 12:
        pass_time();
        if (alone) /* the store's own janitor may take a row that is being replaced */
            session__sweep(table, clock_now);
        else if (pick(2))
            session_cleanup(table, clock_now);
        session_tick(table, clock_now);
        agent_tick(maya);
        break;
    case 13:
        if (!alone && pick(3) == 0)
            other_container();
        session_table_memory(table, &sample, 0, pick(8) == 0);
        break;
    default:
        fake_reap();
    }
}

/* Every byte that is charged is held by someone. */
static void balance(void)
{
    size_t total = 0;

    for (int state = 0; state < SESSION__STATES; state++) {
        uint32_t count = 0;
        LIST_EACH(at, after, &table->by_state[state])
        {
            const struct session *s = LIST_ITEM(at, struct session, link);
            count++;
            total += s->budget.used;
            CHECK(s->budget.used <= BUDGET);
            if (state != SESSION_BUSY)
                CHECK_INT(s->budget.used, session__own_bytes(s));
            if (state == SESSION_IDLE)
                CHECK(s->waiter_count == 0 && s->version && !s->committed);
        }
        CHECK_INT(table->count[state], count);
    }
    CHECK_INT(table->total.used, total);
    CHECK(json_region_enter(NULL) == NULL);
}

static void open_bar(void)
{
    const struct agent_cfg cfg = {
        .folder = "agents/maya", .now_ms = get_ms, .now_s = get_time, .now_ns = get_ns};
    const struct session_cfg session_cfg = {.budget = BUDGET,
                                            .max_resident = IDS - 1,
                                            .expiry_s = EXPIRY_S,
                                            .hibernate_s = EXPIRY_S / 2,
                                            .max_waiters = 4,
                                            .threshold = 0.8,
                                            .state_ops = agent_state_ops(),
                                            .seal = the_seal};
    struct err e;

    fake_clear();
    for (int i = 0; i < IDS; i++) {
        promises[i] = (struct promise){.at_s = clock_now};
        snprintf(promises[i].id, sizeof(promises[i].id), "id-%d", i);
    }
    if (agent_load(&cfg, &maya, &e) < 0 || session_table_new(&session_cfg, &table, &e) < 0) {
        printf("Bail out! %s\n", e.msg);
        exit(1);
    }
    mind_free(&maya->mind);
    maya->mind = &monkey_mind;
    agent_set_sessions(maya, table);
}

/* Everybody leaves, at once or in their own time; nobody is left behind. */
static void close_bar(bool patient)
{
    fake.hold_gets = false;
    fake.fail_puts = fake.fail_gets = ERR_NONE;
    for (int i = 0; i < TURNS && !patient; i++)
        if (talks[i].live)
            stop(&talks[i]);
    for (int i = 0; i < OTHERS && !patient; i++) {
        if (alters[i].live)
            agent_change_abandon(alters[i].change);
        if (glances[i].live)
            session_wait_cancel(&glances[i].wait);
        alters[i].live = glances[i].live = false;
    }
    for (int rounds = 0; rounds < 1000; rounds++) {
        for (int i = 0; i < TURNS; i++)
            if (calls[i].running)
                go_on(&calls[i]);
        fake_reap();
    }
    for (int i = 0; i < TURNS; i++)
        CHECK(!talks[i].live && !calls[i].running);
    for (int i = 0; i < OTHERS; i++)
        CHECK(!alters[i].live && !glances[i].live);
    CHECK_INT(agent_stats(maya)->turns_now, 0);
    CHECK_INT(fake.queued, 0);
    CHECK_INT(table->unstored, 0);
    balance();
    maya->mind = NULL;
    session_table_free(&table);
    agent_free(&maya);
}

static void test_monkey(void)
{
    uint64_t outcomes[TURN_OUTCOME__COUNT] = {0}, by_rule = 0, by_mind = 0;

    for (int round = 0; round < 60 && !tap_failures; round++) {
        rng = (uint64_t)round * 7919 + 1;
        alone = round % 4 > 1;
        lasting = round % 4 == 3;
        open_bar();
        for (int i = 0; i < (lasting ? 3000 : 800) && !tap_failures; i++) {
            step();
            balance();
            if (tap_failures)
                printf("# round %d, step %d\n", round, i);
        }
        for (int o = 0; o < TURN_OUTCOME__COUNT; o++)
            outcomes[o] += agent_stats(maya)->turns[o];
        by_rule += agent_stats(maya)->folded_by_rule;
        by_mind += agent_stats(maya)->folded_by_mind;
        close_bar(round % 2);
    }
    for (int o = 0; o < TURN_OUTCOME__COUNT; o++) /* the monkey went everywhere */
        CHECK(outcomes[o] > 20 || o == TURN_LIMITED);
    CHECK(by_rule > 50 && by_mind > 10);
}

static const struct tap_case cases[] = {{"anything in any order", test_monkey}};

SEALED_MAIN(cases)

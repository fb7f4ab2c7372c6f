/* Long conversations: folded by a mind that can, by rule otherwise, and within the budget. */
#include "agent/turn_int.h"

#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "base/log.h"
#include "seal/seal.h"
#include "session/session_int.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>

#define BUDGET ((size_t)32 * 1024)

/* The mind: folds as told, and notes what it was given and shown. */
static struct {
    const char *says; /* as the new summary; NULL: it has no fold */
    size_t says_len, times;
    bool later, fails, uses_tool;
    int folds, stops;
    struct mind_sink sink;
    bool running;
    char before[256], first_gone[64], shown[512];
    size_t gone_count, max;
} script;

static void fold_end(void)
{
    struct mind_sink sink = script.sink;
    struct err e;

    script.running = false;
    for (size_t i = 0; i < script.times; i++)
        sink.text(sink.ctx, script.says, script.says_len);
    if (script.fails) {
        err_set(&e, ERR_MIND, 0, "told to fail");
        sink.fail(sink.ctx, &e);
    } else {
        sink.done(sink.ctx);
    }
}

static void script_fold(struct mind *m, const struct mind_fold *fold,
                        const struct mind_sink *sink, struct mind_call **ret)
{
    json_t *args = json_object(), *result = NULL;

    (void)m;
    script.folds++;
    script.sink = *sink;
    script.gone_count = fold->gone_count;
    script.max = fold->max;
    script.fails |= !region_alloc(fold->scratch, 100);
    CHECK(fold->gone[0].role == MIND_USER && fold->gone[1].role == MIND_ASSISTANT);
    snprintf(script.before, sizeof(script.before), "%.*s", STR_FMT(fold->summary));
    snprintf(script.first_gone, sizeof(script.first_gone), "%.*s", STR_FMT(fold->gone[0].text));
    if (script.uses_tool)
        CHECK(sink->call_tool(sink->ctx, "get_menu", args, &result) < 0 && !result);
    json_decref(args);
    script.running = script.later;
    *ret = script.later ? (struct mind_call *)&script : NULL;
    if (!script.later)
        fold_end();
}

static void script_start(struct mind *m, struct mind_turn *turn, const struct mind_sink *sink,
                         struct mind_call **ret)
{
    (void)m;
    snprintf(script.shown, sizeof(script.shown), "%.*s", STR_FMT(turn->summary));
    *ret = NULL;
    sink->text(sink->ctx, "As you wish.", 12);
    sink->done(sink->ctx);
}

static void script_stop(struct mind_call *call)
{
    CHECK(call == (struct mind_call *)&script && script.running);
    script.running = false;
    script.stops++;
}

static void script_free(struct mind *m)
{
    (void)m;
}

static const struct mind_ops script_ops = {.name = "script",
                                           .start = script_start,
                                           .stop = script_stop,
                                           .free = script_free,
                                           .fold = script_fold};
static struct mind script_mind = {&script_ops};

/* The world. */

static int64_t ms = 5000, s_now = 100000;
static struct agent *maya;
static struct mind *house;
static struct session_table *table;
static struct session_cfg session_cfg;

static int64_t get_ms(void *ctx)
{
    (void)ctx;
    return ms;
}

static int64_t get_s(void *ctx)
{
    (void)ctx;
    return s_now;
}

static uint64_t get_ns(void)
{
    return 0;
}

static void open_bar(size_t budget, bool with_house)
{
    const struct agent_cfg cfg = {
        .folder = "agents/maya", .now_ms = get_ms, .now_s = get_s, .now_ns = get_ns};
    struct err e;

    session_cfg = (struct session_cfg){.budget = budget,
                                       .max_resident = 8,
                                       .expiry_s = 3600,
                                       .hibernate_s = 300,
                                       .max_waiters = 4,
                                       .threshold = 0.8,
                                       .state_ops = agent_state_ops(),
                                       .seal = the_seal};
    fake_clear();
    memset(&script, 0, sizeof(script));
    if (agent_load(&cfg, &maya, &e) < 0 || session_table_new(&session_cfg, &table, &e) < 0) {
        printf("Bail out! %s\n", e.msg);
        exit(1);
    }
    house = maya->mind;
    if (!with_house)
        maya->mind = &script_mind;
    agent_set_sessions(maya, table);
}

static void close_bar(void)
{
    CHECK_INT(agent_stats(maya)->turns_now, 0);
    CHECK(list_empty(&maya->folding));
    CHECK(json_region_enter(NULL) == NULL);
    maya->mind = house;
    session_table_free(&table);
    agent_free(&maya);
}

struct heard {
    int opened, done, failed;
    enum err_code code;
    bool replayed;
    uint32_t turn;
    char reply[256];
    size_t used;
    struct turn *turn_now;
};

static void hear_opened(void *ctx, const struct session *s, uint32_t turn)
{
    struct heard *h = ctx;

    (void)s;
    h->opened++;
    h->turn = turn;
}

static void hear_text(void *ctx, const char *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
}

static void hear_done(void *ctx, const struct turn_done *d)
{
    struct heard *h = ctx;

    h->done++;
    h->replayed = d->replayed;
    h->used = d->session->budget.peak;
    CHECK(d->session->budget.peak <= d->session->budget.limit);
    snprintf(h->reply, sizeof(h->reply), "%.*s", STR_FMT(d->reply));
}

static void hear_fail(void *ctx, const struct session *s, const struct err *e)
{
    struct heard *h = ctx;

    (void)s;
    h->failed++;
    h->code = e->code;
}

static void say_keyed(const char *text, const char *key, struct heard *h)
{
    const struct turn_sink sink = {h, hear_opened, hear_text, hear_done, hear_fail};
    const struct turn_request req = {
        .session_id = "me",
        .text = str_of(text),
        .charge = strlen(text),
        .idempotency_key = key ? str_of(key) : (struct str){"", 0},
    };

    *h = (struct heard){0};
    turn_start(maya, &req, &sink, &h->turn_now);
}

static void say(const char *text, struct heard *h)
{
    say_keyed(text, NULL, h);
}

/* Say it and have the answer on disk. */
static void talk(const char *text)
{
    struct heard h;

    say(text, &h);
    fake_reap();
    CHECK(h.done == 1 && !h.failed);
    s_now += 7;
}

struct seen {
    struct session_wait wait;
    uint32_t folded, messages, turns;
    char summary[8192], stored[SESSION_SUMMARY_MAX + 1];
    size_t used;
    bool there;
};

static void on_seen(struct session_wait *w, struct session *s, const struct err *e)
{
    struct seen *seen = LIST_ITEM(w, struct seen, wait);
    struct buf text = BUF_INIT;

    (void)e;
    if (!s)
        return;
    seen->there = true;
    seen->folded = s->folded_count;
    seen->messages = s->message_count;
    seen->turns = s->turns;
    seen->used = s->budget.used - s->region.held;
    agent_summary(s, &text);
    CHECK_INT(utf8_valid_prefix(text.data, text.len), text.len);
    CHECK(s->summary_len <= session_summary_max(s));
    snprintf(seen->summary, sizeof(seen->summary), "%s", buf_text(&text));
    snprintf(seen->stored, sizeof(seen->stored), "%.*s", (int)s->summary_len, s->summary);
    buf_release(&text);
    session_leave(s);
}

static struct seen look(void)
{
    struct seen seen = {.wait = {.ready = on_seen}};

    agent_look(maya, "me", &seen.wait);
    return seen;
}

/* Talk until so many messages have been folded. */
static void talk_until_folded(uint32_t more)
{
    uint32_t before = look().folded;

    for (int i = 0; look().folded < before + more && i < 300; i++)
        talk("A quiet evening it is, and nobody says anything that anybody has to know.");
    CHECK(look().folded >= before + more);
}

/* The next turn is one that folds. */
static void talk_until_due(void)
{
    for (int i = 0; i < 300; i++) {
        struct session *s = map_get(&table->by_id, "me", 2);
        uint32_t count;
        if (s && session_fold_due(s, &count) && count)
            return;
        talk("A quiet evening it is, and nobody says anything that anybody has to know.");
    }
    CHECK(!"never due");
}

/* By a mind. */

static void set_fold(const char *says)
{
    script.says = says;
    script.says_len = strlen(says);
    script.times = 1;
}

static void test_by_mind(void)
{
    for (int later = 0; later < 2; later++) {
        struct heard h;

        open_bar(BUDGET, false);
        set_fold("  The guest is called Ana.\n");
        script.later = later;
        script.uses_tool = true;
        talk("my name is Ana");
        CHECK_STR(script.shown, ""); /* all of it is in the past that it is shown */
        talk_until_due();
        say("and so on", &h);
        if (later) {
            CHECK(script.running && !h.opened && h.turn_now);
            fake_reap();
            CHECK(!h.opened && !h.done);
            fold_end();
        }
        CHECK(h.opened == 1);
        fake_reap();
        CHECK(h.done == 1 && !h.failed);
        CHECK_INT(script.folds, 1);
        CHECK_STR(script.before, "");
        CHECK_STR(script.first_gone, "my name is Ana");
        CHECK_INT(script.max, BUDGET / 16);
        CHECK_INT(look().folded, script.gone_count);
        CHECK_STR(look().stored, "The guest is called Ana.");
        CHECK(strncmp(script.shown, "The guest is called Ana.\nTurns folded: ", 39) == 0);
        CHECK_INT(agent_stats(maya)->folded_by_mind, 1);
        CHECK_INT(agent_stats(maya)->folded_by_rule, 0);
        set_fold("Ana, who likes jazz.");
        talk_until_due();
        say("and so on", &h);
        if (later)
            fold_end();
        fake_reap();
        CHECK_STR(script.before, "The guest is called Ana.");
        CHECK_STR(look().stored, "Ana, who likes jazz.");
        close_bar();
    }
}

/* What the mind says cannot stand: the rule does it, from the same messages. */
static void test_mind_that_cannot(void)
{
    static const struct {
        const char *says;
        size_t len, times;
        bool fails;
    } rows[] = {
        {"", 0, 1, false},        {" \n ", 3, 1, false},
        {"Half a", 6, 1, true},   {"endless ", 8, 257, false},
        {"caf\xc3", 4, 1, false}, {"a\0b", 3, 1, false},
        {"", 0, 0, true},         {"endless ", 8, 9999, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
        struct heard h;

        open_bar(BUDGET, false);
        talk("my name is Ana");
        talk_until_due();
        script.says = rows[i / 2].says;
        script.says_len = rows[i / 2].len;
        script.times = rows[i / 2].times;
        script.fails = rows[i / 2].fails;
        script.later = i % 2;
        say("and so on", &h);
        if (script.running)
            fold_end();
        fake_reap();
        CHECK(h.done == 1 && !h.failed && script.folds == 1);
        CHECK_STR(look().stored, "The guest said:\nmy name is Ana");
        CHECK_INT(agent_stats(maya)->folded_by_mind, 0);
        CHECK_INT(agent_stats(maya)->folded_by_rule, 1);
        close_bar();
    }
}

static void test_exactly_the_bound(void)
{
    struct heard h;

    open_bar(BUDGET, false);
    talk("my name is Ana");
    talk_until_due();
    script.says = "12345678";
    script.says_len = 8;
    script.times = BUDGET / 16 / 8;
    say("and so on", &h);
    fake_reap();
    CHECK_INT(strlen(look().stored), BUDGET / 16);
    CHECK_INT(agent_stats(maya)->folded_by_mind, 1);
    close_bar();
}

static void test_a_mind_that_is_late(void)
{
    struct heard h;

    open_bar(BUDGET, false);
    talk("my name is Ana");
    talk_until_due();
    set_fold("too late");
    script.later = true;
    agent_tick(maya);
    say("and so on", &h);
    ms += 9999;
    agent_tick(maya);
    CHECK(script.running && !h.opened);
    ms += 1;
    agent_tick(maya);
    CHECK(!script.running && script.stops == 1 && h.opened == 1);
    fake_reap();
    CHECK(h.done == 1);
    CHECK_STR(look().stored, "The guest said:\nmy name is Ana");
    agent_tick(maya);
    CHECK_INT(script.stops, 1);
    close_bar();
}

static void test_stopped_while_folding(void)
{
    struct heard h, next;

    open_bar(BUDGET, false);
    talk("my name is Ana");
    talk_until_due();
    uint32_t messages = look().messages;
    set_fold("never said");
    script.later = true;
    say("and so on", &h);
    say("who waits", &next);
    turn_stop(h.turn_now);
    CHECK(script.stops == 1 && !h.opened && !h.done && !h.failed);
    CHECK(script.running && script.folds == 2); /* for the one behind it, from the beginning */
    CHECK_STR(script.before, "");
    CHECK_STR(script.first_gone, "my name is Ana");
    fold_end();
    fake_reap();
    CHECK(next.done == 1);
    CHECK_INT(look().folded + look().messages, messages + 2);
    CHECK_STR(look().stored, "never said");
    CHECK_INT(agent_stats(maya)->turns[TURN_STOPPED], 1);
    close_bar();
}

/* Undone with the turn that it belongs to, and done again by the next. */
static void test_failed_commit_folds_nothing(void)
{
    struct heard h;

    open_bar(BUDGET, false);
    talk("my name is Ana");
    talk_until_due();
    set_fold("folded");
    fake.fail_puts = ERR_STORE;
    say("and so on", &h);
    fake_reap();
    CHECK(h.failed == 1 && h.code == ERR_STORE);
    CHECK_INT(look().folded, 0);
    CHECK_STR(look().stored, "");
    fake.fail_puts = ERR_NONE;
    talk_until_due(); /* reading it again may have made it smaller */
    talk("and so on");
    CHECK_INT(script.folds, 2);
    CHECK_STR(look().stored, "folded");
    close_bar();
}

/* By rule. */

static int apply_tip(void *ctx, struct session *s, struct err *e)
{
    (void)ctx;
    (void)e;
    bar_tip_percent(agent_tab(s), 1500);
    return 0;
}

static void on_changed(void *ctx, struct session *s, const struct err *e)
{
    (void)ctx;
    CHECK(s && !e);
}

static void test_a_change_folds_by_rule(void)
{
    struct agent_change *c;

    open_bar(BUDGET, false);
    set_fold("not asked");
    talk("my name is Ana");
    talk_until_due();
    agent_change_start(maya, "me", false, apply_tip, on_changed, NULL, &c);
    fake_reap();
    CHECK_INT(script.folds, 0);
    CHECK_STR(look().stored, "The guest said:\nmy name is Ana");
    close_bar();
}

static void test_a_mind_and_then_the_rule(void)
{
    struct heard h;

    open_bar(BUDGET, false);
    set_fold("A regular, and fond of jazz.");
    talk_until_due();
    talk("my name is Ana");
    CHECK_STR(look().stored, "A regular, and fond of jazz.");
    script.fails = true;
    for (int i = 0; i < 5 && !strstr(look().stored, "Ana"); i++) {
        talk_until_due();
        say("and so on", &h);
        fake_reap();
    }
    CHECK_STR(look().stored, "A regular, and fond of jazz.\nThe guest said:\nmy name is Ana");
    close_bar();
}

/* Something else holds so much of the budget that another allocation is the one that fails. */
static void test_every_allocation_failing(void)
{
    int refused = 0, by_mind = 0, by_rule = 0;

    for (size_t left = 0; left < 12000; left += 48) {
        struct heard h;
        struct session *s;

        open_bar(BUDGET, false);
        talk("my name is Ana");
        talk_until_due();
        set_fold("folded by the mind");
        s = map_get(&table->by_id, "me", 2);
        size_t held = s->budget.limit - s->budget.used - left;
        CHECK(budget_charge(&s->budget, held));
        say("and so on", &h);
        fake_reap();
        CHECK(h.done + h.failed == 1);
        CHECK(h.done || h.code == ERR_SESSION_MEMORY);
        CHECK(s == map_get(&table->by_id, "me", 2));
        CHECK_INT(look().used, session__own_bytes(s) - s->region.held + held);
        budget_return(&s->budget, held);
        refused += h.failed;
        by_mind += maya->stats.folded_by_mind != 0;
        by_rule += maya->stats.folded_by_rule != 0;
        script.fails = false;
        if (look().folded == 0)
            talk_until_due();
        talk("and so on"); /* it goes on as it was */
        CHECK(look().folded > 0);
        close_bar();
    }
    CHECK(refused > 0 && by_mind > 0 && by_rule > 0);
}

/* A long evening with the house mind. */

static void restart(void)
{
    struct err e;

    session_table_free(&table);
    CHECK_INT(session_table_new(&session_cfg, &table, &e), 0);
    agent_set_sessions(maya, table);
}

/* With a number behind. */
static const char *const chatter[] = {
    "And how is the weather over there tonight, in",
    "Tell me a joke of",
    "Is anybody here from the year of",
    "I like that one from",
    "It was busy here in",
    "My favourite number is",
    "I live at number",
    "You said my name is Maya number",
    "And how did you like the music back in",
    "And what is the news from",
};

static void test_two_thousand_turns(void)
{
    char text[256], key[16], reply[256];
    struct heard h;
    int ordered = 0, kinds = (int)ARRAY_LEN(chatter);

    open_bar((size_t)128 * 1024, true);
    talk("Good evening! My name is Ana-Lucía.");
    talk("I'm allergic to peanuts, just so you know.");
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), "%s %d.", chatter[i % kinds], 10000 + i);
        if (i % 50 == 7 && ordered < 40) {
            snprintf(text, sizeof(text), "A negroni please");
            ordered++;
        }
        if (i % 200 == 90)
            snprintf(text, sizeof(text), "I'd like to pay now");
        snprintf(key, sizeof(key), "key-%d", i);
        say_keyed(text, key, &h);
        fake_reap();
        CHECK(h.done == 1 && !h.failed && !h.replayed);
        if (!h.done)
            break;
        memcpy(reply, h.reply, sizeof(reply));
        say_keyed(text, key, &h); /* the same answer, also right after a fold */
        CHECK(h.done == 1 && h.replayed);
        CHECK_STR(h.reply, reply);
        if (i == 900)
            restart();
        s_now += 11;
        ms += 11000;
        session_tick(table, s_now);
    }
    struct seen seen = look();
    CHECK_INT(seen.turns, 2002);
    CHECK_INT(seen.folded + seen.messages, 4004);
    CHECK(seen.folded > 2000 && seen.messages > 20);
    CHECK(strstr(seen.summary, "My name is Ana-Lucía.") != NULL);
    CHECK(strstr(seen.summary, "I'm allergic to peanuts, just so you know.") != NULL);
    CHECK(strstr(seen.summary, "\nOrdered so far: 40 Negroni. Paid $418.00.\n") != NULL);
    snprintf(text, sizeof(text), "\nTurns folded: %u.", seen.folded / 2);
    CHECK(strstr(seen.summary, text) != NULL);
    CHECK(strstr(seen.summary, "Maya") == NULL);
    CHECK_INT(agent_stats(maya)->turns[TURN_OVER_BUDGET], 0);
    CHECK(agent_stats(maya)->folded_by_rule > 10);
    restart(); /* and it is all on disk */
    CHECK_STR(look().summary, seen.summary);
    close_bar();
}

/* The house mind looks for it in what was just said, and then in the summary. */
static void test_the_house_knows_a_name(void)
{
    static const struct {
        const char *ask, *told;
    } rows[] = {{"What's my name?", "\"My name is Ana-Lucía, by the way!\""},
                {"do you remember my name", "\"My name is Ana-Lucía, by the way!\""},
                {"who am I?", "\"My name is Ana-Lucía, by the way!\""}};
    struct heard h;

    open_bar((size_t)64 * 1024, true);
    say("What's my name?", &h);
    fake_reap();
    CHECK(h.done == 1 && !strchr(h.reply, '"'));
    talk("Good evening. My name is Ana-Lucía, by the way! Who are you?");
    for (int folded = 0; folded < 2; folded++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            say(rows[i].ask, &h);
            fake_reap();
            CHECK(h.done == 1 && strstr(h.reply, rows[i].told));
            if (!strstr(h.reply, rows[i].told))
                printf("# %s: %s\n", rows[i].ask, h.reply);
        }
        talk_until_folded(60);
    }
    close_bar();
}

static const struct tap_case cases[] = {
    {"a mind folds, at once or later", test_by_mind},
    {"a mind that cannot: by rule", test_mind_that_cannot},
    {"a summary of exactly the bound", test_exactly_the_bound},
    {"a mind that is late: by rule", test_a_mind_that_is_late},
    {"stopped while folding", test_stopped_while_folding},
    {"a failed commit folds nothing", test_failed_commit_folds_nothing},
    {"a change folds by rule", test_a_change_folds_by_rule},
    {"a mind, and then the rule", test_a_mind_and_then_the_rule},
    {"every allocation failing in turn", test_every_allocation_failing},
    {"the house mind knows a name", test_the_house_knows_a_name},
    {"two thousand turns", test_two_thousand_turns},
};

SEALED_MAIN(cases)

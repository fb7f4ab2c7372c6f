/* The house mind when things are odd: too little memory, too much text, damaged notes. */
#include "mind/house_act.c"

#include "unit/mind/evening.h"
#include "unit/tap.h"

#include <stdlib.h>

static struct evening v;

static const char *say_z(const char *text)
{
    return evening_say(&v, text, strlen(text));
}

static void test_pieces(void)
{
    evening_next_guest(&v);
    say_z("what do you have?");
    CHECK(v.texts > 10); /* a page shows words as they come */
    CHECK_INT(v.dones, 1);
    CHECK_INT(v.fails, 0);
}

static void test_variety(void)
{
    char before[200] = "";
    int kinds = 0;

    evening_next_guest(&v);
    for (int i = 0; i < 12; i++) {
        const char *now = say_z("xyzzy plugh");

        CHECK(strcmp(now, before) != 0); /* never the same phrase twice in a row */
        kinds += strcmp(now, before) != 0;
        snprintf(before, sizeof(before), "%s", now);
    }
    CHECK_INT(kinds, 12);
}

static void test_same_seed(void)
{
    char first[300];

    evening_next_guest(&v);
    v.seed = 42;
    snprintf(first, sizeof(first), "%s", say_z("two negronis please"));
    evening_next_guest(&v);
    v.seed = 42;
    CHECK_STR(say_z("two negronis please"), first);
}

/* With any limit of memory: one end, and an answer or the one error there is for it. */
static void test_memory(void)
{
    int failed = 0, answered = 0;

    for (size_t limit = 64; limit < 60000; limit += 997) {
        evening_next_guest(&v);
        v.scratch_limit = limit;
        say_z("two negronis and a water, take off the water, and what do I owe?");
        CHECK_INT(v.dones + v.fails, 1);
        if (v.fails)
            CHECK_INT(v.err.code, ERR_SESSION_MEMORY);
        failed += v.fails;
        answered += v.dones;
        CHECK(v.scratch_peak <= limit);
    }
    v.scratch_limit = 0;
    CHECK(failed > 0);
    CHECK(answered > 0);
}

static int refuse_tool(void *ctx, const char *name, struct json_t *args, struct json_t **ret)
{
    (void)name;
    (void)args;
    (void)ret;
    ((struct evening *)ctx)->calls++;
    return -1;
}

static void test_tool_refused(void)
{
    struct budget b;
    struct region scratch;
    struct mind_call *call = NULL;
    const struct mind_sink sink = {&v, evening_text, refuse_tool, evening_done, evening_fail};
    struct mind_turn turn = {.text = {"a gin and a rum and a vodka", 27},
                             .tab = &v.tab,
                             .memo = &v.memo,
                             .scratch = &scratch,
                             .turn_number = 1};

    evening_next_guest(&v);
    v.calls = v.dones = v.fails = 0;
    budget_init(&b, 0, NULL);
    region_init(&scratch, &b, 0);
    v.mind->ops->start(v.mind, &turn, &sink, &call);
    region_release(&scratch);
    CHECK_INT(v.calls, 1); /* it stops at once */
    CHECK_INT(v.fails, 1);
    CHECK_INT(v.dones, 0);
    CHECK_INT(v.err.code, ERR_SESSION_MEMORY);
}

static void test_long_text(void)
{
    size_t len = 1u << 20;
    char *text = malloc(len);

    CHECK(text != NULL);
    if (!text)
        return;
    evening_next_guest(&v);
    for (size_t i = 0; i < len; i++)
        text[i] = "a water please and "[i % 19];
    evening_say(&v, text, len);
    CHECK_INT(v.dones, 1);
    CHECK(strstr(buf_text(&v.reply), "beginning") ||
          strstr(buf_text(&v.reply), "hold at once"));
    memset(text, 'a', len);
    evening_say(&v, text, len);
    CHECK_INT(v.dones, 1);
    for (size_t i = 0; i + 4 <= len; i += 4) /* a megabyte of one emoji */
        memcpy(text + i, "\xf0\x9f\x8d\xba", 4);
    evening_say(&v, text, len);
    CHECK_INT(v.dones, 1);
    free(text);
}

static void test_odd_text(void)
{
    static const char *const odd[] = {
        "?",        "...",         "!!!",         "$",
        "%",        "$$$ %%%",     "'",           "''''",
        "-",        "--3",         "0",           "99999999999999999999 beers",
        "x",        "x0",          "*2",          "\xf0\x9f\x8d\xba\xf0\x9f\x8d\xba",
        "\xc3\xa9", "a",           "an",          "the",
        "and",      "no no no no", "and and and", "12%%",
        "$5$5",     "make it",     "one of the",  "instead of",
        "for",      "\t\n\r"};

    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        evening_next_guest(&v);
        say_z(odd[i]);
        CHECK_INT(v.dones, 1);
        CHECK(v.reply.len > 0);
        CHECK(v.tab.line_count == 0);
        if (v.tab.line_count)
            printf("# \"%s\" ordered\n", odd[i]);
    }
}

static void test_damaged_notes(void)
{
    unsigned seed = 3;

    for (int round = 0; round < 500; round++) {
        evening_next_guest(&v);
        say_z("two gins and a dry martini");
        for (int i = 0; i < 8; i++) {
            seed = seed * 1103515245u + 12345u;
            v.memo.data[(seed >> 8) % sizeof(v.memo.data)] = (uint8_t)(seed >> 20);
        }
        say_z("another round, make it dirty, the second one, yes");
        CHECK_INT(v.dones, 1);
        say_z("remove it and I'll take that one");
        CHECK_INT(v.dones, 1);
    }
}

static const struct tap_case cases[] = {
    {"the answer comes in pieces", test_pieces},
    {"phrases vary", test_variety},
    {"the same seed says the same", test_same_seed},
    {"too little memory", test_memory},
    {"a tool that is refused memory ends the turn", test_tool_refused},
    {"a megabyte of text", test_long_text},
    {"odd little texts", test_odd_text},
    {"damaged notes", test_damaged_notes},
};

int main(void)
{
    if (evening_open(&v, 11) < 0)
        return 1;
    int r = tap_run(cases, (int)ARRAY_LEN(cases));

    evening_close(&v);
    return r;
}

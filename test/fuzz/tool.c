/*
 * Arguments of tools come from models and clients. The first byte chooses a tool, the rest is
 * its arguments as JSON; the same guest goes on for some calls. Every call has an answer of
 * the promised form, and the ledger keeps its rules.
 */
#include "bar/bar.h"
#include "base/must.h"
#include "memory/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define CALLS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct bar_tab *t)
{
    MUST(bar_balance_cents(t) >= 0);
    MUST(bar_tip_cents(t) >= 0);
    MUST(bar_balance_cents(t) + bar_tab_cents(t) + t->paid_cents == BAR_START_CENTS);
}

static void call(const struct bar_guest *g, const char *name, const json_t *args)
{
    json_t *answer = bar_tool_call(g, name, args, NULL);
    const char *status = json_string_value(json_object_get(answer, "status"));

    MUST(status);
    if (strcmp(status, "ok") == 0) {
        MUST(json_is_object(json_object_get(answer, "result")));
    } else {
        MUST(json_is_string(json_object_get(answer, "error")));
        MUST(json_is_string(json_object_get(answer, "message")));
    }
    json_decref(answer);
    check(g->tab);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bar_menu *menu;
    struct budget budget;
    struct region region;
    struct bar_tab tab = {0};
    struct bar_guest g = {.tab = &tab, .region = &region, .seed = 1};
    size_t count;
    const struct bar_tool *tools = bar_tools(&count);
    struct err e;

    if (!menu && bar_menu_load("agents/maya", &menu, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        MUST(!"run from the project's root");
    }
    g.menu = menu;
    budget_init(&budget, (size_t)64 * 1024, NULL);
    region_init(&region, &budget, 0);
    /* Calls are lines: a byte for the tool, then its arguments. */
    for (int i = 0; i < CALLS_MAX && size > 1; i++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        if (len > 1) {
            json_t *args = json_loadb((const char *)data + 1, len - 1,
                                      JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
            call(&g, tools[data[0] % count].name, args);
            json_decref(args);
        }
        data += end ? len + 1 : len;
        size -= end ? len + 1 : len;
    }
    region_release(&region);
    return 0;
}

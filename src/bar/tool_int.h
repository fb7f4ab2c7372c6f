/* Private to bar/: one tool call, and how a tool answers it. */
#pragma once

#include "bar/bar_int.h"

#include <jansson.h>

#define BAR__PARAMS_MAX 5

struct bar__arg {
    const char *name;
    bool given;         /* and not null */
    const char *text;   /* KIND_TEXT */
    const json_t *list; /* KIND_LIST: an array of texts, or one text with commas */
    int64_t number;     /* a quantity; per cent x 100; cents */
};

/*
 * A tool fills `result`, or refuses. Whatever it puts after a refusal, or after memory was
 * refused, is dropped, so it checks nothing in between.
 */
struct bar__call {
    const struct bar_guest *g;
    uint64_t seed;
    struct bar__arg args[BAR__PARAMS_MAX]; /* in the order of the tool's parameters */
    json_t *result;
    json_t *error; /* not NULL: the tool refused */
    bool full;     /* memory was refused */
};

/* tools.c */

/* The argument of that name; it is a bug to ask for one that tool.def does not list. */
const struct bar__arg *bar__arg(const struct bar__call *c, const char *name);

/* tools_menu.c, tools_order.c, tools_pay.c */

typedef void bar__tool_fn(struct bar__call *c);
#define BAR_TOOL(name, function, changes, text, params) bar__tool_fn function;
#include "bar/tool.def"
#undef BAR_TOOL

/* answer.c */

void bar__put(struct bar__call *c, const char *key, json_t *value); /* takes value */
void bar__put_text(struct bar__call *c, const char *key, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* `key` in dollars (26.0) and `key`_cents (2600). */
void bar__put_money(struct bar__call *c, const char *key, int64_t cents);
void bar__put_amounts(struct bar__call *c); /* tab, tip, total, balance, payment_status */
void bar__put_line(struct bar__call *c, const struct bar_line *line, int quantity);
void bar__put_items(struct bar__call *c); /* "items": every line of the order */

/* Refuse with the outcome's code and its text; `arg` stands for the %s in it, or is NULL. */
void bar__refuse(struct bar__call *c, enum bar_outcome o, const char *arg);
/* The same with words of the tool's own. */
void bar__refuse_text(struct bar__call *c, enum bar_outcome o, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void bar__refuse_funds(struct bar__call *c, const char *what, int64_t cents);
void bar__refuse_item(struct bar__call *c, const char *name); /* with the nearest name */

/* "2x Martini with dry"; no number for one. */
void bar__line_text(const struct bar_line *line, struct buf *out);
/* "12.5" */
void bar__percent_text(int64_t percent_x100, char ret[16]);

/* modifiers.c */

/* The wished modifiers in the menu's words, ", "-joined, each once. */
enum bar_outcome bar__modifiers(const struct bar_menu *m, const struct bar__arg *arg,
                                char ret[BAR_MODIFIERS_MAX]);
/* Every one of `wanted` is among `have` (both joined). */
bool bar__modifiers_within(const char *wanted, const char *have);

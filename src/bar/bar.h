/*
 * bar: the domain of the bartender. The menu (a file of the agent folder), and one guest's
 * order, tab, tip and payment, with the tools that change them. Money is int64_t cents.
 *
 * One ledger. What is kept is: the unpaid lines of the order, what was paid so far, and the
 * tip as it was asked for. Tab, tip amount and balance are computed from these each time, so
 * no amount exists twice:
 *
 *     tab     = sum of unit price x quantity over the unpaid lines
 *     tip     = fixed amount, or round(tab x percent), while unpaid
 *     balance = BAR_START_CENTS - paid - tab
 *
 * Ordering moves money from balance to tab, taking a line off moves it back, a tip follows the
 * tab until it is paid, paying takes tab and tip. Knows no HTTP, no mind and no clock; the
 * memory of a guest's state is the caller's region, randomness comes in as an argument.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct region;
struct json_t;

#define BAR_START_CENTS 100000
#define BAR_LINES_MAX 64
#define BAR_QUANTITY_MAX 100 /* of one line */
#define BAR_NAME_MAX 48      /* with the NUL */
#define BAR_MODIFIERS_MAX 96 /* ", "-joined, with the NUL */
#define BAR_DRINKS_MAX 64    /* kinds of drink that are counted by name */

/* menu.c: the menu file, immutable after loading, shared by all sessions */

struct bar_item {
    const char *name;     /* as printed: "Old Fashioned" */
    const char *category; /* "Cocktails" */
    int64_t price_cents;
    const char *const *aliases; /* lower case, NULL-ended: "old fashion", "martinis" */
    const char *const *tags;    /* NULL-ended: "strong", "classy", ingredients: "gin", "lime" */
    const char *description;    /* one line, may be "" */
};

struct bar_mood {               /* one recommendation list; "popular" is always there */
    const char *name;           /* "classy" */
    const char *const *aliases; /* NULL-ended, lower case: "elegant", "fancy" */
    const char *const *items;   /* NULL-ended: printed names, perhaps with "(neat)" behind */
    const char *sentence;       /* "For something classy, I'd recommend" */
};

struct bar_modifier {
    const char *name;           /* canonical, lower case: "on the rocks" */
    const char *const *aliases; /* NULL-ended: "with ice", "over ice" */
};

struct bar_menu;

/* Read <folder>/menu.yaml. Every complaint has file and line and says what would be right. */
int bar_menu_load(const char *folder, struct bar_menu **ret, struct err *e) MUST_USE;
void bar_menu_free(struct bar_menu **m);

const struct bar_item *bar_menu_items(const struct bar_menu *m, size_t *ret_count);
const struct bar_mood *bar_menu_moods(const struct bar_menu *m, size_t *ret_count);
const struct bar_modifier *bar_menu_modifiers(const struct bar_menu *m, size_t *ret_count);
const char *bar_menu_house(const struct bar_menu *m); /* the bar's name: "MOK 5-ha" */
/* What a drink can be made with ("Gin"), all of them items; the first is the default. */
const struct bar_item *const *bar_menu_liquors(const struct bar_menu *m, size_t *ret_count);

/*
 * Names and aliases are compared in one form: lower case, hyphens and runs of space as one
 * space, no quotes and no full stops, trimmed ("Old-Fashioned " -> "old fashioned"). Aliases
 * stand in the menu in that form. `size` at least BAR_NAME_MAX; false when it was cut.
 */
bool bar_normal(const char *text, size_t len, char *ret, size_t size);
/* By name or alias in that form, singular and plural. NULL: not on it. */
const struct bar_item *bar_menu_find(const struct bar_menu *m, const char *name);
const struct bar_mood *bar_menu_find_mood(const struct bar_menu *m, const char *name);
const struct bar_modifier *bar_menu_find_modifier(const struct bar_menu *m, const char *name);
/* The menu as text, by category, with prices. */
void bar_menu_text(const struct bar_menu *m, struct buf *out);

/* tab.c: one guest */

enum bar_payment { BAR_PENDING, BAR_PROCESSING, BAR_COMPLETED, BAR_FAILED, BAR_PAYMENT__COUNT };
const char *bar_payment_text(enum bar_payment p);

enum bar_phase {
    BAR_GREETING,
    BAR_ORDER_TAKING,
    BAR_SMALL_TALK,
    BAR_REORDER_PROMPT,
    BAR_PHASE__COUNT
};

struct bar_line {
    char name[BAR_NAME_MAX]; /* the menu's printed name at the time of ordering */
    char modifiers[BAR_MODIFIERS_MAX];
    int64_t unit_cents; /* the price at the time of ordering */
    int32_t quantity;
};

struct bar_drink { /* how many of one kind were paid for, since the beginning */
    char name[BAR_NAME_MAX];
    int32_t count;
};

enum bar_tip_kind { BAR_TIP_NONE, BAR_TIP_PERCENT, BAR_TIP_AMOUNT };

struct bar_tab {
    struct bar_line *lines; /* in the session's region */
    int32_t line_count, line_cap;
    bool placed; /* place_order was called and nothing was added since */
    enum bar_tip_kind tip_kind;
    int64_t tip_value;  /* per cent x 100 ("18%" is 1800), or cents */
    int64_t paid_cents; /* all payments so far, tips included */
    enum bar_payment payment;
    char tx[67]; /* "0x" + 64 hex of the last simulated payment, or "" */
    int64_t last_paid_cents, last_tip_cents; /* what the last payment took, for its receipt */
    enum bar_phase phase;
    int32_t turn_count, small_talk_count, last_order_turn;
    struct bar_drink *drinks; /* in the session's region */
    int32_t drink_count, drink_cap;
    int32_t other_drinks; /* paid for, of kinds beyond BAR_DRINKS_MAX */
    bool uncounted;       /* something was paid by a version that did not count drinks */
};

int64_t bar_tab_cents(const struct bar_tab *t);
int64_t bar_tip_cents(const struct bar_tab *t);
int64_t bar_balance_cents(const struct bar_tab *t);

/* All amounts of all outcomes below: ordinary answers, given as a code that tools report. */
enum bar_outcome {
    BAR_OK,
#define BAR_OUTCOME(name, code, text) BAR_##name,
#include "bar/outcome.def"
#undef BAR_OUTCOME
    BAR_OUTCOME__COUNT
};
const char *bar_outcome_code(enum bar_outcome o); /* "INSUFFICIENT_FUNDS" */

/* BAR_MEMORY when the region refuses. A line with the same name and modifiers grows. */
enum bar_outcome bar_add(struct bar_tab *t, struct region *r, const struct bar_item *item,
                         const char *modifiers, int quantity);
/* Take `quantity` of line `index` off; 0 or more than there is: all of it. */
enum bar_outcome bar_remove(struct bar_tab *t, int index, int quantity);
enum bar_outcome bar_set_quantity(struct bar_tab *t, int index, int quantity);
enum bar_outcome bar_set_modifiers(struct bar_tab *t, int index, const char *modifiers);
void bar_clear(struct bar_tab *t);
/* Per cent x 100, 0..10000; 0 takes the tip away. */
enum bar_outcome bar_tip_percent(struct bar_tab *t, int64_t percent_x100);
enum bar_outcome bar_tip_amount(struct bar_tab *t, int64_t cents); /* 0: none */
/*
 * Pay tab and tip. The simulated network refuses exactly $99.99, as the predecessor's did;
 * then nothing is taken and the payment is BAR_FAILED. `seed` makes the transaction hash.
 * BAR_MEMORY, and nothing is paid, when the region refuses the count of drinks.
 */
enum bar_outcome bar_pay(struct bar_tab *t, struct region *r, uint64_t seed);

/* After a turn: count it and move the phase on (predecessor's rules, its defects mended). */
void bar_turn_done(struct bar_tab *t, bool ordered);

/* The durable form, inside the session's codec: tagged fields, unknown tags are skipped. */
void bar_tab_encode(const struct bar_tab *t, struct buf *out);
int bar_tab_decode(struct bar_tab *ret, struct region *r, const void *data, size_t len,
                   struct err *e) MUST_USE;

/*
 * drinks.c: all that was ordered and not taken off, paid or not, and what was paid:
 * "Ordered so far: 3 Negroni, 1 IPA. Paid $42.50." Nothing when nothing was ordered.
 */
void bar_ordered_text(const struct bar_tab *t, struct buf *out);

/* "$13.00" */
void bar_money(int64_t cents, char ret[24]);

/* tools.c: what a mind (or an MCP client) may do, one table, tool.def */

struct bar_tool {
    const char *name;        /* "add_to_order" */
    const char *description; /* for a model to read */
    const char *schema;      /* JSON Schema of the arguments, as text */
    bool changes;            /* false: only looks */
};

const struct bar_tool *bar_tools(size_t *ret_count);

struct bar_guest { /* what a tool works on */
    const struct bar_menu *menu;
    struct bar_tab *tab;
    struct region *region; /* the session's, for lines */
    uint64_t seed;         /* fresh for each call */
};

/*
 * Validate `args` against the tool's schema and run it. The result is a new JSON object
 *   {"status":"ok","result":{...}} or {"status":"error","error":CODE,"message":text}
 * (made wherever jansson allocates now). NULL only when memory was refused. An unknown tool or
 * a wrong argument is such an error object, in words that say what would be right.
 * *ret_index is the tool's place in the table, or -1; may be NULL.
 */
struct json_t *bar_tool_call(const struct bar_guest *g, const char *name,
                             const struct json_t *args, int *ret_index);

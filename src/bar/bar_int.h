/* Private to bar/: the loaded menu, and what tab.c and the tools share. */
#pragma once

#include "bar/bar.h"
#include "base/map.h"

#define BAR__LIQUORS_MAX 16

struct bar__piece; /* one allocation of the menu */

/* Every pointer of the menu's structs lies in `pieces`; the maps borrow their keys there. */
struct bar_menu {
    const char *house;
    struct bar_item *items;
    struct bar_mood *moods;
    struct bar_modifier *modifiers;
    const struct bar_item *liquors[BAR__LIQUORS_MAX];
    size_t item_count, mood_count, modifier_count, liquor_count;
    struct map by_item, by_mood, by_modifier; /* names and aliases in normal form */
    struct bar__piece *pieces;
};

/* Zeroed, lives as long as the menu. */
void *bar__take(struct bar_menu *m, size_t n) MUST_USE;
/* By a name already in normal form: itself, or the singular of it. */
void *bar__find(const struct map *names, const char *normal);

const char *bar__outcome_text(enum bar_outcome o);
uint64_t bar__random(uint64_t *seed);
/* Make line `index` be `wanted`, and one line of it and its twin when there is one. */
enum bar_outcome bar__change(struct bar_tab *t, int index, const struct bar_line *wanted);

/* drinks.c: count the lines of the order as paid for; false when the region refuses. */
bool bar__count_drinks(struct bar_tab *t, struct region *r) MUST_USE;

/* What a clause without a verb is made of: drinks, modifiers, or a count. */
#include "mind/house_int.h"

#include <string.h>

bool house__is_drink(const struct el *e)
{
    return e->kind == EL_ITEM || e->kind == EL_OFF || e->kind == EL_CAT;
}

/* A word that may stand in a bare list of drinks without changing what is wanted. */
static bool is_filler(const struct house *h, const struct el *e)
{
    static const char *const words[] = {
        "and",       "plus",    "please",  "for",      "me",        "us",         "him",
        "her",       "them",    "my",      "friend",   "friends",   "of",         "with",
        "the",       "some",    "just",    "also",     "too",       "then",       "more",
        "another",   "each",    "all",     "both",     "ones",      "x",          "times",
        "here",      "there",   "now",     "thanks",   "maybe",     "only",       "wife",
        "husband",   "mate",    "mates",   "lady",     "gentleman", "girlfriend", "boyfriend",
        "buddy",     "that",    "those",   "around",   "round",     "everyone",   "table",
        "mom",       "dad",     "this",    "extra",    "brother",   "sister",     "boss",
        "cold",      "nice",    "big",     "large",    "small",     "fresh",      "finest",
        "best",      "proper",  "lovely",  "tall",     "quick",     "cheeky",     "icy",
        "good",      "ice",     "single",  "really",   "very",      "well",       "made",
        "served",    "quickly", "tonight", "as",       "again",     "your",       "our",
        "plain",     "regular", "normal",  "standard", "pint",      "pints",      "shot",
        "shots",     "round",   "rounds",  "drink",    "drinks",    "beautiful",  "chilled",
        "ok",        "yeah",    "maya",    "in",       "it",        "myself",     "second",
        "third",     "last",    "one",     "first",    "yet",       "still",      "no",
        "not",       "without", "so",      "um",       "guys",      "colleague",  "daughter",
        "son",       "uncle",   "partner", "date",     "two",       "himself",    "sir",
        "bartender", "barkeep", "oh",      "uh",       "group",     "everybody",  "gang",
        "crew",      "lads",    "girls",   "boys",     "people",    "other",      "you",
        "person",    "either",  "side",    "bit",      "splash",    "little"};

    if (e->kind != EL_WORD)
        return e->kind != EL_MONEY && e->kind != EL_PCT;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (e->len == strlen(words[i]) && memcmp(e->text, words[i], e->len) == 0)
            return true;
    return IS(e, and);
}

/* What a clause without a verb is made of. */
enum shape house__shape_of(const struct house *h, const struct el *e, size_t n)
{
    bool drink = false, mod = false, count = false, counted = false, strong = false;
    int odd = 0;

    for (size_t i = 0; i < n; i++) {
        if (e[i].kind == EL_ITEM || e[i].kind == EL_OFF || e[i].kind == EL_CAT)
            drink = true;
        else if (e[i].kind == EL_MOD)
            mod = true;
        else if (e[i].kind == EL_NUM) {
            count = true;
            counted |= !drink;
            strong |= !e[i].weak;
        } else if (IS(&e[i], another)) {
            counted = count = true;
        } else if (drink && i + 1 == n && e[i].len == 4 && memcmp(e[i].text, "love", 4) == 0) {
            break; /* "a pint, love" */
        } else if (drink && IS(&e[i], for_)) {
            break; /* "for Dave", "for the lady in red" */
        } else if (!is_filler(h, &e[i])) {
            odd += counted && !drink ? 1 : 2; /* one unknown adjective: "a frosty beer" */
        }
    }
    if (drink)
        return odd == 0 || (odd == 1 && counted && house__is_drink(&e[n - 1])) ? SHAPE_DRINKS
                                                                               : SHAPE_NONE;
    if (odd)
        return SHAPE_NONE;
    if (mod)
        return SHAPE_MODS;
    return count && strong ? SHAPE_COUNT : SHAPE_NONE;
}

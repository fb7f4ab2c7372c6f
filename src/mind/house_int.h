/*
 * house_int: what the files of the house mind share. A turn goes through them in this order:
 *
 *   house_words.c    every word the mind knows, what may be a misspelling of what
 *   house_tokens.c   text -> words, numbers, money; contractions and slang made plain
 *   house_match.c    words -> elements: drinks, modifiers, moods, amounts, plain words
 *   house_pattern.c  the little language of house.def
 *   house_clause.c   elements -> clauses, each with one intent
 *   house_shape.c    what a clause without a verb is made of
 *   house_parse.c    the drinks, quantities and modifiers that a clause names
 *   house_answer.c   answers to what Maya asked
 *   house_act.c      what a clause does; in house_order.c, house_round.c, house_remove.c,
 *                    house_change.c, house_replace.c, house_correct.c, house_money.c,
 *                    house_ask.c and house_recommend.c
 *   house_recall.c   what the agent's documents have
 *   house_tools.c    the only way to change anything
 *   house_say.c      the reply, from what the tools answered
 */
#pragma once

#include "bar/bar.h"
#include "base/buf.h"
#include "base/map.h"
#include "memory/memory.h"
#include "mind/mind.h"

/* ---- words ---- */

enum {
    W_COMMON = 1, /* ordinary English: never taken for a misspelling */
    W_DRINK = 2,  /* part of a drink's name: others may be a misspelling of it */
    W_CUE = 4,    /* part of a pattern: the same, but stricter */
    W_NUM = 8     /* `number` is its value */
};

struct word {
    const char *text;
    char first[2]; /* letters, so that most are passed over without a look at the text */
    uint8_t len;
    uint8_t flags;
    int16_t number;
    int16_t first_alias; /* chain of aliases that start with it, -1: none */
    const char *rewrite; /* plain words that stand for it, or NULL */
};

enum el_kind {
    EL_WORD,
    EL_NUM,
    EL_MONEY, /* value: cents */
    EL_PCT,   /* value: per cent x 100 */
    EL_ITEM,  /* value: index into the menu's items */
    EL_OFF,   /* value: index into the drinks that the house does not have */
    EL_MOD,   /* value: modifier id */
    EL_CAT,   /* value: category */
    EL_MOOD,  /* value: index into the menu's moods */
    EL_TAG,   /* value: index into tags */
    EL__COUNT
};

#define ALIAS_WORDS 6

struct alias {
    uint16_t words[ALIAS_WORDS];
    uint8_t count;
    uint8_t kind; /* enum el_kind */
    bool plural;
    int16_t value;
    int16_t next;        /* in the chain of its first word */
    int16_t next_letter; /* among the drinks whose joined name starts alike */
    char joined[44];     /* without spaces, for a spelling that joins or splits words */
    uint8_t joined_len;
};

struct lexicon {
    struct map map;
    struct word *words; /* [0] is "unknown" */
    size_t count, cap;
    struct alias *aliases;
    size_t alias_count, alias_cap;
    int16_t by_letter[26]; /* chains of drinks' names worth to compare as a whole */
};

void house__lex_init(struct lexicon *l);
void house__lex_release(struct lexicon *l);
/* The id of a word, made when new; flags are added. */
uint16_t house__lex_add(struct lexicon *l, const char *text, size_t len, unsigned flags);
uint16_t house__lex_find(const struct lexicon *l, const char *text,
                         size_t len); /* 0: unknown */
/* The word that an unknown one was probably meant to be, or 0. */
uint16_t house__lex_nearest(const struct lexicon *l, const char *text, size_t len);
void house__lex_alias(struct lexicon *l, enum el_kind kind, int value, const char *text,
                      bool plurals);
void house__lex_plural_alias(struct lexicon *l, enum el_kind kind, int value, const char *text);
/* How many slips a text of this length may have and still be taken for another. */
int house__lex_tolerance(size_t len);
/* Edit distance as typists make it: insert, drop, replace, swap neighbours. Capped. */
int house__lex_distance(const char *a, size_t na, const char *b, size_t nb, int cap);

/* ---- tokens ---- */

struct token {
    const char *text; /* lower case, not NUL-terminated */
    uint8_t len;
    uint8_t kind;  /* EL_WORD, EL_NUM, EL_MONEY, EL_PCT */
    char after;    /* 0, ',', '.', '!', '?' */
    bool guessed;  /* the word is what a misspelling was taken for */
    uint16_t word; /* 0: unknown */
    int32_t value;
};

#define HOUSE_TEXT_MAX 6000 /* bytes of a message that are looked at */
#define HOUSE_TOKENS_MAX 900

struct tokens {
    struct token *t;
    size_t count, cap;
    char *room; /* lower-case copies */
    size_t room_used, room_cap;
    bool cut; /* there was more than is looked at */
};

int house__tokens_read(const struct lexicon *l, struct region *mem, struct str text,
                       struct tokens *ret);

/* ---- elements ---- */

struct el {
    uint8_t kind;
    char after;
    bool plural;   /* "beers" */
    bool weak;     /* the number is "a" or "an" */
    uint16_t word; /* 0 for anything but words and numbers */
    int32_t value;
    const char *text;
    uint8_t len;
};

struct house;
size_t house__match_elements(const struct house *h, const struct tokens *t, struct el *out);

/* ---- patterns ---- */

enum intent {
    IN_NONE,
#define INTENT(name) IN_##name,
#define ON(name, pattern)
#define TALK(occasion, pattern)
#include "mind/house.def"
#undef INTENT
#undef ON
#undef TALK
    IN_TALK, /* small talk: `talk` is the occasion */
    IN__COUNT
};

enum occasion {
#define OCCASION(name, placeholders) OC_##name,
#include "mind/house_say.def"
#undef OCCASION
    OC__COUNT
};

struct term {
    uint8_t kind; /* enum term_kind of house_pattern.c */
    bool optional;
    uint16_t first, count; /* alternatives: word ids */
    uint32_t kinds;        /* set of enum el_kind */
};

struct pattern {
    uint16_t first, count; /* terms */
    uint8_t intent;
    uint8_t talk;
    bool at_start, at_end;
    uint64_t need;       /* one of these word bits must be in the clause, 0: nothing needed */
    uint32_t need_kinds; /* or one of these kinds */
};

struct patterns {
    struct pattern *p;
    size_t count;
    struct term *terms;
    size_t term_count, term_cap;
    uint16_t *alts;
    size_t alt_count, alt_cap;
};

void house__patterns_init(struct patterns *ps, struct lexicon *l);
void house__patterns_release(struct patterns *ps);
/* The first pattern of the table that the elements match, or NULL. */
const struct pattern *house__patterns_match(const struct patterns *ps, const struct el *e,
                                            size_t n);

/* ---- the mind ---- */

struct off_menu { /* a drink people ask for that the house may not have */
    const char *name;
    const char *like; /* what is in it, to find the nearest the house has */
};

extern const struct off_menu house_off_menu[];
extern const size_t house_off_menu_count;

#define HOUSE_CATS 16
#define HOUSE_TAGS 160

struct house {
    struct mind mind;
    const struct bar_menu *menu;
    const struct phrases *phrases;
    const struct bar_item *items;
    size_t item_count;
    const struct bar_mood *moods;
    size_t mood_count;
    const struct bar_modifier *mods;
    size_t mod_count;
    const char *cats[HOUSE_CATS]; /* the menu's categories, in its order */
    size_t cat_count;
    const char *tags[HOUSE_TAGS];
    size_t tag_count;
    struct lexicon lex;
    struct patterns patterns;
    struct house_known *known; /* ids of words that code looks for */
};

/* Words that code, not a pattern, looks for. */
struct house_known {
#define KNOWN(name) uint16_t name;
#include "mind/house_known.def"
#undef KNOWN
};
#define IS(e, name) ((e)->word != 0 && (e)->word == h->known->name)

/* ---- clauses ---- */

struct clause {
    const struct el *e;
    size_t n;
    enum intent intent;
    enum occasion talk;
    bool fix;      /* "no, wait", "actually": about what was just done */
    bool denied;   /* "no", "wait", "i meant": it replaces what was just done */
    bool only;     /* "just two", "only a beer" */
    bool question; /* ended with '?' */
    bool first;    /* starts a sentence */
    bool handled;
};

#define HOUSE_CLAUSES_MAX 64

/* house_shape.c */
enum shape { SHAPE_NONE, SHAPE_DRINKS, SHAPE_MODS, SHAPE_COUNT };
bool house__is_drink(const struct el *e); /* named, on the menu or not, or a category */
enum shape house__shape_of(const struct house *h, const struct el *e, size_t n);

size_t house__clauses_find(const struct house *h, const struct el *e, size_t n,
                           struct clause *out);

/* ---- what a clause names ---- */

#define WISH_MODS 6
#define HOUSE_WISHES_MAX 32

enum wish_kind {
    WISH_ITEM,
    WISH_OFF,
    WISH_CAT,
    WISH_REF /* "it", "the second one", "two", "both", or nothing but modifiers */
};

enum wish_ref { REF_NONE, REF_IT, REF_ONE, REF_ORDINAL, REF_LAST, REF_ALL, REF_OTHER };

struct wish {
    enum wish_kind kind;
    enum wish_ref ref;
    int value; /* item, off-menu or category index; ordinal from 1 */
    int qty;   /* 0: not said */
    bool weak; /* said as "a" */
    bool more; /* "another", "two more" */
    bool the;  /* definite: "the", "my", "that" */
    bool plural;
    bool each;
    bool all;    /* "all the beers" */
    bool half;   /* "half of the waters" */
    int generic; /* the drink's name is that of its category, this one; else -1 */
    bool part;   /* "one of the martinis" */
    uint8_t mods[WISH_MODS];
    uint8_t mod_count;
    uint8_t off_mods[WISH_MODS]; /* to be taken away: "not dirty", "without the twist" */
    uint8_t off_count;
};

struct wishes {
    struct wish w[HOUSE_WISHES_MAX];
    size_t count;
    bool too_many;
};

void house__parse_wishes(const struct house *h, const struct el *e, size_t n,
                         struct wishes *ret);
/* "the three of us", "me and my two friends": how many people; 0 when not said. */
int house__parse_group(const struct house *h, const struct el *e, size_t n);

/* ---- a turn ---- */

struct touch {    /* a line, by what it is, since places in the order shift */
    uint8_t item; /* index + 1; 0: none */
    uint8_t qty;  /* how many the last act added */
    uint8_t mods[4];
    uint8_t mod_count;
};

#define MEMO_TOUCHED 6
#define MEMO_ROUND 8
#define MEMO_GONE 3
#define MEMO_SHOWN 6
#define MEMO_SAID 20

enum pending {
    PEND_NONE,
    PEND_MORE,     /* "anything else?" */
    PEND_OFFER,    /* would you like `shown`? */
    PEND_REMOVE,   /* which of the lines comes off? */
    PEND_CHANGE,   /* which of the lines changes? */
    PEND_PAY,      /* shall I close it? */
    PEND_HOW_MANY, /* how many of shown[0]? */
    PEND_CLEAR,    /* really everything? */
    PEND_TIP,      /* how much? */
    PEND_TIP_OFFER /* `offer` per cent? */
};

enum act_kind { ACT_NONE, ACT_ADD, ACT_REMOVE, ACT_CHANGE, ACT_TIP, ACT_ASK, ACT_PAY };

/* What is kept between turns; packed into struct mind_memo. */
struct memo {
    uint8_t version;
    uint8_t pending;   /* enum pending */
    uint8_t last_act;  /* enum act_kind of the last turn that did something */
    uint8_t last_turn; /* its number, low byte */
    uint8_t last_ask;  /* enum intent of the last question */
    uint8_t touched_count, round_count, shown_count;
    uint8_t shown[MEMO_SHOWN];
    uint8_t said[MEMO_SAID][2]; /* ring of occasion, variant */
    uint8_t said_at;
    uint8_t greeted;
    uint8_t offer; /* per cent */
    struct touch touched[MEMO_TOUCHED];
    struct touch round[MEMO_ROUND];
    uint8_t gone_count;
    struct touch gone[MEMO_GONE]; /* what was taken off last */
};
_Static_assert(sizeof(struct memo) <= MIND_MEMO_MAX, "the notes must fit");

struct ctx {
    const struct house *h;
    struct mind_turn *turn;
    const struct mind_sink *sink;
    const struct bar_tab *tab;
    struct memo memo;
    struct clause *clauses;
    size_t clause_count;
    int described; /* item + 1 that this reply has told about already */
    int group;     /* people, from the whole message */
    bool refused;  /* memory was refused: stop */
    bool did;      /* some tool changed something, or a question was answered */
    bool fresh;    /* the last act was in the turn before, or in this one */
    bool acted;    /* something was touched in this turn already */
    bool showing;  /* something was shown in this turn */
    bool removed;  /* something was taken off in this turn */
    bool recalled; /* something was said from the documents */
    bool asked;    /* the reply ends with a question already */
    uint64_t rng;
    struct region clause_room; /* what one clause needs on the way; charged like the turn */
    struct buf said;           /* the reply */
    struct buf added;          /* "two Negronis and a Water", not yet said */
    int added_parts;
    uint8_t mention[MEMO_SHOWN]; /* items spoken of in this message */
    size_t mention_count;
};

/* tools (house_tools.c): each returns false when the turn must stop (memory was refused) */

struct reply { /* a tool's answer; what it changed is read from the tab itself */
    bool ok;
    char code[32];     /* when not ok */
    char message[200]; /* when not ok */
    int64_t cents;     /* "paid" of a payment, -1 when not told */
};

bool house__tool_call(struct ctx *c, const char *name, struct json_t *args, struct reply *ret);
bool house__tool_add(struct ctx *c, int item, const uint8_t *mods, size_t mod_count, int qty,
                     struct reply *ret);
bool house__tool_remove(struct ctx *c, int line, int qty, struct reply *ret);
bool house__tool_quantity(struct ctx *c, int line, int qty, struct reply *ret);
bool house__tool_modifiers(struct ctx *c, int line, const uint8_t *mods, size_t mod_count,
                           struct reply *ret);
bool house__tool_plain(struct ctx *c, const char *name, struct reply *ret);

/* lines of the order */

int house__line_item(const struct house *h, const struct bar_line *l); /* menu index or -1 */
size_t house__line_mods(const struct house *h, const struct bar_line *l,
                        uint8_t *ret); /* WISH_MODS */
void house__mods_text(const struct house *h, const uint8_t *mods, size_t n, struct buf *out);
/* Merge `add` into `mods`, one of a pair that exclude each other giving way; minus `off`. */
size_t house__mods_merge(const struct house *h, int item, uint8_t *mods, size_t n,
                         const struct wish *w);
/* Lines that a wish may mean; returns how many. */
size_t house__lines_of(struct ctx *c, const struct wish *w, int *ret, size_t cap);
int house__line_of_touch(struct ctx *c, const struct touch *t);
int house__line_last(struct ctx *c); /* the line touched last, or the last line; -1: none */
void house__touch_reset(struct ctx *c);
void house__touch_line(struct ctx *c, int line, int qty);

/* acts */

void house__act_clause(struct ctx *c, struct clause *cl);
void house__act_order(struct ctx *c, struct clause *cl);
void house__act_more(struct ctx *c, struct clause *cl);
void house__act_again(struct ctx *c, struct clause *cl);
void house__act_remove(struct ctx *c, struct clause *cl);
void house__act_remove_wish(struct ctx *c, const struct wish *w);
void house__act_quantity(struct ctx *c, struct clause *cl);
void house__act_replace(struct ctx *c, struct clause *cl);
void house__act_modify(struct ctx *c, struct clause *cl);
void house__act_clear(struct ctx *c, struct clause *cl);
void house__act_put_back(struct ctx *c);
void house__act_undo(struct ctx *c, struct clause *cl);
void house__act_money(struct ctx *c, struct clause *cl);
void house__act_ask(struct ctx *c, struct clause *cl);
bool house__other_business(struct ctx *c, const struct clause *cl); /* beside this one */
bool house__alone(struct ctx *c, const struct clause *cl);          /* nothing else was said */
bool house__names_drink(const struct clause *cl);
void house__done_ordering(struct ctx *c);
bool house__act_answer(struct ctx *c, struct clause *cl); /* to a pending question */
void house__act_my_name(struct ctx *c, struct clause *cl);
bool house__order_wish(struct ctx *c, const struct wish *w, int qty);
void house__off_menu_say(struct ctx *c, int off);
void house__shown_reset(struct ctx *c); /* what is shown in one turn adds up */
void house__show_item(struct ctx *c,
                      int item); /* "the second one" may mean it in the next turn */

/* house_remove.c, for the other changes */
void house__count_line(struct ctx *c, struct buf *out, int line, int qty); /* "two IPAs" */
void house__not_there(struct ctx *c, const struct wish *w);
/* qty 0: all of it. What went is added to `parts`, a line each, for house__tell_removed(). */
bool house__remove_line(struct ctx *c, int line, int qty, struct buf *parts);
int house__remove_wish(struct ctx *c, const struct wish *w, struct buf *parts);
void house__tell_removed(struct ctx *c, struct buf *parts, int n);
/* house_change.c, house_replace.c */
void house__set_quantity(struct ctx *c, int line, int qty);
void house__change_mods(struct ctx *c, int line, const struct wish *w);
void house__replace_with(struct ctx *c, const struct wishes *old, const struct wishes *new);
void house__replace_line(struct ctx *c, int line, const struct wish *to);
/* house_parse.c: "Martini" and "Gin": the spirit is a way to make the cocktail */
bool house__is_spirit(const struct house *h, int item);
bool house__made_with(const struct house *h, int cocktail, int spirit);
/* house_correct.c: false when the clause is no such correction */
bool house__act_correct(struct ctx *c, struct clause *cl);
/* house_order.c: add one drink and tell it; `in_round`: "another round" means it too */
bool house__add(struct ctx *c, int item, const uint8_t *mods, size_t mod_count, int qty,
                bool in_round);
/* house_round.c: what "another round" means */
void house__remember_round(struct ctx *c, int item, const uint8_t *mods, size_t n, int qty);
void house__forget_round(struct ctx *c, int item, int qty);
/* house_recommend.c */
void house__recommend(struct ctx *c, struct clause *cl);
void house__taste_no(struct ctx *c, struct clause *cl);
void house__strongest(struct ctx *c);

/* house_recall.c: say what the documents have; false when they have nothing on it */
bool house__recall(struct ctx *c, const struct clause *cl); /* instead of this answer */
bool house__recall_unknown(struct ctx *c);                  /* nothing was understood */

/* ---- saying ---- */

/* Arguments are pairs of placeholder name and text, ended by NULL. */
void house__say(struct ctx *c, enum occasion o, ...) __attribute__((sentinel));
/* The n lines of `parts` as "a, b and c", in a buf of the turn. */
void house__say_parts(struct ctx *c, const struct buf *parts, int n, struct buf *ret);
void house__say_flush(struct ctx *c); /* what was added and not yet told */
void house__say_added(struct ctx *c, int item, const uint8_t *mods, size_t mod_count, int qty);
void house__say_error(struct ctx *c, const struct reply *r, int item, int qty);
void house__say_count(struct buf *out, const struct house *h, int item, const uint8_t *mods,
                      size_t mod_count, int qty); /* "two Martinis (dry)" */
void house__say_join(struct buf *out, size_t i,
                     size_t n); /* ", " or " and " before the i-th of n */
void house__say_lines(struct ctx *c, struct buf *out); /* the order as a sentence's part */
void house__number_text(int n, struct buf *out);
struct buf *house__say_buf(struct ctx *c, struct buf *b); /* until the clause is done */

/* ---- phrases.c ---- */

size_t phrases_count(const struct phrases *p, enum occasion o);
const char *phrases_get(const struct phrases *p, enum occasion o, size_t i);

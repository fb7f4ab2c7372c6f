/*
 * The house mind: understands a guest at a bar with no model, no key and no network. All of a
 * turn happens inside start(); what changes goes through the sink's tools, what is said is
 * made from what they did.
 */
#include "mind/house_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MEMO_VERSION 2

const struct off_menu house_off_menu[] = {
#define OFF(name, like, names) {name, like},
#include "mind/house_off.def"
#undef OFF
};
const size_t house_off_menu_count = ARRAY_LEN(house_off_menu);

/* ---- building: once, at start ---- */

static void add_rewrites(struct lexicon *l)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
#define REWRITE(from, to) {from, to},
#include "mind/house_rewrite.def"
#undef REWRITE
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t id = house__lex_add(l, rows[i].from, strlen(rows[i].from), 0);

        l->words[id].rewrite = rows[i].to;
        for (const char *p = rows[i].to; *p; p += strspn(p, " ")) {
            size_t n = strcspn(p, " ");

            house__lex_add(l, p, n, W_COMMON);
            p += n;
        }
    }
}

static void add_words(struct lexicon *l, const char *text, unsigned flags)
{
    for (const char *p = text + strspn(text, " |"); *p; p += strspn(p, " |")) {
        size_t n = strcspn(p, " |");

        house__lex_add(l, p, n, flags);
        p += n;
    }
}

static void add_numbers(struct lexicon *l)
{
    static const struct {
        const char *text;
        int16_t value;
    } rows[] = {{"zero", 0},      {"one", 1},         {"two", 2},       {"three", 3},
                {"four", 4},      {"five", 5},        {"six", 6},       {"seven", 7},
                {"eight", 8},     {"nine", 9},        {"ten", 10},      {"eleven", 11},
                {"twelve", 12},   {"thirteen", 13},   {"fourteen", 14}, {"fifteen", 15},
                {"sixteen", 16},  {"seventeen", 17},  {"eighteen", 18}, {"nineteen", 19},
                {"twenty", 20},   {"thirty", 30},     {"forty", 40},    {"fifty", 50},
                {"sixty", 60},    {"seventy", 70},    {"eighty", 80},   {"ninety", 90},
                {"hundred", 100}, {"thousand", 1000}, {"dozen", 12},    {"couple", 2},
                {"few", 3},       {"deux", 2},        {"dos", 2},       {"tres", 3}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t id = house__lex_add(l, rows[i].text, strlen(rows[i].text), W_NUM | W_CUE);

        l->words[id].number = rows[i].value;
    }
}

/* Aliases of one thing; '|' stands between them. */
static void alias_list(struct lexicon *l, enum el_kind kind, int value, const char *names,
                       bool plurals)
{
    char one[96];

    for (const char *p = names; *p;) {
        size_t n = strcspn(p, "|");

        if (n && n < sizeof(one)) {
            memcpy(one, p, n);
            one[n] = '\0';
            house__lex_alias(l, kind, value, one, plurals);
        }
        p += n + (p[n] != 0);
    }
}

/* A mood's aliases may be words that mean more than a mood; those are left to the patterns. */
static bool is_mood_word(const char *alias)
{
    static const char *const not [] = {
        "anything", "whatever",  "surprise",    "surprise me", "best",          "special",
        "favorite", "favourite", "recommended", "best seller", "house special", "signature",
        "shot",     "shots",     "rough day",   "bad day",     "long day",      "hungover",
        "hangover", "driving",   "hard",        "hot",         "classic",       "sober"};

    for (size_t i = 0; i < ARRAY_LEN(not ); i++)
        if (strcmp(not [i], alias) == 0)
            return false;
    return true;
}

static void add_tag(struct house *h, const char *tag)
{
    for (size_t i = 0; i < h->tag_count; i++)
        if (strcasecmp(h->tags[i], tag) == 0)
            return;
    if (h->tag_count < HOUSE_TAGS) {
        h->tags[h->tag_count] = tag;
        house__lex_alias(&h->lex, EL_TAG, (int)h->tag_count, tag, false);
        h->tag_count++;
    }
}

static void add_menu(struct house *h)
{
    struct lexicon *l = &h->lex;

    for (size_t i = 0; i < h->item_count; i++) {
        const struct bar_item *it = &h->items[i];
        size_t cat = 0;

        house__lex_alias(l, EL_ITEM, (int)i, it->name, true);
        for (size_t k = 0; it->aliases[k]; k++)
            if (strlen(it->aliases[k]) > 1)
                house__lex_alias(l, EL_ITEM, (int)i, it->aliases[k], true);
        while (cat < h->cat_count && strcmp(h->cats[cat], it->category) != 0)
            cat++;
        if (cat == h->cat_count && cat < HOUSE_CATS) {
            h->cats[h->cat_count++] = it->category;
            house__lex_alias(l, EL_CAT, (int)cat, it->category, true);
            if (it->category[strlen(it->category) - 1] == 's') {
                char *one = xstrndup(it->category, strlen(it->category) - 1);

                house__lex_alias(l, EL_CAT, (int)cat, one, false);
                free(one);
            }
        }
    }
    for (size_t i = 0; i < h->cat_count; i++) {
        if (strcmp(h->cats[i], "Spirits") == 0)
            alias_list(l, EL_CAT, (int)i, "liquor|liquors|hard liquor|hard stuff|neat spirits",
                       false);
        if (strcmp(h->cats[i], "Non-alcoholic") == 0)
            alias_list(l, EL_CAT, (int)i,
                       "non alcoholic drinks|non alcoholic drink|soft drinks|nonalcoholic|"
                       "alcohol free|no alcohol|without alcohol|soft stuff|non alcoholics|"
                       "non alcoholic cocktail|non alcoholic cocktails|non alcoholic options",
                       false);
    }
    for (size_t i = 0; i < h->mod_count; i++) {
        house__lex_alias(l, EL_MOD, (int)i, h->mods[i].name, false);
        for (size_t k = 0; h->mods[i].aliases[k]; k++)
            house__lex_alias(l, EL_MOD, (int)i, h->mods[i].aliases[k], false);
        /* "with olives": the thing itself too, in any number */
        if (strncmp(h->mods[i].name, "with ", 5) == 0) {
            const char *thing = strrchr(h->mods[i].name, ' ') + 1;

            house__lex_alias(l, EL_MOD, (int)i, thing, true);
            if (thing[strlen(thing) - 1] == 's')
                house__lex_plural_alias(l, EL_MOD, (int)i, thing);
        }
    }
    for (size_t i = 0; i < h->mood_count; i++) {
        if (is_mood_word(h->moods[i].name))
            house__lex_alias(l, EL_MOOD, (int)i, h->moods[i].name, false);
        for (size_t k = 0; h->moods[i].aliases[k]; k++)
            if (is_mood_word(h->moods[i].aliases[k]))
                house__lex_alias(l, EL_MOOD, (int)i, h->moods[i].aliases[k], false);
    }
    for (size_t i = 0; i < h->item_count; i++)
        for (size_t k = 0; h->items[i].tags[k]; k++)
            add_tag(h, h->items[i].tags[k]);
}

static void add_off_menu(struct lexicon *l)
{
    static const char *const names[] = {
#define OFF(name, like, names) names,
#include "mind/house_off.def"
#undef OFF
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        alias_list(l, EL_OFF, (int)i, names[i], true);
}

static void add_known(struct house *h)
{
    static const char *const names[] = {
#define KNOWN(name) #name,
#include "mind/house_known.def"
#undef KNOWN
    };
    uint16_t ids[ARRAY_LEN(names)];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);

        ids[i] = house__lex_add(&h->lex, names[i], n - (names[i][n - 1] == '_'), W_COMMON);
    }
    h->known = xalloc(sizeof(*h->known));
    _Static_assert(sizeof(*h->known) == sizeof(ids), "one id for each known word");
    memcpy(h->known, ids, sizeof(ids));
}

static void house_start(struct mind *m, struct mind_turn *turn, const struct mind_sink *sink,
                        struct mind_call **ret);

static void house_stop(struct mind_call *call)
{
    (void)call; /* a call never outlives start() */
}

static void house_free(struct mind *m)
{
    struct house *h = (struct house *)m;

    house__patterns_release(&h->patterns);
    house__lex_release(&h->lex);
    free(h->known);
    free(h);
}

static const struct mind_ops house_ops = {
    .name = "house", .start = house_start, .stop = house_stop, .free = house_free};

struct mind *mind_house_new(const struct bar_menu *menu, const struct phrases *phrases)
{
    struct house *h = xalloc(sizeof(*h));

    h->mind.ops = &house_ops;
    h->menu = menu;
    h->phrases = phrases;
    h->items = bar_menu_items(menu, &h->item_count);
    h->moods = bar_menu_moods(menu, &h->mood_count);
    h->mods = bar_menu_modifiers(menu, &h->mod_count);
    /* ids of items and modifiers are kept in single bytes */
    MUST(h->item_count < 120 && h->mod_count < 120);
    house__lex_init(&h->lex);
    add_known(h);
    add_numbers(&h->lex);
#define WORDS(text) add_words(&h->lex, text, W_COMMON);
#include "mind/house_words.def"
#undef WORDS
    add_rewrites(&h->lex);
    house__patterns_init(&h->patterns, &h->lex);
    add_menu(h);
    add_off_menu(&h->lex);
    return &h->mind;
}

void mind_free(struct mind **m)
{
    if (*m)
        (*m)->ops->free(*m);
    *m = NULL;
}

/* ---- a turn ---- */

static void read_memo(struct ctx *c)
{
    const struct mind_memo *m = c->turn->memo;

    if (m->len == sizeof(c->memo) && m->data[0] == MEMO_VERSION)
        memcpy(&c->memo, m->data, sizeof(c->memo));
    c->memo.version = MEMO_VERSION;
    /* notes come from the store: nothing in them may lead out of a table */
    if (c->memo.touched_count > MEMO_TOUCHED || c->memo.round_count > MEMO_ROUND ||
        c->memo.shown_count > MEMO_SHOWN || c->memo.gone_count > MEMO_GONE ||
        c->memo.said_at >= MEMO_SAID)
        c->memo = (struct memo){.version = MEMO_VERSION};
    for (size_t i = 0; i < c->memo.shown_count; i++)
        if (c->memo.shown[i] >= c->h->item_count)
            c->memo.shown_count = 0;
    for (size_t i = 0; i < MEMO_TOUCHED + MEMO_ROUND; i++) {
        struct touch *t =
            i < MEMO_TOUCHED ? &c->memo.touched[i] : &c->memo.round[i - MEMO_TOUCHED];
        bool bad = t->item > c->h->item_count || t->mod_count > 4;

        for (size_t k = 0; k < 4; k++)
            bad |= t->mods[k] > c->h->mod_count &&
                   (t->mods[k] < 128 || t->mods[k] >= 128 + c->h->item_count);
        for (size_t k = 0; k < 4 && k < t->mod_count; k++)
            bad |= t->mods[k] == 0;
        bad |= t->item == 0 && (i < MEMO_TOUCHED ? i < c->memo.touched_count
                                                 : i - MEMO_TOUCHED < c->memo.round_count);
        if (bad) {
            c->memo.touched_count = c->memo.round_count = 0;
            memset(c->memo.touched, 0, sizeof(c->memo.touched));
            memset(c->memo.round, 0, sizeof(c->memo.round));
        }
    }
}

static void write_memo(struct ctx *c)
{
    struct mind_memo *m = c->turn->memo;

    m->len = sizeof(c->memo);
    memcpy(m->data, &c->memo, sizeof(c->memo));
}

/* The reply in pieces of a few words, so that a page can show them as they come. */
static void send(struct ctx *c)
{
    const char *p = buf_text(&c->said);
    size_t left = c->said.len;

    while (left) {
        size_t n = 0, words = 0;

        while (n < left && words < 3) {
            words += p[n] == ' ';
            n++;
        }
        c->sink->text(c->sink->ctx, p, n);
        p += n;
        left -= n;
    }
}

static void collect_mentions(struct ctx *c, const struct el *e, size_t n)
{
    for (size_t i = 0; i < n && c->mention_count < MEMO_SHOWN; i++)
        if (e[i].kind == EL_ITEM)
            c->mention[c->mention_count++] = (uint8_t)e[i].value;
}

/* Something short behind an order, now and then. */
static void closing(struct ctx *c)
{
    char tab[24];

    if (c->asked || c->refused || c->tab->line_count == 0)
        return;
    if (c->memo.last_act != ACT_ADD && c->memo.last_act != ACT_REMOVE)
        return;
    if (!c->acted)
        return;
    bar_money(bar_tab_cents(c->tab), tab);
    c->rng = c->rng * 6364136223846793005u + 1442695040888963407u;
    if (c->rng >> 40 & 1)
        house__say(c, OC_tab_now, "tab", tab, NULL);
    else
        house__say(c, OC_anything_else, NULL);
}

static void think(struct ctx *c, const struct el *e, size_t n, bool cut)
{
    collect_mentions(c, e, n);
    c->group = house__parse_group(c->h, e, n);
    if (c->group > BAR_QUANTITY_MAX)
        c->group = 0;
    c->clause_count = house__clauses_find(c->h, e, n, c->clauses);
    for (size_t i = 0; i < c->clause_count && !c->refused; i++) {
        house__act_clause(c, &c->clauses[i]);
        region_release(&c->clause_room);
    }
    house__say_flush(c);
    if (!c->said.len && !c->refused && !house__recall_unknown(c))
        house__say(c, OC_unknown, NULL);
    closing(c);
    if (cut)
        house__say(c, OC_too_long, NULL);
}

static void house_start(struct mind *m, struct mind_turn *turn, const struct mind_sink *sink,
                        struct mind_call **ret)
{
    struct ctx c = {.h = (struct house *)m, .turn = turn, .sink = sink, .tab = turn->tab};
    struct tokens tokens;
    struct el *e;
    size_t n;
    struct err err;

    *ret = NULL;
    c.rng = turn->seed ^ (uint64_t)turn->turn_number * UINT64_C(0xd1342543de82ef95);
    read_memo(&c);
    c.fresh = c.memo.last_turn == (uint8_t)(turn->turn_number - 1) && turn->turn_number > 1;
    region_init(&c.clause_room, turn->scratch->budget, 0);
    buf_init(&c.said, &turn->scratch->mem);
    buf_init(&c.added, &turn->scratch->mem);
    if (house__tokens_read(&c.h->lex, turn->scratch, turn->text, &tokens) < 0)
        goto refused;
    e = region_alloc(turn->scratch, (tokens.count + 1) * sizeof(*e));
    c.clauses =
        region_alloc(turn->scratch,
                     (tokens.count < HOUSE_CLAUSES_MAX ? tokens.count + 1 : HOUSE_CLAUSES_MAX) *
                         sizeof(*c.clauses));
    if (!e || !c.clauses)
        goto refused;
    n = house__match_elements(c.h, &tokens, e);
    think(&c, e, n, tokens.cut);
    if (c.refused || c.said.full || c.added.full)
        goto refused;
    if (c.did || c.acted)
        c.memo.last_turn = (uint8_t)turn->turn_number;
    region_release(&c.clause_room);
    write_memo(&c);
    send(&c);
    sink->done(sink->ctx);
    return;

refused:
    region_release(&c.clause_room);
    err_set(&err, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
    sink->fail(sink->ctx, &err);
}

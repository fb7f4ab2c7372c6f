/* Every word the house mind knows, and what may be a misspelling of what. */
#include "mind/house_int.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 40

void house__lex_init(struct lexicon *l)
{
    *l = (struct lexicon){.cap = 1024};
    memset(l->by_letter, 0xff, sizeof(l->by_letter)); /* -1: empty */
    map_init(&l->map, 0x6d617961);
    l->words = xalloc(l->cap * sizeof(*l->words));
    l->words[0] = (struct word){.text = "", .first_alias = -1};
    l->count = 1;
}

void house__lex_release(struct lexicon *l)
{
    for (size_t i = 1; i < l->count; i++) {
        char *text = (char *)(uintptr_t)l->words[i].text;

        free(text);
    }
    map_release(&l->map);
    free(l->words);
    free(l->aliases);
    *l = (struct lexicon){0};
}

uint16_t house__lex_find(const struct lexicon *l, const char *text, size_t len)
{
    return (uint16_t)(uintptr_t)map_get(&l->map, text, len);
}

uint16_t house__lex_add(struct lexicon *l, const char *text, size_t len, unsigned flags)
{
    uint16_t id = house__lex_find(l, text, len);
    struct word *w;

    MUST(len > 0 && len < WORD_MAX && l->count < UINT16_MAX);
    if (id) {
        l->words[id].flags |= (uint8_t)flags;
        return id;
    }
    if (l->count == l->cap) {
        l->cap *= 2;
        l->words = xrealloc(l->words, l->cap * sizeof(*l->words));
    }
    id = (uint16_t)l->count++;
    w = &l->words[id];
    *w = (struct word){.len = (uint8_t)len, .flags = (uint8_t)flags, .first_alias = -1};
    w->text = xstrndup(text, len);
    memcpy(w->first, w->text, 2);
    map_put(&l->map, w->text, len, (void *)(uintptr_t)id);
    return id;
}

/* Optimal string alignment on three rows; words here are short. */
int house__lex_distance(const char *a, size_t na, const char *b, size_t nb, int cap)
{
    int rows[3][64];
    int *before = rows[0], *last = rows[1], *now = rows[2];

    if (na >= 64 || nb >= 64)
        return cap;
    if ((na > nb ? na - nb : nb - na) >= (size_t)cap)
        return cap;
    for (size_t j = 0; j <= nb; j++)
        last[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int best = now[0] = (int)i;
        int *turn = before;

        for (size_t j = 1; j <= nb; j++) {
            int d = last[j - 1] + (a[i - 1] != b[j - 1]);

            if (last[j] + 1 < d)
                d = last[j] + 1;
            if (now[j - 1] + 1 < d)
                d = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            now[j] = d;
            if (d < best)
                best = d;
        }
        if (best >= cap)
            return cap;
        before = last;
        last = now;
        now = turn;
    }
    return last[nb] < cap ? last[nb] : cap;
}

int house__lex_tolerance(size_t len)
{
    if (len < 4)
        return 0;
    if (len < 7)
        return 1;
    return len < 13 ? 2 : 3;
}

/*
 * A four-letter word has so many neighbours ("wine" and "wide") that only a swap or a doubled
 * letter counts as a slip; from five letters on the first letter must be right, or swapped.
 */
static bool may_be(const char *a, size_t na, const struct word *w)
{
    if (a[0] != w->first[0] &&
        !(na > 3 && w->len > 3 && a[0] == w->first[1] && a[1] == w->first[0]))
        return false;
    if (w->len <= 4)
        return na == w->len || (na == 5u && w->len == 4);
    return true;
}

uint16_t house__lex_nearest(const struct lexicon *l, const char *text, size_t len)
{
    uint16_t best = 0;
    int best_score = 1000;

    if (len < 4 || len >= WORD_MAX)
        return 0;
    for (size_t i = 1; i < l->count; i++) {
        const struct word *w = &l->words[i];
        size_t shorter = len < w->len ? len : w->len;
        int allow, d, score;

        if (!(w->flags & (W_DRINK | W_CUE)) || w->len < 4 || !may_be(text, len, w))
            continue;
        allow = house__lex_tolerance(shorter);
        if (!(w->flags & W_DRINK)) /* an ordinary word: one slip, two in a long one */
            allow = shorter < 5 ? 0 : shorter < 9 ? 1 : 2;
        d = house__lex_distance(text, len, w->text, w->len, allow + 1);
        if (d > allow)
            continue;
        if (w->len <= 4 && len == w->len && memcmp(text, w->text, 2) == 0 &&
            memcmp(text + 2, w->text + 2, 2) != 0 && text[2] != w->text[3])
            continue; /* not a swap */
        if (w->len <= 4 && len == w->len && memcmp(text, w->text, 2) != 0 &&
            !(text[1] == w->text[2] && text[2] == w->text[1]) &&
            !(text[0] == w->text[1] && text[1] == w->text[0]))
            continue;
        score = d * 10 + (text[len - 1] != w->text[w->len - 1]) * 2 +
                ((w->flags & W_DRINK) ? 0 : 1) + (len != w->len);
        if (score < best_score) {
            best_score = score;
            best = (uint16_t)i;
        }
    }
    return best;
}

static void alias_put(struct lexicon *l, enum el_kind kind, int value, const char *text,
                      bool plural)
{
    struct alias a = {.kind = (uint8_t)kind, .value = (int16_t)value, .plural = plural};
    const char *p = text;

    while (*p) {
        size_t n;

        p += strspn(p, " -");
        n = strcspn(p, " -");
        if (n == 0)
            break;
        if (a.count == ALIAS_WORDS || n >= WORD_MAX)
            return;
        if (a.joined_len + n < sizeof(a.joined)) {
            memcpy(a.joined + a.joined_len, p, n);
            a.joined_len = (uint8_t)(a.joined_len + n);
        }
        a.words[a.count++] =
            house__lex_add(l, p, n, kind == EL_ITEM || kind == EL_OFF ? W_DRINK : W_CUE);
        p += n;
    }
    if (a.count == 0)
        return;
    for (int i = l->words[a.words[0]].first_alias; i >= 0; i = l->aliases[i].next)
        if (l->aliases[i].count == a.count && l->aliases[i].kind == a.kind &&
            memcmp(l->aliases[i].words, a.words, a.count * sizeof(a.words[0])) == 0) {
            l->aliases[i].plural |= plural && l->aliases[i].value == value;
            return; /* the first one keeps it */
        }
    if (l->alias_count == l->alias_cap) {
        l->alias_cap = l->alias_cap ? l->alias_cap * 2 : 256;
        l->aliases = xrealloc(l->aliases, l->alias_cap * sizeof(a));
    }
    a.next = l->words[a.words[0]].first_alias;
    a.next_letter = -1;
    if ((kind == EL_ITEM || kind == EL_OFF) && a.joined_len >= 7 && a.joined[0] >= 'a' &&
        a.joined[0] <= 'z') {
        a.next_letter = l->by_letter[a.joined[0] - 'a'];
        l->by_letter[a.joined[0] - 'a'] = (int16_t)l->alias_count;
    }
    l->words[a.words[0]].first_alias = (int16_t)l->alias_count;
    l->aliases[l->alias_count++] = a;
}

void house__lex_alias(struct lexicon *l, enum el_kind kind, int value, const char *text,
                      bool plurals)
{
    char low[128], more[136];
    size_t n = strlen(text);

    if (n == 0 || n >= sizeof(low))
        return;
    for (size_t i = 0; i <= n; i++)
        low[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
    alias_put(l, kind, value, low, false);
    if (!plurals)
        return;
    if (low[n - 1] == 'y' && n > 2 && !strchr("aeiou", low[n - 2]))
        snprintf(more, sizeof(more), "%.*sies", (int)n - 1, low);
    else if (strchr("sxzh", low[n - 1]))
        snprintf(more, sizeof(more), "%ses", low);
    else
        snprintf(more, sizeof(more), "%ss", low);
    alias_put(l, kind, value, more, true);
    if (low[n - 1] == 'y' || low[n - 1] == 'o') { /* "whiskys", "mojitoes" */
        snprintf(more, sizeof(more), low[n - 1] == 'y' ? "%ss" : "%ses", low);
        alias_put(l, kind, value, more, true);
    }
}

void house__lex_plural_alias(struct lexicon *l, enum el_kind kind, int value, const char *text)
{
    alias_put(l, kind, value, text, true);
}

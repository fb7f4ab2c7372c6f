/* Text into words, numbers and money, with contractions and slang made plain. */
#include "mind/house_int.h"

#include <stdio.h>
#include <string.h>

struct reader {
    const struct lexicon *l;
    struct tokens *out;
    const char *p, *end;
};

/* Latin-1 letters without their accents, from U+00C0. */
static const char folded[] = "aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty";

/* One code point as the character that matters here: a letter, a digit, a mark, or ' '. */
static char next_char(struct reader *r)
{
    unsigned char c = (unsigned char)*r->p++;
    unsigned cp;
    int more;

    if (c < 0x80)
        return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    cp = c & (0x3fu >> more);
    while (more-- > 0 && r->p < r->end)
        cp = cp << 6 | ((unsigned char)*r->p++ & 0x3fu);
    if (cp >= 0xc0 && cp <= 0xff)
        return folded[cp - 0xc0];
    if (cp == 0x2019 || cp == 0x2018 || cp == 0x2bc)
        return '\'';
    if (cp == 0x2013 || cp == 0x2014 || cp == 0x2026)
        return ',';
    if (cp == 0xa3 || cp == 0x20ac)
        return '$';
    if (cp == 0xd7)
        return 'x';
    if (cp == 0xff01)
        return '!';
    if (cp == 0xff1f)
        return '?';
    return ' ';
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct token *push(struct tokens *ts)
{
    if (ts->count == ts->cap) {
        ts->cut = true;
        return NULL;
    }
    ts->t[ts->count] = (struct token){0};
    return &ts->t[ts->count++];
}

static void mark_after(struct tokens *ts, char c)
{
    struct token *t = ts->count ? &ts->t[ts->count - 1] : NULL;
    static const char strength[] = ",.!?";

    if (!t)
        return;
    if (!t->after || strchr(strength, c) > strchr(strength, t->after))
        t->after = c;
}

static void push_word(struct reader *r, const char *text, size_t len)
{
    struct token *t = push(r->out);

    if (!t)
        return;
    t->kind = EL_WORD;
    t->text = text;
    t->len = (uint8_t)(len < 60 ? len : 60);
    t->word = house__lex_find(r->l, text, t->len);
}

/* "don't" -> "dont"; "i'll" -> "i", "will"; "what's" -> "what", "is"; "tonight's" -> "tonight".
 */
static void push_contracted(struct reader *r, char *w, size_t n, size_t quote)
{
    static const char is_after[] = " what how that where it who here there he she when which ";
    static const struct {
        const char *tail, *word;
    } tails[] = {{"ll", "will"}, {"d", "would"}, {"re", "are"},
                 {"ve", "have"}, {"m", "am"},    {"em", "them"}};
    char padded[16];

    if (quote >= 1 && n - quote == 2 && w[quote - 1] == 'n' && w[quote + 1] == 't') {
        w[quote] = 't';
        push_word(r, w, n - 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        if (n - quote - 1 == strlen(tails[i].tail) &&
            memcmp(w + quote + 1, tails[i].tail, n - quote - 1) == 0) {
            push_word(r, w, quote);
            push_word(r, tails[i].word, strlen(tails[i].word));
            return;
        }
    if (n - quote == 2 && w[quote + 1] == 's') {
        snprintf(padded, sizeof(padded), " %.*s ", quote < 10 ? (int)quote : 10, w);
        push_word(r, w, quote);
        if (strstr(is_after, padded))
            push_word(r, "is", 2);
        else if (quote == 3 && memcmp(w, "let", 3) == 0)
            push_word(r, "us", 2);
        return;
    }
    if (quote > 0)
        push_word(r, w, quote);
    if (n > quote + 1)
        push_word(r, w + quote + 1, n - quote - 1);
}

/* "soooo" -> "soo" -> "so": stretched letters, when the word is not known as it is. */
static size_t unstretch(const struct lexicon *l, char *w, size_t n)
{
    for (size_t keep = 2; keep >= 1; keep--) {
        size_t out = 0, run = 0;
        bool cut = false;

        if (house__lex_find(l, w, n))
            return n;
        for (size_t i = 0; i < n; i++) {
            run = i > 0 && w[i] == w[i - 1] ? run + 1 : 1;
            cut |= run > 2;
        }
        if (!cut && keep == 2)
            return n;
        run = 0;
        for (size_t i = 0; i < n; i++) {
            run = out > 0 && w[i] == w[out - 1] ? run + 1 : 1;
            if (run <= keep)
                w[out++] = w[i];
        }
        n = out;
        if (keep == 1)
            break;
    }
    return n;
}

static void read_word(struct reader *r, char c)
{
    char *w = r->out->room + r->out->room_used;
    size_t n = 0, quote = 0;
    const char *before;

    for (;;) {
        if (c == '\'')
            quote = n;
        w[n++] = c;
        before = r->p;
        if (r->p == r->end)
            break;
        c = next_char(r);
        if (is_letter(c) || (c == '\'' && !quote && r->p < r->end && is_letter(*r->p | 32)))
            continue;
        if (is_digit(c)) /* "x3", "h2o" */
            continue;
        r->p = before;
        break;
    }
    r->out->room_used += n;
    if (quote)
        push_contracted(r, w, n, quote);
    else if (w[0] == 'x' && n > 1 && n < 5 && is_digit(w[1])) {
        struct token *t = push(r->out);
        int v = 0;

        for (size_t i = 1; i < n && is_digit(w[i]); i++)
            v = v * 10 + (w[i] - '0');
        if (t)
            *t = (struct token){.text = w, .len = (uint8_t)n, .kind = EL_NUM, .value = v};
    } else {
        push_word(r, w, unstretch(r->l, w, n));
    }
}

static bool next_is(struct reader *r, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(r->end - r->p) >= n && strncasecmp(r->p, word, n) == 0 &&
           ((size_t)(r->end - r->p) == n || !is_letter((char)(r->p[n] | 32)));
}

/* "3", "12.50", "1,000", "$5", "5$", "20%", "2x", "1st". Money in cents, per cent x 100. */
static void read_number(struct reader *r, char c, bool money)
{
    char *w = r->out->room + r->out->room_used;
    int64_t whole = 0, part = 0;
    int digits = 0, n = 0;
    bool point = false;
    struct token *t;

    for (;; c = *r->p++) {
        if (n < 60)
            w[n++] = c;
        if (point && digits < 2) {
            part = part * 10 + (c - '0');
            digits++;
        } else if (!point && whole < 100000000) {
            whole = whole * 10 + (c - '0');
        }
        while (r->p < r->end && *r->p == ',' && r->end - r->p > 3 && is_digit(r->p[1]) &&
               is_digit(r->p[2]) && is_digit(r->p[3]))
            r->p++;
        if (!point && r->end - r->p > 1 && *r->p == '.' && is_digit(r->p[1])) {
            point = true;
            r->p++;
        }
        if (r->p == r->end || !is_digit(*r->p))
            break;
    }
    if (digits == 1)
        part *= 10;
    r->out->room_used += (size_t)n;
    if (!money && (next_is(r, "st") || next_is(r, "nd") || next_is(r, "rd"))) {
        w[n] = *r->p | 32;
        w[n + 1] = r->p[1] | 32;
        r->p += 2;
        r->out->room_used += 2;
        push_word(r, w, (size_t)n + 2);
        return;
    }
    t = push(r->out);
    if (!t)
        return;
    *t = (struct token){.text = w, .len = (uint8_t)n, .kind = EL_NUM};
    t->value = (int32_t)(whole > 1000000 ? 1000000 : whole);
    if (!money && r->p < r->end && *r->p == '$') {
        money = true;
        r->p++;
    } else if (!money && (next_is(r, "x") || next_is(r, "%") || next_is(r, " %"))) {
        bool pct = *r->p != 'x' && *r->p != 'X';

        r->p += *r->p == ' ' ? 2 : 1;
        if (pct) {
            t->kind = EL_PCT;
            t->value = (int32_t)(t->value * 100 + part);
        }
        return;
    }
    if (money || point) {
        t->kind = EL_MONEY;
        t->value = (int32_t)(t->value * 100 + part);
    }
}

/* The longest known slang that begins at a token, as plain words; NULL: none. */
static const char *plain_words(const struct lexicon *l, const struct token *t, size_t left,
                               size_t *ret_used)
{
    char key[80];
    size_t len = 0;
    const char *to = NULL;

    for (size_t used = 0; used < 6 && used < left; used++) {
        uint16_t id;

        if (len + t[used].len + 2u > sizeof(key) ||
            (t[used].kind != EL_WORD && t[used].kind != EL_NUM) ||
            (used > 0 && t[used - 1].after))
            break;
        if (used)
            key[len++] = ' ';
        memcpy(key + len, t[used].text, t[used].len);
        len += t[used].len;
        id = house__lex_find(l, key, len);
        if (id && l->words[id].rewrite) {
            to = l->words[id].rewrite;
            *ret_used = used + 1;
        }
    }
    return to;
}

/* Slang made plain. `out` NULL: only count what it will be. */
static size_t rewrite(const struct lexicon *l, const struct tokens *ts, struct token *out)
{
    size_t n = 0, used = 1;

    for (size_t i = 0; i < ts->count; i += used) {
        const struct token *t = &ts->t[i];
        const char *to;

        used = 1;
        to = plain_words(l, t, ts->count - i, &used);
        if (!to) {
            if (out)
                out[n] = *t;
            n++;
            continue;
        }
        for (const char *p = to; *p; p += strspn(p, " ")) {
            size_t w = strcspn(p, " ");

            if (out)
                out[n] = (struct token){.text = p,
                                        .len = (uint8_t)w,
                                        .kind = EL_WORD,
                                        .word = house__lex_find(l, p, w)};
            n++;
            p += w;
        }
        if (out && n > 0 && t[used - 1].after)
            out[n - 1].after = t[used - 1].after;
    }
    return n;
}

/* At least as many as the text will have: a token is a run of letters or of digits, or a mark.
 */
static size_t count_tokens(const char *text, size_t len)
{
    size_t n = 1;
    char before = ' ';

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char kind = is_digit((char)c)                        ? '0'
                    : is_letter((char)(c | 32)) || c >= 0x80 ? 'a'
                                                             : ' ';

        n += (kind != ' ' && kind != before) || c >= 0xc0 || c == '\'' || c == '&' ||
             c == '+' || c == '*';
        before = kind;
    }
    return n;
}

static bool digit_next(const struct reader *r)
{
    return r->p < r->end && is_digit(*r->p);
}

/* What is neither letter nor digit: marks, money, signs. */
static void read_mark(struct reader *r, char c, bool spaced)
{
    struct tokens *ts = r->out;
    struct token *last = ts->count ? &ts->t[ts->count - 1] : NULL;

    if (c == '$') {
        while (r->p < r->end && *r->p == ' ')
            r->p++;
        if (digit_next(r))
            read_number(r, *r->p++, true);
    } else if (c == '.' || c == '!' || c == '?' || c == ',') {
        mark_after(ts, c);
    } else if (c == '*' && (digit_next(r) || (r->p < r->end && *r->p == ' '))) {
        push_word(r, "x", 1);
    } else if (c == '-' && digit_next(r) && spaced) {
        read_number(r, *r->p++, false);
        last = ts->count ? &ts->t[ts->count - 1] : NULL;
        if (last && last->kind == EL_NUM) /* "-3 beers": less than none */
            last->value = 0;
    } else if (c == ':') {
        if (!last || !(last->len == 3 && memcmp(last->text, "tip", 3) == 0))
            mark_after(ts, ',');
    } else if (c == ';' || c == '\n') {
        mark_after(ts, '.');
    } else if (c == '(' && digit_next(r)) { /* "one (1) beer" says it twice */
        const char *p = r->p;

        while (p < r->end && is_digit(*p))
            p++;
        if (p < r->end && *p == ')')
            r->p = p + 1;
    } else if (c == '(' || c == ')' || (c == '-' && r->p < r->end && *r->p == ' ')) {
        mark_after(ts, ',');
    } else if (c == '&' || c == '+') {
        push_word(r, "and", 3);
    } else if (c == '%' && last && last->kind == EL_NUM) {
        last->kind = EL_PCT;
        last->value *= 100;
    }
}

/*
 * Each guess compares a word with the whole lexicon, about 20 us, and everybody else waits for
 * it. Who misspells more words than this in one message is not ordering.
 */
#define GUESSES_MAX 64

static void guess_misspelt(const struct lexicon *l, struct tokens *ts)
{
    int guesses = 0;

    for (size_t i = 0; i < ts->count && guesses < GUESSES_MAX; i++) {
        struct token *t = &ts->t[i];

        if (t->kind == EL_WORD && (!t->word || !l->words[t->word].flags)) {
            t->word = house__lex_nearest(l, t->text, t->len);
            t->guessed = t->word != 0;
            guesses++;
        }
    }
}

int house__tokens_read(const struct lexicon *l, struct region *mem, struct str text,
                       struct tokens *ret)
{
    struct reader r = {.l = l, .out = ret, .p = text.data};
    size_t len = text.len < HOUSE_TEXT_MAX ? text.len : HOUSE_TEXT_MAX;
    struct token *plain;
    size_t count;

    while (len < text.len && len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--;
    *ret = (struct tokens){.cut = len < text.len};
    r.end = text.data + len;
    ret->cap = count_tokens(text.data, len);
    if (ret->cap > HOUSE_TOKENS_MAX)
        ret->cap = HOUSE_TOKENS_MAX;
    ret->room_cap = len + 8;
    ret->t = region_alloc(mem, ret->cap * sizeof(*ret->t));
    ret->room = region_alloc(mem, ret->room_cap);
    if (!ret->t || !ret->room)
        return -1;
    while (r.p < r.end && !ret->cut) {
        bool spaced = r.p == text.data || r.p[-1] == ' ';
        char c = next_char(&r);

        if (is_letter(c))
            read_word(&r, c);
        else if (is_digit(c))
            read_number(&r, c, false);
        else
            read_mark(&r, c, spaced);
    }
    count = rewrite(l, ret, NULL);
    plain = region_alloc(mem, (count + 1) * sizeof(*plain));
    if (!plain)
        return -1;
    rewrite(l, ret, plain);
    ret->t = plain;
    ret->count = count;
    guess_misspelt(l, ret);
    return 0;
}

/*
 * Sentences of a growing text, for speech and for `sentence` events. What is given out does not
 * depend on how the text was cut on its way: where a decision needs what comes next and that is
 * not there yet, the answer is "not yet".
 */
#include "mind/mind.h"

#include <string.h>

struct text {
    const char *data;
    size_t len;
    bool last; /* nothing will follow */
};

enum end { NO, YES, WAIT }; /* is this the end of a sentence? */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* The character at p; the text is valid UTF-8. 0: there is none. */
static uint32_t decode(const char *p, size_t left, size_t *ret_len)
{
    const unsigned char *b = (const unsigned char *)p;
    size_t n = left == 0 ? 0 : b[0] < 0x80 ? 1 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;

    *ret_len = n <= left ? n : left;
    if (n == 0 || n > left)
        return 0;
    if (n == 1)
        return b[0];
    uint32_t c = b[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (b[i] & 0x3fu);
    return c;
}

/* Marks behind which no space is needed: Chinese, Japanese; and those of Hindi and Urdu. */
static bool full_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xff01 || c == 0xff1f || c == 0xff61 || c == 0x0964 ||
           c == 0x06d4;
}

static bool spaced_mark(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x061f;
}

/* Quotes, brackets and the stars of markdown that close behind a mark. */
static bool closing(uint32_t c)
{
    static const uint32_t marks[] = {'"',    '\'',   ')',    ']',    '*',    '_',
                                     '`',    0x201d, 0x2019, 0xbb,   0x203a, 0x300d,
                                     0x300f, 0xff09, 0x3011, 0x300b, 0x3009};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (c == marks[i])
            return true;
    return false;
}

/* Belongs to the sentence in front of it; with what joins and tints them. */
static bool emoji(uint32_t c)
{
    return (c >= 0x1f000 && c <= 0x1faff) || (c >= 0x2600 && c <= 0x27bf) || c == 0x200d ||
           c == 0xfe0f;
}

/* The word in front of the mark at `at`, without what opens it. */
static struct str word_before(const char *data, size_t at)
{
    size_t from = at;

    while (from > 0 && !is_space(data[from - 1]))
        from--;
    while (from < at && strchr("(\"'*_[`", data[from]))
        from++;
    return (struct str){data + from, at - from};
}

/* "e.g", "z.B", "U.S" and the initial of a name; "I." is a sentence. */
static bool letters_and_dots(struct str w)
{
    if (w.len == 1)
        return w.data[0] != 'I' && w.data[0] >= 'A' && w.data[0] <= 'Z';
    for (size_t i = 0; i < w.len; i++)
        if (i % 2 ? w.data[i] != '.' : !is_letter(w.data[i]))
            return false;
    return w.len % 2 == 1 && w.len > 1;
}

/* "1" in front of its dot at the beginning of a line: the number of a list's item. */
static bool item_number(const struct text *t, size_t at)
{
    size_t from = at;

    while (from > 0 && is_digit(t->data[from - 1]))
        from--;
    if (from == at || at - from > 3)
        return false;
    while (from > 0 && (t->data[from - 1] == ' ' || t->data[from - 1] == '\t'))
        from--;
    return from == 0 || t->data[from - 1] == '\n';
}

enum when { ALWAYS, DIGIT, LOWER };

/* Is the dot at `at`, with a space behind it, only that of an abbreviation? */
static enum end ends_word(const struct text *t, size_t at)
{
    static const struct {
        const char *word;
        enum when when;
    } words[] = {
#define SHORT(word, when) {word, when},
#include "mind/sentence.def"
#undef SHORT
    };
    struct str w = word_before(t->data, at);
    char next = at + 2 < t->len ? t->data[at + 2] : '\0';

    if (item_number(t, at))
        return NO;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq_nocase(w, words[i].word))
            continue;
        if (words[i].when == ALWAYS)
            return NO;
        if (!next)
            return t->last ? YES : WAIT;
        return (words[i].when == DIGIT ? is_digit(next) : is_lower(next)) ? NO : YES;
    }
    return letters_and_dots(w) ? NO : YES;
}

/* Marks from `at` on, then what closes behind them; *ret_end is behind all of it. */
static enum end ends_here(const struct text *t, size_t at, size_t *ret_end, size_t *ret_marks)
{
    size_t end = at, marks, n;
    bool full = false, closed = false;
    uint32_t c, first = decode(t->data + at, t->len - at, &n);

    while ((c = decode(t->data + end, t->len - end, &n)) && (spaced_mark(c) || full_stop(c))) {
        full |= full_stop(c);
        end += n;
    }
    marks = end;
    *ret_marks = marks;
    while ((c = decode(t->data + end, t->len - end, &n)) && (closing(c) || emoji(c))) {
        closed |= closing(c);
        full |= emoji(c);
        end += n;
    }
    *ret_end = end;
    if (end == t->len)
        return t->last ? YES : WAIT; /* more marks, or a decimal, may follow */
    if (full)
        return YES;
    if (!is_space(t->data[end]))
        return NO;
    if (t->data[end] != ' ')
        return YES;
    if (first == '.' && end == at + 1)
        return ends_word(t, at);
    bool dots = first == 0x2026 || (marks - at >= 3 && memcmp(t->data + at, "...", 3) == 0);
    if (!dots && !closed)
        return YES;
    if (end + 1 == t->len) /* "well... maybe" and "'Stop!' she said" go on */
        return t->last ? YES : WAIT;
    return is_lower(t->data[end + 1]) ? NO : YES;
}

/* At a line's end: a blank line, or an item of a list behind it, ends what stands before. */
static enum end ends_line(const struct text *t, size_t at)
{
    size_t i = at + 1, n, digits;

    while (i < t->len && (t->data[i] == ' ' || t->data[i] == '\t' || t->data[i] == '\r'))
        i++;
    if (i == t->len)
        return t->last ? NO : WAIT;
    if (t->data[i] == '\n')
        return YES;
    uint32_t c = decode(t->data + i, t->len - i, &n);
    for (digits = i; digits < t->len && digits < i + 3 && is_digit(t->data[digits]);)
        digits++;
    if (digits > i) {
        if (digits == t->len)
            return t->last ? NO : WAIT;
        if (t->data[digits] != '.' && t->data[digits] != ')')
            return NO;
        i = digits + 1;
    } else if (c == '-' || c == '*' || c == '+' || c == 0x2022 || c == 0x2013) {
        i += n;
    } else {
        return NO;
    }
    if (i == t->len)
        return t->last ? NO : WAIT;
    return t->data[i] == ' ' ? YES : NO;
}

size_t sentence_next(const char *text, size_t len, bool last)
{
    const struct text t = {text, len, last};
    size_t i = 0, n;

    while (i < len && is_space(text[i]))
        i++;
    for (; i < len; i += n) {
        uint32_t c = decode(text + i, len - i, &n);
        enum end is = NO;
        size_t end = i, marks = i + n;

        if (spaced_mark(c) || full_stop(c))
            is = ends_here(&t, i, &end, &marks);
        else if (c == '\n')
            is = ends_line(&t, i);
        if (is == WAIT)
            return 0;
        if (is == NO) {
            n = marks - i;
            continue;
        }
        while (end < len && is_space(text[end]))
            end++;
        return end;
    }
    return last ? len : 0;
}

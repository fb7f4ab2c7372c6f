/* A question becomes the words worth looking for. */
#include "knowledge/knowledge_int.h"

#include <string.h>

enum stop_kind { STOP_NONE = 0, STOP_PLAIN = 1, STOP_SELF = 2, STOP_FOLLOW = 4 };

/* What the word is in stop.def; it may be in several rows. */
static unsigned stop_kinds(const struct query_term *t)
{
    static const struct {
        unsigned kind;
        const char *words;
    } rows[] = {
#define STOP(kind, words) {STOP_##kind, words},
#include "knowledge/stop.def"
#undef STOP
    };
    char spaced[QUERY_TERM_MAX + 3];
    unsigned kinds = 0;

    if (t->len == 1 && (t->text[0] < '0' || t->text[0] > '9'))
        return t->text[0] == 'u' ? STOP_SELF : STOP_PLAIN;
    spaced[0] = ' ';
    memcpy(spaced + 1, t->text, t->len);
    memcpy(spaced + 1 + t->len, " ", 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strstr(rows[i].words, spaced))
            kinds |= rows[i].kind;
    return kinds;
}

static void add_term(struct query *q, const struct query_term *t)
{
    for (unsigned i = 0; i < q->count; i++)
        if (q->terms[i].len == t->len && memcmp(q->terms[i].text, t->text, t->len) == 0)
            return;
    if (q->count < QUERY_TERMS_MAX)
        q->terms[q->count++] = *t;
}

/* False: the word is longer than any that is looked for. */
static bool copy_word(const char *s, size_t len, struct query_term *ret)
{
    if (len > QUERY_TERM_MAX)
        return false;
    ret->len = (uint8_t)len;
    ret->pair = false;
    for (size_t i = 0; i < len; i++)
        ret->text[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : s[i];
    return true;
}

static void on_pair(void *ctx, struct str pair)
{
    struct query_term t;

    if (!copy_word(pair.data, pair.len, &t))
        return;
    t.pair = true;
    add_term(ctx, &t);
}

/* Returns the kinds of stop words that were met. */
static unsigned read_words(struct query *q, struct str text)
{
    struct query_term t;
    unsigned met = 0;
    enum letter kind;
    size_t at = 0, n;

    text = knowledge__cut(text, QUERY_TEXT_MAX);
    while (at < text.len) {
        n = knowledge__letter(text.data + at, text.len - at, &kind);
        if (kind == LETTER_NONE) {
            at += n;
            continue;
        }
        if (kind == LETTER_ALONE) {
            at += knowledge__pairs(text.data + at, text.len - at, on_pair, q);
            continue;
        }
        size_t from = at;
        while (at < text.len && kind == LETTER_WORD) {
            at += n;
            if (at < text.len)
                n = knowledge__letter(text.data + at, text.len - at, &kind);
        }
        if (!copy_word(text.data + from, at - from, &t))
            continue;
        unsigned kinds = stop_kinds(&t);
        met |= kinds;
        if (!kinds)
            add_term(q, &t);
    }
    return met;
}

void knowledge__query(const struct knowledge_question *q, struct query *ret)
{
    struct query_term name;

    ret->count = ret->asked = 0;
    unsigned met = read_words(ret, q->text);
    ret->asked = ret->count;
    if ((met & STOP_SELF) && q->name && copy_word(q->name, strlen(q->name), &name))
        add_term(ret, &name);
    else if (met & STOP_FOLLOW)
        read_words(ret, q->before);
    if (ret->asked == 0)
        ret->asked = ret->count;
}

void knowledge__query_write(const struct query *q, struct buf *out)
{
    /* A term has letters and digits only: there is no quote in it that could end the string. */
    for (unsigned i = 0; i < q->count; i++) {
        buf_str(out, i ? " OR \"" : "\"");
        buf_add(out, q->terms[i].text, q->terms[i].len);
        buf_char(out, '"');
    }
}

/* The sentence of a passage that has most of what is asked. */
#include "knowledge/knowledge_int.h"

#include <string.h>

struct stems {
    struct query_term at[QUERY_TERMS_MAX]; /* as the index has them; empty: longer, or none */
    unsigned count;
    unsigned now; /* the one that is read */
    uint32_t met; /* bit i: the sentence has it */
};

static int on_term(void *ctx, int flags, const char *word, int len, int start, int end)
{
    struct stems *s = ctx;
    struct query_term *t = &s->at[s->now];

    (void)flags;
    (void)start;
    (void)end;
    if (t->len || len > QUERY_TERM_MAX)
        return SQLITE_OK;
    t->len = (uint8_t)len;
    memcpy(t->text, word, (size_t)len);
    return SQLITE_OK;
}

static int on_word(void *ctx, int flags, const char *word, int len, int start, int end)
{
    struct stems *s = ctx;

    (void)flags;
    (void)start;
    (void)end;
    for (unsigned i = 0; i < s->count; i++)
        if (s->at[i].len && s->at[i].len == len &&
            memcmp(s->at[i].text, word, (size_t)len) == 0)
            s->met |= (uint32_t)1 << i;
    return SQLITE_OK;
}

/* False: memory was refused. */
static bool read_stems(const struct knowledge *k, const struct query *q, struct stems *s)
{
    for (s->now = 0; s->now < q->count; s->now++)
        if (k->tokenizer.xTokenize(k->words, s, FTS5_TOKENIZE_QUERY, q->terms[s->now].text,
                                   q->terms[s->now].len, on_term) != SQLITE_OK)
            return false;
    s->count = q->count;
    return true;
}

size_t knowledge__best(const struct knowledge *k, const struct query *q, const double *weights,
                       const char *heading, struct str text, struct buf *room)
{
    struct stems s = {0};
    size_t best = 0, at = 0, n;
    double most = 0;

    if (!read_stems(k, q, &s))
        return 0;
    for (; at < text.len; at += n) {
        struct str rest = {text.data + at, text.len - at};
        double sum = 0;
        n = knowledge__sentence(rest);
        buf_clear(room);
        if (at == 0 && *heading) {
            knowledge__indexed(str_of(heading), room);
            buf_char(room, ' ');
        }
        knowledge__indexed((struct str){rest.data, n}, room);
        s.met = 0;
        if (room->full ||
            k->tokenizer.xTokenize(k->words, &s, FTS5_TOKENIZE_DOCUMENT, buf_text(room),
                                   (int)room->len, on_word) != SQLITE_OK)
            return 0;
        for (unsigned i = 0; i < s.count; i++)
            sum += s.met >> i & 1 ? weights[i] : 0;
        if (sum > most) {
            most = sum;
            best = at;
        }
    }
    return best;
}

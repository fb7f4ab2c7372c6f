/*
 * What the agent's documents say, where the house mind itself knows no better: instead of "I
 * didn't catch that", and instead of small talk that would only say that she does not know.
 */
#include "mind/house_int.h"

#include <string.h>

#define MATCH_UNKNOWN 0.6 /* of the question that must be in the passage */
#define MATCH_TALK 0.75   /* the same, where there is small talk for an answer */
#define SAY_MAX 240       /* bytes, but for a first sentence that is longer */

static bool may_recall(const struct clause *cl)
{
    static const uint8_t talks[] = {
#define RECALL(occasion) OC_##occasion,
#include "mind/house_recall.def"
#undef RECALL
    };

    if (cl->intent == IN_USUAL)
        return cl->question;
    for (size_t i = 0; cl->intent == IN_TALK && i < ARRAY_LEN(talks); i++)
        if (talks[i] == cl->talk)
            return true;
    return false;
}

/* The sentences of the passage from where it speaks of the question. */
static struct str sentences_of(const struct knowledge_passage *p)
{
    struct str rest = {p->text.data + p->at, p->text.len - p->at};
    size_t len = 0, n;

    while (len < rest.len && (n = sentence_next(rest.data + len, rest.len - len, true)) > 0 &&
           (len == 0 || len + n <= SAY_MAX))
        len += n;
    rest.len = len;
    return str_trim(rest);
}

/* As it is said: without the marks of Markdown, its lines as sentences. */
static void write_plain(struct str text, struct buf *out)
{
    bool fresh = true; /* at the beginning of a line */

    for (size_t i = 0; i < text.len; i++) {
        char ch = text.data[i];
        if (ch == '\n') {
            if (out->len && !strchr(".!?:;,", out->data[out->len - 1]))
                buf_char(out, '.');
            buf_char(out, ' ');
            fresh = true;
            continue;
        }
        if (ch == '*' || ch == '`' || ch == '|' || (fresh && strchr("->+ ", ch)))
            continue;
        fresh = false;
        buf_char(out, ch);
    }
}

static bool say_passage(struct ctx *c, double least)
{
    const struct knowledge_passage *p = c->turn->knowledge;
    struct buf text;

    if (!c->turn->knowledge_count || p->match < least || c->acted || c->recalled)
        return false;
    house__say_buf(c, &text);
    write_plain(sentences_of(p), &text);
    if (!text.len)
        return false;
    house__say(c, OC_recall, "text", buf_text(&text), NULL);
    c->recalled = true;
    return true;
}

bool house__recall(struct ctx *c, const struct clause *cl)
{
    return may_recall(cl) && house__alone(c, cl) && say_passage(c, MATCH_TALK);
}

/* A question, or so few words that they can be nothing else: "house rules". */
static bool asks(const struct ctx *c)
{
    static const char *const firsts[] = {
        "what",  "who",     "when",     "where", "why",  "how",  "which",  "whose",
        "is",    "are",     "was",      "were",  "do",   "does", "did",    "can",
        "could", "may",     "will",     "would", "has",  "have", "should", "any",
        "tell",  "explain", "describe", "and",   "whats"};
    const struct el *e = c->clauses[0].e;
    size_t n = 0;

    for (size_t i = 0; i < c->clause_count; i++) {
        n += c->clauses[i].n;
        if (c->clauses[i].question)
            return true;
    }
    for (size_t i = 0; n > 0 && i < ARRAY_LEN(firsts); i++)
        if (e->len == strlen(firsts[i]) && memcmp(e->text, firsts[i], e->len) == 0)
            return true;
    return n > 0 && n <= 3;
}

bool house__recall_unknown(struct ctx *c)
{
    return c->clause_count && asks(c) && say_passage(c, MATCH_UNKNOWN);
}

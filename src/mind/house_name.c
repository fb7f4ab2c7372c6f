/* "What's my name?": what the guest said of it, just now or in turns that were folded. */
#include "mind/house_int.h"

#include <stdio.h>
#include <string.h>

#define SAID_MAX 160

static bool holds(struct str s, const char *words)
{
    size_t n = strlen(words);

    for (size_t i = 0; i + n < s.len; i++)
        if ((i == 0 || s.data[i - 1] == ' ') && strncasecmp(s.data + i, words, n) == 0)
            return true;
    return false;
}

/* A sentence that tells a name, and does not ask for it. */
static bool tells(struct str s)
{
    static const char *const words[] = {"my name is ", "my name's ",   "my name\xe2\x80\x99s ",
                                        "call me ",    "the name is ", "the name's "};

    if (s.len >= SAID_MAX || memchr(s.data, '?', s.len) || memchr(s.data, '\n', s.len))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (holds(s, words[i]))
            return true;
    return false;
}

/* The last such sentence of a text. */
static struct str last_told(struct str text)
{
    struct str found = {"", 0};

    while (text.len) {
        const char *stop = memchr(text.data, '\n', text.len);
        size_t line = stop ? (size_t)(stop - text.data) + 1 : text.len;
        size_t n = sentence_next(text.data, line, true);
        struct str sentence = str_trim((struct str){text.data, n});
        if (tells(sentence))
            found = sentence;
        text.data += n;
        text.len -= n;
    }
    return found;
}

void house__act_my_name(struct ctx *c, struct clause *cl)
{
    const struct mind_turn *t = c->turn;
    struct str found = {"", 0};
    char said[SAID_MAX];

    (void)cl;
    for (size_t i = t->past_count; i-- > 0 && !found.len;)
        if (t->past[i].role == MIND_USER)
            found = last_told(t->past[i].text);
    if (!found.len)
        found = last_told(t->summary);
    snprintf(said, sizeof(said), "%.*s", STR_FMT(found));
    if (found.len)
        house__say(c, OC_my_name, "said", said, NULL);
    else
        house__say(c, OC_my_name_unknown, NULL);
    c->did = true;
}

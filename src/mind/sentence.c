/* Sentences of a growing text, for speech and for `sentence` events. */
#include "mind/mind.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_end(char c)
{
    return c == '.' || c == '!' || c == '?';
}

/* Quotes and brackets that close behind the mark belong to the sentence. Bytes they take. */
static size_t closing(const char *p, size_t left)
{
    if (left >= 1 && (*p == '"' || *p == '\'' || *p == ')' || *p == ']'))
        return 1;
    if (left >= 3 && (memcmp(p, "\xe2\x80\x9d", 3) == 0 || memcmp(p, "\xe2\x80\x99", 3) == 0))
        return 3;
    return 0;
}

/* The word before the mark at `at` is one that ends with a dot of its own. */
static bool abbreviated(const char *text, size_t at)
{
    static const char *const words[] = {
        "mr",  "mrs", "ms", "dr",  "prof", "st",  "mt",  "vs",     "etc", "eg",  "ie", "e.g",
        "i.e", "jr",  "sr", "inc", "ltd",  "vol", "lit", "approx", "fig", "a.m", "p.m"};
    size_t start = at, n;

    while (start > 0 && !is_space(text[start - 1]) && text[start - 1] != '(')
        start--;
    n = at - start;
    if (n == 1 && text[start] != 'I' && text[start] >= 'A' && text[start] <= 'Z')
        return true; /* an initial: "J. Doe" */
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i]) == n && strncasecmp(words[i], text + start, n) == 0)
            return true;
    return false;
}

size_t sentence_next(const char *text, size_t len, bool last)
{
    size_t i = 0;

    while (i < len && is_space(text[i]))
        i++;
    for (; i < len; i++) {
        size_t mark = i, end = i;

        if (!is_end(text[i]))
            continue;
        while (end < len && is_end(text[end]))
            end++;
        i = end - 1;
        for (size_t n; end < len && (n = closing(text + end, len - end)) > 0;)
            end += n;
        if (end == len)
            break; /* more dots, or a decimal, may follow */
        if (!is_space(text[end]))
            continue;
        if (text[mark] == '.' && end == mark + 1 && text[end] == ' ' && abbreviated(text, mark))
            continue;
        if (end - mark >= 3 && memcmp(text + mark, "...", 3) == 0 && end + 1 < len &&
            text[end + 1] >= 'a' && text[end + 1] <= 'z')
            continue; /* "well... maybe" goes on */
        if (end - mark >= 3 && memcmp(text + mark, "...", 3) == 0 && end + 1 == len && !last)
            return 0;
        while (end < len && is_space(text[end]))
            end++;
        return end;
    }
    return last ? len : 0;
}

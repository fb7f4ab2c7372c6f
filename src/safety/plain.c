/*
 * A text as the rules see it: what only looks different is made the same, character by
 * character, so that it can be done to a text that grows. docs/safety.md lists it.
 */
#include "safety/safety_int.h"

#include "base/buf.h"

#include <string.h>

/* Ranges of characters (Unicode 15) that stand for others, by rows of `plain.def`. */
enum fold { DROP, SPACE, OFFSET, ALPHABETS, DIGITS };
static const struct range {
    uint32_t first, last;
    enum fold fold;
    uint32_t to; /* OFFSET: what `first` becomes */
} ranges[] = {
#define PLAIN(first, last, fold, to) {first, last, fold, to},
#include "safety/plain.def"
#undef PLAIN
};

/* One character of valid UTF-8. */
static uint32_t decode(const char *s, size_t *ret_len)
{
    const unsigned char *u = (const unsigned char *)s;

    if (u[0] < 0x80) {
        *ret_len = 1;
        return u[0];
    }
    if (u[0] < 0xe0) {
        *ret_len = 2;
        return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
    }
    if (u[0] < 0xf0) {
        *ret_len = 3;
        return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    }
    *ret_len = 4;
    return (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
}

/* What it stands for; 0: nothing. All that is changed becomes ASCII. */
static uint32_t fold(uint32_t c)
{
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        const struct range *r = &ranges[i];
        if (c < r->first || c > r->last)
            continue;
        switch (r->fold) {
        case DROP:
            return 0;
        case SPACE:
            return ' ';
        case OFFSET:
            return r->to + (c - r->first);
        case ALPHABETS: /* capitals and small letters in turn; the rules know no case */
            return 'a' + (c - r->first) % 26;
        case DIGITS:
            return '0' + (c - r->first) % 10;
        }
    }
    return c;
}

static size_t put(struct plain *p, const char *text, size_t at)
{
    size_t len;
    uint32_t c = decode(text + at, &len), to = c;

    if (c >= 0x80)
        to = fold(c);
    else if (c == ' ' || (c >= '\t' && c <= '\r'))
        to = ' ';
    else if (c < 0x20 || c == 0x7f)
        to = 0;
    if (to == 0 || (to == ' ' && p->len && p->text[p->len - 1] == ' '))
        return len;
    size_t size = to == c ? len : 1;
    p->ascii &= to < 0x80;
    for (size_t i = 0; i < size; i++) {
        p->text[p->len] = to == c ? text[at + i] : (char)to;
        p->start[p->len] = (uint16_t)at;
        p->stop[p->len++] = (uint16_t)(at + len);
    }
    return len;
}

/* Could these last bytes become a character? */
static bool unfinished(const char *s, size_t len)
{
    unsigned char c = (unsigned char)s[0];
    size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;

    if (len >= want || c > 0xf4)
        return false;
    for (size_t i = 1; i < len; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* Most of what is said stands for itself. */
static size_t put_ascii(struct plain *p, const char *text, size_t at, size_t len)
{
    size_t n = p->len;
    bool blank = n && p->text[n - 1] == ' ';

    for (; at < len; at++) {
        unsigned char c = (unsigned char)text[at];
        if (c < ' ' || c >= 0x7f || (c == ' ' && blank))
            break;
        blank = c == ' ';
        p->text[n] = (char)c;
        p->start[n] = (uint16_t)at;
        p->stop[n++] = (uint16_t)(at + 1);
    }
    p->len = n;
    return at;
}

size_t plain__read(struct plain *p, const char *text, size_t len, bool last)
{
    size_t at = 0;

    p->len = 0;
    p->ascii = true;
    while ((at = put_ascii(p, text, at, len)) < len) {
        size_t good = at + utf8_valid_prefix(text + at, len - at);
        while (at < good)
            at += put(p, text, at);
        if (at == len || (!last && unfinished(text + at, len - at)))
            break;
        p->text[p->len] = '?'; /* no UTF-8, which PCRE2 must not see */
        p->start[p->len] = (uint16_t)at;
        p->stop[p->len++] = (uint16_t)++at;
    }
    p->start[p->len] = (uint16_t)at;
    return at;
}

size_t plain__index(const struct plain *p, size_t at)
{
    size_t low = 0, high = p->len;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (p->start[mid] < at)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Letters spaced out: ASCII alone. */

#define SPACED_MIN 4 /* letters; where so many are, shorter ones are looked at too: "a l l" */

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool wordy(char c)
{
    return letter(c) || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Letters of a run that begins here, with one and the same separator between; 0: none. */
static size_t spaced(struct str t, size_t at, size_t least)
{
    size_t n = 1, end = at + 1;

    if (!letter(t.data[at]) || (at && wordy(t.data[at - 1])) || end >= t.len ||
        !strchr(" .-_*", t.data[end]) || !t.data[end])
        return 0;
    char between = t.data[end];
    while (end + 1 < t.len && t.data[end] == between && letter(t.data[end + 1]) &&
           (end + 2 >= t.len || !wordy(t.data[end + 2]))) {
        n++;
        end += 2;
    }
    return n >= least ? n : 0;
}

bool plain__has_spaced(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (spaced(text, i, SPACED_MIN))
            return true;
    return false;
}

void plain__join_spaced(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = spaced(text, i, 2);
        if (!n) {
            buf_char(out, text.data[i++]);
            continue;
        }
        for (size_t k = 0; k < n; k++)
            buf_char(out, text.data[i + 2 * k]);
        i += 2 * n - 1;
    }
}

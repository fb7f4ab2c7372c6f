#include "base/secret.h"

#include "base/must.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum class { WORD, TOKEN, UPPER };

#define MIXED_MIN 20 /* so long a run is a secret whatever it is made of */
#define PEM_KIND_MAX 32
#define CARD_MIN 13
#define CARD_MAX 19
#define CARD_GAP_MAX 3 /* separators between two digits */

static const struct form {
    const char *prefix;
    size_t len;
    enum class class;
    unsigned at_least;
    bool mixed;
} forms[] = {
#define SECRET(name, prefix, class, at_least, mixed)                                           \
    {prefix, sizeof(prefix) - 1, class, at_least, mixed},
#include "base/secret.def"
#undef SECRET
};

static const struct {
    char first;
    uint32_t lengths;
} cards[] = {
#define CARD(first, lengths) {first, lengths},
#include "base/secret.def"
#undef CARD
};

static const char pem_begin[] = "-----BEGIN ", pem_end[] = "-----END ", dashes[] = "-----";

/* ASCII alone, whatever the locale. */
static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool alnum(char c)
{
    return digit(c) || upper(c) || (c >= 'a' && c <= 'z');
}

static bool of_class(enum class class, char c)
{
    if (alnum(c))
        return class != UPPER || digit(c) || upper(c);
    return (class != UPPER && (c == '-' || c == '_')) ||
           (class == TOKEN && c && strchr(".~+/=", c) != NULL);
}

enum found { NO, MAYBE, YES };

/* A form's prefix and enough behind it. */
static enum found try_form(const struct form *f, const char *text, size_t len,
                           struct secret_hit *ret)
{
    size_t p = len < f->len ? len : f->len, n;
    bool mixed = false;

    if ((f->mixed ? strncasecmp(text, f->prefix, p) : strncmp(text, f->prefix, p)) != 0)
        return NO;
    for (n = f->len; n < len && of_class(f->class, text[n]); n++) {
        mixed |= digit(text[n]) || upper(text[n]);
        size_t have = n + 1 - f->len;
        if (have >= f->at_least && (!f->mixed || mixed || have >= MIXED_MIN)) {
            ret->keep = ret->start + f->len;
            ret->end = ret->start + n + 1;
            return YES;
        }
    }
    return n >= len ? MAYBE : NO;
}

/* BEGIN, what kind, PRIVATE KEY. */
static enum found try_pem(const char *text, size_t len, struct secret_hit *ret)
{
    static const char kind[] = "PRIVATE KEY-----";
    const size_t b = sizeof(pem_begin) - 1, k = sizeof(kind) - 1;

    if (memcmp(text, pem_begin, len < b ? len : b) != 0)
        return NO;
    for (size_t at = b; at < b + PEM_KIND_MAX; at++) {
        if (at >= len)
            return MAYBE;
        size_t left = len - at;
        if (memcmp(text + at, kind, left < k ? left : k) == 0) {
            ret->keep = ret->end = ret->start + at + k;
            return left < k ? MAYBE : YES;
        }
        if (!upper(text[at]) && text[at] != ' ')
            return NO;
    }
    return NO;
}

static bool luhn(const char *digits, int n)
{
    int sum = 0;

    for (int i = 0; i < n; i++) {
        int d = (digits[n - 1 - i] - '0') * (1 + i % 2);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}

static uint32_t card_lengths(char first)
{
    for (size_t i = 0; i < ARRAY_LEN(cards); i++)
        if (cards[i].first == first)
            return cards[i].lengths;
    return 0;
}

/*
 * Other digits may follow ("... 1111 12/27"), so every end of a group is tried, the longest
 * first. A number that is grouped begins with a group of four; phone numbers seldom do.
 */
static enum found try_card(const char *text, size_t len, bool last, struct secret_hit *ret)
{
    uint32_t lengths = card_lengths(text[0]);
    size_t ends[CARD_MAX + 1], at = 0, gap = 0; /* behind digit i */
    char digits[CARD_MAX + 1];
    bool grouped = false;
    int n = 0;

    if (!lengths)
        return NO;
    for (; at < len && n <= CARD_MAX; at++) {
        if (digit(text[at])) {
            ends[n] = at + 1;
            digits[n++] = text[at];
            gap = 0;
        } else {
            if ((text[at] != ' ' && text[at] != '-') || (!grouped && n != 4) ||
                ++gap > CARD_GAP_MAX)
                break;
            grouped = true;
        }
    }
    if (at == len && n <= CARD_MAX && !last)
        return MAYBE;
    for (n = n > CARD_MAX ? CARD_MAX : n; n >= CARD_MIN; n--) {
        size_t end = ends[n - 1];
        if ((end < len && digit(text[end])) || !(lengths >> n & 1) || !luhn(digits, n))
            continue;
        ret->keep = ret->start;
        ret->end = ret->start + end;
        return YES;
    }
    return NO;
}

/* Rows whose first letter it is. */
static enum found try_forms(const char *text, size_t len, struct secret_hit *ret)
{
    enum found best = NO;

    for (unsigned f = 0; f < ARRAY_LEN(forms); f++) {
        if ((forms[f].prefix[0] | 0x20) != (text[0] | 0x20))
            continue;
        enum found found = try_form(&forms[f], text, len, ret);
        ret->form = (enum secret_form)f;
        if (found == YES)
            return YES;
        if (found == MAYBE)
            best = MAYBE;
    }
    return best;
}

static enum found look(const char *text, size_t len, size_t at, bool last,
                       struct secret_hit *ret)
{
    char before = at ? text[at - 1] : ' ', c = text[at];
    enum found found;

    ret->start = at;
    if (c == '-') {
        ret->form = SECRET_PEM;
        found = before == '-' ? NO : try_pem(text + at, len - at, ret);
    } else if (alnum(before) || !alnum(c)) {
        return NO;
    } else if (digit(c)) {
        ret->form = SECRET_CARD;
        found = before == '+' || before == '.' ? NO : try_card(text + at, len - at, last, ret);
    } else {
        found = try_forms(text + at, len - at, ret);
    }
    ret->partial = found == MAYBE;
    return ret->partial && last ? NO : found;
}

bool secret_next(const char *text, size_t len, size_t from, bool last, struct secret_hit *ret)
{
    bool inside = from && from <= len && alnum(text[from - 1]);

    for (size_t at = from; at < len; at++) {
        bool begins = !inside;
        inside = alnum(text[at]);
        if ((inside ? begins : text[at] == '-') && look(text, len, at, last, ret) != NO)
            return true;
    }
    return false;
}

/* What stands between BEGIN and END; nothing that would end a value in a line of the log. */
static size_t pem_rest(const char *text, size_t len, bool last, bool *ret_over)
{
    const size_t e = sizeof(pem_end) - 1;
    size_t at = 0;

    *ret_over = true;
    for (; at < len; at++) {
        char c = text[at];
        size_t left = len - at;
        if (c == '-' && memcmp(text + at, pem_end, left < e ? left : e) == 0) {
            size_t stop = at + e;
            while (stop < len && stop < at + e + PEM_KIND_MAX &&
                   (upper(text[stop]) || text[stop] == ' '))
                stop++;
            size_t more = stop < len ? len - stop : 0, d = sizeof(dashes) - 1;
            if (more >= d && memcmp(text + stop, dashes, d) == 0)
                return stop + d;
            if (more < d && stop < at + e + PEM_KIND_MAX && !last) {
                *ret_over = false;
                return at;
            }
        }
        if (!alnum(c) && (!c || !strchr("+/= \t\r\n\\:,-", c)))
            return at;
    }
    *ret_over = last;
    return at;
}

size_t secret_rest(enum secret_form form, const char *text, size_t len, bool last,
                   bool *ret_over)
{
    size_t n = 0;

    *ret_over = true;
    if (form == SECRET_PEM)
        return pem_rest(text, len, last, ret_over);
    if (form == SECRET_CARD)
        return 0;
    while (n < len && of_class(forms[form].class, text[n])) {
        /* The full stop of a sentence is none of the key. */
        if (text[n] == '.') {
            if (n + 1 == len || text[n + 1] == '.' ||
                !of_class(forms[form].class, text[n + 1])) {
                *ret_over = last || n + 1 < len;
                return n;
            }
        }
        n++;
    }
    *ret_over = last || n < len;
    return n;
}

#include "base/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool key_char(unsigned char c)
{
    return isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '+' || c == '/' ||
           c == '=';
}

static const struct {
    const char *prefix;
    size_t at_least; /* characters after the prefix */
} secrets[] = {
    {"AIza", 30}, {"sk_live_", 16}, {"sk_test_", 16}, {"sk_car_", 8},
    {"sk-", 16},  {"Bearer ", 8},   {"sk_", 20},
};

/* Stars over the run of key characters after a known prefix; returns how far it went. */
static size_t hide_key(char *text, size_t len)
{
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        size_t p = strlen(secrets[i].prefix), n = p;
        if (len < p || strncasecmp(text, secrets[i].prefix, p) != 0)
            continue;
        while (n < len && key_char((unsigned char)text[n]))
            n++;
        if (n - p < secrets[i].at_least)
            continue;
        memset(text + p, '*', n - p);
        return n;
    }
    return 0;
}

/* Luhn's check. */
static bool checks_out(const int *digits, int n)
{
    int sum = 0;

    for (int i = 0; i < n; i++) {
        int d = digits[n - 1 - i] * (1 + i % 2);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}

/*
 * 13 to 19 digits, in groups perhaps, that pass Luhn's check: a card number. Other digits may
 * follow ("... 1111 12/27"), so every end of a group is tried, the longest first.
 */
static size_t hide_card(char *text, size_t len)
{
    int digits[19], n = 0;
    size_t ends[19] = {0}; /* behind digit i */

    for (size_t at = 0; at < len && n < 19; at++) {
        if (isdigit((unsigned char)text[at])) {
            ends[n] = at + 1;
            digits[n++] = text[at] - '0';
        } else if (text[at] != ' ' && text[at] != '-') {
            break;
        }
    }
    for (; n >= 13; n--) {
        size_t end = ends[n - 1];
        if ((end < len && isdigit((unsigned char)text[end])) || !checks_out(digits, n))
            continue;
        for (size_t i = 0; i < end; i++)
            if (isdigit((unsigned char)text[i]))
                text[i] = '*';
        return end;
    }
    return 0;
}

void redact(char *text, size_t len)
{
    bool in_word = false;

    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)text[at];
        size_t n = 0;
        if (!in_word)
            n = isdigit(c) ? hide_card(text + at, len - at) : hide_key(text + at, len - at);
        in_word = isalnum(c);
        if (n) {
            at += n;
            in_word = false;
        } else {
            at++;
        }
    }
}

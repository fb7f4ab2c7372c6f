#include "base/strs.h"

#include "base/must.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct str str_of(const char *z)
{
    return (struct str){z, strlen(z)};
}

bool str_eq(struct str a, const char *z)
{
    return strlen(z) == a.len && memcmp(a.data, z, a.len) == 0;
}

bool str_eq_nocase(struct str a, const char *z)
{
    return strlen(z) == a.len && strncasecmp(a.data, z, a.len) == 0;
}

struct str str_trim(struct str s)
{
    while (s.len && isspace((unsigned char)s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && isspace((unsigned char)s.data[s.len - 1]))
        s.len--;
    return s;
}

bool str_copy(char *dst, size_t size, const char *src)
{
    MUST(size > 0);
    size_t n = strlen(src);
    bool whole = n < size;

    if (!whole)
        n = size - 1;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return whole;
}

void str_keep_end(const char *text, char *dst, size_t size)
{
    size_t len = strlen(text);
    const char *at = text;

    if (len < size) {
        memcpy(dst, text, len + 1);
        return;
    }
    at += len + 4 - size; /* room for the dots and the NUL */
    while ((*at & 0xc0) == 0x80)
        at++; /* never half of a character */
    const char *word = strchr(at, ' ');
    if (word && word[1] && word - at < 16)
        at = word + 1;
    memcpy(dst, "...", 3);
    memcpy(dst + 3, at, strlen(at) + 1);
}

/* Length of the sequence at s, 0 when it is not valid (Unicode 15, table 3-7). */
static size_t utf8_len(const unsigned char *s, size_t left)
{
    unsigned char lo = 0x80, hi = 0xBF;
    size_t n;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        n = 2;
    else if (s[0] >= 0xE0 && s[0] <= 0xEF)
        n = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        n = 4;
    else
        return 0;
    if (s[0] == 0xE0)
        lo = 0xA0;
    else if (s[0] == 0xED)
        hi = 0x9F;
    else if (s[0] == 0xF0)
        lo = 0x90;
    else if (s[0] == 0xF4)
        hi = 0x8F;
    if (left < n || s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return n;
}

size_t utf8_valid_prefix(const char *s, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = utf8_len((const unsigned char *)s + at, len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

#define DISTANCE_MAX 48

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;

    return m < c ? m : c;
}

int str_distance(const char *a, const char *b, int cap)
{
    int la = (int)strlen(a), lb = (int)strlen(b);
    int rows[3][DISTANCE_MAX + 1];

    if (la > DISTANCE_MAX || lb > DISTANCE_MAX || abs(la - lb) >= cap)
        return strcmp(a, b) == 0 ? 0 : cap;
    for (int j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (int i = 1; i <= la; i++) {
        int *row = rows[i % 3], *up = rows[(i + 2) % 3], *upup = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= lb; j++) {
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                upup[j - 2] + 1 < row[j])
                row[j] = upup[j - 2] + 1;
        }
    }
    return rows[la % 3][lb] < cap ? rows[la % 3][lb] : cap;
}

bool str_to_int(const char *s, int64_t *ret)
{
    char *end;

    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || end == s || *end || isspace((unsigned char)s[0]))
        return false;
    *ret = v;
    return true;
}

bool str_to_double(const char *s, double *ret)
{
    char *end;

    errno = 0;
    double v = strtod(s, &end);
    if (errno || end == s || *end || isspace((unsigned char)s[0]) || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

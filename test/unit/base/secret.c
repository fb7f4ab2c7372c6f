#include "base/secret.c"

#include "base/redact.h"
#include "unit/tap.h"

#define GOOGLE "AIzaSyA1234567890abcdefghijklmnopqrstuv"
#define PEM "-----BEGIN TEST PRIVATE KEY-----\nMIIEow+/AB\nCD==\n-----END TEST PRIVATE KEY-----"

static const char *const hits[] = {
    GOOGLE,
    "ya29.a0AfH6SMBx-aaaaaaaaaaaaaaaaaaaaa",
    "sk_live_0123456789abcdef",
    "rk_live_0123456789abcdef",
    "whsec_0123456789abcdef",
    "sk_car_12345678",
    "sk-proj-abcdefghijklmnop",
    "sk-ant-api03-abcdefghijkl",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdef0123",
    "github_pat_0123456789abcdef0123",
    "xoxb-test-1234567890",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "Bearer abc123def456",
    "bearer abcdefghijklmnopqrstuvwx",
    "Authorization: Basic dXNlcjpwYXNz",
    PEM,
    "-----BEGIN TEST PRIVATE KEY-----\nAAAA",
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "3782 822463 10005",
    "5555555555554444",
    "6011111111111117",
};

static const char *const misses[] = {
    "",
    "1764165799123", /* milliseconds */
    "1764165799123456",
    "sess_Ab3dEf6hIj9kLmNo",
    "+4915123456789",
    "+49 1512 3456 7890",
    "030 1234567890",
    "4111111111111112",
    "411111111111",
    "41111111111111110000000000",
    "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    "a1b4111111111111111",
    "2026-11-23T14:35:49.123Z",
    "3 negronis, 2 martinis and 1 water: 13.00, 26.00 and 0.00",
    "the bearer of bad news",
    "bearer certificates",
    "Bearer of good tidings",
    "risk-free-of-anything-at-all",
    "task_live_abcdefghijklmnop",
    "AIza is how they begin",
    "AKIA is a prefix",
    "AKIAaaaaaaaaaaaaaaaaaaa",
    "-----BEGIN CERTIFICATE-----",
    "--- a line ---",
    "sk-short",
    "eyJ and no more",
};

static bool covers(const char *text, size_t from, size_t to)
{
    struct secret_hit h;
    bool over;

    if (!secret_next(text, strlen(text), 0, true, &h) || h.start != from || h.partial)
        return false;
    size_t end = h.end + secret_rest(h.form, text + h.end, strlen(text) - h.end, true, &over);
    return over && end == to;
}

static void found(void)
{
    char text[400];

    for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
        size_t n = strlen(hits[i]);
        if (!covers(hits[i], 0, n))
            CHECK_STR(hits[i], "found whole");
        bool open = n > 4 && strcmp(hits[i] + n - 4, "AAAA") == 0;
        snprintf(text, sizeof(text), "it is (%s). So", hits[i]);
        if (!open && !covers(text, 7, 7 + n))
            CHECK_STR(text, "found between brackets");
        snprintf(text, sizeof(text), "it is %s. So", hits[i]);
        if (!open && !covers(text, 6, 6 + n))
            CHECK_STR(text, "found without the full stop");
    }
}

static void missed(void)
{
    struct secret_hit h;

    for (size_t i = 0; i < ARRAY_LEN(misses); i++)
        if (secret_next(misses[i], strlen(misses[i]), 0, true, &h))
            CHECK_STR(misses[i], "left alone");
}

/* As a reader of a growing text would use it: what is let go, and never more than is known. */
static size_t stream(const char *text, size_t len, char *out)
{
    size_t n = 0, done = 0, most = 0;
    bool inside = false, over;
    enum secret_form form = SECRET_CARD;
    struct secret_hit h;

    for (size_t have = 0; have <= len; have++) {
        bool last = have == len;
        while (done < have) {
            if (inside) {
                done += secret_rest(form, text + done, have - done, last, &over);
                inside = !over;
                if (inside)
                    break;
            }
            bool hit = secret_next(text, have, done, last, &h);
            size_t until = hit ? h.start : have;
            memcpy(out + n, text + done, until - done);
            n += until - done;
            done = until;
            if (!hit || h.partial)
                break;
            out[n++] = '#';
            done = h.end;
            form = h.form;
            inside = true;
        }
        if (have - done > most)
            most = have - done;
    }
    out[n] = 0;
    return most;
}

static void grows(void)
{
    char text[400], out[400], want[400];

    for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
        size_t n = strlen(hits[i]);
        bool open = strcmp(hits[i] + n - 4, "AAAA") == 0;
        snprintf(text, sizeof(text), "it is %s. So", hits[i]);
        snprintf(want, sizeof(want), "it is #. So");
        size_t most = stream(text, strlen(text), out);
        CHECK(most <= SECRET_KNOWN_MAX);
        if (!open)
            CHECK_STR(out, want);
    }
    for (size_t i = 0; i < ARRAY_LEN(misses); i++) {
        CHECK(stream(misses[i], strlen(misses[i]), out) <= SECRET_KNOWN_MAX);
        CHECK_STR(out, misses[i]);
    }
}

static void hidden(void)
{
    char pem[] = "why=\"" PEM "\" x=1", line[] = "4111 1111 1111 1111 and 1764165799123";

    redact(pem, strlen(pem));
    CHECK(strstr(pem, "MII") == NULL && strstr(pem, "\" x=1") != NULL);
    redact(line, strlen(line));
    CHECK_STR(line, "**** **** **** **** and 1764165799123");
}

static const struct tap_case cases[] = {
    {"secrets are found to their end", found},
    {"other things are not", missed},
    {"the same when the text grows byte by byte, and little is held back", grows},
    {"a log line keeps its form", hidden},
};

TAP_MAIN(cases)

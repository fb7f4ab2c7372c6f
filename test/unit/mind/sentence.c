#include "mind/sentence.c"

#include "unit/tap.h"

/* The sentences of a text, with '|' between, trailing space kept away. */
static const char *split(const char *text, bool last)
{
    static char out[600];
    size_t left = strlen(text), n, used = 0;

    out[0] = '\0';
    while ((n = sentence_next(text, left, last)) > 0) {
        size_t len = n;

        while (len > 0 && is_space(text[len - 1]))
            len--;
        used += (size_t)snprintf(out + used, sizeof(out) - used, "%.*s|", (int)len, text);
        text += n;
        left -= n;
    }
    snprintf(out + used, sizeof(out) - used, "%.*s", (int)left, text);
    return out;
}

static void test_whole(void)
{
    CHECK_STR(split("Hello. Nice one! Mr. Smith paid $13.00", false),
              "Hello.|Nice one!|Mr. Smith paid $13.00");
    CHECK_STR(split("One. Two? Three!", true), "One.|Two?|Three!|");
    CHECK_STR(split("what?! Yes.", true), "what?!|Yes.|");
    CHECK_STR(split("No. I won't. ", false), "No.|I won't.|");
    CHECK_STR(split("She said \"stop.\" Then left.", true), "She said \"stop.\"|Then left.|");
    CHECK_STR(split("Hi!Bye.", true), "Hi!Bye.|");
    CHECK_STR(split("Two lines.\nNext.", true), "Two lines.|Next.|");
}

static void test_not_there(void)
{
    CHECK_STR(split("That is $13.00 so far", false), "That is $13.00 so far");
    CHECK_STR(split("Dr. Who vs. e.g. Mrs. Jones. ", false), "Dr. Who vs. e.g. Mrs. Jones.|");
    CHECK_STR(split("Something fruity, e.g. this one. Ok", false),
              "Something fruity, e.g. this one.|Ok");
    CHECK_STR(split("Well... maybe. Yes", false), "Well... maybe.|Yes");
    CHECK_STR(split("Version 2.0 is it", true), "Version 2.0 is it|");
    CHECK_STR(split("J. Doe pays. Good", false), "J. Doe pays.|Good");
}

static void test_growing(void)
{
    const char *text = "Wait. $5.50 it is. Right";

    /* nothing is given out before it is certain, and never less than a whole sentence */
    CHECK_INT(sentence_next(text, 5, false), 0); /* "Wait." */
    CHECK_INT(sentence_next(text, 6, false), 6); /* "Wait. " */
    CHECK_INT(sentence_next(text + 6, 3, false), 0);
    CHECK_INT(sentence_next(text + 6, 12, false), 0);
    CHECK_INT(sentence_next(text + 6, 13, false), 13);
    CHECK_INT(sentence_next(text + 19, 5, false), 0);
    CHECK_INT(sentence_next(text + 19, 5, true), 5);
    CHECK_INT(sentence_next("", 0, true), 0);
    CHECK_INT(sentence_next("...", 3, false), 0);
    CHECK_INT(sentence_next("...", 3, true), 3);
    CHECK_INT(sentence_next("  ", 2, false), 0);
    CHECK_INT(sentence_next("I. You. ", 8, false), 3);
}

/* One case a row: what must not split, and what must. */
static void test_table(void)
{
    static const char *const rows[][2] = {
        {"It is $12.50. Pay now.", "It is $12.50.|Pay now.|"},
        {"Dr. Who is in. Yes.", "Dr. Who is in.|Yes.|"},
        {"(Dr. Who) left. Yes.", "(Dr. Who) left.|Yes.|"},
        {"Fruit, e.g. limes. Good.", "Fruit, e.g. limes.|Good.|"},
        {"Fruit, z.B. Limetten. Gut.", "Fruit, z.B. Limetten.|Gut.|"},
        {"At 5 p.m. sharp. Ok.", "At 5 p.m. sharp.|Ok.|"},
        {"At 5 p.m. Then we close.", "At 5 p.m.|Then we close.|"},
        {"Limes, salt, etc. Then ice.", "Limes, salt, etc.|Then ice.|"},
        {"No. 5 is out. No. Never.", "No. 5 is out.|No.|Never.|"},
        {"From the U.S. and here. Ok.", "From the U.S. and here.|Ok.|"},
        /* ellipses */
        {"Well... maybe. Well... Maybe.", "Well... maybe.|Well...|Maybe.|"},
        {"Well\u2026 maybe. Well\u2026 Maybe.", "Well\u2026 maybe.|Well\u2026|Maybe.|"},
        /* emoji stay with what they were said of */
        {"Cheers!\U0001F378 What else?", "Cheers!\U0001F378|What else?|"},
        {"Cheers!\U0001F378What else?", "Cheers!\U0001F378|What else?|"},
        {"Yes.\u2764\uFE0F Next.", "Yes.\u2764\uFE0F|Next.|"},
        {"Hi \U0001F600 there. Ok.", "Hi \U0001F600 there.|Ok.|"},
        /* lists */
        {"We have:\n1. Negroni\n2. Martini", "We have:|1. Negroni|2. Martini|"},
        {"We have:\n- Negroni\n- Martini\n\nWhich?", "We have:|- Negroni|- Martini|Which?|"},
        {"We have:\n\u2022 Gin\n\u2022 Rum", "We have:|\u2022 Gin|\u2022 Rum|"},
        {"1) Gin\n2) Rum", "1) Gin|2) Rum|"},
        {"A line\nthat goes on. Ok.", "A line\nthat goes on.|Ok.|"},
        {"It is 5. Then 6.", "It is 5.|Then 6.|"},
        {"Twelve\n12.50 is the price. Ok.", "Twelve\n12.50 is the price.|Ok.|"},
        /* languages without spaces, and other marks */
        {"\u4f60\u597d\u3002\u518d\u89c1\uff01\u597d",
         "\u4f60\u597d\u3002|\u518d\u89c1\uff01|\u597d|"},
        {"\u300c\u306f\u3044\u3002\u300d\u305d\u3046\u3002",
         "\u300c\u306f\u3044\u3002\u300d|\u305d\u3046\u3002|"},
        {"\u0939\u093e\u0901\u0964 \u0920\u0940\u0915\u0964",
         "\u0939\u093e\u0901\u0964|\u0920\u0940\u0915\u0964|"},
        /* quotes and markdown */
        {"\"Stop!\" she said. Ok.", "\"Stop!\" she said.|Ok.|"},
        {"**Done.** Next one.", "**Done.**|Next one.|"},
        {"\u00abOui.\u00bb Non.", "\u00abOui.\u00bb|Non.|"},
        {"What?! No way!!! Yes.", "What?!|No way!!!|Yes.|"},
        {"See https://a.b/c.html. Ok.", "See https://a.b/c.html.|Ok.|"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_STR(split(rows[i][0], true), rows[i][1]);
}

/* Sentences as they come out of a text that grows by one character at a time. */
static size_t grow(const char *text, size_t len, struct str *ret, size_t max)
{
    size_t at = 0, count = 0, n;

    for (size_t have = 0; have <= len; have++) {
        if (have < len && ((unsigned char)text[have] & 0xc0) == 0x80)
            continue; /* inside a character */
        while ((n = sentence_next(text + at, have - at, have == len)) > 0) {
            struct str s = str_trim((struct str){text + at, n});
            if (s.len && count < max)
                ret[count++] = s;
            at += n;
        }
    }
    CHECK_INT(at, len);
    return count;
}

/* Whatever comes, the parts put together are the text, and how it came makes no difference. */
static void test_nothing_lost(void)
{
    static const char *const marks[] = {
        ".",      "!",      "?", " ",          "a",  "B",  "$1", "\n",  "\"", "'",
        "\u3002", "\u2026", "1", "\U0001F378", "- ", "* ", ". ", "e.g", "no", "\n2. "};
    unsigned seed = 7;

    for (int round = 0; round < 20000; round++) {
        char text[80] = "";
        size_t len = 0, at = 0, n, count = 0;
        struct str grown[80];

        for (int i = 0; i < 12; i++) {
            seed = seed * 1103515245u + 12345u;
            const char *m = marks[(seed >> 16) % ARRAY_LEN(marks)];
            memcpy(text + len, m, strlen(m));
            len += strlen(m);
        }
        size_t total = grow(text, len, grown, ARRAY_LEN(grown));
        while (at < len && (n = sentence_next(text + at, len - at, true)) > 0) {
            struct str s = str_trim((struct str){text + at, n});
            if (s.len) {
                CHECK(count < total && grown[count].data == s.data &&
                      grown[count].len == s.len);
                count++;
            }
            at += n;
        }
        CHECK_INT(at, len);
        CHECK_INT(count, total);
    }
}

static const struct tap_case cases[] = {
    {"whole sentences", test_whole},
    {"what only looks like an end", test_not_there},
    {"a text that grows", test_growing},
    {"prices, titles, lists, emoji, languages without spaces", test_table},
    {"nothing is lost, however it comes", test_nothing_lost},
};
TAP_MAIN(cases)

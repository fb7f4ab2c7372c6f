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

/* Whatever comes, the parts put together are the text, and no part is empty. */
static void test_nothing_lost(void)
{
    static const char marks[] = ".!? ab$1\n\"'";
    unsigned seed = 7;

    for (int round = 0; round < 2000; round++) {
        char text[40];
        size_t len = 0, at = 0, n;

        while (len < sizeof(text)) {
            seed = seed * 1103515245u + 12345u;
            text[len++] = marks[(seed >> 16) % (sizeof(marks) - 1)];
        }
        while (at < len && (n = sentence_next(text + at, len - at, true)) > 0)
            at += n;
        CHECK_INT(at, len);
    }
}

static const struct tap_case cases[] = {
    {"whole sentences", test_whole},
    {"what only looks like an end", test_not_there},
    {"a text that grows", test_growing},
    {"nothing is lost", test_nothing_lost},
};
TAP_MAIN(cases)

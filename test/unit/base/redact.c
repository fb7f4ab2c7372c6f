#include "base/redact.c"
#include "unit/tap.h"

static const char *hidden(const char *text)
{
    static char copy[300];

    snprintf(copy, sizeof(copy), "%s", text);
    redact(copy, strlen(copy));
    return copy;
}

static void keys(void)
{
    CHECK_STR(hidden("k=AIzaSyA1234567890abcdefghijklmnopqrstuv end"),
              "k=AIza*********************************** end");
    CHECK_STR(hidden("Authorization: Bearer abc.DEF-123_45"),
              "Authorization: Bearer **************");
    CHECK_STR(hidden("sk_car_12345678"), "sk_car_********");
    CHECK_STR(hidden("\"sk-proj-abcdefghijklmnop\""), "\"sk-*********************\"");
    CHECK_STR(hidden("sk_live_abcdefghijklmnop,x"), "sk_live_****************,x");
    CHECK_STR(hidden("url?key=AIzaSyA1234567890abcdefghijklmnopqrstuv&x=1"),
              "url?key=AIza***********************************&x=1");
    CHECK_STR(hidden("bearer ABCDEFGHIJ"), "bearer **********");
}

static void no_keys(void)
{
    static const char *const same[] = {
        "",
        "AIza is how they begin",
        "the bearer of news",
        "risk-free-of-anything-at-all",
        "sk-short",
        "task_live_abcdefghijklmnop",
        "asking sk_ for it",
        "Bearer short",
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        CHECK_STR(hidden(same[i]), same[i]);
}

static void cards(void)
{
    CHECK_STR(hidden("4111111111111111"), "****************");
    CHECK_STR(hidden("pay 4111 1111 1111 1111."), "pay **** **** **** ****.");
    CHECK_STR(hidden("4111-1111-1111-1111"), "****-****-****-****");
    CHECK_STR(hidden("amex 378282246310005 ok"), "amex *************** ok");
    /* Digits behind it do not hide it from us. */
    CHECK_STR(hidden("4111 1111 1111 1111 12/27"), "**** **** **** **** 12/27");
    CHECK_STR(hidden("4111111111111111 999"), "**************** 999");
}

static void no_cards(void)
{
    static const char *const same[] = {
        "4111111111111112",           /* fails the check */
        "411111111111",               /* too short */
        "41111111111111110000000000", /* too long: no card, all one number */
        "2026-11-23T14:35:49.123Z bytes=183402",
        "a1b4111111111111111", /* part of a word */
        "4111x1111x1111x1111",
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        CHECK_STR(hidden(same[i]), same[i]);
}

static void stays_inside(void)
{
    char text[] = "4111111111111111 AIzaSyA1234567890abcdefghijklmnopqrstuv";

    redact(text, 10); /* sees ten digits only */
    CHECK(strncmp(text, "4111111111111111 AIzaSy", 23) == 0);
    redact(text + 17, 20); /* the prefix, but not enough behind it */
    CHECK(strcmp(text + 17, "AIzaSyA1234567890abcdefghijklmnopqrstuv") == 0);
    redact(NULL, 0);
}

static const struct tap_case cases[] = {
    {"keys are hidden", keys},
    {"words are not", no_keys},
    {"card numbers are hidden", cards},
    {"other numbers are not", no_cards},
    {"nothing beyond the length is touched", stays_inside},
};

TAP_MAIN(cases)

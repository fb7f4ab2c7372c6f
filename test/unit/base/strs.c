#include "base/strs.c"
#include "unit/tap.h"

static void compare(void)
{
    CHECK(str_eq(str_of("abc"), "abc"));
    CHECK(!str_eq(str_of("abc"), "ab"));
    CHECK(!str_eq(str_of("ab"), "abc"));
    CHECK(str_eq((struct str){"abcdef", 3}, "abc"));
    CHECK(!str_eq((struct str){"ab\0c", 4}, "ab"));
    CHECK(str_eq_nocase(str_of("AbC"), "aBc"));
    CHECK(!str_eq_nocase(str_of("AbC"), "aB"));
}

static void trim(void)
{
    CHECK(str_eq(str_trim(str_of(" \t a b \r\n")), "a b"));
    CHECK_INT(str_trim(str_of(" \n")).len, 0);
    CHECK_INT(str_trim(str_of("")).len, 0);
}

static void copy(void)
{
    char dst[4];

    CHECK(str_copy(dst, sizeof(dst), "abc"));
    CHECK_STR(dst, "abc");
    CHECK(!str_copy(dst, sizeof(dst), "abcd"));
    CHECK_STR(dst, "abc");
    CHECK(str_copy(dst, 1, ""));
    CHECK(!str_copy(dst, 1, "x"));
    CHECK_STR(dst, "");
}

static void utf8(void)
{
    static const struct {
        const char *text;
        size_t valid;
    } rows[] = {
        {"", 0},
        {"plain", 5},
        {"\xc3\xa9t\xc3\xa9", 5},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x8d\xb8", 4},
        {"\xf4\x8f\xbf\xbf", 4}, /* U+10FFFF */
        {"a\xc3", 1},            /* cut */
        {"a\xe2\x82", 1},
        {"a\xf0\x9f\x8d", 1},
        {"a\x80", 1},     /* a tail without a head */
        {"a\xc0\xaf", 1}, /* overlong */
        {"a\xc1\xbf", 1},
        {"a\xe0\x9f\xbf", 1},
        {"a\xf0\x8f\xbf\xbf", 1},
        {"a\xed\xa0\x80", 1},     /* a surrogate */
        {"a\xed\x9f\xbf", 4},     /* the last before them */
        {"a\xf4\x90\x80\x80", 1}, /* above U+10FFFF */
        {"a\xf8\x88\x80\x80", 1},
        {"a\xff", 1},
        {"\xe2\x82\x41", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(utf8_valid_prefix(rows[i].text, strlen(rows[i].text)), rows[i].valid);
    CHECK_INT(utf8_valid_prefix("a\0b", 3), 3);
}

static void distance(void)
{
    char longer[60];

    CHECK_INT(str_distance("", "", 9), 0);
    CHECK_INT(str_distance("", "abc", 9), 3);
    CHECK_INT(str_distance("abc", "", 9), 3);
    CHECK_INT(str_distance("kitten", "sitting", 9), 3);
    CHECK_INT(str_distance("serve", "sevre", 9), 1); /* neighbours swapped */
    CHECK_INT(str_distance("ca", "abc", 9), 3);
    CHECK_INT(str_distance("martini", "martni", 9), 1);
    CHECK_INT(str_distance("kitten", "sitting", 2), 2); /* the cap */
    CHECK_INT(str_distance("a", "abcdefgh", 3), 3);
    CHECK_INT(str_distance("same", "same", 1), 0);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    CHECK_INT(str_distance(longer, longer, 5), 0);
    CHECK_INT(str_distance(longer, "x", 5), 5);
    longer[48] = '\0'; /* the longest that is measured */
    char other[60];
    memcpy(other, longer, 49);
    other[20] = 'y';
    CHECK_INT(str_distance(longer, other, 5), 1);
}

static void integers(void)
{
    int64_t v = 77;

    CHECK(str_to_int("42", &v) && v == 42);
    CHECK(str_to_int("-9223372036854775808", &v) && v == INT64_MIN);
    CHECK(str_to_int("9223372036854775807", &v) && v == INT64_MAX);
    v = 77;
    CHECK(!str_to_int("9223372036854775808", &v));
    CHECK(!str_to_int("", &v));
    CHECK(!str_to_int(" 1", &v));
    CHECK(!str_to_int("1 ", &v));
    CHECK(!str_to_int("1x", &v));
    CHECK(!str_to_int("0x10", &v));
    CHECK(!str_to_int("1.0", &v));
    CHECK(!str_to_int("-", &v));
    CHECK_INT(v, 77);
}

static void doubles(void)
{
    double v = 77;

    CHECK(str_to_double("0.5", &v) && v == 0.5);
    CHECK(str_to_double("-1e3", &v) && v == -1000);
    CHECK(str_to_double(".25", &v) && v == 0.25);
    v = 77;
    CHECK(!str_to_double("", &v));
    CHECK(!str_to_double("1e999", &v));
    CHECK(!str_to_double("nan", &v));
    CHECK(!str_to_double("inf", &v));
    CHECK(!str_to_double(" 1", &v));
    CHECK(!str_to_double("1,5", &v));
    CHECK(v == 77);
}

static void keep_end(void)
{
    char ret[24];

    str_keep_end("it fits, to the letter", ret, 23);
    CHECK_STR(ret, "it fits, to the letter");
    str_keep_end("somebody: somebody else: no such file", ret, sizeof(ret));
    CHECK_STR(ret, "...else: no such file"); /* from a word on */
    str_keep_end("without_any_blank_in_all_of_it_at_all", ret, 12);
    CHECK_STR(ret, "...t_at_all");
    str_keep_end("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", ret, 7);
    CHECK_STR(ret, "...\xc3\xa4"); /* and of a whole character */
}

static const struct tap_case cases[] = {
    {"compare", compare},   {"trim", trim},
    {"copy", copy},         {"UTF-8, valid and not", utf8},
    {"distance", distance}, {"whole numbers", integers},
    {"numbers", doubles},   {"the end is kept", keep_end},
};

TAP_MAIN(cases)

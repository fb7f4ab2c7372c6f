#include "voice/clean.c"

#include "unit/tap.h"
#include "voice/voice_int.h"

static const struct voice_word house[] = {{"MOK 5-ha", "Moksha"}};
static const struct voice_how english = {.language = "en-us", .words = house, .word_count = 1};
static const struct voice_how german = {.language = "de"};

static const char *said(const struct voice_how *how, const char *text)
{
    static struct buf out;

    voice_clean(how, str_of(text), &out);
    return buf_text(&out);
}

static void check(const char *const rows[][2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_STR(said(&english, rows[i][0]), rows[i][1]);
}

static void money(void)
{
    static const char *const rows[][2] = {
        {"That is $12.50.", "That is twelve dollars and fifty cents."},
        {"$1", "one dollar"},
        {"$1.01", "one dollar and one cent"},
        {"$0.50 off", "fifty cents off"},
        {"$0", "zero dollars"},
        {"$13 each, $26.00 in all", "thirteen dollars each, twenty six dollars in all"},
        {"$1,250.75", "one thousand two hundred fifty dollars and seventy five cents"},
        {"$1000000", "one million dollars"},
        {"$100", "one hundred dollars"},
        {"$5-10 or $5\u2013$10", "five dollars to ten dollars or five dollars to ten dollars"},
        {"$1.5", "one dollar and fifty cents"},
        {"$1.999", "one point nine nine nine dollars"},
        {"$1.5 million, $20k", "one point five million dollars, twenty thousand dollars"},
        {"-$3", "minus three dollars"},
        {"\u20ac5 and 7,50", "five euros and 7,50"},
        {"5 \u20ac", "five euros"},
        {"\u00a30.01", "one penny"},
        {"($13.00)", "(thirteen dollars)"},
        {"$", ""},
        {"A $ sign", "A sign"},
        {"$99999999999999999999", "99999999999999999999"},
    };

    check(rows, ARRAY_LEN(rows));
}

static void figures(void)
{
    static const char *const rows[][2] = {
        {"1/2 oz of lime", "one half ounce of lime"},
        {"1 1/2 oz gin", "one and a half ounces gin"},
        {"2 3/4 cups", "two and three quarters cups"},
        {"\u00bd and 1\u00bd", "one half and 1 and one half"},
        {"open 24/7", "open 24 7"},
        {"on 1/2/2024", "on 1 2 2024"},
        {"2x Martini and 2 x Negroni", "2 Martini and 2 Negroni"},
        {"1 oz, 2 oz.", "1 ounce, 2 ounces"},
        {"60 ml or 6cl", "60 milliliters or 6 centiliters"},
        {"40% ABV", "40 percent A B V"},
        {"5-10 minutes", "5 to 10 minutes"},
        {"20\u00b0", "20 degrees"},
        {"#5, No. 6, ~7", "number 5, number 6, about 7"},
        {"a 5x5 grid", "a 5x5 grid"},
        {"12,345.6 of it", "12,345.6 of it"},
    };

    check(rows, ARRAY_LEN(rows));
}

static void words(void)
{
    static const char *const rows[][2] = {
        {"Dr. Who vs. Mrs. Doe", "Doctor Who versus Missus Doe"},
        {"fruit, e.g. limes", "fruit, for example limes"},
        {"limes, salt, etc.", "limes, salt, et cetera"},
        {"Gin & tonic w/ ice, w/o lime", "Gin and tonic with ice, without lime"},
        {"at 5 p.m. sharp", "at 5 P M sharp"},
        {"Welcome to MOK 5-ha!", "Welcome to Moksha!"},
        {"dramatic. Stop.", "dramatic. Stop."},
        {"me@bar.example", "me at bar.example"},
        {"and/or", "and or"},
        {"well \u2014 maybe", "well, maybe"},
        {"well -- maybe", "well, maybe"},
        {"an old-fashioned", "an old-fashioned"},
    };

    check(rows, ARRAY_LEN(rows));
}

static void markdown(void)
{
    static const char *const rows[][2] = {
        {"**Bold** and *it*, _too_", "Bold and it, too"},
        {"`code` ~~gone~~", "code gone"},
        {"# Menu\n- Negroni\n- Martini", "Menu, Negroni, Martini"},
        {"1. Negroni", "1, Negroni"},
        {"> - deep", "deep"},
        {"See [the menu](https://a.b/c?d=e) now.", "See the menu now."},
        {"![a glass](g.png)", "a glass"},
        {"At https://www.example.com/path?x=1.", "At example dot com."},
        {"(http://a.b)", "(a dot b)"},
        {"| Drink | Price |\n|---|---|\n| Gin | $8 |", "Drink Price, Gin eight dollars"},
        {"```c\nx\n```", "x,"},
        {"a<br>b <b>c</b> &amp; d&nbsp;e", "a b c and d e"},
        {"1 < 2", "1 2"},
        {"snake_case", "snake case"},
        {"one\ntwo", "one, two"},
        {"one.\ntwo", "one. two"},
    };

    check(rows, ARRAY_LEN(rows));
}

static void drawn(void)
{
    static const char *const rows[][2] = {
        {"Cheers! \U0001F378\U0001F3FD\u200d\u2640\ufe0f", "Cheers!"},
        {"\U0001F378", ""},
        {"Hi :) there :-D", "Hi there"},
        {"\u2764\ufe0f you", "you"},
        {"a\u200bb\tc\x01"
         "d",
         "a b c d"},
        {"...", ""},
        {"  ", ""},
        {"", ""},
        {"\u4f60\u597d\u3002", "\u4f60\u597d\u3002"},
        {"\u3002\u3002", ""},
        {"caf\u00e9 \u00e0 la", "caf\u00e9 \u00e0 la"},
        {"A \u2192 B", "A to B"},
    };

    check(rows, ARRAY_LEN(rows));
}

/* Another language keeps its figures: the voice reads them. */
static void other_language(void)
{
    CHECK_STR(said(&german, "Das macht $12.50 & 5%."), "Das macht 12.50 & 5%.");
    CHECK_STR(said(&german, "**Gut** \U0001F378 1\u00bd Uhr, Dr. X"), "Gut 1\u00bd Uhr, Dr. X");
}

static void numbers(void)
{
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {
        {0, "zero"},
        {10, "ten"},
        {21, "twenty one"},
        {100, "one hundred"},
        {115, "one hundred fifteen"},
        {1000, "one thousand"},
        {1001, "one thousand one"},
        {20000, "twenty thousand"},
        {1000000, "one million"},
        {VOICE_NUMBER_MAX, "nine hundred ninety nine billion nine hundred ninety nine million "
                           "nine hundred ninety nine thousand nine hundred ninety nine"},
    };
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        voice__number(&out, rows[i].n);
        CHECK_STR(buf_text(&out), rows[i].text);
    }
    buf_release(&out);
}

static void bounded(void)
{
    struct buf out = {.max = 50};
    char text[200];

    memset(text, '%', sizeof(text));
    voice_clean(&english, (struct str){text, sizeof(text)}, &out);
    CHECK(out.len <= 50);
    buf_release(&out);
}

static const struct tap_case cases[] = {
    {"money", money},
    {"fractions, units and other figures", figures},
    {"abbreviations and signs", words},
    {"markdown, addresses, markup", markdown},
    {"what is drawn is not said", drawn},
    {"a language that is not English", other_language},
    {"numbers in words", numbers},
    {"bounded", bounded},
};
TAP_MAIN(cases)

/* Questions and what is looked for. */
#include "knowledge/query.c"

#include "unit/tap.h"

static struct buf written;
static unsigned asked;

static const char *query_after(const char *text, const char *before)
{
    const struct knowledge_question q = {str_of(text), str_of(before), "Maya"};
    struct query made;

    knowledge__query(&q, &made);
    buf_clear(&written);
    knowledge__query_write(&made, &written);
    asked = made.asked;
    return buf_text(&written);
}

static const char *query(const char *text)
{
    return query_after(text, "");
}

static void test_words(void)
{
    CHECK_STR(query("What does MOK 5-ha mean?"), "\"mok\" OR \"5\" OR \"ha\"");
    CHECK_STR(query("Drinks, drinks and DRINKS!"), "\"drinks\"");
    CHECK_STR(query("don't you"), "\"maya\"");
    CHECK_STR(query("Who are you?"), "\"maya\"");
    CHECK_STR(query("Où est le café? 🍸"), "\"où\" OR \"est\" OR \"le\" OR \"café\"");
    CHECK_STR(query(""), "");
    CHECK_STR(query("and what about it?"), "");
    CHECK_STR(query("thank you"), "\"maya\"");
}

static void test_the_name_only_points(void)
{
    CHECK_STR(query("your opening hours"), "\"opening\" OR \"hours\" OR \"maya\"");
    CHECK_INT(asked, 2);
}

static void test_nothing_has_a_meaning(void)
{
    CHECK_STR(query("\" OR * NEAR("), "\"near\"" + 6); /* "or" and "near" are stop words */
    CHECK_STR(query("title:x AND text NOT (ice^2) {a b}: - \"\"\" gin*"),
              "\"title\" OR \"text\" OR \"ice\" OR \"2\" OR \"gin\"");
    CHECK_STR(query("rum\\\"; DROP TABLE passage; --"),
              "\"rum\" OR \"drop\" OR \"table\" OR \"passage\"");
}

static void test_what_was_said_before(void)
{
    CHECK_STR(query_after("and who is she?", "Tell me about the bartender"), "\"bartender\"");
    CHECK_STR(query_after("who owns it?", "the red clock"), "\"owns\" OR \"red\" OR \"clock\"");
    CHECK_INT(asked, 1);
    CHECK_STR(query_after("hello", "the old clock"), "");
    CHECK_STR(query_after("tell me more", "the red clock"), "\"red\" OR \"clock\"");
    CHECK_INT(asked, 2);
}

static void test_scripts_without_spaces(void)
{
    CHECK_STR(query("营业时间?"), "\"营业\" OR \"业时\" OR \"时间\"");
    CHECK_STR(query("酒"), "\"酒\"");
    CHECK_STR(query("MOK酒吧 tonic"), "\"mok\" OR \"酒吧\" OR \"tonic\"");
}

static void test_bounds(void)
{
    char text[4000];
    size_t n = 0;

    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "word%d ", i);
    query(text);
    CHECK(strstr(buf_text(&written), "word15") != NULL);
    CHECK(strstr(buf_text(&written), "word16") == NULL);
    memset(text, 'x', QUERY_TERM_MAX + 1);
    strcpy(text + QUERY_TERM_MAX + 1, " gin");
    CHECK_STR(query(text), "\"gin\"");
    memset(text, ' ', QUERY_TEXT_MAX);
    strcpy(text + QUERY_TEXT_MAX, "gin");
    CHECK_STR(query(text), "");
}

static const struct tap_case cases[] = {
    {"words that tell something", test_words},
    {"who is meant by you only points", test_the_name_only_points},
    {"nothing of FTS5's language gets through", test_nothing_has_a_meaning},
    {"a question may mean what was said before", test_what_was_said_before},
    {"scripts without spaces go by pairs", test_scripts_without_spaces},
    {"bounds", test_bounds},
};

TAP_MAIN(cases)

/* The house mind with a passage of the agent's documents at hand. */
#include "mind/house_recall.c"

#include "unit/mind/evening.h"
#include "unit/tap.h"

static struct evening v;
static struct knowledge_passage passage;

static const char *say(const char *text, const char *known, size_t at, double match)
{
    passage =
        (struct knowledge_passage){"a.md", 1, "A", "", str_of(known ? known : ""), at, match};
    v.passage = known ? &passage : NULL;
    evening_next_guest(&v);
    return evening_say(&v, text, strlen(text));
}

static bool says(const char *text, const char *known, const char *part)
{
    return strstr(say(text, known, 0, 1), part) != NULL;
}

static void test_instead_of_not_knowing(void)
{
    CHECK(says("who built the lighthouse?", "A keeper built it.", "A keeper built it."));
    CHECK(says("lighthouse", "A keeper built it.", "A keeper built it."));
    CHECK(says("when do you close?", "At one.", "At one."));
    CHECK(says("what do regulars drink?", "Water.", "Water."));
    CHECK(!says("I built a lighthouse of my own once", "A keeper built it.", "keeper"));
}

static void test_what_is_known_better(void)
{
    CHECK(!says("two martinis please", "Shells.", "Shells"));
    CHECK_INT(v.tab.line_count, 1);
    CHECK(!says("how much is a martini?", "Shells.", "Shells"));
    CHECK(!says("can I pay please?", "Shells.", "Shells"));
    CHECK(!says("a beer, and when do you close?", "Shells.", "Shells"));
    CHECK_INT(v.tab.line_count, 1);
    CHECK(!says("what's on my tab?", "Shells.", "Shells"));
    CHECK(!says("hello", "Shells.", "Shells"));
    CHECK(!says("tell me a joke", "Shells.", "Shells"));
    CHECK(!says("I had a rough day", "Shells.", "Shells"));
}

static void test_how_much_must_match(void)
{
    CHECK(strstr(say("who built the lighthouse?", "A keeper.", 0, 0.55), "keeper") == NULL);
    CHECK(strstr(say("who built the lighthouse?", "A keeper.", 0, 0.65), "keeper") != NULL);
    CHECK(strstr(say("when do you close?", "At one.", 0, 0.65), "At one") == NULL);
}

static void test_how_it_is_said(void)
{
    CHECK(says("lighthouse?", "- *red*\n- `white`", "red. White"));
    CHECK(strstr(say("lighthouse?", "First. Second it is. Third.", 7, 1), "First") == NULL);
    CHECK(strstr(buf_text(&v.reply), "Second it is. Third.") != NULL);
    CHECK(says("lighthouse?", "{text} {item} %s %n", "{text} {item} %s %n"));
    /* A sentence that is very long is whole, and then no other follows. */
    static char text[800];
    memset(text, 'x', 600);
    memcpy(text + 600, ". Second.", 10);
    CHECK(strstr(say("lighthouse?", text, 0, 1), "Second") == NULL);
    CHECK(v.reply.len > 600);
    CHECK(says("lighthouse?", "*** ``` |", "")); /* nothing is left of it */
    CHECK(v.reply.len > 0 && v.dones == 1);
}

static const struct tap_case cases[] = {
    {"instead of saying that she does not know", test_instead_of_not_knowing},
    {"never where she knows better", test_what_is_known_better},
    {"only what bears on the question", test_how_much_must_match},
    {"as sentences, without marks", test_how_it_is_said},
};

int main(void)
{
    if (evening_open(&v, 1) < 0)
        return 1;
    int rc = tap_run(cases, (int)(sizeof(cases) / sizeof(cases[0])));
    evening_close(&v);
    return rc;
}

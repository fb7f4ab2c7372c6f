/* Documents and the passages that they become, written as "line[heading] text|...". */
#include "knowledge/split.c"

#include "unit/tap.h"

#include "base/alloc.h"

#include <stdlib.h>

static struct buf told;
static char title[300];
static size_t longest;

static void on_passage(void *ctx, const struct split_passage *p)
{
    (void)ctx;
    buf_printf(&told, "%s%u[%.*s] %.*s", told.len ? "|" : "", p->line, STR_FMT(p->heading),
               STR_FMT(p->text));
    snprintf(title, sizeof(title), "%.*s", STR_FMT(p->title));
    longest = p->text.len > longest ? p->text.len : longest;
}

static const char *split(const char *name, const char *text)
{
    buf_clear(&told);
    title[0] = '\0';
    longest = 0;
    knowledge__split(name, str_of(text), on_passage, NULL);
    return buf_text(&told);
}

static void test_headings(void)
{
    CHECK_STR(split("a.md", "# House\n\nSmall.\n\n## Hours\nFrom five\nto one.\n### Late\nNo.\n"
                            "## Seats ##\nTwelve.\n"),
              "3[] Small.|6[Hours] From five to one.|9[Hours > Late] No.|11[Seats] Twelve.");
    CHECK_STR(title, "House");
    CHECK_STR(split("a.md", "# A\nx\n# B\ny\n## C\nz\n# D\nw"),
              "2[] x|4[B] y|6[B > C] z|8[D] w");
    CHECK_STR(split("a.md", "#no heading\n\n####### neither\n"),
              "1[] #no heading\n####### neither");
    CHECK_STR(title, "a");
    CHECK_STR(split("a.md", "Title\n=====\n\nOne.\n\nPart\n---\nTwo.\n\n---\n\nThree.\n"),
              "4[] One.|8[Part] Two.\nThree.");
    CHECK_STR(split("a.md", "# Only\n\n## Headings\n"), "");
    CHECK_STR(split("a.md", ""), "");
    CHECK_STR(split("a.md", "#\n\ntext"), "3[] text");
}

static void test_no_markdown(void)
{
    CHECK_STR(split("notes on ice.txt", "# as it is\n\n---\nnext"), "1[] # as it is\n--- next");
    CHECK_STR(title, "notes on ice");
    CHECK_STR(split("a.md", "\xEF\xBB\xBF# Mark\r\n\r\nOne\r\ntwo.\r\n"), "3[] One two.");
    CHECK_STR(title, "Mark");
}

static void test_lists_and_fences(void)
{
    CHECK_STR(split("a.md", "Rules:\n- be kind\n- be\n  quiet\n1. pay\n"),
              "1[] Rules:\n- be kind\n- be quiet\n1. pay");
    CHECK_STR(split("a.md", "```\n# no heading\nx\n```\nafter\n"), "2[] # no heading\nx after");
    CHECK_STR(split("a.md", "| a | b |\n|---|---|\n| c | d |"),
              "1[] | a | b |\n|---|---|\n| c | d |");
}

static void test_long_paragraphs(void)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < 60; i++)
        buf_printf(&text, "This is sentence number %d of them. ", i);
    split("a.md", buf_text(&text));
    CHECK(longest <= KNOWLEDGE_PASSAGE_MAX && longest > KNOWLEDGE_PASSAGE_MAX / 2);
    CHECK(strstr(buf_text(&told), "of them.|1[] This is") != NULL);

    buf_clear(&text);
    for (int i = 0; i < 400; i++)
        buf_str(&text, "word ");
    split("a.md", buf_text(&text));
    CHECK(longest <= KNOWLEDGE_PASSAGE_MAX);
    CHECK(strstr(buf_text(&told), "word|1[] word") != NULL);

    buf_clear(&text);
    for (int i = 0; i < 1000; i++)
        buf_str(&text, "酒");
    split("a.md", buf_text(&text));
    CHECK(longest <= KNOWLEDGE_PASSAGE_MAX);
    CHECK_INT(utf8_valid_prefix(buf_text(&told), told.len), told.len);
    buf_release(&text);
}

static void test_short_ones_are_joined(void)
{
    struct buf text = BUF_INIT;

    CHECK_STR(split("a.md", "One.\n\nTwo.\n"), "1[] One.\nTwo.");
    for (int i = 0; i < 30; i++)
        buf_printf(&text, "Paragraph %d has about forty bytes of text.\n\n", i);
    split("a.md", buf_text(&text));
    CHECK(longest <= JOIN_MAX);
    CHECK(strstr(buf_text(&told), "|23[] Paragraph 11") != NULL);
    buf_release(&text);
}

static void test_sentences(void)
{
    CHECK_INT(knowledge__sentence(str_of("One. Two.")), 5);
    CHECK_INT(knowledge__sentence(str_of("It is $1.50 now")), 15);
    CHECK_INT(knowledge__sentence(str_of("一。二")), 6);
    CHECK_INT(knowledge__sentence(str_of("a\nb")), 2);
    CHECK_INT(knowledge__sentence(str_of(" ")), 1);
}

static const struct tap_case cases[] = {
    {"headings and the path to them", test_headings},
    {"plain text, byte order mark, CRLF", test_no_markdown},
    {"lists, tables, fences", test_lists_and_fences},
    {"a long paragraph is cut between sentences, words, letters", test_long_paragraphs},
    {"short paragraphs are put together", test_short_ones_are_joined},
    {"where a sentence ends", test_sentences},
};

TAP_MAIN(cases)

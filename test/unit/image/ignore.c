#include "image/ignore.c"

#include "unit/tap.h"

static bool out(const char *rules, const char *path)
{
    struct image_ignore g;

    image__ignore_parse(rules, &g);
    bool ignored = image__ignored(&g, path);
    image__ignore_release(&g);
    return ignored;
}

static void test_names_and_stars(void)
{
    CHECK(out("build\n", "build"));
    CHECK(out("build\n", "build/a/b.o"));
    CHECK(!out("build\n", "src/build"));
    CHECK(!out("build\n", "builds"));
    CHECK(out("/build/\n", "build/x"));
    CHECK(out("./build\n", "build/x"));
    CHECK(out("*.o", "a.o"));
    CHECK(!out("*.o", "src/a.o"));
    CHECK(out("*/*.o", "src/a.o"));
    CHECK(out("**/*.o", "a.o"));
    CHECK(out("**/*.o", "src/x/a.o"));
    CHECK(out("src/**/x", "src/a/b/x"));
    CHECK(out("src/**", "src/a/b"));
    CHECK(!out("src/**", "lib/a"));
    CHECK(out("a?c", "abc"));
    CHECK(!out("a?c", "a/c"));
    CHECK(out("[a-c]x", "bx"));
    CHECK(!out("[^a-c]x", "bx"));
    CHECK(!out("[a-c", "a"));
    CHECK(out("\\*x", "*x"));
    CHECK(!out("\\*x", "ax"));
}

static void test_exceptions(void)
{
    const char *rules = "# all but one\r\n*\n\n!src\nsrc/*.o\n !src/keep.o \n";

    CHECK(out(rules, "README"));
    CHECK(!out(rules, "src/a.c"));
    CHECK(out(rules, "src/a.o"));
    CHECK(!out(rules, "src/keep.o"));
    CHECK(!out("", "anything"));
    CHECK(!out("!\n#x\n/\n", "anything"));
}

/* Many stars would take for ever: such a rule is not one of the common forms. */
static void test_no_rule_takes_for_ever(void)
{
    char path[200];

    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    CHECK(!out("*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
    CHECK(!out("a*a*a*b", path));
    CHECK(!out("*************************************b", path));
    CHECK(out("***/*.o", "a/b/c.o"));
}

static const struct tap_case cases[] = {
    {"names, stars, sets", test_names_and_stars},
    {"the last rule that fits decides", test_exceptions},
    {"no rule takes for ever", test_no_rule_takes_for_ever},
};
TAP_MAIN(cases)

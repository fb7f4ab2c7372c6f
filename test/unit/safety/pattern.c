/* Where memory may not be executable, PCRE2 interprets: within its limits, and without memory.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#undef pcre2_jit_compile
#define pcre2_jit_compile(code, options) ((void)(code), -(int)(options))
#include "safety/pattern.c"

#include "unit/tap.h"

#include <malloc.h>

static struct patterns *all;

static enum pattern_found find(const struct pattern *p, const char *text, bool last,
                               size_t *start, size_t *end)
{
    uint64_t undecided = 0;
    enum pattern_found f =
        pattern__find(p, text, strlen(text), 0, last, false, start, end, &undecided);

    CHECK_INT(undecided, 0);
    return f;
}

static struct pattern *make(const char *text)
{
    char why[160] = "";
    size_t at;
    struct pattern *p = pattern__new(all, text, why, sizeof(why), &at);

    CHECK_STR(why, "");
    return p;
}

static void finds(void)
{
    struct pattern *p = make("\\bbad(ly)?\\b");
    size_t start, end;

    CHECK_INT(find(p, "not BAD, is it", false, &start, &end), PATTERN_YES);
    CHECK(start == 4 && end == 7);
    CHECK_INT(find(p, "not bad", false, &start, &end), PATTERN_MAYBE);
    CHECK_INT(start, 4);
    CHECK_INT(find(p, "not bad", true, &start, &end), PATTERN_YES);
    CHECK_INT(find(p, "not b", true, &start, &end), PATTERN_NO);
    /* A word may begin behind it: from there on, which is nothing yet. */
    CHECK_INT(find(p, "badge ", false, &start, &end), PATTERN_MAYBE);
    CHECK_INT(start, 6);
    pattern__free(&p);
}

static void keeps_to_its_limits(void)
{
    struct pattern *p = make("(?:(a|aa)+)+$"), *q = make("(?:(a)|b)*c");
    static char text[1000];
    uint64_t undecided = 0;
    size_t start, end, before;

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 2] = '!';
    patterns__ready(all);
    before = mallinfo2().uordblks;
    for (int ascii = 0; ascii < 2; ascii++) {
        CHECK_INT(
            pattern__find(p, text, sizeof(text) - 1, 0, true, ascii, &start, &end, &undecided),
            PATTERN_NO);
        CHECK_INT(undecided, ascii + 1);
        CHECK_INT(
            pattern__find(q, text, sizeof(text) - 1, 0, true, ascii, &start, &end, &undecided),
            PATTERN_NO);
        CHECK_INT(undecided, ascii + 1);
    }
    CHECK_INT(mallinfo2().uordblks, before);
    pattern__free(&p);
    pattern__free(&q);
}

static const struct tap_case cases[] = {
    {"it finds", finds},
    {"it keeps to its limits, and allocates nothing once it is ready", keeps_to_its_limits},
};

int main(void)
{
    all = patterns__new();
    int failed = tap_run(cases, ARRAY_LEN(cases));
    patterns__free(&all);
    return failed;
}

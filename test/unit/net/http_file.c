#include "net/http_file.c"
#include "unit/tap.h"

static const struct {
    const char *text;
    uint64_t size;
    enum range range;
    uint64_t from, to;
} ranges[] = {
    {"bytes=0-0", 10, RANGE_PART, 0, 0},
    {"bytes=2-5", 10, RANGE_PART, 2, 5},
    {"bytes=2-", 10, RANGE_PART, 2, 9},
    {"bytes=2-99", 10, RANGE_PART, 2, 9},
    {"bytes=-3", 10, RANGE_PART, 7, 9},
    {"bytes=-99", 10, RANGE_PART, 0, 9},
    {"Bytes=9-9", 10, RANGE_PART, 9, 9},
    {"bytes=10-", 10, RANGE_OUTSIDE, 0, 0},
    {"bytes=10-11", 10, RANGE_OUTSIDE, 0, 0},
    {"bytes=-0", 10, RANGE_OUTSIDE, 0, 0},
    {"bytes=0-", 0, RANGE_OUTSIDE, 0, 0},
    {"bytes=-1", 0, RANGE_OUTSIDE, 0, 0},
    {"", 10, RANGE_NONE, 0, 0},
    {"bytes", 10, RANGE_NONE, 0, 0},
    {"bytes=", 10, RANGE_NONE, 0, 0},
    {"bytes=-", 10, RANGE_NONE, 0, 0},
    {"bytes=1", 10, RANGE_NONE, 0, 0},
    {"bytes=5-2", 10, RANGE_NONE, 0, 0},
    {"bytes=1-2,4-5", 10, RANGE_NONE, 0, 0},
    {"bytes=1-2 ", 10, RANGE_NONE, 0, 0},
    {"bytes= 1-2", 10, RANGE_NONE, 0, 0},
    {"bytes=+1-2", 10, RANGE_NONE, 0, 0},
    {"bytes=a-", 10, RANGE_NONE, 0, 0},
    {"chars=1-2", 10, RANGE_NONE, 0, 0},
    {"bytes=9999999999999999999-", 10, RANGE_NONE, 0, 0},
    {"bytes=1-9999999999999999999", 10, RANGE_NONE, 0, 0},
};

static void reads_ranges(void)
{
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        uint64_t from = 0, to = 0;
        enum range got = parse_range(str_of(ranges[i].text), ranges[i].size, &from, &to);
        if (got != ranges[i].range)
            printf("# %s\n", ranges[i].text);
        CHECK_INT(got, ranges[i].range);
        if (got == RANGE_PART) {
            CHECK_INT(from, ranges[i].from);
            CHECK_INT(to, ranges[i].to);
        }
    }
    uint64_t from, to;
    CHECK_INT(parse_range((struct str){NULL, 0}, 10, &from, &to), RANGE_NONE);
}

static void compares_tags(void)
{
    static const struct {
        const char *list, *etag;
        bool hit;
    } tags[] = {
        {"\"a\"", "\"a\"", true},
        {"W/\"a\"", "\"a\"", true},
        {"\"a\"", "W/\"a\"", true},
        {"\"b\" , \"a\"", "\"a\"", true},
        {"\"b\",W/\"a\",\"c\"", "\"a\"", true},
        {"*", "\"a\"", true},
        {"\"b\"", "\"a\"", false},
        {"a", "\"a\"", false},
        {"", "\"a\"", false},
        {",,", "\"a\"", false},
        {"\"a", "\"a\"", false},
        {"\"aa\"", "\"a\"", false},
        {"W/", "\"a\"", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (none_match_hits(str_of(tags[i].list), tags[i].etag) != tags[i].hit)
            printf("# %s against %s\n", tags[i].list, tags[i].etag);
        CHECK_INT(none_match_hits(str_of(tags[i].list), tags[i].etag), tags[i].hit);
    }
}

static const struct tap_case cases[] = {
    {"reads a range, or knows that it is none", reads_ranges},
    {"compares entity tags weakly", compares_tags},
};

TAP_MAIN(cases)

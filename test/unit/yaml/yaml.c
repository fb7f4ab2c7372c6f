#include "yaml/yaml.c"
#include "yaml/node.c"

#include "unit/tap.h"

static struct yaml *parse(const char *text, struct err *e)
{
    struct yaml *y = NULL;

    if (yaml_parse("f.yaml", text, strlen(text), &y, e))
        return NULL;
    return y;
}

/* The complaint about a text that must not be taken. */
static const char *refused(const char *text)
{
    static struct err e;
    struct yaml *y = parse(text, &e);

    CHECK(!y);
    yaml_close(&(struct yaml *){y});
    return y ? "taken" : e.msg;
}

static void test_tree_keeps_lines(void)
{
    struct err e;
    struct yaml *y = parse("# head\nname: Bar\nlist:\n  - a\n  - {k: v}\n\nempty:\n", &e);
    const struct yaml_node *root = yaml_root(y), *list;

    CHECK_INT(yaml_kind(root), YAML_MAP);
    CHECK_INT(yaml_count(root), 3);
    CHECK_STR(yaml_text(yaml_get(root, "name")), "Bar");
    CHECK_INT(yaml_get(root, "name")->line, 2);
    list = yaml_get(root, "list");
    CHECK_INT(yaml_kind(list), YAML_LIST);
    CHECK(yaml_text(list) == NULL);
    CHECK_INT(yaml_at(list, 1)->line, 5);
    CHECK_STR(yaml_text(yaml_get(yaml_at(list, 1), "k")), "v");
    CHECK_STR(yaml_text(yaml_get(root, "empty")), "");
    CHECK(yaml_get(root, "none") == NULL);
    CHECK(yaml_get(list, "name") == NULL);
    yaml_close(&y);
    CHECK(y == NULL);
    yaml_close(&y);
}

static void test_empty(void)
{
    struct err e;
    struct yaml *y = parse("# nothing\n", &e);

    CHECK(y && yaml_root(y) == NULL);
    yaml_close(&y);
}

static void test_refusals_say_where(void)
{
    CHECK_STR(refused("a: &x 1\nb: *x\n"),
              "f.yaml:2: an alias (*x) is not allowed here; write the value out");
    CHECK_STR(refused("a: 1\nb: 2\na: 3\n"),
              "f.yaml:3: 'a' is already in line 1; keep one of them");
    CHECK_STR(refused("a: 1\n---\nb: 2\n"), "f.yaml:2: a second document; one file holds one");
    CHECK_STR(refused("? [a]\n: 1\n"), "f.yaml:1: a key must be a plain text");
    CHECK_STR(refused("a: \"x\\0y\"\n"), "f.yaml:1: a zero byte inside a text");
    CHECK(strncmp(refused("a: 1\n b: [\n"), "f.yaml:2: not valid YAML", 24) == 0);
    CHECK(strncmp(refused("a: 1\nb: 2\nc: \xff\xfe\n"), "f.yaml:3: not valid YAML", 24) == 0);
    CHECK(strncmp(refused("a: 'open\nb: 1\n"), "f.yaml:", 7) == 0);
}

static void test_depth(void)
{
    char text[200];
    struct err e;
    struct yaml *y;

    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    text[64] = '\0';
    y = parse(text, &e);
    CHECK(y != NULL);
    yaml_close(&y);
    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    text[66] = '\0';
    CHECK_STR(refused(text), "f.yaml:1: nested more than 32 deep");
}

static void test_size(void)
{
    size_t n = 1024 * 1024 + 1;
    char *text = malloc(n);
    struct yaml *y = NULL;
    struct err e;

    memset(text, '#', n);
    CHECK_INT(yaml_parse("big", text, n, &y, &e), -1);
    CHECK_STR(e.msg, "big: larger than 1 MiB");
    CHECK_INT(yaml_parse("big", text, n - 1, &y, &e), 0);
    yaml_close(&y);
    free(text);
}

static void test_load(void)
{
    char path[] = "/tmp/maya-yaml-XXXXXX", long_text[] = "a: 1\nb: [x, y]\n";
    int fd = mkstemp(path);
    struct yaml *y = NULL;
    struct err e;

    CHECK_INT(write(fd, long_text, sizeof(long_text) - 1), sizeof(long_text) - 1);
    close(fd);
    CHECK_INT(yaml_load(path, &y, &e), 0);
    CHECK_INT(yaml_count(yaml_root(y)), 2);
    yaml_close(&y);
    unlink(path);
    CHECK_INT(yaml_load(path, &y, &e), -1);
    CHECK_INT(e.code, ERR_IO);
    CHECK(strstr(e.msg, path) != NULL);
    CHECK_INT(yaml_load("/tmp", &y, &e), -1);
    CHECK_STR(e.msg, "'/tmp' is not a file");
}

static void test_only_keys(void)
{
    static const char *const known[] = {"name", "price", "aliases", NULL};
    struct err e;
    struct yaml *y = parse("name: x\nprise: 3\n", &e);

    CHECK_INT(yaml_only_keys(yaml_root(y), known, &e), -1);
    CHECK_STR(e.msg, "f.yaml:2: unknown key 'prise'; did you mean 'price'?");
    CHECK_INT(e.code, ERR_AGENT);
    yaml_close(&y);
    y = parse("name: x\n\ncolour: red\n", &e);
    CHECK_INT(yaml_only_keys(yaml_root(y), known, &e), -1);
    CHECK_STR(e.msg, "f.yaml:3: unknown key 'colour'; known are name, price, aliases");
    yaml_close(&y);
    y = parse("[1]", &e);
    CHECK_INT(yaml_only_keys(yaml_root(y), known, &e), -1);
    CHECK_STR(e.msg, "f.yaml:1: here go keys with values: name, price, aliases");
    yaml_close(&y);
    y = parse("{price: 1, name: x}", &e);
    CHECK_INT(yaml_only_keys(yaml_root(y), known, &e), 0);
    yaml_close(&y);
}

static void test_needs(void)
{
    const struct yaml_node *list = NULL;
    const char *text = NULL;
    struct err e;
    struct yaml *y = parse("t: hello\nl: [a]\nblank: ' '\n", &e);
    const struct yaml_node *root = yaml_root(y);

    CHECK_INT(yaml_need_text(root, "t", &text, &e), 0);
    CHECK_STR(text, "hello");
    CHECK_INT(yaml_need_text(root, "x", &text, &e), -1);
    CHECK_STR(e.msg, "f.yaml:1: 'x' is missing");
    CHECK_INT(yaml_need_text(root, "l", &text, &e), -1);
    CHECK_STR(e.msg, "f.yaml:2: 'l' must be a text");
    CHECK_INT(yaml_need_text(root, "blank", &text, &e), -1);
    CHECK_STR(e.msg, "f.yaml:3: 'blank' is empty");
    CHECK_INT(yaml_need_list(root, "l", &list, &e), 0);
    CHECK_INT(yaml_count(list), 1);
    CHECK_INT(yaml_need_list(root, "t", &list, &e), -1);
    CHECK_STR(e.msg, "f.yaml:1: 't' must be a list ('- ...' lines, or [a, b])");
    CHECK_INT(yaml_need_list(root, "x", &list, &e), -1);
    yaml_close(&y);
}

static void test_cents(void)
{
    static const struct {
        const char *text;
        int64_t cents;
    } rows[] = {
        {"13", 1300},   {"13.5", 1350}, {"13.50", 1350},
        {"0", 0},       {"0.01", 1},    {"007", 700},
        {"-1", -1},     {"1.", -1},     {".5", -1},
        {"1.234", -1},  {"1.2.3", -1},  {"", -1},
        {"$5", -1},     {"1e3", -1},    {"99999.99", 9999999},
        {"100000", -1}, {"1 ", -1},     {"99999999999999999999999", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(parse_cents(rows[i].text), rows[i].cents);
    struct err e;
    int64_t v = 7;
    struct yaml *y = parse("[-3, [a]]", &e);
    CHECK_INT(yaml_as_cents(yaml_at(yaml_root(y), 0), &v, &e), -1);
    CHECK(strstr(e.msg, "f.yaml:1: '-3' is not an amount") != NULL);
    CHECK_INT(yaml_as_cents(yaml_at(yaml_root(y), 1), &v, &e), -1);
    CHECK_INT(v, 7);
    yaml_close(&y);
}

static const struct tap_case cases[] = {
    {"the tree keeps kinds, keys and lines", test_tree_keeps_lines},
    {"an empty file has no root", test_empty},
    {"what is refused says where and why", test_refusals_say_where},
    {"32 levels are taken, 33 not", test_depth},
    {"1 MiB is taken, a byte more not", test_size},
    {"a file is loaded; a missing one and a folder are told", test_load},
    {"an unknown key names the nearest", test_only_keys},
    {"needed members complain with file and line", test_needs},
    {"amounts are read exactly", test_cents},
};

TAP_MAIN(cases)

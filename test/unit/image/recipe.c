#include "image/recipe.c"
#include "image/build.c"

#include "unit/tap.h"

static const char *written(const struct image_cfg *cfg)
{
    static struct buf text;
    struct image_tree *t = image_tree_new();
    static struct err e;

    buf_release(&text);
    e = (struct err){0};
    int rc = image__base_context(cfg, t, &text, &e);
    if (rc == 0)
        CHECK(image__find(t, "Dockerfile") != NULL);
    image_tree_free(&t);
    return rc < 0 ? e.msg : buf_text(&text);
}

#define LIST(...)                                                                              \
    {                                                                                          \
        .at = (const struct image_pair[]){__VA_ARGS__},                                        \
        .count = sizeof((const struct image_pair[]){__VA_ARGS__}) / sizeof(struct image_pair)  \
    }

static void test_all_of_it(void)
{
    const struct image_cfg cfg = {
        .name = "x",
        .kind = IMAGE_BASE,
        .base = "python:3.12-slim",
        .user = "1000:1000",
        .port = 80,
        .packages = LIST({"curl", NULL}, {"libpq5", NULL}),
        .pip = LIST({"flask>=2", NULL}, {"it's", NULL}),
        .env = LIST({"A", "say \"$HOME\" \\"}),
        .commands = LIST({"echo hi && true", NULL}),
        .folders = LIST({"/data", NULL}),
        .command = LIST({"python", NULL}, {"a b.py", NULL}),
    };

    CHECK_STR(written(&cfg),
              "FROM python:3.12-slim\nUSER 0:0\n"
              "RUN if command -v apk >/dev/null; then apk add --no-cache curl libpq5; else "
              "apt-get update && apt-get install -y --no-install-recommends curl libpq5 && "
              "rm -rf /var/lib/apt/lists/*; fi\n"
              "RUN pip install --no-cache-dir 'flask>=2' 'it'\\''s'\n"
              "ENV A=\"say \\\"\\$HOME\\\" \\\\\"\n"
              "RUN echo hi && true\n"
              "RUN mkdir -p '/data' && chown 1000:1000 '/data'\n"
              "USER 1000:1000\nEXPOSE 80\nCMD [\"python\",\"a b.py\"]\n");
}

static void test_refuses(void)
{
    struct image_cfg cfg = {.name = "x", .kind = IMAGE_BASE, .base = "a\nRUN b"};

    CHECK(strstr(written(&cfg), "in base must be one line"));
    cfg.base = "a";
    cfg.packages = (struct image_list)LIST({"x; rm -rf /", NULL});
    CHECK_STR(written(&cfg), "'x; rm -rf /' is no package's name");
    cfg.packages = (struct image_list)LIST({"-o", NULL});
    CHECK_STR(written(&cfg), "'-o' is no package's name");
    cfg.packages.count = 0;
    cfg.commands = (struct image_list)LIST({"a\nb", NULL});
    CHECK(strstr(written(&cfg), "in commands must be one line"));
    cfg.commands.count = 0;
    cfg.requirements = "/no/such/requirements.txt";
    CHECK(strstr(written(&cfg), "open '/no/such/requirements.txt'"));
}

static void test_lines_of_instructions(void)
{
    const char *text = "# syntax\n\nFROM a\nRUN x \\\n  # note\n  && y\nCOPY . .\n";

    CHECK_INT(image__instruction_line(text, 1), 3);
    CHECK_INT(image__instruction_line(text, 2), 4);
    CHECK_INT(image__instruction_line(text, 3), 7);
    CHECK_INT(image__instruction_line(text, 4), 0);
    CHECK_INT(image__instruction_line("", 1), 0);
}

static void test_names(void)
{
    static const char *const names[][2] = {{"maya", "maya/maya"},
                                           {"My.App_1", "maya/my-app-1"},
                                           {"a..b--", "maya/a-b"},
                                           {"---", "maya/app"}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *repo = image__repository(names[i][0]);
        CHECK_STR(repo, names[i][1]);
        free(repo);
    }
}

static const struct tap_case cases[] = {
    {"a base with everything, as a Dockerfile", test_all_of_it},
    {"what would become another instruction is refused", test_refuses},
    {"a step's line is found in a Dockerfile", test_lines_of_instructions},
    {"an app's name becomes an image's", test_names},
};
TAP_MAIN(cases)

#include "fleet/spec.c"
#include "fleet/spec_check.c"
#include "fleet/spec_read.c"
#include "fleet/spec_use.c"

#include "unit/tap.h"

#define FOOTPRINT ((uint64_t)64 << 20) /* far above what the program holds */

static struct spec *parse_with(const char *text, const struct spec_how *how, struct err *e)
{
    struct spec *s = NULL;

    *e = (struct err){0};
    return spec_parse("d/deploy.yaml", text, strlen(text), how, &s, e) < 0 ? NULL : s;
}

static struct spec *parse(const char *text)
{
    struct err e;
    struct spec *s = parse_with(text, NULL, &e);

    if (!s)
        printf("# %s\n", e.msg);
    CHECK(s);
    return s;
}

static const char *refused(const char *text)
{
    static struct err e;
    struct spec *s = parse_with(text, NULL, &e);

    CHECK(!s);
    CHECK_INT(s ? 0 : e.code, ERR_CONFIG);
    spec_free(&s);
    return e.msg;
}

static void test_defaults(void)
{
    struct spec *s = parse("name: bar\n");

    CHECK_STR(spec_text(s, SPEC_NAME), "bar");
    CHECK_INT(spec_int(s, SPEC_PORT), 8000);
    CHECK_INT(spec_int(s, SPEC_MEMORY), 4096);
    CHECK_INT(spec_int(s, SPEC_SESSIONS), 50);
    CHECK_INT(spec_int(s, SPEC_MAX_CONTAINERS), 5);
    CHECK(spec_is_maya(s));
    CHECK_INT(spec_image_kind(s), IMAGE_OWN);
    CHECK_INT(spec_list(s, SPEC_VOLUMES).count, 1);
    CHECK_STR(spec_list(s, SPEC_VOLUMES).at[0].key, "bar-data");
    CHECK_STR(spec_list(s, SPEC_VOLUMES).at[0].value, "/data");
    CHECK(spec_stop_grace_s(s) > spec_int(s, SPEC_DRAIN));
    spec_free(&s);
}

/* Each size as it is, and with one session or one MiB more than would fit. */
static void test_sizes_hold(void)
{
    struct err e;

    for (size_t i = 0; i < spec__sizes_count; i++) {
        char text[120];
        snprintf(text, sizeof(text), "name: bar\nsize: %s\n", spec__sizes[i].name);
        struct spec *s = parse(text);
        CHECK_INT(spec_prove(s, FOOTPRINT, &e), 0);
        spec_free(&s);
    }
    /* As the guide has it. */
    struct spec *s = parse("name: bar\nsize: large\nsessions: 100\n");
    CHECK_INT(spec_prove(s, 0, &e), -1);
    CHECK_INT(e.code, ERR_CONFIG);
    CHECK(strstr(e.msg, "d/deploy.yaml:3: "));
    CHECK(strstr(e.msg, "= 7500 MiB is over 0.75 x 8192"));
    CHECK(strstr(e.msg, "81 sessions"));
    spec_free(&s);
    s = parse(
        "name: bar\nsize: large\nsessions: 100\nenv: {MAYA_ADMISSION_POLICY: measured}\n");
    CHECK_INT(spec_prove(s, 0, &e), 0);
    spec_free(&s);
}

static void test_everything(void)
{
    struct spec *s = parse("name: web\n"
                           "command: python -m http.server\n"
                           "port: 80\n"
                           "image:\n"
                           "  base: python:3.12\n"
                           "  pip: [flask]\n"
                           "  files: {b: /b, a: /a}\n"
                           "volumes: {web-data: /srv}\n"
                           "health: {path: /up}\n"
                           "size: small\n"
                           "memory: 128\n"
                           "min_containers: 0\n"
                           "hostnames: ['*.example.org']\n");

    CHECK(!spec_is_maya(s));
    CHECK_INT(spec_image_kind(s), IMAGE_BASE);
    CHECK_INT(spec_list(s, SPEC_COMMAND).count, 3);
    CHECK_STR(spec_list(s, SPEC_COMMAND).at[2].key, "http.server");
    CHECK_STR(spec_list(s, SPEC_IMAGE_FILES).at[0].key, "a"); /* by key */
    CHECK_INT(spec_int(s, SPEC_MEMORY), 128);
    CHECK_STR(spec_text(s, SPEC_READY_PATH), "/up");
    CHECK_INT(spec_list(s, SPEC_VOLUMES).count, 1);
    CHECK_INT(spec_prove(s, FOOTPRINT, NULL), 0); /* Maya's arithmetic is not theirs */
    spec_free(&s);
}

static void test_complaints(void)
{
    CHECK_STR(
        refused("port: 80\n"),
        "d/deploy.yaml: 'name' is missing; write it here as name: my-app, or give --name");
    CHECK_STR(refused("name: x\nprot: 80\n"),
              "d/deploy.yaml:2: unknown key 'prot'; did you mean 'port'?");
    CHECK_STR(refused("name: x\nheath: {path: /}\n"),
              "d/deploy.yaml:2: unknown key 'heath'; did you mean 'health'?");
    CHECK_STR(refused("name: x\nhealth:\n  pth: /\n"),
              "d/deploy.yaml:3: unknown key 'pth'; did you mean 'path'?");
    CHECK_STR(refused("name: x\nrequirements: r.txt\n"),
              "d/deploy.yaml:2: unknown key 'requirements'; did you mean "
              "'image.requirements'?");
    CHECK_STR(refused("name: x\nqqqqqqqq: 1\n"),
              "d/deploy.yaml:2: unknown key 'qqqqqqqq'; docs/deploy-yaml.md lists those there "
              "are");
    CHECK_STR(refused("name: x\nport: many\n"),
              "d/deploy.yaml:2: 'port' is 'many'; it may be a whole number from 1 to 65535");
    CHECK_STR(refused("name: x\nsize: huge\n"),
              "d/deploy.yaml:2: 'size' is 'huge'; it may be small, medium or large");
    CHECK(
        strstr(refused("name: x y\n"), "d/deploy.yaml:1: 'name' is 'x y'; it may be letters"));
    CHECK(strstr(refused("name: x\nport: [80]\n"), ":2: 'port' must be one text or number"));
    CHECK(strstr(refused("name: x\nsecrets: s\n"), ":2: 'secrets' must be a list"));
    CHECK(strstr(refused("name: x\nsecrets:\n- a\n- b=c\n"), ":4: 'b=c' in 'secrets'"));
    CHECK(strstr(refused("name: x\nsecrets: [a, a]\n"), "'a' is twice in 'secrets'"));
    CHECK(strstr(refused("name: x\nenv: [a]\n"), ":2: 'env' must be lines of 'name: value'"));
    CHECK(strstr(refused("name: x\nenv:\n  B: 1\n  A-B: 1\n"), ":4: 'A-B' in 'env' is no"));
    CHECK(strstr(refused("name: x\nenv: {GEMINI_API_KEY: k}\n"), "GEMINI_API_KEY is a secret"));
    CHECK(strstr(refused("name: x\nenv: {PORT: 1}\n"), "PORT is said by 'port' here"));
    CHECK(strstr(refused("name: x\nenv: {MAYA_LOG_LEVEL: loud}\n"), ":2: MAYA_LOG_LEVEL"));
    CHECK(strstr(refused("name: x\nenv: {MAYA_LOG_LEVL: info}\n"), "MAYA_LOG_LEVEL"));
    CHECK(strstr(refused("name: x\nmin_containers: 9\n"), "the first may not be more"));
    CHECK(strstr(refused("name: x\nvolumes: {v1: data}\n"), ":2: the volume 'v1' is put on"));
    CHECK(strstr(refused("name: x\nvolumes: {v1: /a/../b}\n"), "is put on"));
    CHECK(strstr(refused("name: x\nvolumes: {v1: /a, v2: /a}\n"), "two volumes are put on"));
    CHECK(strstr(refused("name: x\nhostnames: [Ab.de]\n"), "'Ab.de' in 'hostnames'"));
    CHECK(strstr(refused("name: x\ntls: {key: k}\n"), "'tls.key' needs 'tls.certificate'"));
    CHECK(strstr(refused("name: x\nimage: {base: a, ready: b}\n"), "two kinds of image"));
    CHECK(strstr(refused("name: x\nimage: {pip: [a]}\n"), "goes with 'image.base' only"));
    CHECK(strstr(refused("name: x\nimage: {ready: a, agent: b}\n"), "goes with Maya's own"));
    CHECK(strstr(refused("name: x\nimage: {base: a}\n"), "a 'command' is needed"));
    CHECK(strstr(refused("name: x\ncommand: sh\nimage:\n  base: a\n  files: {a: b}\n"),
                 ":5: 'a' is to be put at 'b'; it may be a path as /app"));
    CHECK(strstr(refused("name: x\ncommand: nginx\n"), "there is no 'nginx' in Maya's own"));
    CHECK(strstr(refused("name: x\ncommand: maya 'a b'\n"), "write it as a list"));
    CHECK(strstr(refused("name: x\nuser: ':'\n"), "'user' is ':'"));
    CHECK(strstr(refused("name: x\nhealth: {path: up}\n"), "it may be a path as /healthz"));
    CHECK(strstr(refused("name: x\nname: y\n"), "deploy.yaml:2: 'name' is already in line 1"));
    CHECK(strstr(refused("[]\n"), "this file must be lines of"));
    CHECK(strstr(refused("name:\n"), ":1: 'name' is empty"));
}

static void test_overrides(void)
{
    char memory[] = "MODAL_MEMORY_MB=8192", most[] = "MODAL_MAX_CONTAINERS=2",
         bad[] = "MODAL_MEMORY_MB=lots";
    char *environment[] = {memory, most, NULL}, *wrong[] = {bad, NULL};
    struct spec_how how = {.name = "other", .strategy = "canary", .environment = environment};
    struct err e;
    struct spec *s =
        parse_with("name: x\nmemory: 512\nsessions: 5\nmax_containers: 9\n", &how, &e);

    CHECK(s);
    CHECK_STR(spec_text(s, SPEC_NAME), "other");
    CHECK_STR(spec_text(s, SPEC_STRATEGY), "canary");
    CHECK_INT(spec_int(s, SPEC_MEMORY), 8192);
    CHECK_INT(spec_int(s, SPEC_MAX_CONTAINERS), 2);
    spec_free(&s);
    how.environment = wrong;
    CHECK(!parse_with("name: x\n", &how, &e));
    CHECK(strstr(e.msg, "MODAL_MEMORY_MB is 'lots'; it may be a whole number"));
}

static int changes;
static char last[200];
static void on_change(void *ctx, const char *path, const char *was, const char *is)
{
    (void)ctx;
    changes++;
    snprintf(last, sizeof(last), "%s: %s -> %s", path, was, is);
}

static int restore(const char *text, struct err *e)
{
    struct spec *s = NULL;
    int rc = spec_restore(text, strlen(text), &s, e);

    spec_free(&s);
    return rc;
}

static void test_stored_and_compared(void)
{
    struct spec *s = parse("name: x\nenv: {B: '2', A: 'ä\"'}\ncommand: [maya, serve]\n"
                           "session_memory: 0.1\nsecrets: [b, a]\n");
    struct spec *back = NULL, *other;
    char *text = spec_stored(s), *again = NULL;
    struct err e = {0};

    CHECK_INT(spec_restore(text, strlen(text), &back, &e), 0);
    if (back)
        again = spec_stored(back);
    CHECK_STR(again, text);
    spec_compare(s, back, on_change, NULL);
    CHECK_INT(changes, 0);
    other = parse("name: x\nenv: {B: '3', A: 'ä\"'}\ncommand: [maya, serve]\n"
                  "session_memory: 0.1\nsecrets: [b, a]\n");
    spec_compare(s, other, on_change, NULL);
    CHECK_INT(changes, 1);
    CHECK_STR(last, "env: A=ä\", B=2 -> A=ä\", B=3");
    CHECK_INT(restore("{\"format\":2,\"spec\":{}}", &e), -1);
    CHECK_INT(e.code, ERR_NEWER);
    CHECK_INT(restore("{\"format\":1,\"spec\":{\"warp\":1}}", &e), -1);
    CHECK_INT(e.code, ERR_NEWER);
    CHECK_INT(restore("{", &e), -1);
    CHECK_INT(e.code, ERR_CONFIG);
    CHECK_INT(restore("{\"format\":1,\"spec\":{\"port\":[]}}", &e), -1);
    free(text);
    free(again);
    spec_free(&s);
    spec_free(&back);
    spec_free(&other);
}

static void test_names(void)
{
    char ret[SPEC_OBJECT_MAX + 1], other[SPEC_OBJECT_MAX + 1], most[80];

    CHECK(spec_name_ok("a", 1));
    CHECK(spec_name_ok("maya-1.0_b", 64));
    CHECK(!spec_name_ok("", 64) && !spec_name_ok("-a", 64) && !spec_name_ok("a.", 64));
    CHECK(!spec_name_ok("a b", 64) && !spec_name_ok("ab", 1) && !spec_name_ok("\xc3\xa4", 64));
    spec_object_name("maya", "-v7", ret);
    CHECK_STR(ret, "maya-v7");
    spec_object_name("a.b", "-v7", ret);
    CHECK(strncmp(ret, "a-b-", 4) == 0 && !strchr(ret, '.') && strstr(ret, "-v7"));
    memset(most, 'x', 64);
    most[64] = '\0';
    spec_object_name(most, "-v7", ret);
    most[63] = 'y';
    spec_object_name(most, "-v7", other);
    CHECK_INT(strlen(ret), SPEC_OBJECT_MAX);
    CHECK(strcmp(ret, other) != 0);
}

static const struct tap_case cases[] = {
    {"a name is enough", test_defaults},
    {"every size's sessions fit, and the guide's large ones do not", test_sizes_hold},
    {"another server, with everything", test_everything},
    {"every complaint has its line and what would be right", test_complaints},
    {"the command line and the environment say otherwise", test_overrides},
    {"stored, read back, and compared", test_stored_and_compared},
    {"names", test_names},
};
TAP_MAIN(cases)

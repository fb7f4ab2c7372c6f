/* What would fail later is told before, with its line. */
#include "fleet/spec_new.c"

#include "unit/tap.h"

static const char *said(const char *text)
{
    static struct err e;
    struct spec *s = NULL;

    e = (struct err){0};
    if (spec_parse("deploy.yaml", text, strlen(text), NULL, &s, &e) < 0)
        CHECK_INT(e.code, ERR_CONFIG);
    spec_free(&s);
    return e.msg;
}

static void test_references(void)
{
    static const char *const good[] = {
        "nginx",
        "nginx:1.27",
        "a/b/c",
        "localhost/a:1",
        "localhost:5000/a",
        "my_a/b__c--d.e",
        "Registry.example.org:5000/team/web:V1_a.b-c",
        "a_b/c",
        "web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "r.io/a:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    };
    static const char *const bad[] = {
        "UPPER CASE",
        "Nginx",
        "",
        ":1",
        "nginx:",
        "a//b",
        "/a",
        "a/",
        "a:b:c",
        "a/B",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "a._b",
        "r.io:x/a",
        ".io/a",
        "r-.io/a",
        "nginx:.a",
        "web@",
        "web@sha256:12",
        "http://r.io/a",
        "a b",
        "r.io:/a",
        "localhost:5000/",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK_STR(reference_ok(good[i]) ? good[i] : "", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_STR(reference_ok(bad[i]) ? bad[i] : "", "");
    CHECK(strstr(said("name: x\nimage:\n  ready: UPPER CASE\n"),
                 "deploy.yaml:3: 'image.ready' is 'UPPER CASE', which no engine takes"));
    CHECK(strstr(said("name: x\ncommand: a\nimage: {base: A}\n"), ":3: 'image.base' is 'A'"));
}

static void test_values(void)
{
    CHECK_STR(said("name: x\ncpu: 0\n"), "");
    CHECK_STR(said("name: x\ncpu: 0.01\n"), "");
    CHECK_STR(said("name: x\ncpu: 0.0001\n"),
              "deploy.yaml:2: 'cpu' is '0.0001', less than an engine can give; it may be 0.01 "
              "or more, or 0 for as many as there are");
    CHECK(strstr(said("name: x\nuser: '0:0'\n"), ":2: 'user' is '0:0', which is root"));
    CHECK(strstr(said("name: x\nuser: 0\n"), "which is root"));
    CHECK(strstr(said("name: x\nuser: 00:1000\n"), "which is root"));
    CHECK(strstr(said("name: x\nuser: root:users\n"), "which is root"));
    CHECK_STR(said("name: x\nuser: 1000:0\n"), "");
    CHECK_STR(said("name: x\nuser: rooter\n"), "");
    CHECK(strstr(said("name: x\nport: 8001\n"), ":2: 'port' is 8001, where Maya tells"));
    CHECK_STR(said("name: x\nport: 8001\nimage: {ready: web}\n"), "");
    /* What HAProxy's configuration cannot hold would stop that of all apps. */
    CHECK(strstr(said("name: x\nhealth: {ready: /a%20b}\n"), ":2: 'health.ready' is '/a%20b'"));
    CHECK(strstr(said("name: x\nport: 080\n"),
                 ":2: 'port' is '080'; write it without a 0 in front, as 80"));
    CHECK(strstr(said("name: x\nport: '0080'\n"), "as 80"));
    CHECK(strstr(said("name: x\ndrain: 00\n"), "as 0"));
    CHECK(strstr(said("name: x\nsession_memory: 01.5\n"), "as 1.5"));
    CHECK(strstr(said("name: x\nsession_memory: 00.5\n"), "as 0.5"));
    CHECK_STR(said("name: x\nsession_memory: 0.5\n"), "");
}

static void test_hosts(void)
{
    char most[300], text[400];

    CHECK_STR(said("name: x\nhostnames:\n- a.b\n- c.d\n- a.b\n"),
              "deploy.yaml:5: 'a.b' is twice in 'hostnames'; keep one of them");
    CHECK_STR(
        said("name: x\nhostnames:\n- next.a.b\n- a.b\n"),
        "deploy.yaml:3: 'next.a.b' in 'hostnames' is where a new version of 'a.b' is tried "
        "before it serves; leave it away, or say another");
    CHECK_STR(said("name: x\nhostnames: [next.a.b, '*.a.b']\n"), "");
    for (size_t i = 0; i < 248; i++)
        most[i] = i % 50 == 49 ? '.' : 'a';
    most[248] = '\0';
    snprintf(text, sizeof(text), "name: x\nhostnames: [%s]\n", most);
    CHECK_STR(said(text), "");
    snprintf(text, sizeof(text), "name: x\nhostnames: [%sa]\n", most);
    CHECK(strstr(said(text), ":2: 'aaaaa") && strstr(said(text), "it may have 253 letters"));
}

static void test_environment(void)
{
    CHECK(strstr(said("name: x\nenv:\n  HOST: 127.0.0.1\n"),
                 "deploy.yaml:3: HOST is '127.0.0.1', where only the container itself comes"));
    CHECK(strstr(said("name: x\nenv: {HOST: '::1'}\n"), "HOST is '::1'"));
    CHECK(strstr(said("name: x\nenv: {HOST: 'unix:/tmp/s'}\n"), "HOST is 'unix:/tmp/s'"));
    CHECK_STR(said("name: x\nenv: {HOST: '::'}\n"), "");
    CHECK_STR(said("name: x\nimage: {ready: web}\nenv: {HOST: 127.0.0.1}\n"), "");
    CHECK(
        strstr(said("name: x\nenv: {MAYA_DATA_DIR: /tmp/x}\n"),
               ":2: MAYA_DATA_DIR is '/tmp/x', which is on no volume: the sessions would go"));
    CHECK(strstr(said("name: x\nenv: {MAYA_DATA_DIR: /data/../tmp}\n"), "on no volume"));
    CHECK(strstr(said("name: x\nenv: {MAYA_DATA_DIR: data}\n"), "on no volume"));
    CHECK_STR(said("name: x\nenv: {MAYA_DATA_DIR: /data/x/}\n"), "");
    CHECK_STR(said("name: x\nenv: {MAYA_DATA_DIR: /srv/x}\nvolumes: {v1: /srv}\n"), "");
    CHECK(strstr(said("name: x\ncommand: maya serve\nimage:\n  base: b\n  env:\n"
                      "    MAYA_DATA_DIR: /x\n"),
                 "deploy.yaml:6: MAYA_DATA_DIR is '/x'"));
    CHECK(strstr(said("name: x\nenv: {MAYA_LOG_FORMAT: text}\n"), "reads json; leave it away"));
    CHECK_STR(said("name: x\nenv: {MAYA_LOG_FORMAT: json}\n"), "");
    CHECK(
        strstr(said("name: x\nenv: {MAYA_AGENT_CHECK_PORT: 9}\n"), "the gateway asks at 8001"));
    CHECK(
        strstr(said("name: x\nimage: {ready: web}\nenv: {PORT: 9}\n"), "said by 'port' here"));
    CHECK(strstr(said("name: x\ncommand: maya serve --data-dir /tmp/x\n"),
                 ":2: --data-dir in 'command' would go round"));
    CHECK(strstr(said("name: x\ncommand:\n- maya\n- serve\n- --host=::1\n"), ":5: --host in"));
    CHECK_STR(said("name: x\ncommand: maya serve --log-level debug\n"), "");
    CHECK_STR(said("name: x\nimage: {ready: web}\ncommand: web --host ::1\n"), "");
}

/* What an earlier Maya let run can still be read. */
static void test_kept_is_not_asked(void)
{
    static const char old[] =
        "{\"format\":1,\"spec\":{\"name\":\"x\",\"cpu\":0.001,\"user\":\"0:0\",\"port\":8001,"
        "\"env\":{\"MAYA_LOG_FORMAT\":\"text\"},\"hostnames\":[\"a.b\",\"a.b\"]}}";
    struct spec *s = NULL;
    struct err e;

    CHECK_INT(spec_restore(old, sizeof(old) - 1, &s, &e), 0);
    CHECK_INT(spec__check_front(s, &e), -1); /* but not brought back, for others' sake */
    CHECK(strstr(e.msg, "'a.b' is twice"));
    spec_free(&s);
}

static const struct tap_case cases[] = {
    {"references of images", test_references},
    {"numbers and texts", test_values},
    {"names of one app", test_hosts},
    {"the environment", test_environment},
    {"what is kept is not asked again", test_kept_is_not_asked},
};
TAP_MAIN(cases)

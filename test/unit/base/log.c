#include "base/log.c"
#include "unit/tap.h"

#include <jansson.h>

static char last[4096];
static int lines;

static void sink(const char *line)
{
    snprintf(last, sizeof(last), "%s", line);
    lines++;
}

static void start(enum log_level level, bool json)
{
    log_setup(level, json);
    log_sink(sink);
    lines = 0;
    last[0] = '\0';
}

/* The line behind its time stamp. */
static const char *body(void)
{
    return strlen(last) > 25 ? last + 25 : last;
}

static void text(void)
{
    start(LOG_INFO, false);
    log_info("session", "expire", "id=%s idle_s=%d", "sess_abc", 60);
    CHECK_STR(body(), "info    session expire id=sess_abc idle_s=60");
    CHECK(last[4] == '-' && last[10] == 'T' && last[19] == '.' && last[23] == 'Z');
    log_warn("net", "odd", " ");
    CHECK_STR(body(), "warning net     odd  ");
}

static void levels(void)
{
    enum log_level l = LOG_ERROR;

    start(LOG_WARN, false);
    log_info("a", "b", "c=1");
    log_debug("a", "b", "c=1");
    CHECK_INT(lines, 0);
    log_warn("a", "b", "c=1");
    log_error("a", "b", "c=1");
    CHECK_INT(lines, 2);
    CHECK(log_level_parse("DEBUG", &l) && l == LOG_DEBUG);
    CHECK(log_level_parse("warn", &l) && l == LOG_WARN);
    CHECK(log_level_parse("Warning", &l) && l == LOG_WARN);
    CHECK(!log_level_parse("loud", &l) && l == LOG_WARN);
}

/* A member of the last line, which must be JSON. */
static const char *member(const char *key)
{
    static char value[200];
    json_error_t why;
    json_t *root = json_loads(last, JSON_REJECT_DUPLICATES, &why);
    json_t *v = json_object_get(root, key);

    if (!root)
        printf("# not JSON (%s): %s\n", why.text, last);
    CHECK(root != NULL);
    if (json_is_integer(v))
        snprintf(value, sizeof(value), "int %lld", (long long)json_integer_value(v));
    else
        snprintf(value, sizeof(value), "%s", json_is_string(v) ? json_string_value(v) : "-");
    json_decref(root);
    return value;
}

static void json_lines(void)
{
    start(LOG_INFO, true);
    log_info("session", "expire", "id=abc idle_s=60 note=\"two words\" zip=007 ratio=0.5 e=");
    CHECK_STR(member("level"), "info");
    CHECK_STR(member("part"), "session");
    CHECK_STR(member("event"), "expire");
    CHECK_STR(member("id"), "abc");
    CHECK_STR(member("idle_s"), "int 60");
    CHECK_STR(member("note"), "two words");
    CHECK_STR(member("zip"), "007");
    CHECK_STR(member("ratio"), "0.5");
    CHECK_STR(member("e"), "");
    log_info("net", "up", "just words");
    CHECK_STR(member("note"), "just words");
}

static void json_of_anything(void)
{
    start(LOG_INFO, true);
    log_info("net", "odd", "path=\"a\\b\" rest=x\"y");
    CHECK_STR(member("path"), "a\\b");
    CHECK_STR(member("rest"), "x\"y");
    log_info("net", "odd", "open=\"never closed");
    CHECK_STR(member("open"), "never closed");
    log_info("net", "odd", "bytes=a\xff\xc3z");
    CHECK_STR(member("bytes"), "a??z");
    log_info("net", "odd", "good=\xc3\xa9");
    CHECK_STR(member("good"), "\xc3\xa9");
    log_info("net", "odd", "lines=\"a\nb\x1b[31m\"");
    CHECK_STR(member("lines"), "a b [31m");
    log_info("net", "odd", "= x");
    member("note");
}

static void one_line(void)
{
    start(LOG_INFO, false);
    log_info("net", "odd", "a=%s", "x\r\n2026 forged\x1b[2J\x7f");
    CHECK_STR(body(), "info    net     odd a=x  2026 forged [2J ");
}

static void no_secrets(void)
{
    start(LOG_INFO, false);
    log_info("mind", "try", "key=%s", "AIzaSyA1234567890abcdefghijklmnopqrstuv");
    CHECK_STR(body(), "info    mind    try key=AIza***********************************");
    start(LOG_INFO, true);
    log_info("pay", "try", "card=378282246310005 n=123456789012");
    CHECK_STR(member("card"), "***************");
    CHECK_STR(member("n"), "int 123456789012");
}

static void ids(void)
{
    CHECK_STR(log_id("sess_AbCdEfGh"), "sess_AbC\xe2\x80\xa6");
    CHECK_STR(log_id("short"), "short\xe2\x80\xa6");
}

static void errno_survives(void)
{
    start(LOG_INFO, false);
    errno = ENOSPC;
    log_info("a", "b", "c=1");
    CHECK_INT(errno, ENOSPC);
}

static const struct tap_case cases[] = {
    {"text", text},
    {"levels", levels},
    {"JSON", json_lines},
    {"JSON stays JSON", json_of_anything},
    {"one event is one line", one_line},
    {"secrets are starred", no_secrets},
    {"session ids are cut", ids},
    {"errno survives", errno_survives},
};

TAP_MAIN(cases)

#include "base/err.c"
#include "unit/tap.h"

#include <errno.h>

static void set(void)
{
    struct err e = {0};

    CHECK_INT(err_set(&e, ERR_IO, ENOENT, "open '%s'", "x"), -1);
    CHECK_INT(e.code, ERR_IO);
    CHECK_INT(e.sys, ENOENT);
    CHECK_STR(e.msg, "open 'x': No such file or directory");
    CHECK_INT(err_set(&e, ERR_CONFIG, 0, "plain"), -1);
    CHECK_STR(e.msg, "plain");
    CHECK_INT(e.sys, 0);
    CHECK_INT(err_set(NULL, ERR_IO, 0, "nobody asks"), -1);
}

static void own_text_as_argument(void)
{
    struct err e;

    err_set(&e, ERR_IO, 0, "inner");
    err_set(&e, ERR_MIND, 0, "outer (%s)", e.msg);
    CHECK_STR(e.msg, "outer (inner)");
}

static void long_text_is_cut(void)
{
    struct err e;
    char text[400];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_set(&e, ERR_IO, ENOENT, "%s", text);
    CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1);
}

static void table(void)
{
    CHECK_STR(err_code_text(ERR_SESSION_LIMIT), "session_limit");
    CHECK_STR(err_sentence(ERR_SESSION_LIMIT), "Session limit reached");
    CHECK_INT(err_status(ERR_SESSION_LIMIT), 503);
    CHECK(err_retry_after_s(ERR_SESSION_LIMIT) > 0);
    CHECK_STR(err_code_text(ERR__COUNT), "unknown");
    CHECK_INT(err_status(ERR__COUNT), 500);
    for (int a = 0; a < ERR__COUNT; a++) {
        int status = err_status((enum err_code)a);
        CHECK(a == ERR_NONE ||
              (status >= 400 && status < 600 && *err_sentence((enum err_code)a)));
        CHECK(err_retry_after_s((enum err_code)a) == 0 || status == 503 || status == 429 ||
              status == 409);
        for (int b = a + 1; b < ERR__COUNT; b++)
            CHECK(strcmp(err_code_text((enum err_code)a), err_code_text((enum err_code)b)) !=
                  0);
    }
}

static const struct tap_case cases[] = {
    {"set", set},
    {"its own text may be an argument", own_text_as_argument},
    {"long text is cut, not overrun", long_text_is_cut},
    {"codes are unique, retries are for what passes", table},
};

TAP_MAIN(cases)

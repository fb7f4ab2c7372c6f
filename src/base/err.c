#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *code;
    const char *sentence;
    int status;
    int retry_after_s;
} rows[ERR__COUNT] = {
    [ERR_NONE] = {"none", "", 200, 0},
#define ERR(name, status, retry, code, sentence) [ERR_##name] = {code, sentence, status, retry},
#include "base/err.def"
#undef ERR
};

int err_set(struct err *e, enum err_code code, int sys, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (!e)
        return -1;
    /* The arguments may point into *e itself, so the text is made beside it. */
    struct err made = {.code = code, .sys = sys};
    va_start(ap, fmt);
    n = vsnprintf(made.msg, sizeof(made.msg), fmt, ap);
    va_end(ap);
    if (sys && n >= 0 && (size_t)n < sizeof(made.msg))
        snprintf(made.msg + n, sizeof(made.msg) - (size_t)n, ": %s", strerror(sys));
    *e = made;
    return -1;
}

const char *err_code_text(enum err_code code)
{
    return code < ERR__COUNT ? rows[code].code : "unknown";
}

const char *err_sentence(enum err_code code)
{
    return code < ERR__COUNT ? rows[code].sentence : "";
}

int err_status(enum err_code code)
{
    return code < ERR__COUNT ? rows[code].status : 500;
}

int err_retry_after_s(enum err_code code)
{
    return code < ERR__COUNT ? rows[code].retry_after_s : 0;
}

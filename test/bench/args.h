/* What the benchmarks in C have in common on the outside: arguments, results, a way to give up.
 */
#pragma once

#include "base/log.h"
#include "base/must.h"
#include "base/strs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static inline void bench_stop(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* One line of a result: "name value", read by the driver. */
PRINTF_LIKE(2, 3) static inline void bench_tell(const char *name, const char *fmt, ...)
{
    va_list ap;

    printf("%s ", name);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
}

/* The value of "name=value" among the arguments, or what stands in for it. */
static inline int64_t bench_arg(int argc, char **argv, const char *name, int64_t otherwise)
{
    size_t len = strlen(name);
    int64_t value = otherwise;

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=' &&
            !str_to_int(argv[i] + len + 1, &value))
            bench_stop("not a number", argv[i]);
    return value;
}

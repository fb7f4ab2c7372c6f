#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void alloc_die(size_t n)
{
    fprintf(stderr, "maya: out of memory: the system refused %zu bytes\n", n);
    exit(111);
}

static void *or_die(void *p, size_t n)
{
    if (!p && n > 0)
        alloc_die(n);
    return p;
}

void *xalloc(size_t n)
{
    return or_die(calloc(1, n ? n : 1), n);
}

void *xrealloc(void *p, size_t n)
{
    return or_die(realloc(p, n ? n : 1), n);
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xalloc(n + 1);

    memcpy(p, s, n);
    return p;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xprintf(const char *fmt, ...)
{
    va_list ap;
    char *p = NULL;

    va_start(ap, fmt);
    int n = vasprintf(&p, fmt, ap);
    va_end(ap);
    return or_die(n < 0 ? NULL : p, 1);
}

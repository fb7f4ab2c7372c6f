#include "base/must.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void must_fail(const char *file, int line, const char *func, const char *cond)
{
    void *frames[48];

    fprintf(stderr, "maya: bug: %s:%d: %s: MUST(%s)\n", file, line, func, cond);
    fflush(stderr);
    backtrace_symbols_fd(frames, backtrace(frames, (int)ARRAY_LEN(frames)), STDERR_FILENO);
    abort();
}

/*
 * must: assertions that stay on in release. MUST(cond) is for our own bugs only: it prints the
 * condition and a backtrace to stderr and aborts; sessions come back from the store. What the
 * world can cause is a `struct err` (err.h), never a MUST.
 */
#pragma once

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define MUST(cond)                                                                             \
    do {                                                                                       \
        if (__builtin_expect(!(cond), 0))                                                      \
            must_fail(__FILE__, __LINE__, __func__, #cond);                                    \
    } while (0)

_Noreturn void must_fail(const char *file, int line, const char *func, const char *cond);

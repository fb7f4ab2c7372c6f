/*
 * tap: the smallest test harness that speaks TAP. A test file defines functions, lists them
 * in `static const struct tap_case cases[]` and ends with TAP_MAIN(cases). A failed CHECK
 * prints file, line and the expression, marks the case as failed, and goes on.
 */
#pragma once

#include <stdio.h>
#include <string.h>

struct tap_case {
    const char *name;
    void (*run)(void);
};

static int tap_failures;

#define CHECK(cond)                                                                            \
    do {                                                                                       \
        if (!(cond)) {                                                                         \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                                \
            tap_failures++;                                                                    \
        }                                                                                      \
    } while (0)

#define CHECK_INT(got, want)                                                                   \
    do {                                                                                       \
        long long tap_g = (long long)(got), tap_w = (long long)(want);                         \
        if (tap_g != tap_w) {                                                                  \
            printf("# %s:%d: %s is %lld, wanted %lld\n", __FILE__, __LINE__, #got, tap_g,      \
                   tap_w);                                                                     \
            tap_failures++;                                                                    \
        }                                                                                      \
    } while (0)

#define CHECK_STR(got, want)                                                                   \
    do {                                                                                       \
        const char *tap_g = (got), *tap_w = (want);                                            \
        if (!tap_g || strcmp(tap_g, tap_w) != 0) {                                             \
            printf("# %s:%d: %s is \"%s\", wanted \"%s\"\n", __FILE__, __LINE__, #got,         \
                   tap_g ? tap_g : "(null)", tap_w);                                           \
            tap_failures++;                                                                    \
        }                                                                                      \
    } while (0)

static inline int tap_run(const struct tap_case *cases, int n)
{
    int failed = 0;

    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        tap_failures = 0;
        cases[i].run();
        printf("%s %d - %s\n", tap_failures ? "not ok" : "ok", i + 1, cases[i].name);
        fflush(stdout);
        failed += tap_failures != 0;
    }
    return failed != 0;
}

#define TAP_MAIN(cases)                                                                        \
    int main(void)                                                                             \
    {                                                                                          \
        return tap_run(cases, (int)(sizeof(cases) / sizeof((cases)[0])));                      \
    }

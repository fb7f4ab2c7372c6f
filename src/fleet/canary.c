/*
 * The judgement. Errors are compared as two shares with their standard error (the pooled
 * two-proportion z-test), so that a handful of requests condemns nobody and a clear fault is
 * seen early. A stored session that only the new version cannot read is enough by itself.
 */
#include "fleet/canary.h"

#include <math.h>
#include <stdio.h>

#define ERRORS_MIN 5 /* fewer prove nothing */
#define WORSE_SHARE                                                                            \
    0.005     /* beyond the stable one's: half a percent is noise of any network               \
               */
#define Z 3.5 /* it is looked at often, and each look could be wrong */
#define WORDS_MIN 20
#define LATE_SHARE 0.9
#define LATE_TIMES 1.5 /* as slow as the stable one, and */
#define LATE_S 0.2     /* so much slower */
#define LEAK_BYTES                                                                             \
    (UINT64_C(32) << 20) /* beyond twice what the stable one grew by: caches fill, too */

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

double canary__error_percent(const struct canary_seen *s)
{
    double percent = 100 * share(s->errors, s->requests);

    return percent < 100 ? percent : 100; /* one request may fail twice */
}

double canary__first_word_s(const struct canary_seen *s, double wanted)
{
    uint64_t all = 0, below = 0;

    for (unsigned i = 0; i < s->buckets; i++)
        all += s->words[i];
    for (unsigned i = 0; i < s->buckets && all; i++) {
        below += s->words[i];
        if ((double)below >= wanted * (double)all)
            return s->bounds[i];
    }
    return -1;
}

static uint64_t words_of(const struct canary_seen *s)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < s->buckets; i++)
        n += s->words[i];
    return n;
}

/* Is a of n clearly a larger share than b of m? */
static bool larger(uint64_t a, uint64_t n, uint64_t b, uint64_t m)
{
    double all = (double)n + (double)m, pooled = share(a + b, n + m);

    if (a < ERRORS_MIN || n == 0)
        return false;
    double by = share(a, n) - share(b, m);
    if (m == 0) /* nobody to compare with */
        return by > 0.5;
    double noise = sqrt(pooled * (1 - pooled) * all / ((double)n * (double)m));
    return by > WORSE_SHARE && by > Z * noise;
}

static bool late(const struct canary_seen *it, const struct canary_seen *stable)
{
    double ours = canary__first_word_s(it, LATE_SHARE);
    double theirs = canary__first_word_s(stable, LATE_SHARE);

    return words_of(it) >= WORDS_MIN && words_of(stable) >= WORDS_MIN &&
           ours > theirs * LATE_TIMES && ours > theirs + LATE_S;
}

/* The kernel's way to end what wants more memory than it may have. */
static void say_ended(const struct canary_seen *it, char why[CANARY_WHY_MAX])
{
    if (it->killed == it->ended)
        snprintf(why, CANARY_WHY_MAX,
                 "%llu of its containers w%s killed, as for memory (exit code 137)",
                 (unsigned long long)it->ended, it->ended == 1 ? "as" : "ere");
    else
        snprintf(why, CANARY_WHY_MAX, "its containers ended %llu time%s, %llu of them killed",
                 (unsigned long long)it->ended, it->ended == 1 ? "" : "s",
                 (unsigned long long)it->killed);
}

static bool too_many_ended(const struct canary_rule *rule, const struct canary_seen *it,
                           const struct canary_seen *stable)
{
    return (it->ended >= rule->ended && it->ended > stable->ended) ||
           (it->killed && !stable->killed);
}

enum canary_verdict canary__judge(const struct canary_rule *rule, const struct canary_seen *it,
                                  const struct canary_seen *stable, int64_t seconds,
                                  char why[CANARY_WHY_MAX])
{
    why[0] = '\0';
    if (it->unreadable && share(it->unreadable, it->requests + 1) >
                              2 * share(stable->unreadable, stable->requests + 1))
        snprintf(why, CANARY_WHY_MAX, "%llu stored sessions could not be read",
                 (unsigned long long)it->unreadable);
    else if (too_many_ended(rule, it, stable))
        say_ended(it, why);
    else if (rule->down_s && it->down_s >= rule->down_s)
        snprintf(why, CANARY_WHY_MAX, "none of its containers was ready for %lld s",
                 (long long)it->down_s);
    else if (it->grew > 2 * stable->grew + LEAK_BYTES)
        snprintf(why, CANARY_WHY_MAX,
                 "it grew by %llu MiB that no session holds, the others by %llu MiB",
                 (unsigned long long)it->grew >> 20, (unsigned long long)stable->grew >> 20);
    else if (larger(it->errors, it->requests, stable->errors, stable->requests))
        snprintf(why, CANARY_WHY_MAX,
                 "%.1f %% of its answers were errors, %.1f %% of the others",
                 canary__error_percent(it), canary__error_percent(stable));
    else if (larger(it->rejected, it->requests + it->rejected, stable->rejected,
                    stable->requests + stable->rejected))
        snprintf(why, CANARY_WHY_MAX, "it refused %llu sessions for room",
                 (unsigned long long)it->rejected);
    else if (late(it, stable))
        snprintf(why, CANARY_WHY_MAX,
                 "nine of ten first words came within %.3g s, the others' "
                 "within %.3g s",
                 canary__first_word_s(it, LATE_SHARE),
                 canary__first_word_s(stable, LATE_SHARE));
    if (why[0])
        return CANARY_BAD;
    if (seconds >= rule->step_s && it->requests >= rule->sample && !it->doubted)
        return CANARY_GOOD;
    if (seconds < rule->limit_s)
        return CANARY_WAIT;
    snprintf(why, CANARY_WHY_MAX, "%llu requests within %lld s are too few to judge it by",
             (unsigned long long)it->requests, (long long)rule->limit_s);
    return CANARY_BAD;
}

int canary__next_weight(int weight)
{
    static const int steps[] = {25, 50, 100};

    for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (weight < steps[i])
            return steps[i];
    return 100;
}

/* The arithmetic of the `reserved` policy. A pure function: numbers in, a number or why not. */
#include "config/config.h"

#include <math.h>
#include <stdio.h>

#define MIB (1024.0 * 1024.0)

/* Down or up to hundredths, so that the number named really fits. */
static double floor_2(double v)
{
    return floor(v * 100) / 100;
}

int config_plan(const struct config_plan *p, uint64_t *ret_sessions, struct err *e)
{
    double usable = p->threshold * (double)p->limit - (double)p->footprint;
    double wanted = (double)p->sessions * (double)p->budget;
    double fits = usable > 0 && p->budget ? floor(usable / (double)p->budget) : 0;
    double more = ceil((wanted + (double)p->footprint) / p->threshold / MIB);
    double smaller = p->sessions ? floor_2(usable / (double)p->sessions / MIB) : 0;
    char fewer[60] = "", less[60] = "";

    if (wanted <= usable) {
        *ret_sessions = p->sessions;
        return 0;
    }
    if (!p->chosen && fits >= 1) {
        *ret_sessions = (uint64_t)fits;
        return 0;
    }
    if (fits >= 1)
        snprintf(fewer, sizeof(fewer), "%.0f session%s, or ", fits, fits > 1 ? "s" : "");
    if (smaller >= 0.02)
        snprintf(less, sizeof(less), "%.15g MiB each, or ", smaller);
    return err_set(e, ERR_CONFIG, 0,
                   "MAYA_SESSIONS_PER_CONTAINER %llu x MAYA_DEFAULT_SESSION_MEMORY_MB %.15g = "
                   "%.15g MiB is over %.15g x %.15g - %.15g (the process) = %.15g; what fits: "
                   "%s%s%.0f MiB of memory",
                   (unsigned long long)p->sessions, floor_2((double)p->budget / MIB),
                   floor_2(wanted / MIB), p->threshold, floor_2((double)p->limit / MIB),
                   floor_2((double)p->footprint / MIB), floor_2(usable / MIB), fewer, less,
                   more);
}

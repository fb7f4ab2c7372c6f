#include "metric/histogram.c"
#include "unit/tap.h"

static void a_bound_counts_below_itself(void)
{
    static const double bounds[] = {1, 10};
    struct histogram h;

    histogram_init(&h, bounds, 2);
    histogram_add(&h, 0);
    histogram_add(&h, 1);
    histogram_add(&h, 1.5);
    histogram_add(&h, 10);
    histogram_add(&h, 11);
    histogram_add(&h, -3);
    CHECK_INT(h.counts[0], 3);
    CHECK_INT(h.counts[1], 2);
    CHECK_INT(h.counts[2], 1);
    CHECK_INT(h.count, 6);
    CHECK(h.sum == 20.5);
}

static void nan_would_spoil_the_sum(void)
{
    struct histogram h;

    histogram_init(&h, histogram_seconds, histogram_seconds_count);
    histogram_add(&h, NAN);
    histogram_add(&h, INFINITY);
    CHECK_INT(h.count, 1);
    CHECK_INT(h.counts[h.n], 1);
}

static void ready_made_bounds(void)
{
    struct histogram h;

    histogram_init(&h, histogram_seconds, histogram_seconds_count);
    CHECK(h.bounds[0] == 0.0005 && h.bounds[h.n - 1] == 30);
    histogram_init(&h, histogram_bytes, histogram_bytes_count);
    CHECK(h.bounds[0] == 1024 && h.bounds[h.n - 1] == 64.0 * 1024 * 1024);
    histogram_add(&h, 1500);
    CHECK_INT(h.counts[1], 1);
}

static const struct tap_case cases[] = {
    {"a bound counts below itself", a_bound_counts_below_itself},
    {"NaN would spoil the sum", nan_would_spoil_the_sum},
    {"ready-made bounds", ready_made_bounds},
};

TAP_MAIN(cases)

#include "base/must.h"
#include "metric/metric.h"

#include <math.h>

const double histogram_seconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                    0.25,   0.5,   1,      2.5,   5,    10,    30};
const unsigned histogram_seconds_count = ARRAY_LEN(histogram_seconds);

#define KIB 1024.0
#define MIB (1024.0 * 1024.0)
const double histogram_bytes[] = {1 * KIB,  2 * KIB,  4 * KIB,   8 * KIB,   16 * KIB,
                                  32 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB,
                                  1 * MIB,  4 * MIB,  16 * MIB,  64 * MIB};
const unsigned histogram_bytes_count = ARRAY_LEN(histogram_bytes);

void histogram_init(struct histogram *h, const double *bounds, unsigned n)
{
    MUST(n <= HISTOGRAM_MAX);
    for (unsigned i = 1; i < n; i++)
        MUST(bounds[i - 1] < bounds[i]);
    *h = (struct histogram){.bounds = bounds, .n = n};
}

void histogram_add(struct histogram *h, double value)
{
    unsigned i = 0;

    if (isnan(value))
        return;
    while (i < h->n && value > h->bounds[i])
        i++;
    h->counts[i]++;
    h->count++;
    h->sum += value;
}

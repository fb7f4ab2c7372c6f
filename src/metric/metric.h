/*
 * metric: histograms, and the Prometheus text format 0.0.4. Knows no metric's meaning: the
 * table metric.def names each one (type, unit in its name, help), the parts keep plain
 * counters in their own statistics, and ops/ writes both together at a scrape.
 */
#pragma once

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum metric_id {
#define METRIC(id, name, type, labels, help) M_##id,
#include "metric/metric.def"
    METRIC__COUNT, /* what is always served; the predecessor's faulty names follow */
    METRIC__COUNT_BEFORE = METRIC__COUNT - 1,
#include "metric/predecessor.def"
#undef METRIC
    METRIC__ALL
};

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

const char *metric_name(enum metric_id id);
const char *metric_help(enum metric_id id);
enum metric_type metric_type(enum metric_id id);
const char *metric_labels(enum metric_id id); /* names of its labels: "" or "tool,outcome" */

/* Cumulative counts over fixed bounds (ascending, +Inf is implied). A plain value. */
#define HISTOGRAM_MAX 24
struct histogram {
    const double *bounds;
    unsigned n;
    uint64_t counts[HISTOGRAM_MAX + 1]; /* not cumulative; the last is +Inf */
    double sum;
    uint64_t count;
};

/* `bounds` must outlive the histogram. */
void histogram_init(struct histogram *h, const double *bounds, unsigned n);
/* A value equal to a bound counts below it. NaN is not counted. */
void histogram_add(struct histogram *h, double value);

/* Ready-made bounds: latencies in seconds (0.0005 .. 30), bytes (1 KiB .. 64 MiB). */
extern const double histogram_seconds[];
extern const unsigned histogram_seconds_count;
extern const double histogram_bytes[];
extern const unsigned histogram_bytes_count;

/*
 * Writing. metric_begin() starts a family (HELP and TYPE), samples follow. `labels` is
 * "" or `reason="x",route="/y"`, made with metric_label(). Each id may begin once;
 * metric_writer_finish() returns the first id that never did, or METRIC__COUNT: so that what
 * the table promises is always there.
 */
struct metric_writer {
    struct buf *out;
    enum metric_id now;
    unsigned char begun[METRIC__ALL];
};

void metric_writer_init(struct metric_writer *w, struct buf *out);
void metric_begin(struct metric_writer *w, enum metric_id id);
void metric_sample(struct metric_writer *w, const char *labels, double value);
void metric_sample_histogram(struct metric_writer *w, const char *labels,
                             const struct histogram *h);
void metric_one(struct metric_writer *w, enum metric_id id, double value); /* begin + sample */
/* Append name="value", with a comma before it unless it is the first. Valid UTF-8 only. */
void metric_label(struct buf *labels, const char *name, const char *value);
/* The text for metric_sample(). The writer's buf turns full with `labels`. */
const char *metric_labels_text(struct metric_writer *w, const struct buf *labels);
enum metric_id metric_writer_finish(const struct metric_writer *w);

#define METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The page docs/metrics.md, from the tables. */
void metric_markdown(struct buf *out);

#include "metric/metric.h"

#include "base/must.h"
#include "base/strs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum metric_type type;
    const char *labels;
    const char *help;
} rows[METRIC__ALL] = {
#define METRIC(id, name, type, labels, help) [M_##id] = {name, type, labels, help},
#include "metric/metric.def"
#include "metric/predecessor.def"
#undef METRIC
};

static const char *const type_text[] = {
    [METRIC_GAUGE] = "gauge",
    [METRIC_COUNTER] = "counter",
    [METRIC_HISTOGRAM] = "histogram",
};

const char *metric_name(enum metric_id id)
{
    MUST(id < METRIC__ALL);
    return rows[id].name;
}

const char *metric_help(enum metric_id id)
{
    MUST(id < METRIC__ALL);
    return rows[id].help;
}

enum metric_type metric_type(enum metric_id id)
{
    MUST(id < METRIC__ALL);
    return rows[id].type;
}

const char *metric_labels(enum metric_id id)
{
    MUST(id < METRIC__ALL);
    return rows[id].labels;
}

/* Backslash and newline in HELP; in a label's value the quote as well. */
static void escaped(struct buf *out, const char *s, bool quote)
{
    for (; *s; s++) {
        if (*s == '\n')
            buf_str(out, "\\n");
        else if (*s == '\\' || (quote && *s == '"'))
            buf_printf(out, "\\%c", *s);
        else
            buf_char(out, *s);
    }
}

/*
 * Whole numbers as they are; others with the fewest of 15 to 17 digits that read back as the
 * same double. The point is a point whatever the locale says.
 */
static void number(struct buf *out, double value)
{
    char text[40];

    if (isnan(value)) {
        buf_str(out, "NaN");
        return;
    }
    if (isinf(value)) {
        buf_str(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (value == trunc(value) && fabs(value) < 9007199254740992.0) {
        buf_printf(out, "%lld", (long long)value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *point = text + strspn(text, "-0123456789");
    if (*point && *point != 'e')
        *point = '.';
    buf_str(out, text);
}

void metric_writer_init(struct metric_writer *w, struct buf *out)
{
    *w = (struct metric_writer){.out = out, .now = METRIC__ALL};
}

void metric_begin(struct metric_writer *w, enum metric_id id)
{
    MUST(id < METRIC__ALL && !w->begun[id]);
    w->begun[id] = 1;
    w->now = id;
    buf_printf(w->out, "# HELP %s ", rows[id].name);
    escaped(w->out, rows[id].help, false);
    buf_printf(w->out, "\n# TYPE %s %s\n", rows[id].name, type_text[rows[id].type]);
}

/* One line: name, suffix and {labels}, of which `more` is the last. */
static void line(struct metric_writer *w, const char *suffix, const char *labels,
                 const char *more, double value)
{
    buf_str(w->out, rows[w->now].name);
    buf_str(w->out, suffix);
    if (*labels || *more)
        buf_printf(w->out, "{%s%s%s}", labels, *labels && *more ? "," : "", more);
    buf_char(w->out, ' ');
    number(w->out, value);
    buf_char(w->out, '\n');
}

const char *metric_labels_text(struct metric_writer *w, const struct buf *labels)
{
    w->out->full |= labels->full;
    return buf_text(labels);
}

void metric_sample(struct metric_writer *w, const char *labels, double value)
{
    MUST(w->now < METRIC__ALL && rows[w->now].type != METRIC_HISTOGRAM);
    line(w, "", labels, "", value);
}

void metric_sample_histogram(struct metric_writer *w, const char *labels,
                             const struct histogram *h)
{
    struct buf le = BUF_INIT;
    uint64_t sum = 0;

    MUST(w->now < METRIC__ALL && rows[w->now].type == METRIC_HISTOGRAM);
    for (unsigned i = 0; i <= h->n; i++) {
        sum += h->counts[i];
        buf_clear(&le);
        buf_str(&le, "le=\"");
        number(&le, i < h->n ? h->bounds[i] : INFINITY);
        buf_char(&le, '"');
        line(w, "_bucket", labels, metric_labels_text(w, &le), (double)sum);
    }
    buf_release(&le);
    line(w, "_sum", labels, "", h->sum);
    line(w, "_count", labels, "", (double)sum);
}

void metric_one(struct metric_writer *w, enum metric_id id, double value)
{
    metric_begin(w, id);
    metric_sample(w, "", value);
}

void metric_label(struct buf *labels, const char *name, const char *value)
{
    MUST(utf8_valid_prefix(value, strlen(value)) == strlen(value));
    buf_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
    escaped(labels, value, true);
    buf_char(labels, '"');
}

enum metric_id metric_writer_finish(const struct metric_writer *w)
{
    unsigned id = 0;

    while (id < METRIC__COUNT && w->begun[id])
        id++;
    return (enum metric_id)id;
}

static void rows_markdown(struct buf *out, unsigned from, unsigned to)
{
    buf_str(out, "| Name | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n");
    for (unsigned id = from; id < to; id++) {
        buf_printf(out, "| `%s` | %s | ", rows[id].name, type_text[rows[id].type]);
        if (*rows[id].labels)
            buf_printf(out, "`%s`", rows[id].labels);
        buf_printf(out, " | %s |\n", rows[id].help);
    }
}

void metric_markdown(struct buf *out)
{
    buf_str(out,
            "# Metrics\n\n"
            "<!-- Made from src/metric/metric.def; do not edit. -->\n\n"
            "`GET /metrics` answers with the Prometheus text format 0.0.4. Every series is "
            "there from the start, with\nvalue 0 for what has not happened yet. A counter "
            "starts again at 0 when the container starts.\n\n");
    rows_markdown(out, 0, METRIC__COUNT);
    buf_str(out, "\n## Names of the predecessor\n\n"
                 "Three more names are served only by `GET /metrics?names=predecessor`, after "
                 "the others: promtool finds fault\nwith them (an abbreviated unit, a suffix "
                 "kept for histograms). A megabyte is 2^20 bytes there.\n\n");
    rows_markdown(out, METRIC__COUNT, METRIC__ALL);
}

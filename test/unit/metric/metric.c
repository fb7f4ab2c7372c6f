#include "metric/metric.c"
#include "unit/tap.h"

#include <locale.h>
#include <sys/wait.h>

static const char *number_text(double value)
{
    static char text[64];
    struct buf b = BUF_INIT;

    number(&b, value);
    snprintf(text, sizeof(text), "%s", buf_text(&b));
    buf_release(&b);
    return text;
}

static void numbers(void)
{
    CHECK_STR(number_text(0), "0");
    CHECK_STR(number_text(-0.0), "0");
    CHECK_STR(number_text(134217728), "134217728");
    CHECK_STR(number_text(-7), "-7");
    CHECK_STR(number_text(0.1), "0.1");
    CHECK_STR(number_text(0.0005), "0.0005");
    CHECK_STR(number_text(1.0 / 3), "0.3333333333333333");
    CHECK_STR(number_text(0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(number_text(1e300), "1e+300");
    CHECK_STR(number_text(9007199254740991.0), "9007199254740991");
    CHECK_STR(number_text(1.5e-7), "1.5e-07");
    CHECK_STR(number_text(NAN), "NaN");
    CHECK_STR(number_text(INFINITY), "+Inf");
    CHECK_STR(number_text(-INFINITY), "-Inf");
}

static void numbers_read_back(void)
{
    uint64_t seed = 88172645463325252;

    for (int i = 0; i < 20000; i++) {
        double value;
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        memcpy(&value, &seed, sizeof(value));
        if (!isnan(value))
            CHECK(strtod(number_text(value), NULL) == value);
    }
}

static void a_comma_of_the_locale_is_a_point(void)
{
    static const char *const with_comma[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
                                             "nl_NL"};
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(with_comma) && !found; i++)
        found = setlocale(LC_NUMERIC, with_comma[i]) != NULL;
    if (!found)
        printf("# skipped: no locale with a decimal comma is installed\n");
    CHECK_STR(number_text(0.25), "0.25");
    CHECK_STR(number_text(1.5e-7), "1.5e-07");
    CHECK_STR(number_text(1e300), "1e+300");
    setlocale(LC_NUMERIC, "C");
}

static void families(void)
{
    struct buf out = BUF_INIT, labels = BUF_INIT;
    struct metric_writer w;

    metric_writer_init(&w, &out);
    metric_one(&w, M_ACTIVE_SESSIONS, 12);
    metric_begin(&w, M_SESSIONS_REJECTED);
    metric_label(&labels, "reason", "session_limit");
    metric_sample(&w, buf_text(&labels), 0);
    buf_clear(&labels);
    metric_label(&labels, "reason", "a \"b\"\\\n");
    metric_label(&labels, "code", "503");
    metric_sample(&w, buf_text(&labels), 1);
    CHECK_STR(buf_text(&out),
              "# HELP maya_active_sessions Current number of active (resident) sessions.\n"
              "# TYPE maya_active_sessions gauge\n"
              "maya_active_sessions 12\n"
              "# HELP maya_sessions_rejected_total Total sessions rejected, by reason.\n"
              "# TYPE maya_sessions_rejected_total counter\n"
              "maya_sessions_rejected_total{reason=\"session_limit\"} 0\n"
              "maya_sessions_rejected_total{reason=\"a \\\"b\\\"\\\\\\n\",code=\"503\"} 1\n");
    buf_release(&out);
    buf_release(&labels);
}

static void a_histogram_is_cumulative(void)
{
    static const double bounds[] = {0.5, 2};
    struct buf out = BUF_INIT;
    struct metric_writer w;
    struct histogram h;

    histogram_init(&h, bounds, 2);
    histogram_add(&h, 0.25);
    histogram_add(&h, 1);
    histogram_add(&h, 9);
    metric_writer_init(&w, &out);
    metric_begin(&w, M_TURN_SECONDS);
    metric_sample_histogram(&w, "", &h);
    metric_sample_histogram(&w, "a=\"b\"", &h);
    const char *text = strstr(buf_text(&out), "histogram\n") + 10;
    CHECK_STR(text, "maya_turn_duration_seconds_bucket{le=\"0.5\"} 1\n"
                    "maya_turn_duration_seconds_bucket{le=\"2\"} 2\n"
                    "maya_turn_duration_seconds_bucket{le=\"+Inf\"} 3\n"
                    "maya_turn_duration_seconds_sum 10.25\n"
                    "maya_turn_duration_seconds_count 3\n"
                    "maya_turn_duration_seconds_bucket{a=\"b\",le=\"0.5\"} 1\n"
                    "maya_turn_duration_seconds_bucket{a=\"b\",le=\"2\"} 2\n"
                    "maya_turn_duration_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\n"
                    "maya_turn_duration_seconds_sum{a=\"b\"} 10.25\n"
                    "maya_turn_duration_seconds_count{a=\"b\"} 3\n");
    buf_release(&out);
}

static void finish_names_what_is_missing(void)
{
    struct buf out = BUF_INIT;
    struct metric_writer w;

    metric_writer_init(&w, &out);
    CHECK_INT(metric_writer_finish(&w), 0);
    for (unsigned id = 0; id < METRIC__COUNT; id++)
        if (id != M_TURNS)
            metric_begin(&w, id);
    CHECK_INT(metric_writer_finish(&w), M_TURNS);
    metric_begin(&w, M_TURNS);
    CHECK_INT(metric_writer_finish(&w), METRIC__COUNT); /* old names need not be there */
    buf_release(&out);
}

static bool starts_or_ends(const char *s, const char *prefix, const char *suffix)
{
    size_t n = strlen(s), p = strlen(prefix), f = strlen(suffix);

    return n > p + f && strncmp(s, prefix, p) == 0 && strcmp(s + n - f, suffix) == 0;
}

static void the_table_keeps_its_rules(void)
{
    for (unsigned id = 0; id < METRIC__ALL; id++) {
        const char *name = metric_name(id);
        CHECK(starts_or_ends(name, "maya_", "") || starts_or_ends(name, "process_", ""));
        CHECK(strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
        CHECK(starts_or_ends(name, "", "_total") == (metric_type(id) == METRIC_COUNTER));
        CHECK(*metric_help(id));
        CHECK(strspn(metric_labels(id), "abcdefghijklmnopqrstuvwxyz_,") ==
              strlen(metric_labels(id)));
        for (unsigned other = 0; other < id; other++)
            CHECK(strcmp(name, metric_name(other)) != 0);
        /* In OpenMetrics maya_sessions_created_total would be part of such a family. */
        CHECK(strcmp(name, "maya_sessions") != 0 && strcmp(name, "maya_sessions_total") != 0);
    }
}

static void promtool_has_nothing_to_say(void)
{
    struct buf out = BUF_INIT, labels = BUF_INIT;
    struct metric_writer w;
    struct histogram h;

    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        printf("# skipped: promtool is not installed\n");
        return;
    }
    histogram_init(&h, histogram_seconds, histogram_seconds_count);
    histogram_add(&h, 0.3);
    metric_label(&labels, "what", "quote \" backslash \\ newline \n h\xc3\xa9");
    metric_writer_init(&w, &out);
    for (unsigned id = 0; id < METRIC__COUNT; id++) {
        metric_begin(&w, id);
        if (metric_type(id) == METRIC_HISTOGRAM)
            metric_sample_histogram(&w, buf_text(&labels), &h);
        else
            metric_sample(&w, buf_text(&labels), id / 7.0);
    }
    CHECK(!out.full);
    FILE *pipe = popen("promtool check metrics 2>&1", "w");
    CHECK(pipe != NULL);
    CHECK(fwrite(out.data, 1, out.len, pipe) == out.len);
    int status = pclose(pipe);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    buf_release(&out);
    buf_release(&labels);
}

static void the_page_has_every_name(void)
{
    struct buf page = BUF_INIT;
    char cell[128];

    metric_markdown(&page);
    for (unsigned id = 0; id < METRIC__ALL; id++) {
        snprintf(cell, sizeof(cell), "| `%s` |", metric_name(id));
        const char *at = strstr(buf_text(&page), cell);
        CHECK(at != NULL);
        CHECK(at && strstr(at + 1, cell) == NULL);
    }
    CHECK(strstr(buf_text(&page), "| `tool,outcome` |") != NULL);
    buf_release(&page);
}

static const struct tap_case cases[] = {
    {"numbers", numbers},
    {"numbers read back", numbers_read_back},
    {"a comma of the locale is a point", a_comma_of_the_locale_is_a_point},
    {"families", families},
    {"a histogram is cumulative", a_histogram_is_cumulative},
    {"finish names what is missing", finish_names_what_is_missing},
    {"the table keeps its rules", the_table_keeps_its_rules},
    {"promtool has nothing to say", promtool_has_nothing_to_say},
    {"the page has every name", the_page_has_every_name},
};

TAP_MAIN(cases)

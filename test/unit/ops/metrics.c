#include "ops/metrics.c"
#include "unit/ops/stubs.h"

#include <stdlib.h>
#include <sys/wait.h>

#define NOW 1708714500 /* 500 s after the start */

static struct buf page;

static void scrape(struct ops *o, bool predecessor)
{
    buf_clear(&page);
    ops_metrics(o, NOW, predecessor, &page);
    CHECK(!page.full && page.len > 0 && page.data[page.len - 1] == '\n');
}

/* Is `line` a whole line of the page? */
static bool has(const char *line)
{
    size_t n = strlen(line);

    for (const char *at = buf_text(&page); (at = strstr(at, line)); at++)
        if ((at == page.data || at[-1] == '\n') && at[n] == '\n')
            return true;
    printf("# not there: %s\n", line);
    return false;
}

static void what_the_predecessor_had(void)
{
    struct ops *o = stub_begin();

    stub_sessions.resident = 10;
    stub_sessions.created = 12;
    stub_sessions.expired = 2;
    stub_sessions.rejected[SESSION_REJECT_PRESSURE] = 3;
    stub_knowledge =
        (struct knowledge_stats){.documents = 7, .passages = 31, .available = true};
    stub_agent.searches[KNOWLEDGE_NOTHING] = 4;
    stub_memory(250000);
    ops_sample(o, 0, 0);
    scrape(o, false);
    CHECK(has("maya_config_memory_bytes 4294967296"));
    CHECK(has("maya_config_max_containers 5"));
    CHECK(has("maya_container_memory_usage_bytes 250000"));
    CHECK(has("maya_container_memory_limit_bytes 1000000"));
    CHECK(has("maya_container_memory_utilization 0.25"));
    CHECK(has("maya_container_memory_available_bytes 750000"));
    CHECK(has("maya_container_memory_pressure 0"));
    CHECK(has("maya_container_cpu_usage_seconds_total 2.5"));
    CHECK(has("maya_process_uptime_seconds 500"));
    CHECK(has("maya_rag_available 1"));
    CHECK(has("maya_rag_documents 7"));
    CHECK(has("maya_rag_type 3"));
    CHECK(has("maya_knowledge_passages 31"));
    CHECK(has("maya_knowledge_searches_total{outcome=\"nothing\"} 4"));
    CHECK(has("maya_knowledge_searches_total{outcome=\"failed\"} 0"));
    CHECK(has("maya_active_sessions 10"));
    CHECK(has("maya_max_sessions 50"));
    CHECK(has("maya_session_utilization 0.2"));
    CHECK(has("maya_sessions_created_total 12"));
    CHECK(has("maya_sessions_rejected_total{reason=\"session_limit\"} 0"));
    CHECK(has("maya_sessions_rejected_total{reason=\"memory_pressure\"} 3"));
    CHECK(has("maya_sessions_rejected_total{reason=\"insufficient_memory\"} 0"));
    CHECK(has("maya_sessions_expired_total 2"));
    CHECK(has("# TYPE maya_sessions_expired_total counter"));
    CHECK(strstr(buf_text(&page), "_mb") == NULL);
    stub_memory(900000);
    ops_sample(o, 250, 0);
    scrape(o, false);
    CHECK(has("maya_container_memory_pressure 1"));
    CHECK(has("maya_container_memory_pressure_total 1"));
    CHECK(has("maya_healthy{check=\"memory\"} 0"));
    CHECK(has("maya_healthy{check=\"store\"} 1"));
    stub_end(o);
}

static void what_an_operator_needs_beyond(void)
{
    struct ops *o = stub_begin();

    stub_sessions.reserved = 524288000;
    stub_sessions.over_budget = 4;
    stub_store.rows = 99;
    stub_store.puts = 1234;
    stub_store.replaces = 7;
    stub_sessions.resealed = 5;
    stub_sessions.reseal_pending = 11;
    stub_sessions.reseal_unreadable = 2;
    stub_http.conns = 8;
    stub_http.closed[HTTP_CLOSE_STALLED] = 6;
    stub_agent.turns[TURN_COMPLETED] = 41;
    stub_agent.tool_error[1] = 2;
    histogram_add(&stub_agent.turn_seconds, 0.003);
    ops_count_request(o, 1, 200);
    ops_count_request(o, 1, 503);
    ops_count_commit(o, 700, 3);
    ops_sample(o, 0, 0);
    scrape(o, false);
    CHECK(has("maya_sessions_reserved_bytes 524288000"));
    CHECK(has("maya_sessions_over_budget_total 4"));
    CHECK(has("maya_stored_sessions 99"));
    CHECK(has("maya_store_writes_total{kind=\"put\"} 1234"));
    CHECK(has("maya_store_writes_total{kind=\"replace\"} 7"));
    CHECK(has("maya_seal_rewritten_total 5"));
    CHECK(has("maya_seal_rows_pending 11"));
    CHECK(has("maya_seal_rows_unreadable 2"));
    CHECK(has("maya_http_connections 8"));
    CHECK(has("maya_http_closed_total{reason=\"stalled\"} 6"));
    CHECK(has("maya_turns_total{outcome=\"completed\"} 41"));
    CHECK(has("maya_turns_total{outcome=\"failed\"} 0"));
    CHECK(has("maya_tool_calls_total{tool=\"get_bill\",outcome=\"error\"} 2"));
    CHECK(has("maya_tool_calls_total{tool=\"add_to_order\",outcome=\"ok\"} 0"));
    CHECK(has("maya_turn_duration_seconds_bucket{le=\"0.0025\"} 0"));
    CHECK(has("maya_turn_duration_seconds_bucket{le=\"0.005\"} 1"));
    CHECK(has("maya_store_commit_duration_seconds_bucket{le=\"0.001\"} 1"));
    CHECK(has("maya_http_requests_total{route=\"/healthz\",code=\"200\"} 0"));
    CHECK(has("maya_http_requests_total{route=\"/api/v1/chat\",code=\"503\"} 1"));
    CHECK(has("maya_build_info{version=\"" MAYA_VERSION "\"} 1"));
    CHECK(has("maya_draining 0"));
    CHECK(has("process_start_time_seconds 1708714000"));
    stub_draining = true;
    scrape(o, false);
    CHECK(has("maya_draining 1"));
    ops_set_http(o, NULL);
    scrape(o, false);
    CHECK(has("maya_http_connections 0"));
    stub_end(o);
}

/* Two methods of one path are two rows of the routes, but one series. */
static void routes_of_one_path_are_one_series(void)
{
    struct ops *o = stub_begin();
    const char *at;

    ops_count_request(o, 2, 200);
    ops_count_request(o, 3, 200);
    scrape(o, false);
    CHECK(has("maya_http_requests_total{route=\"/both\",code=\"200\"} 2"));
    at = strstr(buf_text(&page), "route=\"/both\",code=\"200\"");
    CHECK(at && !strstr(at + 1, "route=\"/both\",code=\"200\""));
    stub_end(o);
}

static void the_predecessors_names_on_demand(void)
{
    struct ops *o = stub_begin();

    stub_knowledge.documents = 3;
    tree_file("/sys/fs/cgroup/a/memory.max", "104857600\n");
    stub_memory(1048576 * 3 + 524288);
    ops_sample(o, 0, 0);
    scrape(o, true);
    CHECK(has("# HELP maya_config_memory_mb Configured container memory in MB"));
    CHECK(has("maya_config_memory_mb 4096"));
    CHECK(has("# HELP maya_container_memory_available_mb Available memory in MB"));
    CHECK(has("maya_container_memory_available_mb 96.5"));
    CHECK(has("maya_rag_document_count 3"));
    CHECK(has("maya_config_memory_bytes 4294967296"));
    stub_end(o);
}

static void unknown_memory_is_not_a_number(void)
{
    struct ops *o = stub_begin();

    tree_file("/sys/fs/cgroup/a/memory.stat", "nothing we know\n");
    ops_sample(o, 0, 0);
    scrape(o, true);
    CHECK(has("maya_container_memory_usage_bytes NaN"));
    CHECK(has("maya_container_memory_utilization NaN"));
    CHECK(has("maya_container_memory_limit_bytes 1000000"));
    CHECK(has("maya_container_memory_pressure 0"));
    CHECK(strstr(buf_text(&page), "available_mb") == NULL);
    stub_end(o);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* No series twice, and no family in two places: promtool 2.42 does not look for either. */
static void no_series_twice(void)
{
    struct ops *o = stub_begin();
    char *series[2000];
    size_t n = 0;

    ops_count_request(o, 1, 200);
    ops_count_request(o, 1, 503);
    ops_sample(o, 0, 0);
    scrape(o, true);
    for (char *line = page.data, *next; *line; line = next) {
        char *end = strchr(line, '\n');
        next = end + 1;
        *end = '\0';
        if (*line == '#')
            continue;
        *strrchr(line, ' ') = '\0';
        CHECK(n < ARRAY_LEN(series));
        series[n++] = line;
    }
    CHECK(n > METRIC__COUNT);
    qsort(series, n, sizeof(*series), by_text);
    for (size_t i = 1; i < n; i++)
        CHECK(strcmp(series[i - 1], series[i]) != 0);
    stub_end(o);
}

static void promtool_has_nothing_to_say(void)
{
    struct ops *o;

    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        printf("# skipped: promtool is not installed\n");
        return;
    }
    o = stub_begin();
    ops_count_request(o, 1, 404);
    ops_sample(o, 0, 0);
    scrape(o, false);
    FILE *pipe = popen("promtool check metrics 2>&1", "w");
    CHECK(pipe && fwrite(page.data, 1, page.len, pipe) == page.len);
    int status = pclose(pipe);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    stub_end(o);
    buf_release(&page);
}

static const struct tap_case cases[] = {
    {"what the predecessor had", what_the_predecessor_had},
    {"what an operator needs beyond", what_an_operator_needs_beyond},
    {"routes of one path are one series", routes_of_one_path_are_one_series},
    {"the predecessor's names on demand", the_predecessors_names_on_demand},
    {"unknown memory is not a number", unknown_memory_is_not_a_number},
    {"no series twice", no_series_twice},
    {"promtool has nothing to say", promtool_has_nothing_to_say},
};

TAP_MAIN(cases)

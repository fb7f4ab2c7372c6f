/*
 * A server with one page for each behaviour of net/, for the tests of test_http.py. Prints
 * "port N" when it listens, "drained" when it has drained (SIGTERM); exits with 0 then.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "net/net.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILE_SIZE ((size_t)1024 * 1024)

enum job_kind {
    SLOW,     /* answers after some time */
    SSE,      /* a stream, quiet until /tell */
    FIREHOSE, /* a stream that always has more, and waits for its reader */
    RUDE,     /* the same without waiting */
    WAIT      /* answers when a counter has reached a number */
};

struct job {
    struct list link;
    enum job_kind kind;
    struct http_req *req;
    int64_t due;
    char counter[24];
    uint64_t least;
};

static struct {
    struct loop *loop;
    struct http_server *server;
    struct loop_timer *timer;
    struct list jobs;
    uint64_t gone, answers[600];
    int64_t grace_ms;
    char *file;
} probe;

static uint64_t rss_kb(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static uint64_t counter(const char *name)
{
    struct http_stats st;

    http_server_stats(probe.server, &st);
    if (strcmp(name, "told_gone") == 0)
        return probe.gone;
    if (strcmp(name, "conns") == 0)
        return st.conns;
    if (strcmp(name, "accepted") == 0)
        return st.accepted;
    if (strcmp(name, "busy") == 0)
        return st.busy;
    for (int i = 0; i < HTTP_CLOSE__COUNT; i++) {
        if (strcmp(name, http_close_label((enum http_close)i)) == 0)
            return st.closed[i];
    }
    return 0;
}

static void job_free(struct job *j)
{
    list_remove(&j->link);
    free(j);
}

static void on_gone(void *ctx, struct http_req *r)
{
    (void)r;
    probe.gone++;
    job_free(ctx);
}

static void on_drain(void *ctx, struct http_req *r)
{
    static const char bye[] = "event: bye\ndata: {}\n\n";

    http_stream_write(r, bye, sizeof(bye) - 1);
    http_stream_end(r);
    job_free(ctx);
}

static struct job *job_new(struct http_req *r, enum job_kind kind)
{
    struct job *j = xalloc(sizeof(*j));

    j->kind = kind;
    j->req = r;
    list_append(&probe.jobs, &j->link);
    http_req_set_ctx(r, j);
    http_req_on_gone(r, on_gone);
    return j;
}

static void text(struct http_req *r, int status, const char *s)
{
    http_answer(r, status, "text/plain", s, strlen(s));
}

static int64_t param(struct http_req *r, const char *name, int64_t otherwise)
{
    struct buf b = BUF_INIT;
    int64_t n = otherwise;

    if (http_req_param(r, name, &b) && !str_to_int(buf_text(&b), &n))
        n = otherwise;
    buf_release(&b);
    return n;
}

static void gush(struct job *j)
{
    static char lump[16 * 1024];

    if (j->kind == FIREHOSE && http_stream_write(j->req, NULL, 0) > 0)
        return;
    for (int i = 0; i < 16; i++) {
        if (http_stream_write(j->req, lump, sizeof(lump)) > 0 && j->kind == FIREHOSE)
            return;
    }
}

static void on_tick(void *ctx)
{
    (void)ctx;
    LIST_EACH(at, after, &probe.jobs)
    {
        struct job *j = LIST_ITEM(at, struct job, link);
        bool done = false;
        if (j->kind == SLOW)
            done = loop_now(probe.loop) >= j->due;
        else if (j->kind == WAIT)
            done = counter(j->counter) >= j->least;
        else if (j->kind != SSE)
            gush(j);
        if (done) {
            text(j->req, 200, "done\n");
            job_free(j);
        }
    }
}

static void tell(void)
{
    static const char event[] = "data: told\n\n";

    LIST_EACH(at, after, &probe.jobs)
    {
        struct job *j = LIST_ITEM(at, struct job, link);
        if (j->kind == SSE)
            http_stream_write(j->req, event, sizeof(event) - 1);
    }
}

static void answer_stats(struct http_req *r)
{
    struct buf b = BUF_INIT;
    struct http_stats st;

    http_server_stats(probe.server, &st);
    buf_printf(&b,
               "{\"rss_kb\":%llu,\"told_gone\":%llu,\"accepted\":%llu,\"requests\":%llu,"
               "\"conns\":%u,\"streams\":%u,\"busy\":%u",
               (unsigned long long)rss_kb(), (unsigned long long)probe.gone,
               (unsigned long long)st.accepted, (unsigned long long)st.requests, st.conns,
               st.streams, st.busy);
    for (int i = 0; i < HTTP_CLOSE__COUNT; i++)
        buf_printf(&b, ",\"%s\":%llu", http_close_label((enum http_close)i),
                   (unsigned long long)st.closed[i]);
    for (int i = 100; i < 600; i++) {
        if (probe.answers[i])
            buf_printf(&b, ",\"%d\":%llu", i, (unsigned long long)probe.answers[i]);
    }
    buf_str(&b, "}");
    http_answer(r, 200, "application/json", buf_text(&b), b.len);
    buf_release(&b);
}

/* What the server understood, so that a test can compare. */
static void answer_mirror(struct http_req *r)
{
    struct buf b = BUF_INIT, value = BUF_INIT;
    struct str h = http_req_header(r, "x-test"), p = http_req_path(r), q = http_req_query(r);
    struct str peer = http_req_peer(r);

    bool found = http_req_param(r, "a", &value);
    buf_printf(&b, "method=%s\npath=%.*s\nquery=%.*s\nx-test=%.*s\na=%s\npeer=%.*s\n",
               http_method_text(http_req_method(r)), STR_FMT(p), STR_FMT(q), (int)h.len,
               h.data ? h.data : "", found ? buf_text(&value) : "(none)", STR_FMT(peer));
    http_header(r, "X-Evil", "a\r\nSet-Cookie: b=%d\n", 1);
    http_answer(r, 200, "text/plain", buf_text(&b), b.len);
    buf_release(&b);
    buf_release(&value);
}

static void begin_stream(struct http_req *r, enum job_kind kind)
{
    job_new(r, kind);
    http_stream_begin(r, 200, kind == SSE ? "text/event-stream" : "application/octet-stream");
    http_stream_on_drain(r, on_drain);
}

static void on_request(void *ctx, struct http_req *r)
{
    struct str path = http_req_path(r);

    (void)ctx;
    if (str_eq(path, "/hello")) {
        text(r, 200, "Hello from the probe: exactly forty-eight bytes.");
    } else if (str_eq(path, "/echo")) {
        struct str body = http_req_body(r);
        http_answer(r, 200, "application/octet-stream", body.data, body.len);
    } else if (str_eq(path, "/slow")) {
        job_new(r, SLOW)->due = loop_now(probe.loop) + param(r, "ms", 100);
    } else if (str_eq(path, "/wait")) {
        struct job *j = job_new(r, WAIT);
        struct buf b = BUF_INIT;
        http_req_param(r, "for", &b);
        str_copy(j->counter, sizeof(j->counter), buf_text(&b));
        buf_release(&b);
        j->least = (uint64_t)param(r, "least", 1);
    } else if (str_eq(path, "/sse")) {
        begin_stream(r, SSE);
    } else if (str_eq(path, "/firehose")) {
        begin_stream(r, param(r, "rude", 0) ? RUDE : FIREHOSE);
    } else if (str_eq(path, "/three")) {
        http_stream_begin(r, 200, "text/plain");
        http_stream_write(r, "one ", 4);
        http_stream_write(r, "two ", 4);
        http_stream_write(r, "three", 5);
        http_stream_end(r);
    } else if (str_eq(path, "/file")) {
        http_answer_file(r, "application/octet-stream", "\"v1\"", probe.file, FILE_SIZE);
    } else if (str_eq(path, "/tell")) {
        tell();
        http_answer(r, 204, NULL, NULL, 0);
    } else if (str_eq(path, "/stats")) {
        answer_stats(r);
    } else if (str_eq(path, "/mirror") || str_eq(path, "/a b/c")) {
        answer_mirror(r);
    } else {
        text(r, 404, "not here\n");
    }
}

static void on_answer(void *ctx, struct http_req *r, int status)
{
    (void)ctx;
    (void)r;
    if (status >= 0 && status < 600)
        probe.answers[status]++;
}

static void on_drained(void *ctx)
{
    (void)ctx;
    printf("drained\n");
    fflush(stdout);
    loop_stop(probe.loop);
}

static void on_term(void *ctx, int signum)
{
    (void)ctx;
    (void)signum;
    http_server_drain(probe.server, probe.grace_ms, on_drained, NULL);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "probe_server: %s: %s\n", what, why);
    exit(100);
}

static int64_t number(const char *flag, const char *value)
{
    int64_t n = 0;

    if (!value || !str_to_int(value, &n))
        die(flag, "needs a number");
    return n;
}

static void set_flag(struct http_cfg *cfg, const char *flag, const char *value)
{
    if (strcmp(flag, "--host") == 0) {
        cfg->host = value;
        return;
    }
    int64_t n = number(flag, value);
    if (strcmp(flag, "--port") == 0)
        cfg->port = (int)n;
    else if (strcmp(flag, "--fd") == 0)
        cfg->inherited_fd = (int)n;
    else if (strcmp(flag, "--head-ms") == 0)
        cfg->head_ms = n;
    else if (strcmp(flag, "--idle-ms") == 0)
        cfg->idle_ms = n;
    else if (strcmp(flag, "--body-ms") == 0)
        cfg->body_ms = n;
    else if (strcmp(flag, "--write-ms") == 0)
        cfg->write_ms = n;
    else if (strcmp(flag, "--max-head") == 0)
        cfg->max_head = (size_t)n;
    else if (strcmp(flag, "--max-body") == 0)
        cfg->max_body = (size_t)n;
    else if (strcmp(flag, "--max-bodies") == 0)
        cfg->max_bodies = (size_t)n;
    else if (strcmp(flag, "--max-conns") == 0)
        cfg->max_conns = (uint32_t)n;
    else if (strcmp(flag, "--max-queued") == 0)
        cfg->max_queued = (size_t)n;
    else if (strcmp(flag, "--grace-ms") == 0)
        probe.grace_ms = n;
    else if (strcmp(flag, "--nofile") == 0)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)n, (rlim_t)n});
    else
        die(flag, "is not a flag");
}

int main(int argc, char **argv)
{
    struct http_cfg cfg = {.host = "127.0.0.1",
                           .inherited_fd = -1,
                           .max_head = 16 * 1024,
                           .max_body = 1024 * 1024,
                           .max_conns = 20000,
                           .max_queued = 1024 * 1024,
                           .head_ms = 10000,
                           .idle_ms = 60000,
                           .body_ms = 10000,
                           .write_ms = 10000,
                           .on_request = on_request,
                           .on_answer = on_answer};
    struct err e = {0};

    probe.grace_ms = 30000;
    for (int i = 1; i < argc; i += 2)
        set_flag(&cfg, argv[i], argv[i + 1]);
    list_init(&probe.jobs);
    probe.file = xalloc(FILE_SIZE);
    for (size_t i = 0; i < FILE_SIZE; i++)
        probe.file[i] = (char)('a' + i % 26);
    if (loop_new(&probe.loop, &e) < 0 ||
        http_server_new(probe.loop, &cfg, &probe.server, &e) < 0 ||
        loop_signal(probe.loop, SIGTERM, on_term, NULL, &e) < 0)
        die("start", e.msg);
    probe.timer = loop_every(probe.loop, 5, on_tick, NULL);
    printf("port %d\n", http_server_port(probe.server));
    fflush(stdout);
    loop_run(probe.loop);
    http_server_free(&probe.server);
    loop_timer_free(&probe.timer);
    loop_free(&probe.loop);
    free(probe.file);
    return 0;
}

/* Asking containers: several at once, of which some are slow, broken, or not there. */
#include "fleet/scrape.c"
#include "unit/tap.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server in a process of its own; each connection is answered in one of these ways. */
static void answer(int fd)
{
    static char big[1 << 16];
    char head[2048] = "";

    if (read(fd, head, sizeof(head) - 1) <= 0)
        return;
    if (strncmp(head, "GET /metrics ", 13) == 0)
        dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nroom 5\n");
    else if (strncmp(head, "GET /cut ", 9) == 0)
        dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\nroom 5\n");
    else if (strncmp(head, "GET /sick ", 10) == 0)
        dprintf(fd, "HTTP/1.1 503 No\r\nContent-Length: 7\r\n\r\nroom 5\n");
    else if (strncmp(head, "GET /silent ", 12) == 0)
        (void)!read(fd, head, sizeof(head)); /* until the other side leaves */
    else if (strncmp(head, "GET /endless ", 13) == 0) {
        dprintf(fd, "HTTP/1.1 200 OK\r\n\r\n");
        while (write(fd, big, sizeof(big)) > 0)
            ;
    }
}

static unsigned port;
static pid_t server;

static void serve(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM, 0), client;

    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&any, len) == 0 && listen(fd, 16) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&any, &len) == 0);
    port = ntohs(any.sin_port);
    server = fork();
    MUST(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGCHLD, SIG_IGN);
        while ((client = accept(fd, NULL, NULL)) >= 0) {
            if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                answer(client);
                _exit(0);
            }
            close(client);
        }
        _exit(0);
    }
    close(fd);
}

/* Whether who answers was in time. */
static bool all_at_once(unsigned within_ms)
{
    struct err e;
    struct scrape_target t[] = {
        {"127.0.0.1", port, "/metrics", false, BUF_INIT},
        {"127.0.0.1", port, "/silent", false, BUF_INIT},
        {"127.0.0.1", port, "/sick", false, BUF_INIT},
        {"127.0.0.1", port, "/cut", false, BUF_INIT},
        {"127.0.0.1", port, "/endless", false, BUF_INIT},
        {"127.0.0.1", 1, "/metrics", false, BUF_INIT},
        {"::1", 1, "/metrics", false, BUF_INIT},
        {"127.0.0.1", port, "/metrics", false, BUF_INIT},
    };
    CHECK_INT(scrape__all(t, ARRAY_LEN(t), within_ms, &e), 0);
    bool in_time = t[0].answered && t[7].answered;
    if (in_time)
        CHECK_STR(buf_text(&t[0].text), "room 5\n");
    for (size_t i = 1; i < 7; i++)
        CHECK(!t[i].answered);
    CHECK(t[4].text.len <= SCRAPE_BYTES_MAX);
    scrape__release(t, ARRAY_LEN(t));
    return in_time;
}

static void test_all_at_once(void)
{
    struct err e;
    unsigned within_ms = 1000; /* of which a busy machine may need more */

    serve();
    while (!all_at_once(within_ms) && within_ms < 60000)
        within_ms *= 2;
    CHECK(within_ms < 60000);
    CHECK_INT(scrape__all(NULL, 0, 1000, &e), 0);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static double metric(const char *text, const char *name, const char *label)
{
    struct buf b = BUF_INIT;
    double value = -1;

    buf_str(&b, text);
    bool found = scrape__metric(&b, name, label, &value);
    buf_release(&b);
    return found ? value : -1;
}

static void test_metrics_are_read(void)
{
    static const char text[] = "# HELP room Room.\n# TYPE room gauge\nroom 5\nroomy 6\n"
                               "asked{route=\"/a\",status=\"200\"} 2 1700000000\n"
                               "asked{route=\"/}\\\"x\",status=\"500\"} 3e1\n"
                               "asked_total 9\nbad NaN\nbad2 x\ncut{a=\"b\nlast 7";

    CHECK(metric(text, "room", NULL) == 5);
    CHECK(metric(text, "asked", NULL) == 32);
    CHECK(metric(text, "asked", "status=\"500\"") == 30);
    CHECK(metric(text, "asked", "status=\"404\"") == -1);
    CHECK(metric(text, "room", "a=\"b\"") == -1);
    CHECK(metric(text, "roo", NULL) == -1);
    CHECK(metric(text, "bad", NULL) == -1);
    CHECK(metric(text, "bad2", NULL) == -1);
    CHECK(metric(text, "cut", NULL) == -1);
    CHECK(metric(text, "last", NULL) == 7);
    CHECK(metric("", "room", NULL) == -1);
}

static const struct tap_case cases[] = {
    {"all are asked at once, within one time", test_all_at_once},
    {"metrics are read from Prometheus text", test_metrics_are_read},
};

TAP_MAIN(cases)

#include "net/tell.c"
#include "unit/tap.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    struct loop *loop;
    struct loop_wake *stop;
    struct net_tell *server;
    char asked[ASKED_MAX + 1];
} t;

static void say(void *ctx, struct str asked, char ret[TELL_LINE_MAX])
{
    (void)ctx;
    snprintf(t.asked, sizeof(t.asked), "%.*s", STR_FMT(asked));
    snprintf(ret, TELL_LINE_MAX, "up 50%%\n");
}

static int reach_it(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)net_tell_port(t.server))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

/* All that comes until it closes. */
static const char *hear(int fd)
{
    static char line[200];
    size_t n = 0;
    ssize_t got;

    while ((got = recv(fd, line + n, sizeof(line) - 1 - n, 0)) > 0)
        n += (size_t)got;
    line[n] = '\0';
    close(fd);
    return line;
}

/* It waits for what is asked for a tenth of a second only, and on a busy machine that may be
 * over before it came: then it is asked again. */
static void ask(const char *what, const char *understood)
{
    for (int tries = 0; tries < 50; tries++) {
        int fd = reach_it();
        bool sent = send(fd, what, strlen(what), MSG_NOSIGNAL) == (ssize_t)strlen(what);
        const char *line = hear(fd);
        if (sent && strcmp(t.asked, understood) == 0) {
            CHECK_STR(line, "up 50%\n");
            return;
        }
    }
    CHECK_STR(t.asked, understood);
}

static void stop(void *ctx)
{
    (void)ctx;
    net_tell_free(&t.server);
    loop_stop(t.loop);
}

static void *clients(void *ctx)
{
    int many[3 * CONNS];

    (void)ctx;
    ask("13%", "13%");
    ask("13\n", "13\n");
    ask("0123456789012345678901234567890123", "01234567890123456789012345678901");
    CHECK_STR(hear(reach_it()), "up 50%\n"); /* who says nothing is told too */
    CHECK_STR(t.asked, "");
    int half = reach_it();
    shutdown(half, SHUT_WR);
    CHECK_STR(hear(half), "up 50%\n");
    /* Those that keep the places lose them to who comes. */
    for (int i = 0; i < 3 * CONNS; i++)
        many[i] = reach_it();
    ask("13%", "13%");
    for (int i = 0; i < 3 * CONNS; i++)
        close(many[i]);
    ask("14%", "14%");
    many[0] = reach_it(); /* is there when the server goes */
    loop_wake_up(t.stop);
    hear(many[0]);
    return NULL;
}

static void one_line_each(void)
{
    pthread_t thread;
    struct err e;

    CHECK_INT(loop_new(&t.loop, &e), 0);
    t.stop = loop_wake_new(t.loop, stop, NULL);
    CHECK_INT(net_tell_new(t.loop, "127.0.0.1", 0, say, NULL, &t.server, &e), 0);
    CHECK_INT(pthread_create(&thread, NULL, clients, NULL), 0);
    loop_run(t.loop);
    loop_wake_free(&t.stop);
    loop_free(&t.loop);
    pthread_join(thread, NULL);
}

static void where_it_cannot_listen(void)
{
    struct net_tell *s = NULL;
    struct err e;

    CHECK_INT(loop_new(&t.loop, &e), 0);
    CHECK_INT(net_tell_new(t.loop, "no.name", 0, say, NULL, &s, &e), -1);
    CHECK(strstr(e.msg, "no.name") != NULL);
    CHECK_INT(net_tell_new(t.loop, "192.0.2.1", 0, say, NULL, &s, &e), -1);
    CHECK(!s);
    loop_free(&t.loop);
}

static const struct tap_case cases[] = {
    {"one line for each who comes", one_line_each},
    {"where it cannot listen", where_it_cannot_listen},
};

TAP_MAIN(cases)

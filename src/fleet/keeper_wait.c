/* Requests that wait for a container: one thread for each, as they are few and short. */
#include "fleet/keeper_wait.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/strs.h"

#include "fleet/fleet_int.h"
#include "gateway/gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOK_MS 100
#define STACK (256 << 10)
#define BUFFER 16384
#define SILENCE_MS (3600 * 1000)

struct place {
    char app[80], path[WAIT_PATH_MAX], address[64];
    unsigned port, within_s, waiting;
    int64_t seen_ms; /* when it was seen to answer there */
    int listener;
    struct place *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place *places; /* grows only: an app may come back */
static unsigned held;
static int bell = -1; /* rung when somebody begins to wait */

static struct place *place_of(const char *app)
{
    for (struct place *p = places; p; p = p->next)
        if (strcmp(p->app, app) == 0)
            return p;
    return NULL;
}

/* Passing on */

static int connect_to(const char *address, unsigned port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;

    if (!is_six && inet_pton(AF_INET, address, &four.sin_addr) != 1)
        return -1;
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval within = {2, 0};
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &within, sizeof(within));
    if ((is_six ? connect(fd, (struct sockaddr *)&six, sizeof(six))
                : connect(fd, (struct sockaddr *)&four, sizeof(four))) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (poll(&p, 1, SILENCE_MS) <= 0)
                return false;
            continue;
        }
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Both ways, until both have ended. */
static void pass_on(int from, int to)
{
    struct pollfd p[2] = {{.fd = from, .events = POLLIN}, {.fd = to, .events = POLLIN}};
    char data[BUFFER];

    while ((p[0].fd >= 0 || p[1].fd >= 0) && poll(p, 2, SILENCE_MS) > 0) {
        for (int i = 0; i < 2; i++) {
            if (p[i].fd < 0 || !p[i].revents)
                continue;
            int other = i ? from : to;
            ssize_t n = recv(p[i].fd, data, sizeof(data), 0);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0 || (n > 0 && !send_all(other, data, (size_t)n)))
                return;
            if (n == 0) {
                shutdown(other, SHUT_WR);
                p[i].fd = -1;
                /* An answer that has ended is the end of it all. */
                if (i == 1)
                    return;
            }
        }
    }
}

/* Waiting */

struct guest {
    struct place *place;
    int fd;
};

static bool is_gone(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    return poll(&p, 1, LOOK_MS) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/*
 * A connection to a container; -1: there was none in time, or nobody waits for it any more. One
 * that was last seen before the guest came is not meant: HAProxy has just found it gone, though
 * what is in front of it may still take connections.
 */
static int wait_for_one(const struct guest *g)
{
    int64_t start = fleet__now_ms();

    for (;;) {
        char address[64] = "";
        pthread_mutex_lock(&lock);
        int64_t within_ms = (int64_t)g->place->within_s * 1000;
        unsigned port = g->place->port;
        if (g->place->seen_ms > start)
            str_copy(address, sizeof(address), g->place->address);
        pthread_mutex_unlock(&lock);
        int fd = *address ? connect_to(address, port) : -1;
        if (fd >= 0 || is_gone(g->fd) || fleet__now_ms() - start >= within_ms)
            return fd;
    }
}

/* The gateway makes it a 503, which it would try again, from the beginning, if it came so. */
static void answer_none(int fd)
{
    static const char body[] =
        "{\"code\":\"no_container\",\"detail\":\"No container of this app "
        "became ready in time; try again.\"}";
    char text[400], rest[BUFFER];
    int n = snprintf(
        text, sizeof(text),
        "HTTP/1.1 504 Gateway Timeout\r\nContent-Type: application/json\r\n" GATEWAY_WAIT_OVER
        ": 1\r\nRetry-After: 5\r\nConnection: close\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        sizeof(body) - 1, body);

    send_all(fd, text, (size_t)n);
    shutdown(fd, SHUT_WR);
    /* What was not read would be a reset in place of the answer. */
    for (int i = 0; i < 1000 && recv(fd, rest, sizeof(rest), 0) > 0; i++)
        ;
}

static void *attend(void *self)
{
    struct guest *g = self;

    pthread_mutex_lock(&lock);
    g->place->waiting++;
    pthread_mutex_unlock(&lock);
    (void)!eventfd_write(bell, 1);
    int to = wait_for_one(g);
    pthread_mutex_lock(&lock);
    g->place->waiting--;
    pthread_mutex_unlock(&lock);
    if (to >= 0) {
        pass_on(g->fd, to);
        close(to);
    } else {
        answer_none(g->fd);
    }
    close(g->fd);
    pthread_mutex_lock(&lock);
    held--;
    pthread_mutex_unlock(&lock);
    free(g);
    return NULL;
}

static bool start_thread(void *(*run)(void *), void *self)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;

    /* Signals are the keeper's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    bool fine = pthread_create(&thread, &attr, run, self) == 0;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return fine;
}

static void *receive(void *self)
{
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
                               "Retry-After: 5\r\nContent-Length: 0\r\n\r\n";
    struct place *p = self;

    for (;;) {
        int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            poll(NULL, 0, LOOK_MS); /* no descriptors, or nobody any more */
            continue;
        }
        pthread_mutex_lock(&lock);
        bool room = held < WAIT_MAX;
        held += room;
        pthread_mutex_unlock(&lock);
        struct guest *g = room ? malloc(sizeof(*g)) : NULL;
        if (g) {
            *g = (struct guest){p, fd};
            if (start_thread(attend, g))
                continue;
        }
        free(g);
        send_all(fd, busy, sizeof(busy) - 1);
        close(fd);
        pthread_mutex_lock(&lock);
        held -= room;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* The keeper's calls */

unsigned wait__count(const char *app)
{
    pthread_mutex_lock(&lock);
    const struct place *p = place_of(app);
    unsigned n = p ? p->waiting : 0;
    pthread_mutex_unlock(&lock);
    return n;
}

void wait__pause(int ms)
{
    struct pollfd p = {.fd = bell, .events = POLLIN};
    eventfd_t n;

    if (poll(&p, 1, ms) > 0)
        (void)!eventfd_read(bell, &n);
}

int wait__open(const char *app, const char *path, struct err *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    pthread_mutex_lock(&lock);
    bool there = place_of(app) != NULL;
    pthread_mutex_unlock(&lock);
    if (there)
        return 0;
    MUST(strlen(path) < WAIT_PATH_MAX);
    if (bell < 0)
        bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* without it nobody hurries */
    str_copy(at.sun_path, sizeof(at.sun_path), path);
    struct place *p = xalloc(sizeof(*p));
    str_copy(p->app, sizeof(p->app), app);
    str_copy(p->path, sizeof(p->path), path);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(path);
    if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        chmod(path, 0600) < 0 || listen(p->listener, WAIT_MAX) < 0 ||
        !start_thread(receive, p)) {
        err_set(e, ERR_IO, errno, "listen at '%s'", path);
        if (p->listener >= 0)
            close(p->listener);
        free(p);
        return -1;
    }
    pthread_mutex_lock(&lock);
    p->next = places;
    places = p;
    pthread_mutex_unlock(&lock);
    return 0;
}

void wait__target(const char *app, const char *address, unsigned port, unsigned within_s,
                  int64_t seen_ms)
{
    pthread_mutex_lock(&lock);
    struct place *p = place_of(app);
    if (p) {
        str_copy(p->address, sizeof(p->address), address ? address : "");
        p->port = port;
        p->within_s = within_s;
        p->seen_ms = seen_ms;
    }
    pthread_mutex_unlock(&lock);
}

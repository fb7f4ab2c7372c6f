/* HAProxy's runtime socket: one connection, one command, one answer until it closes. */
#include "gateway/gateway_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 * 1024 * 1024)

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct place {
    struct sockaddr_storage sa;
    socklen_t len;
};

static bool find_place(const char *runtime, struct place *ret)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ret->sa;
    struct sockaddr_in *four = (struct sockaddr_in *)&ret->sa;
    struct sockaddr_un *un = (struct sockaddr_un *)&ret->sa;
    char address[INET6_ADDRSTRLEN];
    unsigned port;

    memset(ret, 0, sizeof(*ret));
    if (runtime[0] == '/') {
        un->sun_family = AF_UNIX;
        ret->len = sizeof(*un);
        return str_copy(un->sun_path, sizeof(un->sun_path), runtime);
    }
    if (!gateway__split(runtime, address, sizeof(address), &port))
        return false;
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        ret->len = sizeof(*four);
        return true;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    ret->len = sizeof(*six);
    return inet_pton(AF_INET6, address, &six->sin6_addr) == 1;
}

/* 1: ready, 0: too late, -1: errno. */
static int wait_for(int fd, short events, int64_t until)
{
    struct pollfd p = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = until - now_ms();
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

static int reach(int fd, const struct place *at, int64_t until)
{
    socklen_t len = sizeof(int);
    int fault = 0;

    if (connect(fd, (const struct sockaddr *)&at->sa, at->len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    int n = wait_for(fd, POLLOUT, until);
    if (n <= 0)
        return n == 0 ? ETIMEDOUT : errno;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len) < 0 ? errno : fault;
}

/* 0 or an errno. */
static int say(int fd, const char *data, size_t len, int64_t until)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return errno;
        int ready = wait_for(fd, POLLOUT, until);
        if (ready <= 0)
            return ready == 0 ? ETIMEDOUT : errno;
    }
    return 0;
}

static int hear(int fd, struct buf *out, int64_t until)
{
    size_t begin = out->len;

    for (;;) {
        char *room = buf_reserve(out, 16384);
        if (!room)
            return ENOMEM;
        ssize_t n = recv(fd, room, 16384, 0);
        if (n == 0)
            return 0;
        if (n > 0) {
            out->len += (size_t)n;
            room[n] = '\0';
            if (out->len - begin > ANSWER_MAX)
                return EMSGSIZE;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        int ready = wait_for(fd, POLLIN, until);
        if (ready <= 0)
            return ready == 0 ? ETIMEDOUT : errno;
    }
}

/* One line: a command, or several with ';' between them. */
static int ask(const char *runtime, const char *commands, int timeout_ms, struct buf *out,
               struct err *e)
{
    int64_t until = now_ms() + timeout_ms;
    struct buf line = BUF_INIT;
    size_t begin = out->len;
    struct place at;

    if (!find_place(runtime, &at))
        return err_set(e, ERR_INVALID, 0,
                       "the gateway's runtime socket '%.100s' must be a path "
                       "or ADDRESS:PORT",
                       runtime);
    int fd = socket(at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(e, ERR_IO, errno, "reach the gateway at '%.100s'", runtime);
    int fault = reach(fd, &at, until);
    if (fault) {
        close(fd);
        return err_set(e, ERR_IO, fault, "reach the gateway at '%.100s'", runtime);
    }
    buf_printf(&line, "%s\n", commands);
    fault = say(fd, line.data, line.len, until);
    buf_release(&line);
    if (!fault)
        fault = hear(fd, out, until);
    close(fd);
    /* Whatever it is, HAProxy ends it with an empty line. */
    if (!fault && out->len == begin)
        fault = ECONNRESET;
    if (!fault)
        return 0;
    out->len = begin;
    return err_set(e, ERR_IO, fault, "the gateway at '%.100s' did not answer", runtime);
}

int gateway_ask(const char *runtime, const char *command, int timeout_ms, struct buf *out,
                struct err *e)
{
    if (strpbrk(command, "\n;") || strlen(command) > 4000)
        return err_set(e, ERR_INVALID, 0, "this is not one command for the gateway");
    return ask(runtime, command, timeout_ms, out, e);
}

/* Tell it something to which the right answer is nothing, or that it was so or is so now. */
static int tell(const char *runtime, const char *command, int timeout_ms, struct err *e)
{
    static const char *const fine[] = {"IP changed from", "port changed from",
                                       "no need to change", "nothing changed"};
    struct buf out = BUF_INIT;
    int rc = ask(runtime, command, timeout_ms, &out, e);
    struct str said = str_trim((struct str){buf_text(&out), out.len});
    bool good = said.len == 0;

    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        good = good || (said.len >= strlen(fine[i]) &&
                        memcmp(said.data, fine[i], strlen(fine[i])) == 0);
    if (rc == 0 && !good)
        rc = err_set(e, ERR_IO, 0, "the gateway says to '%.80s': %.*s", command,
                     said.len < 120 ? (int)said.len : 120, said.data);
    buf_release(&out);
    return rc;
}

/* "set server app-NAME/sN WHAT" */
static int PRINTF_LIKE(6, 7)
    set(const char *runtime, const struct gateway_app *a, unsigned slot, int timeout_ms,
        struct err *e, const char *fmt, ...)
{
    struct buf command = BUF_INIT;
    va_list ap;

    buf_printf(&command, "set server app-%s/s%u ", a->name, slot);
    va_start(ap, fmt);
    buf_vprintf(&command, fmt, ap);
    va_end(ap);
    int rc = tell(runtime, buf_text(&command), timeout_ms, e);
    buf_release(&command);
    return rc;
}

int gateway_set_weight(const char *runtime, const struct gateway_app *a, unsigned slot,
                       unsigned weight, int timeout_ms, struct err *e)
{
    MUST(weight <= GATEWAY_WEIGHT_MAX);
    if (a->agent)
        return set(runtime, a, slot, timeout_ms, e, "agent-send %u%%", weight);
    return set(runtime, a, slot, timeout_ms, e, "weight %u", weight);
}

int gateway_set_state(const char *runtime, const struct gateway_app *a, unsigned slot,
                      enum gateway_state state, int timeout_ms, struct err *e)
{
    return set(runtime, a, slot, timeout_ms, e, "state %s", gateway_state_text(state));
}

int gateway_cut(const char *runtime, const struct gateway_app *a, unsigned slot, int timeout_ms,
                struct err *e)
{
    struct buf command = BUF_INIT;

    buf_printf(&command, "shutdown sessions server app-%s/s%u", a->name, slot);
    int rc = tell(runtime, buf_text(&command), timeout_ms, e);
    buf_release(&command);
    return rc;
}

/* In maintenance a server gives away who is in its queue, and keeps whom it has. */
/* In one line, so that nobody finds the app without this place in between. */
int gateway_release(const char *runtime, const struct gateway_app *a, int timeout_ms,
                    struct err *e)
{
    struct buf command = BUF_INIT;

    buf_printf(&command,
               "set server app-%s/" GATEWAY_WAIT " state maint;set server app-%s/" GATEWAY_WAIT
               " state ready",
               a->name, a->name);
    int rc = tell(runtime, buf_text(&command), timeout_ms, e);
    buf_release(&command);
    return rc;
}

int gateway_leave(const char *runtime, bool leaving, int timeout_ms, struct err *e)
{
    /* HAProxy 2.6 has the command only for who calls it an experiment. */
    return tell(runtime,
                leaving ? "experimental-mode on;set var " GATEWAY__LEAVING " bool(1)"
                        : "experimental-mode on;set var " GATEWAY__LEAVING " bool(0)",
                timeout_ms, e);
}

/*
 * A server that leaves maintenance is up until a check fails, whatever was said of it there. So
 * it comes by way of DRAIN, where it is given nothing new; and in one line, so that nobody whom
 * the table knows to have been in this slot finds it up in between.
 */
int gateway_set_down(const char *runtime, const struct gateway_app *a, unsigned slot,
                     int timeout_ms, struct err *e)
{
    static const char *const steps[] = {"state drain", "health down", "state ready"};
    struct buf command = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        buf_printf(&command, "%sset server app-%s/s%u %s", i ? ";" : "", a->name, slot,
                   steps[i]);
    int rc = tell(runtime, buf_text(&command), timeout_ms, e);
    buf_release(&command);
    return rc;
}

int gateway_set_slot(const char *runtime, const struct gateway_app *a, unsigned slot,
                     const struct gateway_server *s, unsigned weight, int timeout_ms,
                     struct err *e)
{
    if (gateway_set_state(runtime, a, slot, GATEWAY_MAINT, timeout_ms, e) < 0)
        return -1;
    if (!s->version)
        return 0;
    if (!gateway__is_address(s->address))
        return err_set(e, ERR_INVALID, 0, "a container's address '%.60s' must be numeric",
                       s->address);
    if (set(runtime, a, slot, timeout_ms, e, "addr %s port %u", s->address, s->port) < 0)
        return -1;
    if (a->agent && (set(runtime, a, slot, timeout_ms, e, "agent-addr %s", s->address) < 0 ||
                     set(runtime, a, slot, timeout_ms, e, "agent-port %u", s->agent_port) < 0))
        return -1;
    /* With an agent too: until it has been asked for the first time. */
    if (set(runtime, a, slot, timeout_ms, e, "weight %u", weight) < 0 ||
        gateway_set_weight(runtime, a, slot, weight, timeout_ms, e) < 0)
        return -1;
    if (s->state == GATEWAY_MAINT)
        return 0;
    return s->state == GATEWAY_READY && s->down
               ? gateway_set_down(runtime, a, slot, timeout_ms, e)
               : gateway_set_state(runtime, a, slot, s->state, timeout_ms, e);
}

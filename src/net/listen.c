#include "net/listen.h"

#include "base/strs.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int open_tcp(const char *host, int port, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char text[12];
    int on = 1;

    snprintf(text, sizeof(text), "%d", port);
    /* Numbers only: it never waits. */
    int rc =
        getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, text, &hints, &found);
    if (rc != 0)
        return err_set(e, ERR_IO, 0, "listen on '%s' port %d: %s", host, port,
                       gai_strerror(rc));
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0) {
        err_set(e, ERR_IO, errno, "listen on '%s' port %d", host, port);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/* A socket that nobody listens on is left over from a container that died. */
static void remove_stale(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd;

    if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno == ECONNREFUSED)
        unlink(path);
    close(fd);
}

static int open_unix(const char *path, struct err *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
        return err_set(e, ERR_IO, ENAMETOOLONG, "listen on '%s'", path);
    remove_stale(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    err_set(e, ERR_IO, errno, "listen on '%s'", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

int net_listen_open(const char *host, int port, int *ret_fd, struct err *e)
{
    bool unix_path = strncmp(host, "unix:", 5) == 0;
    int fd = unix_path ? open_unix(host + 5, e) : open_tcp(host, port, e);

    if (fd < 0)
        return -1;
    *ret_fd = fd;
    return 0;
}

int net_listen_begin(int fd, int backlog, struct err *e)
{
    if (listen(fd, backlog) < 0)
        return err_set(e, ERR_IO, errno, "listen on port %d", net_listen_port(fd));
    return 0;
}

int net_listen_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa = {0};
    socklen_t len = sizeof(sa);

    if (getsockname(fd, &sa.any, &len) < 0)
        return 0;
    return sa.any.sa_family == AF_INET    ? ntohs(sa.v4.sin_port)
           : sa.any.sa_family == AF_INET6 ? ntohs(sa.v6.sin6_port)
                                          : 0;
}

#include "net/listen.c"
#include "unit/tap.h"

#include <stdlib.h>

static void binds_and_listens(void)
{
    struct err e = {0};
    int fd = -1, other = -1;
    char text[20];

    CHECK_INT(net_listen_open("localhost", 0, &fd, &e), 0);
    int port = net_listen_port(fd);
    CHECK(port > 0);
    CHECK_INT(net_listen_begin(fd, 5, &e), 0);
    CHECK_INT(net_listen_open("127.0.0.1", port, &other, &e), -1);
    snprintf(text, sizeof(text), "port %d: ", port);
    CHECK(strstr(e.msg, text) != NULL && strstr(e.msg, "in use") != NULL);
    close(fd);
}

static void refuses_what_is_no_address(void)
{
    struct err e = {0};
    int fd = -1;

    CHECK_INT(net_listen_open("no such host", 1, &fd, &e), -1);
    CHECK(strstr(e.msg, "'no such host' port 1") != NULL);
    CHECK_INT(net_listen_open("unix:/nowhere/at/all/s", 0, &fd, &e), -1);
    CHECK_STR(e.msg, "listen on '/nowhere/at/all/s': No such file or directory");
    CHECK_INT(fd, -1);
}

static void takes_over_a_socket_file_that_is_left(void)
{
    char folder[] = "/tmp/listen-XXXXXX", path[64];
    struct err e = {0};
    int fd = -1, other = -1;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "unix:%s/s", folder);
    CHECK_INT(net_listen_open(path, 0, &fd, &e), 0);
    CHECK_INT(net_listen_port(fd), 0);
    CHECK_INT(net_listen_begin(fd, 5, &e), 0);
    CHECK_INT(net_listen_open(path, 0, &other, &e), -1); /* somebody listens */
    close(fd);
    CHECK_INT(net_listen_open(path, 0, &fd, &e), 0);
    close(fd);
    unlink(path + 5);
    CHECK_INT(rmdir(folder), 0);
}

static const struct tap_case cases[] = {
    {"binds, and listens", binds_and_listens},
    {"refuses what is no address", refuses_what_is_no_address},
    {"takes over a socket file that is left", takes_over_a_socket_file_that_is_left},
};

TAP_MAIN(cases)

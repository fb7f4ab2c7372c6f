/* How a WebSocket of our client comes about, or does not. */
#include "net/ws_connect.c"
#include "unit/net/sockets.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void refusals_are_told(void)
{
    begin();
    ask("/busy", PATIENCE_MS);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_REFUSED);
    CHECK_INT(t.c.last.status, 429);
    CHECK_INT(t.c.last.retry_after_s, 3);
    CHECK_STR(t.c.body, "{\"title\":\"slow\"}");
    CHECK(strstr(t.c.said, "it answered with HTTP status 429") != NULL);
    finish();

    begin();
    ask("/chunks", PATIENCE_MS);
    turn_until(client_closed);
    CHECK_INT(t.c.last.status, 402);
    CHECK_STR(t.c.body, "no money");
    finish();
}

static void nobody_there(void)
{
    begin();
    http_server_free(&local.server);
    ask("/", PATIENCE_MS);
    CHECK_INT(t.c.closed, 0);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_UNREACHED);
    CHECK(strstr(t.c.said, "Connection refused") != NULL);
    finish();
}

static int silent_socket(int *ret_port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    CHECK_INT(listen(fd, 4), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *ret_port = ntohs(sa.sin_port);
    return fd;
}

static void one_that_says_nothing(void)
{
    int fd;

    begin();
    fd = silent_socket(&local.port);
    ask("/", 80);
    turn_until(client_closed);
    CHECK_INT(t.c.last.why, WS_LATE);
    CHECK(strstr(t.c.said, "within 0.08 s") != NULL);
    close(fd);
    finish();
}

static struct pollfd awaited;

static bool something_came(void)
{
    return poll(&awaited, 1, 0) == 1;
}

/* An answer written by hand, in pieces of n. */
static void answer_with(const char *text, size_t n)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);
    int fd, peer;

    begin();
    fd = silent_socket(&local.port);
    ask("/", PATIENCE_MS);
    awaited = (struct pollfd){.fd = fd, .events = POLLIN};
    turn_until(something_came);
    peer = accept(fd, (struct sockaddr *)&sa, &len);
    CHECK(peer >= 0);
    awaited.fd = peer;
    turn_until(something_came);
    char request[1000]; /* what is left unread would reset the connection */
    ssize_t got = read(peer, request, sizeof(request) - 1);
    request[got > 0 ? got : 0] = '\0';
    CHECK(strstr(request, "\r\nSec-WebSocket-Version: 13\r\n") != NULL);
    CHECK(got > 4 && strcmp(request + got - 4, "\r\n\r\n") == 0);
    for (size_t at = 0; at < strlen(text); at += n) {
        size_t left = strlen(text) - at;
        if (write(peer, text + at, left < n ? left : n) < 0)
            break; /* it has seen enough */
        turn(1);
    }
    close(peer);
    close(fd);
    turn_until(client_closed);
    finish();
}

static void answers_that_are_none(void)
{
    answer_with("SSH-2.0-OpenSSH\r\n\r\n", 1000);
    CHECK_INT(t.c.last.why, WS_HANDSHAKE);
    CHECK_STR(t.c.said + strcspn(t.c.said, " "),
              " did not answer as a WebSocket server does (its answer is not HTTP/1.1)");
    answer_with("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                7);
    CHECK_INT(t.c.last.why, WS_HANDSHAKE);
    answer_with("HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nbad token and more", 1);
    CHECK_INT(t.c.last.why, WS_REFUSED);
    CHECK_STR(t.c.body, "bad token");
    answer_with("HTTP/1.1 500 No\r\n\r\nuntil the end", 5);
    CHECK_INT(t.c.last.why, WS_REFUSED);
    CHECK_STR(t.c.body, "until the end");
    answer_with("HTTP/1.1 101", 5);
    CHECK_INT(t.c.last.why, WS_GONE);
}

static const struct tap_case cases[] = {
    {"refusals are told", refusals_are_told},
    {"nobody there", nobody_there},
    {"one that says nothing", one_that_says_nothing},
    {"answers that are none", answers_that_are_none},
};
TAP_MAIN(cases)

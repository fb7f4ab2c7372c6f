/* Requests that are held until there is a container, and are passed on to it. */
#include "fleet/keeper_wait.c"
#include "unit/tap.h"

#define LATER_MS 600000 /* a guest that is counted may take a while until it begins to wait */

static char folder[] = "/tmp/maya-wait-XXXXXX";

static int guest_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    str_copy(at.sun_path, sizeof(at.sun_path), path);
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

/* A container that answers one request with what it was sent. */
static int container(unsigned *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 8) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static size_t read_all(int fd, char *ret, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while (len < size - 1 && (n = recv(fd, ret + len, size - 1 - len, 0)) > 0)
        len += (size_t)n;
    ret[len] = '\0';
    return len;
}

static void until_count(const char *app, unsigned n)
{
    while (wait__count(app) != n)
        poll(NULL, 0, 1); /* between two looks; the test's own time limit ends it */
}

static void test_held_and_passed_on(void)
{
    char path[80], said[200];
    struct err e;
    unsigned port;

    snprintf(path, sizeof(path), "%s/a.sock", folder);
    CHECK_INT(wait__open("a", path, &e), 0);
    CHECK_INT(wait__open("a", path, &e), 0); /* once is enough */
    wait__target("a", NULL, 0, 60, 0);
    CHECK_INT(wait__count("a"), 0);
    CHECK_INT(wait__count("nobody"), 0);
    int guest = guest_at(path);
    CHECK(send(guest, "hello", 5, 0) == 5);
    until_count("a", 1);
    int listener = container(&port);
    wait__target("a", "127.0.0.1", port, 60, fleet__now_ms() + LATER_MS);
    int inside = accept(listener, NULL, NULL);
    CHECK(recv(inside, said, 5, MSG_WAITALL) == 5 && memcmp(said, "hello", 5) == 0);
    CHECK_INT(wait__count("a"), 0);
    CHECK(send(guest, "more", 4, 0) == 4);
    CHECK(recv(inside, said, 4, MSG_WAITALL) == 4);
    CHECK(send(inside, "answer", 6, 0) == 6);
    close(inside);
    CHECK_INT(read_all(guest, said, sizeof(said)), 6);
    CHECK_STR(said, "answer");
    close(guest);
    close(listener);
}

static void test_a_container_that_is_gone_is_waited_for(void)
{
    char path[80], said[200];
    struct err e;
    unsigned port, gone;

    snprintf(path, sizeof(path), "%s/b.sock", folder);
    CHECK_INT(wait__open("b", path, &e), 0);
    close(container(&gone));
    wait__target("b", "127.0.0.1", gone, 60, fleet__now_ms() + LATER_MS);
    int guest = guest_at(path);
    until_count("b", 1);
    int listener = container(&port);
    wait__target("b", "127.0.0.1", port, 60, fleet__now_ms() + LATER_MS);
    int inside = accept(listener, NULL, NULL);
    close(inside);
    CHECK_INT(read_all(guest, said, sizeof(said)), 0);
    close(guest);
    close(listener);
}

/* It may be why the guest is here. */
static void test_one_that_was_seen_before_is_not_meant(void)
{
    char path[80];
    struct err e;
    unsigned before, after;

    snprintf(path, sizeof(path), "%s/g.sock", folder);
    CHECK_INT(wait__open("g", path, &e), 0);
    int first = container(&before), second = container(&after);
    wait__target("g", "127.0.0.1", before, 60, fleet__now_ms());
    int guest = guest_at(path);
    until_count("g", 1);
    wait__target("g", "127.0.0.1", after, 60, fleet__now_ms() + LATER_MS);
    int inside = accept(second, NULL, NULL);
    struct pollfd p = {.fd = first, .events = POLLIN};
    CHECK_INT(poll(&p, 1, 0), 0);
    close(inside);
    close(guest);
    close(first);
    close(second);
}

static void test_none_in_time(void)
{
    char path[80], said[600];
    struct err e;

    snprintf(path, sizeof(path), "%s/c.sock", folder);
    CHECK_INT(wait__open("c", path, &e), 0);
    wait__target("c", NULL, 0, 0, 0);
    int guest = guest_at(path);
    CHECK(send(guest, "GET / HTTP/1.1\r\n\r\n", 18, 0) == 18);
    CHECK(read_all(guest, said, sizeof(said)) > 100);
    CHECK(strncmp(said, "HTTP/1.1 504 ", 13) == 0 && strstr(said, "no_container") &&
          strstr(said, "\r\n" GATEWAY_WAIT_OVER ": 1\r\n"));
    close(guest);
}

static void test_who_leaves_is_not_waited_for(void)
{
    char path[80];
    struct err e;

    snprintf(path, sizeof(path), "%s/d.sock", folder);
    CHECK_INT(wait__open("d", path, &e), 0);
    wait__target("d", NULL, 0, 3600, 0);
    int guest = guest_at(path);
    until_count("d", 1);
    close(guest);
    until_count("d", 0);
}

static void test_too_many(void)
{
    char path[80], said[200];
    int guests[WAIT_MAX];
    struct err e;

    snprintf(path, sizeof(path), "%s/e.sock", folder);
    CHECK_INT(wait__open("e", path, &e), 0);
    wait__target("e", NULL, 0, 3600, 0);
    /* Those of the tests before may take a moment to be done. */
    while (pthread_mutex_lock(&lock), held > 0) {
        pthread_mutex_unlock(&lock);
        poll(NULL, 0, 1);
    }
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < WAIT_MAX; i++)
        guests[i] = guest_at(path);
    until_count("e", WAIT_MAX);
    int one_more = guest_at(path);
    CHECK(read_all(one_more, said, sizeof(said)) > 0);
    CHECK(strncmp(said, "HTTP/1.1 503 ", 13) == 0);
    close(one_more);
    for (int i = 0; i < WAIT_MAX; i++)
        close(guests[i]);
    until_count("e", 0);
}

static void test_a_place_that_cannot_be(void)
{
    struct err e;

    CHECK_INT(wait__open("f", "/proc/nowhere/x.sock", &e), -1);
    CHECK_INT(wait__count("f"), 0);
    /* The last: the folder goes. */
    for (const struct place *p = places; p; p = p->next)
        unlink(p->path);
    CHECK_INT(rmdir(folder), 0);
}

static void test_folder(void)
{
    MUST(mkdtemp(folder));
}

static const struct tap_case cases[] = {
    {"a folder for it", test_folder},
    {"a request is held and passed on", test_held_and_passed_on},
    {"a container that is gone is waited for", test_a_container_that_is_gone_is_waited_for},
    {"none in time", test_none_in_time},
    {"one that was seen before is not meant", test_one_that_was_seen_before_is_not_meant},
    {"who leaves is not waited for", test_who_leaves_is_not_waited_for},
    {"too many are told so", test_too_many},
    {"a place that cannot be", test_a_place_that_cannot_be},
};

TAP_MAIN(cases)

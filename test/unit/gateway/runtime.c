/* The runtime socket's client against a socket that does as told. */
#include "gateway/runtime.c"

#include "unit/tap.h"

#include <pthread.h>
#include <stdlib.h>

#define PATIENCE_MS 60000

static struct {
    int listener;
    char path[64], heard[8][128];
    const char *answer; /* NULL: none, for ever */
    int count;
} far;

static void *serve(void *ctx)
{
    int fd;

    (void)ctx;
    while ((fd = accept(far.listener, NULL, NULL)) >= 0) {
        char *to = far.heard[far.count % 8];
        ssize_t n = recv(fd, to, sizeof(far.heard[0]) - 1, 0);
        to[n > 0 ? n : 0] = '\0';
        far.count++;
        if (far.answer && *far.answer)
            send(fd, far.answer, strlen(far.answer), MSG_NOSIGNAL);
        if (!far.answer)
            recv(fd, &(char){0}, 1, 0); /* until the client has had enough */
        close(fd);
    }
    return NULL;
}

static pthread_t thread;

static void begin(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/maya-runtime-XXXXXX";

    memset(&far, 0, sizeof(far));
    MUST(mkdtemp(folder));
    snprintf(far.path, sizeof(far.path), "%s/s", folder);
    str_copy(sa.sun_path, sizeof(sa.sun_path), far.path);
    far.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(bind(far.listener, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
         listen(far.listener, 8) == 0 && pthread_create(&thread, NULL, serve, NULL) == 0);
}

static void end(void)
{
    shutdown(far.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(far.listener);
    unlink(far.path);
    *strrchr(far.path, '/') = '\0';
    rmdir(far.path);
}

static void one_command_one_answer(void)
{
    struct buf out = BUF_INIT;
    struct err e;

    begin();
    far.answer = "some\nlines\n\n";
    CHECK_INT(gateway_ask(far.path, "show stat", PATIENCE_MS, &out, &e), 0);
    CHECK_STR(buf_text(&out), "some\nlines\n\n");
    CHECK_STR(far.heard[0], "show stat\n");
    CHECK_INT(gateway_ask(far.path, "show stat; shutdown", PATIENCE_MS, &out, &e), -1);
    CHECK_INT(gateway_ask(far.path, "show\nstat", PATIENCE_MS, &out, &e), -1);
    CHECK_INT(e.code, ERR_INVALID);
    CHECK_INT(far.count, 1);
    far.answer = "";
    CHECK_INT(gateway_ask(far.path, "show stat", PATIENCE_MS, &out, &e), -1);
    CHECK_INT(e.code, ERR_IO);
    far.answer = NULL;
    CHECK_INT(gateway_ask(far.path, "show stat", 20, &out, &e), -1);
    CHECK_INT(e.sys, ETIMEDOUT);
    CHECK_STR(buf_text(&out), "some\nlines\n\n"); /* a failure adds nothing */
    end();
    CHECK_INT(gateway_ask("/nowhere/at/all", "show stat", PATIENCE_MS, &out, &e), -1);
    CHECK(strstr(e.msg, "/nowhere/at/all") != NULL);
    CHECK_INT(gateway_ask("127.0.0.1:1", "show stat", PATIENCE_MS, &out, &e), -1);
    CHECK_INT(e.sys, ECONNREFUSED);
    CHECK_INT(gateway_ask("[::1]:1", "show stat", PATIENCE_MS, &out, &e), -1);
    CHECK_INT(e.code, ERR_IO);
    CHECK_INT(gateway_ask("example.com:1", "show stat", PATIENCE_MS, &out, &e), -1);
    CHECK_INT(e.code, ERR_INVALID);
    buf_release(&out);
}

static void a_container_into_a_slot(void)
{
    static const char *const said[] = {
        "state maint", "addr 10.0.0.7 port 8000", "agent-addr 10.0.0.7", "agent-port 8001",
        "weight 13",   "agent-send 13%",          "state drain"};
    const struct gateway_app a = {.name = "bar", .agent = true};
    const struct gateway_server s = {"v1", "10.0.0.7", 8000, 8001, GATEWAY_DRAIN, false},
                                none = {0};
    struct err e;
    char line[128];

    begin();
    far.answer = "\n";
    CHECK_INT(gateway_set_slot(far.path, &a, 3, &s, 13, PATIENCE_MS, &e), 0);
    CHECK_INT(far.count, ARRAY_LEN(said));
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        snprintf(line, sizeof(line), "set server app-bar/s3 %s\n", said[i]);
        CHECK_STR(far.heard[i], line);
    }
    far.count = 0;
    CHECK_INT(gateway_set_slot(far.path, &a, 3, &none, 0, PATIENCE_MS, &e), 0);
    CHECK_INT(far.count, 1);
    far.answer = "IP changed from '1' to '2', port changed from '1' to '2'\n\n";
    CHECK_INT(gateway_set_weight(far.path, &a, 3, 13, PATIENCE_MS, &e), 0);
    far.answer = "No such server.\n\n";
    CHECK_INT(gateway_set_state(far.path, &a, 3, GATEWAY_READY, PATIENCE_MS, &e), -1);
    CHECK_INT(e.code, ERR_IO);
    CHECK(strstr(e.msg, "No such server.") && strstr(e.msg, "app-bar/s3"));
    end();
}

static void who_waits_is_let_go(void)
{
    const struct gateway_app a = {.name = "bar"};
    struct err e;

    begin();
    far.answer = "\n";
    CHECK_INT(gateway_release(far.path, &a, PATIENCE_MS, &e), 0);
    CHECK_INT(far.count, 1);
    CHECK_STR(far.heard[0],
              "set server app-bar/wait state maint;set server app-bar/wait state ready\n");
    far.answer = "No such server.\n\n";
    CHECK_INT(gateway_release(far.path, &a, PATIENCE_MS, &e), -1);
    CHECK_INT(far.count, 2);
    end();
}

static const struct tap_case cases[] = {
    {"one command, one answer", one_command_one_answer},
    {"a container comes into a slot", a_container_into_a_slot},
    {"who waits is let go", who_waits_is_let_go},
};

TAP_MAIN(cases)

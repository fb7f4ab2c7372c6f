/* Two gateways side by side, as sockets that somebody answers at. */
#include "gateway/door.c"

#include "unit/tap.h"

#include <pthread.h>
#include <stdlib.h>

#define PATIENCE_MS 60000 /* of one that answers; where nobody is, that is known at once */

static char folder[40];

struct end {
    int fd;
    char heard[256]; /* all commands of it */
    pthread_t thread;
};

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/maya-door-XXXXXX");
    MUST(mkdtemp(folder));
}

static void remove_folder(void)
{
    DIR *all = opendir(folder);
    struct dirent *entry;

    while (all && (entry = readdir(all)))
        unlinkat(dirfd(all), entry->d_name, 0);
    if (all)
        closedir(all);
    rmdir(folder);
}

static void *serve(void *ctx)
{
    struct end *x = ctx;
    int fd;

    while ((fd = accept(x->fd, NULL, NULL)) >= 0) {
        size_t have = strlen(x->heard);
        ssize_t n = recv(fd, x->heard + have, sizeof(x->heard) - 1 - have, 0);
        x->heard[have + (n > 0 ? (size_t)n : 0)] = '\0';
        send(fd, "\n", 1, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void begin(struct end *x, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    *x = (struct end){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
    str_copy(to.sun_path, sizeof(to.sun_path), path);
    MUST(bind(x->fd, (struct sockaddr *)&to, sizeof(to)) == 0 && listen(x->fd, 8) == 0 &&
         pthread_create(&x->thread, NULL, serve, x) == 0);
}

static void end(struct end *x)
{
    shutdown(x->fd, SHUT_RDWR);
    pthread_join(x->thread, NULL);
    close(x->fd);
}

struct one {
    struct gateway_door d;
    struct end runtime, master;
};

static void start(struct one *x, const char *name, bool running)
{
    struct err e;
    bool is = !running;

    CHECK_INT(gateway_door_init(&x->d, folder, name, &e), 0);
    CHECK_INT(gateway_door_come(&x->d, &is, &e), 0);
    CHECK_INT(is, running);
    CHECK_INT(gateway_door_ask(&x->d, 1000, &e), -1);
    begin(&x->runtime, x->d.own_runtime);
    begin(&x->master, x->d.own_master);
}

static void stop(struct one *x)
{
    end(&x->runtime);
    end(&x->master);
}

static const char *spoken_to(const char *link)
{
    static char path[200], name[200];

    snprintf(path, sizeof(path), "%s/%s", folder, link);
    ssize_t n = readlink(path, name, sizeof(name) - 1);
    name[n > 0 ? n : 0] = '\0';
    return name;
}

static void one_after_the_other(void)
{
    struct one a, b, c;
    struct err e;

    make_folder();
    start(&a, "a1", false);
    CHECK_INT(gateway_door_ask(&a.d, PATIENCE_MS, &e), 0);
    CHECK_STR(spoken_to("runtime.sock"), "runtime.sock.a1");
    CHECK_STR(spoken_to("master.sock"), "master.sock.a1");

    /* The next one: it is spoken to, and this one is told to leave, once it answers. */
    start(&b, "b2", true);
    CHECK_STR(spoken_to("runtime.sock"), "runtime.sock.a1");
    a.runtime.heard[0] = '\0';
    CHECK_INT(gateway_door_ask(&b.d, PATIENCE_MS, &e), 0);
    CHECK_STR(spoken_to("runtime.sock"), "runtime.sock.b2");
    CHECK_STR(spoken_to("master.sock"), "master.sock.b2");
    CHECK(strstr(a.runtime.heard, "set var proc.leaving bool(1)") != NULL);
    /* Who has been replaced takes nothing back. */
    CHECK_INT(gateway_door_ask(&a.d, PATIENCE_MS, &e), 0);
    CHECK_STR(spoken_to("runtime.sock"), "runtime.sock.b2");

    /* But from one that is gone: then it serves as before. */
    stop(&b);
    CHECK_INT(gateway_door_ask(&b.d, PATIENCE_MS, &e), -1);
    a.runtime.heard[0] = '\0';
    CHECK_INT(gateway_door_ask(&a.d, PATIENCE_MS, &e), 0);
    CHECK_STR(spoken_to("runtime.sock"), "runtime.sock.a1");
    CHECK_STR(spoken_to("master.sock"), "master.sock.a1");
    CHECK(strstr(a.runtime.heard, "set var proc.leaving bool(0)") != NULL);

    /* All are gone: another one begins as the first did. */
    stop(&a);
    start(&c, "c3", false);
    CHECK_INT(gateway_door_ask(&c.d, PATIENCE_MS, &e), 0);
    CHECK_STR(spoken_to("runtime.sock"), "runtime.sock.c3");
    stop(&c);
    remove_folder();
}

static void what_is_no_name(void)
{
    static const char *const bad[] = {"",   "a/b",  "a b",
                                      "..", "${X}", "a23456789012345678901234567890123"};
    struct gateway_door d;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_INT(gateway_door_init(&d, "/run/maya", bad[i], &e), -1);
        CHECK_INT(e.code, ERR_INVALID);
    }
    CHECK_INT(gateway_door_init(&d, "/run/maya", "khs443otfqlg7x37d1vw0fhqp", &e), 0);
}

/* A configuration of a build before: one socket, of the one name. */
static void an_older_configuration(void)
{
    struct gateway_door d;
    struct end runtime, master;
    struct err e;
    bool running;

    make_folder();
    CHECK_INT(gateway_door_init(&d, folder, "a1", &e), 0);
    CHECK_INT(gateway_door_come(&d, &running, &e), 0);
    begin(&runtime, d.runtime);
    CHECK_INT(gateway_door_ask(&d, PATIENCE_MS, &e), -1); /* that is another's */
    begin(&master, d.own_master);
    CHECK_INT(gateway_door_ask(&d, PATIENCE_MS, &e), 0);
    CHECK_STR(spoken_to("runtime.sock"), "");
    CHECK_STR(spoken_to("master.sock"), "master.sock.a1");
    end(&runtime);
    end(&master);
    remove_folder();
}

static const struct tap_case cases[] = {
    {"one after the other", one_after_the_other},
    {"what is no name", what_is_no_name},
    {"an older configuration", an_older_configuration},
};

TAP_MAIN(cases)

/*
 * The files that HAProxy reads: its configuration, and certificates. The configuration bears a
 * mark of all in it but who is where, which HAProxy tells when it is asked: so it is known
 * whether it runs with this one, whoever was started anew in the meantime.
 */
#include "fleet/keeper_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/strs.h"
#include "seal/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_MS 3000
#define RELOAD_MS 3000 /* between two attempts */
#define ANOTHER_MS 500 /* for another configuration: HAProxy takes some time to start */
#define PEM_MAX (512 << 10)
#define MAX_CONNS 50000
#define OWN_FILES 600 /* HAProxy's, beside two for each connection */

static int write_whole(const char *folder, const char *path, const void *data, size_t len,
                       struct err *e)
{
    char *temporary = xprintf("%s/new", folder);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = 0;

    if (fd < 0 || write(fd, data, len) != (ssize_t)len || fsync(fd) < 0 ||
        rename(temporary, path) < 0)
        rc = err_set(e, ERR_IO, errno, "write '%s'", path);
    if (fd >= 0)
        close(fd);
    free(temporary);
    return rc;
}

static bool read_whole(const char *path, struct buf *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    while (fd >= 0 && ret->len < PEM_MAX) {
        char *room = buf_reserve(ret, 16384);
        n = room ? read(fd, room, 16384) : -1;
        if (n <= 0)
            break;
        ret->len += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0 && n == 0;
}

/* Certificates */

/* One that was given, to its place. */
static bool bring(struct front *f, const char *name, struct buf *mark)
{
    char *from = xprintf("%s/%s", KEEPER_SECRETS, name);
    char *to = xprintf("%s/certs/%s", f->folder, name);
    struct buf given = BUF_INIT, there = BUF_INIT;
    struct err e;
    uint8_t digest[16];
    bool fine = read_whole(from, &given);

    if (fine && (!read_whole(to, &there) || there.len != given.len ||
                 memcmp(there.data, given.data, given.len) != 0)) {
        fine = write_whole(f->folder, to, given.data, given.len, &e) == 0;
        if (fine)
            log_info("keeper", "certificate", "file=%s", name);
        else
            log_warn("keeper", "certificate", "file=%s why=\"%s\"", name, e.msg);
    }
    if (fine) {
        seal_digest(given.data, given.len, digest);
        buf_add(mark, digest, sizeof(digest));
    }
    buf_wipe(&given);
    buf_wipe(&there);
    free(from);
    free(to);
    return fine;
}

static bool is_pem(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, ".pem") == 0 && name[0] != '.';
}

/* What nobody gives any more goes. */
static void remove_others(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char *given = xprintf("%s/%s", KEEPER_SECRETS, entry->d_name);
        if (is_pem(entry->d_name) && access(given, F_OK) < 0)
            unlinkat(dirfd(d), entry->d_name, 0);
        free(given);
    }
    if (d)
        closedir(d);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

unsigned front__certs(struct front *f)
{
    char *folder = xprintf("%s/certs", f->folder), **names = NULL;
    DIR *d = opendir(KEEPER_SECRETS);
    struct buf mark = BUF_INIT;
    struct dirent *entry;
    unsigned count = 0, fine = 0;

    while (d && (entry = readdir(d)))
        if (is_pem(entry->d_name)) {
            names = xrealloc(names, (count + 1) * sizeof(*names));
            names[count++] = xstrdup(entry->d_name);
        }
    if (d)
        closedir(d);
    mkdir(folder, 0700);
    remove_others(folder);
    if (count)
        qsort(names, count, sizeof(*names), by_text);
    for (unsigned i = 0; i < count; i++) {
        fine += bring(f, names[i], &mark);
        free(names[i]);
    }
    seal_digest(buf_text(&mark), mark.len, f->certs);
    buf_release(&mark);
    free(names);
    free(folder);
    return f->https_port ? fine : 0;
}

/* The configuration */

/* HAProxy does not start with more than it may open; containers of an engine have one limit. */
unsigned front__most_connections(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max == RLIM_INFINITY ||
        files.rlim_max > 2 * MAX_CONNS + OWN_FILES)
        return MAX_CONNS;
    return files.rlim_max > 2 * OWN_FILES ? (unsigned)(files.rlim_max - OWN_FILES) / 2 : 100;
}

/*
 * The other half of the cores is the containers'. Where HAProxy has more threads than it gets
 * cores, one of them learns late that a container has died while another still sends to it.
 */
unsigned front__threads(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 4 ? 1 : cores > 32 ? 16 : (unsigned)(cores / 2);
}

/* HAProxy does not start where it cannot listen, and a machine may be without IPv6. */
const char *front__addresses(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;

    if (fd >= 0)
        close(fd);
    return there ? "::" : "*";
}

/* Of the text without who is where, with nobody anywhere, and of the certificates. */
static void mark_of(const struct front *f, const struct gateway_plan *p, char ret[33])
{
    struct gateway_app *apps = xalloc((p->app_count + 1) * sizeof(*apps));
    struct gateway_plan empty = *p;
    struct buf text = BUF_INIT;
    uint8_t digest[16];

    for (size_t i = 0; i < p->app_count; i++) {
        apps[i] = p->apps[i];
        apps[i].server_count = 0;
        apps[i].version_count = 0;
    }
    empty.apps = apps;
    gateway_config(&empty, &text);
    buf_add(&text, f->certs, sizeof(f->certs));
    seal_digest(text.data, text.len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    free(apps);
    buf_release(&text);
}

static int write_config(struct front *f, const struct gateway_plan *p, const char *mark,
                        struct err *e)
{
    struct buf text = BUF_INIT;
    int rc = 0;

    gateway_config(p, &text);
    buf_printf(&text, "global\n    description %s\n", mark);
    if (!f->written || strcmp(f->written, buf_text(&text)) != 0)
        rc = write_whole(f->folder, f->config, text.data, text.len, e);
    if (rc == 0) {
        free(f->written);
        f->written = buf_detach(&text);
    }
    buf_release(&text);
    return rc;
}

bool front__reloaded(const struct front *f, int64_t now_ms, int64_t within_ms)
{
    return f->asked_ms && now_ms - f->asked_ms < within_ms;
}

static int reload(struct front *f, const struct gateway_plan *p, const char *mark,
                  int64_t now_ms, struct err *e)
{
    int64_t between_ms = strcmp(f->asked, mark) == 0 ? RELOAD_MS : ANOTHER_MS;
    struct buf said = BUF_INIT;
    struct err why;

    if (f->asked_ms && now_ms - f->asked_ms < between_ms)
        return 0;
    f->asked_ms = now_ms;
    str_copy(f->asked, sizeof(f->asked), mark);
    /* HAProxy's master starts itself anew, and with it ends the connection it was told on. */
    int rc = gateway_ask(f->master, "reload", TIMEOUT_MS, &said, &why);
    if (rc < 0 && strncmp(why.msg, "reach", 5) == 0)
        *e = why;
    else
        rc = 0;
    if (rc == 0)
        log_info("keeper", "gateway_reload", "apps=%zu", p->app_count);
    buf_release(&said);
    return rc;
}

/* The one that was replaced goes on with what it has, as after a reload. */
static void see_replaced(struct front *f, int64_t now_ms)
{
    char now[sizeof(f->door)];
    ssize_t n = readlink(f->runtime, now, sizeof(now) - 1);

    now[n > 0 ? n : 0] = '\0';
    if (strcmp(now, f->door) == 0)
        return;
    if (*f->door) {
        log_info("keeper", "gateway_replaced", "by=%s", now);
        f->asked_ms = now_ms;
        f->same = false;
    }
    str_copy(f->door, sizeof(f->door), now);
}

int front__configure(struct front *f, const struct gateway_plan *p, int64_t now_ms,
                     struct err *e)
{
    struct buf info = BUF_INIT;
    char mark[33];
    int rc = gateway_check(p, e);

    if (rc < 0)
        return -1;
    mark_of(f, p, mark);
    rc = write_config(f, p, mark, e);
    see_replaced(f, now_ms);
    if (rc == 0)
        rc = gateway_ask(f->runtime, "show info", TIMEOUT_MS, &info, e);
    bool same = rc == 0 && strstr(buf_text(&info), mark);
    /* For a moment the process before answers at the same socket, too. */
    f->current = same && f->same;
    f->same = same;
    if (rc == 0 && !same)
        rc = reload(f, p, mark, now_ms, e);
    buf_release(&info);
    return rc;
}

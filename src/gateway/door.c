/*
 * The gateway's place is taken by another one. HAProxy takes over all listening sockets of the
 * one before whose names it has too, and then both answer at them: so each has a name of its
 * own for those on which it is told something.
 */
#include "gateway/gateway_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_MS 1000 /* in these an open connection is told to close with its next answer */
#define LEFT_S 60     /* a socket that nobody answers at is left from earlier after that */
#define INSTANCE_MAX 32
#define RUNTIME "runtime.sock"
#define MASTER "master.sock"
#define COMING "coming"

int gateway_door_init(struct gateway_door *ret, const char *folder, const char *instance,
                      struct err *e)
{
    size_t len = strlen(instance);
    bool fine = len > 0 && len <= INSTANCE_MAX &&
                strlen(folder) + sizeof("/" RUNTIME) <= sizeof(ret->runtime);

    for (size_t i = 0; i < len; i++)
        fine = fine && isalnum((unsigned char)instance[i]);
    if (!fine)
        return err_set(e, ERR_INVALID, 0,
                       "'%.40s' in '%.80s' is not what a gateway can be called", instance,
                       folder);
    snprintf(ret->runtime, sizeof(ret->runtime), "%s/" RUNTIME, folder);
    snprintf(ret->master, sizeof(ret->master), "%s/" MASTER, folder);
    snprintf(ret->own_runtime, sizeof(ret->own_runtime), "%s.%s", ret->runtime, instance);
    snprintf(ret->own_master, sizeof(ret->own_master), "%s.%s", ret->master, instance);
    snprintf(ret->coming, sizeof(ret->coming), "%s/" COMING ".%s", folder, instance);
    return 0;
}

/* Does anybody listen there? */
static bool answers(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool there = fd >= 0 && str_copy(to.sun_path, sizeof(to.sun_path), path) &&
                 (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EAGAIN);

    if (fd >= 0)
        close(fd);
    return there;
}

int gateway_door_come(const struct gateway_door *d, bool *ret_running, struct err *e)
{
    int fd = open(d->coming, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(e, ERR_IO, errno, "write '%s'", d->coming);
    close(fd);
    *ret_running = answers(d->runtime);
    return 0;
}

/* Where a link leads to, in its own folder; "" for what is no link. */
static void follow(const char *link, char *ret, size_t size)
{
    char name[64];
    ssize_t n = readlink(link, name, sizeof(name) - 1);
    const char *slash = strrchr(link, '/');

    ret[0] = '\0';
    if (n <= 0 || !slash)
        return;
    name[n] = '\0';
    snprintf(ret, size, "%.*s/%s", (int)(slash - link), link, name);
}

/* At once is there the one or the other. */
static int point(const struct gateway_door *d, const char *link, const char *own, struct err *e)
{
    char fresh[sizeof(d->coming) + 4];

    snprintf(fresh, sizeof(fresh), "%s.new", d->coming);
    unlink(fresh);
    if (symlink(strrchr(own, '/') + 1, fresh) < 0 || rename(fresh, link) < 0)
        return err_set(e, ERR_IO, errno, "write '%s'", link);
    return 0;
}

/* *ret_before: whom it led to; "" when it leads where it did. */
static int take(const struct gateway_door *d, bool coming, const char *link, const char *own,
                char *ret_before, size_t size, struct err *e)
{
    char before[108];

    ret_before[0] = '\0';
    follow(link, before, sizeof(before));
    if (strcmp(before, own) == 0 || !answers(own) || (!coming && answers(link)))
        return 0;
    snprintf(ret_before, size, "%s", before);
    return point(d, link, own, e);
}

/* What those left who are gone. */
static void tidy(const struct gateway_door *d)
{
    const char *slash = strrchr(d->runtime, '/');
    char folder[sizeof(d->runtime)], path[400];
    struct timespec now;
    struct dirent *entry;
    struct stat st;

    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - d->runtime), d->runtime);
    DIR *all = opendir(folder);
    clock_gettime(CLOCK_REALTIME, &now);
    while (all && (entry = readdir(all))) {
        const char *name = entry->d_name;
        bool ours = strncmp(name, RUNTIME ".", sizeof(RUNTIME)) == 0 ||
                    strncmp(name, MASTER ".", sizeof(MASTER)) == 0 ||
                    strncmp(name, COMING ".", sizeof(COMING)) == 0;
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (ours && lstat(path, &st) == 0 && now.tv_sec - st.st_mtime > LEFT_S &&
            !answers(path))
            unlink(path);
    }
    if (all)
        closedir(all);
}

int gateway_door_ask(const struct gateway_door *d, int timeout_ms, struct err *e)
{
    char before[108], ignored[108];
    struct buf said = BUF_INIT;
    struct err why;
    bool coming = access(d->coming, F_OK) == 0;
    /* Its configuration may be of an older build, which knew of no such names. */
    bool older = access(d->own_runtime, F_OK) < 0 && answers(d->own_master);
    int rc =
        gateway_ask(older ? d->runtime : d->own_runtime, "show info", timeout_ms, &said, e);

    buf_release(&said);
    if (rc < 0 || take(d, coming, d->runtime, d->own_runtime, before, sizeof(before), e) < 0 ||
        take(d, coming, d->master, d->own_master, ignored, sizeof(ignored), e) < 0)
        return -1;
    /* The one that came after this one may be gone again. */
    if (*before && !coming && gateway_leave(d->own_runtime, false, timeout_ms, e) < 0)
        return -1;
    if (!coming)
        return 0;
    if (*before && answers(before) && gateway_leave(before, true, timeout_ms, &why) == 0)
        poll(NULL, 0, LEAVE_MS);
    unlink(d->coming);
    tidy(d);
    return 0;
}

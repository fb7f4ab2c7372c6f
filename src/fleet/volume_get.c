/*
 * Out of a volume: the engine's archive of it, written here as it comes. What it says is not
 * trusted: every name is looked at, no link is made or followed, no owner taken over.
 */
#include "fleet/files_int.h"
#include "fleet/helper.h"
#include "fleet/untar.h"
#include "fleet/volume_int.h"

#include "base/alloc.h"
#include "engine/engine.h"
#include "fleet/fleet_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct get {
    const struct fleet_copy *c;
    struct untar untar;
    struct err e;
    bool failed, to_output;
    char *target; /* "here/b" */
    int parent;   /* the folder that it is in */
    const char *name;
    /* the file under way */
    int fd, folder;
    char part[40], *last;
    unsigned mode;
    int64_t time;
    uint64_t done;
    unsigned left_out;
};

static void note(struct get *g, const char *path, const char *what)
{
    g->left_out++;
    if (g->c->on_note) {
        char *line = xprintf("left out: '%.200s' is %s", path, what);
        g->c->on_note(g->c->ctx, line);
        free(line);
    }
}

/* The folder for an entry, and its name in there. `rest` is "" for the first of all. */
static int open_place(struct get *g, const char *rest, const char **ret_name, struct err *e)
{
    int top, fd;

    if (!*rest) {
        *ret_name = g->name;
        fd = files__folder(g->parent, ".");
        return fd >= 0 ? fd : err_set(e, ERR_IO, errno, "open the folder of '%s'", g->target);
    }
    top = files__folder(g->parent, g->name);
    if (top < 0)
        return err_set(e, ERR_IO, errno, "open '%.150s'", g->target);
    fd = top;
    for (const char *slash; fd >= 0 && (slash = strchr(rest, '/')); rest = slash + 1) {
        char *part = xstrndup(rest, (size_t)(slash - rest));
        int next = files__folder(fd, part), why = errno;
        free(part);
        close(fd);
        fd = next;
        errno = why;
    }
    *ret_name = rest;
    return fd >= 0 ? fd : err_set(e, ERR_IO, errno, "open a folder of '%.150s'", rest);
}

static bool make_folder(struct get *g, int at, const char *name, unsigned mode, struct err *e)
{
    struct stat st;

    if (mkdirat(at, name, (mode & 0777) | 0700) == 0)
        return true;
    if (errno == EEXIST && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(st.st_mode) && g->c->replace)
        return true;
    if (errno == EEXIST)
        err_set(e, ERR_EXISTS, 0, "'%.150s' is here already and is no folder", name);
    else
        err_set(e, ERR_IO, errno, "make the folder '%.150s'", name);
    return false;
}

static bool begin_file(struct get *g, int at, const char *name, const struct untar_entry *entry,
                       struct err *e)
{
    snprintf(g->part, sizeof(g->part), ".maya-get-%ld", (long)getpid());
    unlinkat(at, g->part, 0);
    g->fd = openat(at, g->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (g->fd < 0) {
        err_set(e, ERR_IO, errno, "make a file beside '%.150s'", name);
        return false;
    }
    g->folder = files__folder(at, ".");
    g->last = xstrdup(name);
    g->mode = entry->mode & 0777;
    g->time = entry->time;
    return g->folder >= 0 || err_set(e, ERR_IO, errno, "open a folder") == 0;
}

static const char *kind_words(char type)
{
    switch (type) {
    case '1':
        return "one file under two names";
    case '2':
        return "a link";
    case '6':
        return "a pipe";
    default:
        return "a device or the like";
    }
}

static bool on_entry(void *ctx, const struct untar_entry *entry, struct err *e)
{
    struct get *g = ctx;
    const char *name = "";
    char *path;
    bool fine = false;

    if (entry->type != '0' && entry->type != '5') {
        note(g, entry->path, kind_words(entry->type));
        return true;
    }
    if (g->to_output)
        return entry->type == '0' ||
               err_set(e, ERR_INVALID, 0, "a folder cannot go to the output") == 0;
    if (entry->path[0] == '/' || fleet_files_path(entry->path, &path, e) < 0) {
        err_set(e, ERR_IO, 0, "the engine sends '%.100s', which leads elsewhere", entry->path);
        return false;
    }
    const char *slash = strchr(path, '/');
    int at = open_place(g, slash ? slash + 1 : "", &name, e);
    if (at >= 0) {
        fine = entry->type == '5' ? make_folder(g, at, name, entry->mode, e)
                                  : begin_file(g, at, name, entry, e);
        close(at);
    }
    free(path);
    return fine;
}

static bool on_data(void *ctx, const char *data, size_t len, struct err *e)
{
    struct get *g = ctx;
    int fd = g->to_output ? STDOUT_FILENO : g->fd;

    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ENOSPC)
            err_set(e, ERR_IO, 0, "the disk here is full");
        else if (n < 0)
            err_set(e, ERR_IO, errno, "write '%.150s'", g->to_output ? "the output" : g->last);
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static void drop_file(struct get *g)
{
    if (g->fd >= 0)
        close(g->fd);
    if (g->folder >= 0) {
        unlinkat(g->folder, g->part, 0);
        close(g->folder);
    }
    free(g->last);
    g->fd = g->folder = -1;
    g->last = NULL;
}

static bool on_end(void *ctx, struct err *e)
{
    struct get *g = ctx;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)g->time}};
    int rc = 0;

    if (g->to_output)
        return true;
    /* A file system that keeps no modes or times is no reason to lose the file. */
    (void)!fchmod(g->fd, g->mode);
    (void)!futimens(g->fd, times);
    if (close(g->fd) < 0)
        rc = err_set(e, ERR_IO, errno, "write '%.150s'", g->last);
    g->fd = -1;
    if (rc == 0 && renameat(g->folder, g->part, g->folder, g->last) < 0)
        rc = err_set(e, errno == EISDIR ? ERR_EXISTS : ERR_IO, errno, "replace '%.150s'",
                     g->last);
    if (rc == 0)
        g->part[0] = '\0';
    drop_file(g);
    return rc == 0;
}

static bool on_piece(void *ctx, const char *data, size_t len)
{
    struct get *g = ctx;

    g->done += len;
    if (g->c->on_bytes)
        g->c->on_bytes(g->c->ctx, g->done);
    g->failed = fleet__untar_feed(&g->untar, data, len, &g->e) < 0;
    return !g->failed;
}

static int receive(struct get *g, const struct helper *h, const char *path, struct err *e)
{
    static const struct untar_sink calls = {on_entry, on_data, on_end, NULL};
    struct untar_sink sink = calls;
    char *whole = volume__archive(h, path);
    struct engine_call call = {.method = "GET",
                               .path = whole,
                               .on_data = on_piece,
                               .data_ctx = g,
                               .silence_s = ENGINE_SILENCE_S};

    sink.ctx = g;
    fleet__untar_init(&g->untar, &sink);
    int rc = engine_do(h->en, &call, e);
    if (g->failed) {
        *e = g->e;
        rc = -1;
    }
    if (rc == 0)
        rc = fleet__untar_finish(&g->untar, e);
    drop_file(g);
    fleet__untar_release(&g->untar);
    engine_call_release(&call);
    free(whole);
    return rc;
}

/* Where it goes: into a folder that is there, under its own name; else under the name said. */
static int choose_target(struct get *g, const char *base, bool folder, struct err *e)
{
    const char *local = g->c->local && *g->c->local ? g->c->local : ".";
    struct stat st;

    if (stat(local, &st) == 0 && S_ISDIR(st.st_mode))
        g->target = xprintf("%s%s%s", local, local[strlen(local) - 1] == '/' ? "" : "/", base);
    else
        g->target = xstrdup(local);
    char *slash = strrchr(g->target, '/');
    g->name = slash ? slash + 1 : g->target;
    if (!*g->name)
        return err_set(e, ERR_NOT_FOUND, 0, "there is no folder '%.150s' here", local);
    char *parent = slash ? xstrndup(g->target, (size_t)(slash - g->target) + 1) : xstrdup(".");
    g->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = g->parent < 0 ? err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                                     "open the folder '%.150s'", parent)
                           : 0;
    free(parent);
    if (rc < 0 || fstatat(g->parent, g->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return rc;
    if (!g->c->replace)
        return err_set(e, ERR_EXISTS, 0, "'%.150s' is here already; --force replaces it",
                       g->target);
    if (folder != S_ISDIR(st.st_mode))
        return err_set(e, ERR_EXISTS, 0, "'%.150s' is here already and is %s", g->target,
                       folder ? "no folder" : "a folder");
    return 0;
}

static int get_all(struct get *g, const struct helper *h, const char *path, struct err *e)
{
    enum volume_kind there = VOLUME_NOTHING;
    const char *slash = strrchr(path, '/');
    uint64_t size;

    if (volume__kind(h, path, &there, &size, e) < 0)
        return -1;
    if (there == VOLUME_NOTHING)
        return err_set(e, ERR_NOT_FOUND, 0, "there is no '/%.150s' in the volume", path);
    if (there == VOLUME_OTHER)
        return err_set(e, ERR_INVALID, 0, "'/%.150s' is a link, a pipe or a device", path);
    if (g->to_output && there == VOLUME_FOLDER)
        return err_set(e, ERR_INVALID, 0, "'/%.150s' is a folder; only a file can be printed",
                       path);
    if (!g->to_output && choose_target(g,
                                       !*path  ? g->c->volume
                                       : slash ? slash + 1
                                               : path,
                                       there == VOLUME_FOLDER, e) < 0)
        return -1;
    return receive(g, h, path, e);
}

int fleet_volume_get(struct engine *en, const struct fleet_copy *c, char **ret_path,
                     unsigned *ret_left_out, struct err *e)
{
    static const char *const argv[] = {"list", "", NULL}; /* it is never started */
    struct get g = {.c = c, .parent = -1, .fd = -1, .folder = -1};
    struct helper h = {0};
    json_t *row = NULL;
    char *path = NULL;
    int rc = -1;

    g.to_output = c->local && strcmp(c->local, "-") == 0;
    if (fleet_files_path(c->remote, &path, e) == 0 &&
        volume__find(en, c->volume, &row, e) == 0 &&
        fleet__helper_open(en, c->volume, HELPER_READ, argv, &h, e) == 0)
        rc = get_all(&g, &h, path, e);
    fleet__helper_close(&h);
    if (g.parent >= 0)
        close(g.parent);
    if (rc == 0) {
        *ret_path = g.target ? g.target : xstrdup("-");
        *ret_left_out = g.left_out;
    } else {
        free(g.target);
    }
    json_decref(row);
    free(path);
    return rc;
}

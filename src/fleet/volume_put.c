/*
 * Into a volume: sent to a folder of its own in it, through a container that does not run yet;
 * then that container is started and moves all to its place (files_move.c).
 */
#include "fleet/volume_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/engine.h"
#include "fleet/fleet_int.h"
#include "fleet/helper.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARKED "what" /* the name within the folder */

struct put {
    struct engine *en;
    const struct fleet_copy *c;
    char *to;   /* "a/b" */
    char *park; /* ".maya-put-0f31" */
    char *from; /* here */
    int spool;  /* of stdin, or -1 */
    struct image_tree *tree;
    bool folder, sent;
};

/* stdin has no size before its end; a file without a name holds it. */
static int spool_input(struct put *p, struct err *e)
{
    static char piece[64 * 1024];
    const char *folder = getenv("TMPDIR");
    ssize_t n;

    p->spool = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
    if (p->spool < 0)
        return err_set(e, ERR_IO, errno, "make a file in %s",
                       folder && *folder ? folder : "/tmp");
    while ((n = read(STDIN_FILENO, piece, sizeof(piece))) != 0) {
        if (n < 0)
            return errno == EINTR ? err_set(e, ERR_STOPPED, 0, "stopped")
                                  : err_set(e, ERR_IO, errno, "read the input");
        for (ssize_t at = 0, m; at < n; at += m)
            if ((m = write(p->spool, piece + at, (size_t)(n - at))) < 0)
                return err_set(e, ERR_IO, errno, "keep the input");
    }
    p->from = xprintf("/proc/self/fd/%d", p->spool);
    return 0;
}

/* "." and ".." name no file: what is in such a folder goes into the one there. */
static int choose_place(struct put *p, struct err *e)
{
    const char *said = p->c->remote && *p->c->remote ? p->c->remote : "/";
    bool into = said[strlen(said) - 1] == '/';
    char *local = xstrdup(p->c->local);

    for (size_t n = strlen(local); n > 1 && local[n - 1] == '/'; n--)
        local[n - 1] = '\0';
    const char *slash = strrchr(local, '/'), *name = slash ? slash + 1 : local;
    if (p->spool >= 0 && into) {
        free(local);
        return err_set(e, ERR_INVALID, 0,
                       "the input has no name; say what the file is to be called, as in "
                       "`maya volume put NAME - /a/b`");
    }
    bool nameless = !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    char *whole = into && !nameless ? xprintf("%s%s", said, name) : xstrdup(said);
    int rc = fleet_files_path(whole, &p->to, e);
    free(whole);
    free(local);
    return rc;
}

/* A link is not followed, with a slash behind it neither: stat() goes over it then. */
static int refuse_link(const char *path, struct err *e)
{
    char *bare = xstrdup(path);
    struct stat st;

    for (size_t n = strlen(bare); n > 1 && bare[n - 1] == '/'; n--)
        bare[n - 1] = '\0';
    bool link = lstat(bare, &st) == 0 && S_ISLNK(st.st_mode);
    free(bare);
    if (link)
        return err_set(e, ERR_INVALID, 0,
                       "'%.150s' is a link, and none is followed; name what it leads to", path);
    return 0;
}

static int gather(struct put *p, struct err *e)
{
    struct stat st;
    char *parked;
    uint32_t chance;

    p->spool = -1;
    if (strcmp(p->c->local, "-") == 0) {
        if (spool_input(p, e) < 0)
            return -1;
    } else if (refuse_link(p->c->local, e) < 0) {
        return -1;
    } else {
        p->from = xstrdup(p->c->local);
    }
    if (choose_place(p, e) < 0)
        return -1;
    MUST(p->from && p->to);
    if (stat(p->from, &st) < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open '%.150s'",
                       p->c->local);
    p->folder = S_ISDIR(st.st_mode);
    if (!p->folder && !*p->to)
        return err_set(e, ERR_INVALID, 0, "'/' is the volume itself; name a file in it");
    p->tree = image_tree_new();
    if (getrandom(&chance, sizeof(chance), 0) < 0)
        chance = (uint32_t)getpid(); /* another one at the same time is unlikely anyway */
    p->park = xprintf(".maya-put-%08x", chance);
    parked = xprintf("%s/" PARKED, p->park);
    image_add_folder(p->tree, p->park, 0700, 0);
    int rc = image_add_copy(p->tree, parked, p->from, e);
    free(parked);
    return rc;
}

/* Before much is sent for nothing. A race is found by who moves it. */
static int look_first(const struct put *p, const struct helper *h, struct err *e)
{
    enum volume_kind there = VOLUME_NOTHING;
    uint64_t size;

    if (volume__kind(h, p->to, &there, &size, e) < 0)
        return -1;
    if (there == VOLUME_FOLDER && !p->folder)
        return err_set(e, ERR_EXISTS, 0,
                       "'/%.120s' is a folder; with a '/' behind it the file goes into it",
                       p->to);
    if (there == VOLUME_FILE && p->folder)
        return err_set(e, ERR_EXISTS, 0, "'/%.150s' is there and is no folder", p->to);
    if (there != VOLUME_NOTHING && !p->folder && !p->c->replace)
        return err_set(e, ERR_EXISTS, 0, "'/%.150s' is there already; --force replaces it",
                       p->to);
    return 0;
}

static int send_all(struct put *p, struct helper *h, struct err *e)
{
    const struct image_send s = {.container = h->id,
                                 .folder = FLEET_FILES_ROOT,
                                 .tree = p->tree,
                                 .on_bytes = p->c->on_bytes,
                                 .ctx = p->c->ctx};

    p->sent = true;
    if (image_send(p->en, &s, e) == 0)
        return 0;
    if (e->code == ERR_DISK)
        return err_set(e, ERR_DISK, 0,
                       "the disk that has the volume '%s' is full; nothing was put there",
                       p->c->volume);
    return -1;
}

/* What was sent and did not find its place. */
static void clear(struct put *p, bool stopped)
{
    const char *const argv[] = {"remove-all", p->park, NULL};
    struct helper h = {0};
    struct err ignored;

    if (stopped)
        engine_unstop(p->en);
    if (fleet__helper_open(p->en, p->c->volume, HELPER_WRITE, argv, &h, &ignored) == 0 &&
        fleet__helper_run(&h, NULL, NULL, &ignored) < 0 && p->c->on_note &&
        ignored.code != ERR_NOT_FOUND) {
        char *line = xprintf("what was sent is left in the volume as /%s", p->park);
        p->c->on_note(p->c->ctx, line);
        free(line);
    }
    fleet__helper_close(&h);
}

static int put_all(struct put *p, struct err *e)
{
    struct helper h = {0};
    struct buf quoted = BUF_INIT;
    char owner[16], *from = xprintf("%s/" PARKED, p->park);
    int rc;

    engine_quote(&quoted, p->to);
    snprintf(owner, sizeof(owner), "%d", IMAGE_USER);
    const char *const argv[] = {p->c->replace ? "move-over" : "move", from, buf_text(&quoted),
                                owner, NULL};
    rc = fleet__helper_open(p->en, p->c->volume, HELPER_WRITE, argv, &h, e);
    if (rc == 0)
        rc = look_first(p, &h, e);
    if (rc == 0)
        rc = send_all(p, &h, e);
    if (rc == 0)
        rc = fleet__helper_run(&h, NULL, NULL, e);
    fleet__helper_close(&h);
    if (rc < 0 && p->sent)
        clear(p, e->code == ERR_STOPPED);
    buf_release(&quoted);
    free(from);
    return rc;
}

static void warn_of_apps(const struct fleet_copy *c, const json_t *row)
{
    const json_t *running = json_object_get(row, "running");

    if (json_array_size(running) == 0 || !c->on_note)
        return;
    char *who = volume__join(running);
    char *line = xprintf("%s runs and uses this volume: it finds the files changed", who);
    c->on_note(c->ctx, line);
    free(line);
    free(who);
}

int fleet_volume_put(struct engine *en, const struct fleet_copy *c, char **ret_path,
                     struct err *e)
{
    struct put p = {.en = en, .c = c, .spool = -1};
    json_t *row = NULL;
    int rc = volume__find(en, c->volume, &row, e);

    if (rc == 0)
        rc = gather(&p, e);
    if (rc == 0) {
        warn_of_apps(c, row);
        rc = put_all(&p, e);
    }
    if (rc == 0)
        *ret_path = xprintf("/%s", p.to);
    json_decref(row);
    image_tree_free(&p.tree);
    if (p.spool >= 0)
        close(p.spool);
    free(p.from);
    free(p.park);
    free(p.to);
    return rc;
}

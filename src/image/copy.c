/* Files as they are, into a container. */
#include "image/image_int.h"

#include "base/alloc.h"
#include "engine/engine.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64
#define SEND_SILENCE_S 300
#define NAME_SHOWN 100

/* strcmp's order and not the language's: the tree's own, so that it grows at its end. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_itself(const struct dirent *at)
{
    return strcmp(at->d_name, ".") != 0 && strcmp(at->d_name, "..") != 0;
}

static int add_at(struct image_tree *t, const char *path, const char *source, int depth,
                  struct err *e);

static int add_members(struct image_tree *t, const char *path, const char *source, int depth,
                       struct err *e)
{
    struct dirent **names;
    int n = scandir(source, &names, not_itself, by_bytes), rc = 0;

    if (n < 0)
        return err_set(e, ERR_IO, errno, "open '%.150s'", source);
    if (depth > DEPTH_MAX)
        rc = err_set(e, ERR_INVALID, 0, "'%.*s' is more than %d folders deep", NAME_SHOWN,
                     source, DEPTH_MAX);
    for (int i = 0; i < n; i++) {
        char *to = xprintf("%s/%s", path, names[i]->d_name);
        char *from = xprintf("%s/%s", source, names[i]->d_name);
        if (rc == 0)
            rc = add_at(t, to, from, depth + 1, e);
        free(from);
        free(to);
        free(names[i]);
    }
    free(names);
    return rc;
}

static const char *kind_words(mode_t mode)
{
    return S_ISLNK(mode)    ? "a link"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

static int add_at(struct image_tree *t, const char *path, const char *source, int depth,
                  struct err *e)
{
    struct stat st;
    int rc = depth ? lstat(source, &st) : stat(source, &st);

    if (rc < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open '%.150s'",
                       source);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, 0, "'%.150s' is %s; only files and folders are copied",
                       source, kind_words(st.st_mode));
    if (access(source, S_ISDIR(st.st_mode) ? R_OK | X_OK : R_OK) < 0)
        return err_set(e, ERR_IO, errno, "read '%.150s'", source);
    struct image_entry *entry =
        image__entry(t, path, S_ISDIR(st.st_mode) ? IMAGE_ENTRY_FOLDER : IMAGE_ENTRY_FILE);
    entry->mode = st.st_mode & 0777;
    entry->time = st.st_mtime;
    if (S_ISDIR(st.st_mode))
        return add_members(t, path, source, depth, e);
    entry->size = (uint64_t)st.st_size;
    entry->source = xstrdup(source);
    return 0;
}

int image_add_copy(struct image_tree *t, const char *path, const char *source, struct err *e)
{
    return add_at(t, path, source, 0, e);
}

struct sending {
    struct image_tar *tar;
    const struct image_send *s;
    uint64_t done;
};

static long read_piece(void *ctx, char *to, size_t size)
{
    struct sending *x = ctx;
    long n = image__tar_read(x->tar, to, size);

    if (n > 0)
        x->done += (uint64_t)n;
    if (n > 0 && x->s->on_bytes)
        x->s->on_bytes(x->s->ctx, x->done);
    return n;
}

int image_send(struct engine *en, const struct image_send *s, struct err *e)
{
    struct sending x = {.tar = image__tar_new(s->tree), .s = s};
    struct buf path = BUF_INIT;

    buf_printf(&path, "/containers/%s/archive?noOverwriteDirNonDir=1&path=", s->container);
    engine_quote(&path, s->folder);
    struct engine_call call = {.method = "PUT",
                               .path = buf_text(&path),
                               .body_read = read_piece,
                               .body_ctx = &x,
                               .body_type = "application/x-tar",
                               .silence_s = SEND_SILENCE_S};
    int rc = engine_do(en, &call, e);
    if (rc < 0 && image__tar_error(x.tar)->code != ERR_NONE)
        *e = *image__tar_error(x.tar);
    engine_call_release(&call);
    buf_release(&path);
    image__tar_free(&x.tar);
    return rc;
}

/* What goes into an image, sorted by path, so that the same things make the same bytes. */
#include "image/image_int.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64

struct image_tree *image_tree_new(void)
{
    return xalloc(sizeof(struct image_tree));
}

static void release(struct image_entry *entry)
{
    free(entry->path);
    free(entry->source);
}

void image_tree_free(struct image_tree **t)
{
    if (!*t)
        return;
    for (size_t i = 0; i < (*t)->count; i++)
        release(&(*t)->at[i]);
    free((*t)->at);
    free(*t);
    *t = NULL;
}

/* Where a path is, or would be. */
static size_t place(const struct image_tree *t, const char *path, bool *ret_there)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(t->at[middle].path, path);
        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = false;
    return low;
}

const struct image_entry *image__find(const struct image_tree *t, const char *path)
{
    bool there;
    size_t i = place(t, path, &there);

    return there ? &t->at[i] : NULL;
}

static struct image_entry *insert(struct image_tree *t, const char *path)
{
    bool there;
    size_t i = place(t, path, &there);

    MUST(!there || t->at);
    if (there) {
        release(&t->at[i]);
    } else {
        if (t->count == t->cap) {
            t->cap = t->cap ? 2 * t->cap : 64;
            t->at = xrealloc(t->at, t->cap * sizeof(*t->at));
        }
        MUST(t->at);
        memmove(&t->at[i + 1], &t->at[i], (t->count - i) * sizeof(*t->at));
        t->count++;
    }
    t->at[i] = (struct image_entry){.path = xstrdup(path)};
    return &t->at[i];
}

static void add_parents(struct image_tree *t, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *parent = xstrndup(path, (size_t)(slash - path));
        if (!image__find(t, parent)) {
            struct image_entry *entry = insert(t, parent);
            entry->kind = IMAGE_ENTRY_FOLDER;
            entry->mode = 0755;
        }
        free(parent);
    }
}

struct image_entry *image__entry(struct image_tree *t, const char *path,
                                 enum image_entry_kind kind)
{
    while (*path == '/')
        path++;
    add_parents(t, path);
    struct image_entry *entry = insert(t, path);
    entry->kind = kind;
    return entry;
}

void image_add_bytes(struct image_tree *t, const char *path, unsigned mode, const void *data,
                     size_t len)
{
    struct image_entry *entry = image__entry(t, path, IMAGE_ENTRY_BYTES);

    entry->mode = mode;
    entry->size = len;
    entry->source = xalloc(len + 1);
    memcpy(entry->source, data, len);
}

void image_add_folder(struct image_tree *t, const char *path, unsigned mode, unsigned owner)
{
    struct image_entry *entry;

    while (*path == '/')
        path++;
    if (!*path)
        return;
    entry = image__entry(t, path, IMAGE_ENTRY_FOLDER);
    entry->mode = mode;
    entry->owner = owner;
}

void image_add_link(struct image_tree *t, const char *path, const char *target)
{
    struct image_entry *entry = image__entry(t, path, IMAGE_ENTRY_LINK);

    entry->mode = 0777;
    entry->source = xstrdup(target);
}

int image__add_file(struct image_tree *t, const char *path, const char *source, struct err *e)
{
    struct stat st;
    struct image_entry *entry;

    if (stat(source, &st) < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open '%s'", source);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, 0, "'%s' is not a file", source);
    if (access(source, R_OK) < 0)
        return err_set(e, ERR_IO, errno, "read '%s'", source);
    entry = image__entry(t, path, IMAGE_ENTRY_FILE);
    entry->mode = st.st_mode & S_IXUSR ? 0755 : 0644;
    entry->size = (uint64_t)st.st_size;
    entry->source = xstrdup(source);
    return 0;
}

static int add_link_at(struct image_tree *t, const char *path, const char *source,
                       struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlink(source, target, sizeof(target) - 1);

    if (n < 0)
        return err_set(e, ERR_IO, errno, "read the link '%s'", source);
    target[n] = '\0';
    image_add_link(t, path, target);
    return 0;
}

static int add_folder(struct image_tree *t, const char *path, const char *source,
                      const char *rel, int depth, const struct image_walk *walk, struct err *e);

static int add_member(struct image_tree *t, const char *path, const char *source,
                      const char *rel, int depth, const struct image_walk *walk, struct err *e)
{
    struct stat st;

    if (lstat(source, &st) < 0)
        return err_set(e, ERR_IO, errno, "open '%s'", source);
    if (walk && walk->keep && !walk->keep(walk->ctx, rel, S_ISDIR(st.st_mode)))
        return 0;
    if (S_ISDIR(st.st_mode))
        return add_folder(t, path, source, rel, depth + 1, walk, e);
    if (S_ISLNK(st.st_mode))
        return add_link_at(t, path, source, e);
    if (S_ISREG(st.st_mode))
        return image__add_file(t, path, source, e);
    return 0; /* sockets, pipes and devices are of this machine */
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *at)
{
    return strcmp(at->d_name, ".") != 0 && strcmp(at->d_name, "..") != 0;
}

static int add_named(struct image_tree *t, const char *path, const char *source,
                     const char *rel, const char *name, int depth,
                     const struct image_walk *walk, struct err *e)
{
    char *to = xprintf("%s%s%s", path, *path ? "/" : "", name);
    char *from = xprintf("%s/%s", source, name);
    char *inner = xprintf("%s%s%s", rel, *rel ? "/" : "", name);
    int rc = add_member(t, to, from, inner, depth, walk, e);

    free(inner);
    free(from);
    free(to);
    return rc;
}

/*
 * A folder's own entry comes only with something in it, or when nothing chooses. In order: then
 * each entry goes near the end of the tree, and little moves.
 */
static int add_folder(struct image_tree *t, const char *path, const char *source,
                      const char *rel, int depth, const struct image_walk *walk, struct err *e)
{
    struct dirent **names = NULL;
    int rc = 0, count;

    if (depth > DEPTH_MAX)
        return err_set(e, ERR_INVALID, 0, "'%s' is more than %d folders deep", source,
                       DEPTH_MAX);
    count = scandir(source, &names, no_dots, by_name);
    if (count < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open '%s'", source);
    if (*path && !(walk && walk->keep))
        image_add_folder(t, path, 0755, 0);
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = add_named(t, path, source, rel, names[i]->d_name, depth, walk, e);
        free(names[i]);
    }
    free(names);
    return rc;
}

int image__add_below(struct image_tree *t, const char *path, const char *source,
                     const struct image_walk *walk, struct err *e)
{
    while (*path == '/')
        path++;
    return add_folder(t, path, source, "", 0, walk, e);
}

int image_add(struct image_tree *t, const char *path, const char *source, struct err *e)
{
    struct stat st;

    if (stat(source, &st) < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open '%s'", source);
    return S_ISDIR(st.st_mode) ? image__add_below(t, path, source, NULL, e)
                               : image__add_file(t, path, source, e);
}

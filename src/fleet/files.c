/*
 * The files of a volume, from within the container that has it: listed and removed. Every
 * folder is opened from the one above and no link is followed, so nothing that an app put
 * there leads out of it.
 */
#include "fleet/files_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int files__fail(struct err *e, const char *what, const char *path)
{
    if (errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, 0, "there is no '/%.150s' in the volume", path);
    if (errno == ELOOP || errno == ENOTDIR)
        return err_set(e, ERR_INVALID, 0,
                       "a part of '/%.150s' is a link or a file, and no folder", path);
    return err_set(e, ERR_IO, errno, "%s '/%.150s'", what, path);
}

int files__folder(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int files__parent(int root, const char *path, const char **ret_name, struct err *e)
{
    int fd = files__folder(root, ".");
    const char *name = path;

    for (const char *slash; fd >= 0 && (slash = strchr(name, '/')); name = slash + 1) {
        char *part = xstrndup(name, (size_t)(slash - name));
        int next = files__folder(fd, part);
        int why = errno;
        free(part);
        close(fd);
        fd = next;
        errno = why;
    }
    *ret_name = *name ? name : ".";
    return fd >= 0 ? fd : files__fail(e, "open", path);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int files__names(int folder, struct files_names *ret)
{
    int fd = files__folder(folder, ".");
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    size_t cap = 0;

    *ret = (struct files_names){0};
    if (!d) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    for (struct dirent *at; (at = readdir(d));) {
        if (strcmp(at->d_name, ".") == 0 || strcmp(at->d_name, "..") == 0)
            continue;
        if (ret->count == cap) {
            cap = cap ? 2 * cap : 64;
            ret->at = xrealloc(ret->at, cap * sizeof(*ret->at));
        }
        ret->at[ret->count++] = xstrdup(at->d_name);
    }
    closedir(d);
    if (ret->count)
        qsort(ret->at, ret->count, sizeof(*ret->at), by_text);
    return 0;
}

void files__names_release(struct files_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->at[i]);
    free(n->at);
    *n = (struct files_names){0};
}

char *files__join(const char *folder, const char *name)
{
    return xprintf("%s%s%s", folder, *folder ? "/" : "", name);
}

static const char *type_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "dir";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    default:
        return "device";
    }
}

static void print_one(FILE *out, const struct stat *st, const char *path)
{
    struct buf quoted = BUF_INIT;

    engine_quote(&quoted, path);
    fprintf(out, "%s %lld %lld %04o %s\n", type_of(st->st_mode), (long long)st->st_size,
            (long long)st->st_mtime, (unsigned)st->st_mode & 07777, buf_text(&quoted));
    buf_release(&quoted);
}

static int list_folder(int folder, const char *path, bool deep, int depth, FILE *out,
                       struct err *e)
{
    struct files_names names;
    int rc = 0;

    if (depth > FILES_DEPTH_MAX)
        return err_set(e, ERR_INVALID, 0, "'/%.100s' is too deep", path);
    if (files__names(folder, &names) < 0)
        return files__fail(e, "open", path);
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        char *whole = files__join(path, names.at[i]);
        struct stat st;
        if (fstatat(folder, names.at[i], &st, AT_SYMLINK_NOFOLLOW) == 0) { /* or it just went */
            print_one(out, &st, whole);
            int fd = deep && S_ISDIR(st.st_mode) ? files__folder(folder, names.at[i]) : -1;
            if (fd >= 0) {
                rc = list_folder(fd, whole, deep, depth + 1, out, e);
                close(fd);
            }
        }
        free(whole);
    }
    files__names_release(&names);
    return rc;
}

int fleet_files_list(int root, const char *path, bool deep, FILE *out, struct err *e)
{
    const char *name;
    struct stat st;
    int rc = 0, fd = files__parent(root, path, &name, e);

    if (fd < 0)
        return -1;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        rc = files__fail(e, "open", path);
    } else if (!S_ISDIR(st.st_mode)) {
        print_one(out, &st, path);
    } else {
        int folder = files__folder(fd, name);
        rc = folder < 0 ? files__fail(e, "open", path)
                        : list_folder(folder, path, deep, 0, out, e);
        if (folder >= 0)
            close(folder);
    }
    close(fd);
    return rc;
}

int files__empty(int folder, const char *path, int depth, struct err *e)
{
    struct files_names names;
    int rc = 0;

    if (files__names(folder, &names) < 0)
        return files__fail(e, "open", path);
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        char *whole = files__join(path, names.at[i]);
        rc = files__remove(folder, names.at[i], whole, true, depth + 1, e);
        free(whole);
    }
    files__names_release(&names);
    return rc;
}

int files__remove(int parent, const char *name, const char *path, bool deep, int depth,
                  struct err *e)
{
    int folder, rc;

    if (unlinkat(parent, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* Linux says EISDIR, POSIX EPERM */
        return files__fail(e, "remove", path);
    if (!deep)
        return err_set(e, ERR_INVALID, 0,
                       "'/%.150s' is a folder; -r removes it with all that is in it", path);
    if (depth > FILES_DEPTH_MAX)
        return err_set(e, ERR_INVALID, 0, "'/%.100s' is too deep", path);
    folder = files__folder(parent, name);
    if (folder < 0)
        return files__fail(e, "open", path);
    rc = files__empty(folder, path, depth, e);
    close(folder);
    if (rc == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        rc = files__fail(e, "remove", path);
    return rc;
}

int fleet_files_remove(int root, const char *path, bool deep, struct err *e)
{
    const char *name;
    int rc, fd;

    if (!*path)
        return deep ? files__empty(root, "", 0, e)
                    : err_set(e, ERR_INVALID, 0, "'/' is all of the volume; -r empties it");
    fd = files__parent(root, path, &name, e);
    if (fd < 0)
        return -1;
    rc = files__remove(fd, name, path, deep, 0, e);
    close(fd);
    return rc;
}

/*
 * What was put into a volume goes to its place: looked over first, so that nothing is moved
 * when something stands in the way, and each file by one rename, so that nobody sees half of
 * one.
 */
#include "fleet/files_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct move {
    bool replace, only_look;
    uid_t uid;
    gid_t gid;
    struct err *e;
};

static int in_the_way(const struct move *m, const char *path, bool folder, mode_t there)
{
    if (folder && !S_ISDIR(there))
        return err_set(m->e, ERR_EXISTS, 0, "'/%.150s' is there and is no folder", path);
    if (!folder && S_ISDIR(there))
        return err_set(m->e, ERR_EXISTS, 0, "'/%.150s' is there and is a folder", path);
    if (!folder && !m->replace)
        return err_set(m->e, ERR_EXISTS, 0, "'/%.150s' is there already; --force replaces it",
                       path);
    return 0;
}

static int move_one(const struct move *m, int from, const char *from_name, int to,
                    const char *name, const char *path, int depth);

/* Into a folder that is there. */
static int fill(const struct move *m, int from, const char *from_name, int to, const char *name,
                const char *path, int depth)
{
    int source = files__folder(from, from_name), target = files__folder(to, name), rc = 0;
    struct files_names names = {0};

    if (depth > FILES_DEPTH_MAX)
        rc = err_set(m->e, ERR_INVALID, 0, "'/%.100s' is too deep", path);
    else if (source < 0 || target < 0 || files__names(source, &names) < 0)
        rc = files__fail(m->e, "open", path);
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        char *whole = files__join(path, names.at[i]);
        rc = move_one(m, source, names.at[i], target, names.at[i], whole, depth + 1);
        free(whole);
    }
    files__names_release(&names);
    if (source >= 0)
        close(source);
    if (target >= 0)
        close(target);
    return rc;
}

static int move_one(const struct move *m, int from, const char *from_name, int to,
                    const char *name, const char *path, int depth)
{
    struct stat source, there;

    if (fstatat(from, from_name, &source, AT_SYMLINK_NOFOLLOW) < 0)
        return files__fail(m->e, "open", path);
    if (fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        if (in_the_way(m, path, S_ISDIR(source.st_mode), there.st_mode) < 0)
            return -1;
        if (S_ISDIR(source.st_mode))
            return fill(m, from, from_name, to, name, path, depth);
    } else if (errno != ENOENT) {
        return files__fail(m->e, "open", path);
    }
    if (!m->only_look && renameat(from, from_name, to, name) < 0)
        return files__fail(m->e, "write", path);
    return 0;
}

static int own(const struct move *m, int parent, const char *name, int depth)
{
    struct files_names names;
    int folder, rc = 0;

    if (fchownat(parent, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return files__fail(m->e, "change the owner of", name);
    folder = files__folder(parent, name);
    if (folder < 0)
        return errno == ENOTDIR || errno == ELOOP ? 0 : files__fail(m->e, "open", name);
    if (depth > FILES_DEPTH_MAX)
        rc = err_set(m->e, ERR_INVALID, 0, "'%.100s' is too deep", name);
    else if (files__names(folder, &names) < 0)
        rc = files__fail(m->e, "open", name);
    else {
        for (size_t i = 0; rc == 0 && i < names.count; i++)
            rc = own(m, folder, names.at[i], depth + 1);
        files__names_release(&names);
    }
    close(folder);
    return rc;
}

/* Of a volume that no container has had yet: it would be given to nobody later. */
static int settle_root(struct move *m, int root, unsigned owner)
{
    struct files_names names;
    struct stat st;

    if (fstat(root, &st) < 0 || files__names(root, &names) < 0)
        return files__fail(m->e, "open", "");
    bool fresh = names.count <= 1 && st.st_uid == 0 && st.st_gid == 0;
    files__names_release(&names);
    m->uid = fresh ? owner : st.st_uid;
    m->gid = fresh ? owner : st.st_gid;
    if (fresh && fchown(root, m->uid, m->gid) < 0)
        return files__fail(m->e, "change the owner of", "");
    return 0;
}

/* The folders above `path` that are not there yet. */
static int make_parents(const struct move *m, int root, const char *path)
{
    int fd = files__folder(root, "."), rc = 0;

    for (const char *name = path, *slash; rc == 0 && fd >= 0 && (slash = strchr(name, '/'));
         name = slash + 1) {
        char *part = xstrndup(name, (size_t)(slash - name));
        if (mkdirat(fd, part, 0755) == 0)
            rc = fchownat(fd, part, m->uid, m->gid, AT_SYMLINK_NOFOLLOW);
        else if (errno != EEXIST)
            rc = -1;
        int next = rc == 0 ? files__folder(fd, part) : -1, why = errno;
        free(part);
        close(fd);
        fd = next;
        errno = why;
    }
    if (fd < 0)
        return files__fail(m->e, "open", path);
    close(fd);
    return 0;
}

int fleet_files_move(int root, const char *from, const char *to, unsigned owner, bool replace,
                     struct err *e)
{
    struct move m = {.replace = replace, .only_look = true, .e = e};
    const char *from_name, *name = NULL;
    int source = files__parent(root, from, &from_name, e), target = -1, rc = -1;

    if (source < 0)
        return -1;
    if (settle_root(&m, root, owner) < 0 || own(&m, source, from_name, 0) < 0 ||
        make_parents(&m, root, to) < 0)
        goto out;
    target = files__parent(root, to, &name, e);
    if (target < 0 || move_one(&m, source, from_name, target, name, to, 0) < 0)
        goto out;
    m.only_look = false;
    rc = move_one(&m, source, from_name, target, name, to, 0);
out:
    if (target >= 0)
        close(target);
    close(source);
    return rc;
}

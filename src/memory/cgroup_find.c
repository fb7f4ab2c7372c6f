/*
 * A line of /proc/self/cgroup is "id:controllers:path", with id 0 and no controllers for v2. A
 * line of mountinfo is "id parent dev root mountpoint options [tags] - type source super". The
 * path counts from the hierarchy's root (or that of our namespace), and so does the mount's
 * root, which is what was bound to the mount point: in a container often our cgroup itself.
 */
#include "base/alloc.h"
#include "base/strs.h"
#include "memory/memory_int.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is `word` one of the comma-separated words of list? */
static bool among(const char *list, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (size_t at = 0; at + n <= len; at++) {
        bool starts = at == 0 || list[at - 1] == ',';
        if (starts && strncmp(list + at, word, n) == 0 &&
            (at + n == len || list[at + n] == ','))
            return true;
    }
    return false;
}

/* Our path in the controller's v1 hierarchy, or in v2 when controller is NULL. Caller frees. */
static char *own_path(const char *text, const char *controller)
{
    for (const char *line = text, *next; *line; line = next) {
        const char *end = strchrnul(line, '\n');
        next = *end ? end + 1 : end;
        const char *names = memchr(line, ':', (size_t)(end - line));
        const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
        if (!path || path[1] != '/')
            continue;
        size_t len = (size_t)(path - ++names);
        if (controller ? among(names, len, controller) : len == 0)
            return xstrndup(path + 1, (size_t)(end - path - 1));
    }
    return NULL;
}

/* mountinfo writes space, tab, newline and backslash as \ and three octal digits. */
static char *unescape(const char *s, size_t len)
{
    char *ret = xstrndup(s, len), *to = ret;

    for (const char *at = ret; *at; to++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *to = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + at[3] - '0');
            at += 4;
        } else {
            *to = *at++;
        }
    }
    *to = '\0';
    return ret;
}

/* Cut [line, end) at spaces into at most max words. */
static unsigned split(const char *line, const char *end, struct str *words, unsigned max)
{
    unsigned n = 0;

    while (line < end && n < max) {
        const char *stop = memchr(line, ' ', (size_t)(end - line));
        stop = stop ? stop : end;
        if (stop > line)
            words[n++] = (struct str){line, (size_t)(stop - line)};
        line = stop + 1;
    }
    return n;
}

/* The first mount of the controller's hierarchy (NULL: v2). Caller frees both. */
static bool mounted(const char *text, const char *controller, char **root, char **point)
{
    for (const char *line = text, *next; *line; line = next) {
        const char *end = strchrnul(line, '\n');
        struct str w[24];
        unsigned n = split(line, end, w, ARRAY_LEN(w)), dash = 6;
        next = *end ? end + 1 : end;
        while (dash < n && !str_eq(w[dash], "-"))
            dash++;
        if (dash + 3 >= n || n < 10)
            continue;
        bool right = controller ? str_eq(w[dash + 1], "cgroup") &&
                                      among(w[dash + 3].data, w[dash + 3].len, controller)
                                : str_eq(w[dash + 1], "cgroup2");
        if (!right)
            continue;
        *root = unescape(w[3].data, w[3].len);
        *point = unescape(w[4].data, w[4].len);
        return true;
    }
    return false;
}

/*
 * The part of `path` that lies below the mount's root; "" when it lies elsewhere: then the
 * mount itself is the nearest we can see.
 */
static char *below(const char *path, const char *mount_root)
{
    size_t len = strlen(mount_root);

    if (strcmp(mount_root, "/") == 0)
        len = 0;
    if (!path || strstr(path, "/..") || strncmp(path, mount_root, len) != 0)
        return xstrdup("");
    path += len;
    if (*path != '/' || path[1] == '\0')
        return xstrdup("");
    return xstrdup(path);
}

/* The kernel's first cgroup namespace has this number; any other one is a container's. */
static bool in_namespace(const char *root)
{
    char path[PATH_MAX], link[64] = "";

    snprintf(path, sizeof(path), "%s/proc/self/ns/cgroup", root);
    ssize_t n = readlink(path, link, sizeof(link) - 1);
    return n > 0 && strcmp(link, "cgroup:[4026531835]") != 0;
}

void place__find(const char *root, const char *controller, struct cgroup_place *ret)
{
    struct buf groups = BUF_INIT, mounts = BUF_INIT;
    char *mount_root = NULL;

    *ret = (struct cgroup_place){0};
    file__read(root, "/proc/self", "cgroup", &groups);
    if (file__read(root, "/proc/self", "mountinfo", &mounts)) {
        /* A controller is bound to one hierarchy: when v1 has it, a v2 tree beside does not. */
        char *path = own_path(buf_text(&groups), controller);
        if (!mounted(buf_text(&mounts), controller, &mount_root, &ret->mount) && !path &&
            mounted(buf_text(&mounts), NULL, &mount_root, &ret->mount)) {
            path = own_path(buf_text(&groups), NULL);
            ret->v2 = true;
        }
        if (mount_root) {
            ret->found = true;
            ret->below = below(path, mount_root);
            ret->ours = *ret->below || strcmp(mount_root, "/") != 0 || in_namespace(root);
        }
        free(path);
    }
    free(mount_root);
    buf_release(&groups);
    buf_release(&mounts);
}

void place__release(struct cgroup_place *p)
{
    free(p->mount);
    free(p->below);
    *p = (struct cgroup_place){0};
}

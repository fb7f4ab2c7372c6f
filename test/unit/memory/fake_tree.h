/*
 * fake_tree: a folder that stands for "/" in the tests of cgroup.c. Files are given with their
 * contents; tree_end() removes them all.
 */
#pragma once

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[256];

static inline void tree_begin(void)
{
    snprintf(tree, sizeof(tree), "%s/maya-tree-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(tree))
        abort();
}

/* Write a file, making its folders. `path` begins with a slash. */
static inline void tree_file(const char *path, const char *text)
{
    char full[1024];

    snprintf(full, sizeof(full), "%s%s", tree, path);
    for (char *at = full + strlen(tree) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        if (mkdir(full, 0755) != 0 && errno != EEXIST)
            abort();
        *at = '/';
    }
    FILE *f = fopen(full, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static inline void tree_link(const char *path, const char *target)
{
    char full[1024];

    tree_file(path, "");
    snprintf(full, sizeof(full), "%s%s", tree, path);
    if (unlink(full) != 0 || symlink(target, full) != 0)
        abort();
}

static inline int tree_remove_one(const char *path, const struct stat *s, int flag,
                                  struct FTW *f)
{
    (void)s, (void)flag, (void)f;
    return remove(path);
}

static inline void tree_end(void)
{
    if (nftw(tree, tree_remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
        abort();
}

/* What the tests of seal share: a folder of their own, and seals in it. */
#pragma once

#include "base/alloc.h"
#include "seal/seal_int.h"
#include "unit/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static inline void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/maya-seal-XXXXXX");
    MUST(mkdtemp(folder));
}

static inline void drop_folder(void)
{
    DIR *d = opendir(folder);
    struct dirent *at;

    MUST(d);
    while ((at = readdir(d)) != NULL)
        if (at->d_name[0] != '.')
            unlinkat(dirfd(d), at->d_name, 0);
    closedir(d);
    rmdir(folder);
}

static inline int files_in_folder(void)
{
    DIR *d = opendir(folder);
    struct dirent *at;
    int n = 0;

    MUST(d);
    while ((at = readdir(d)) != NULL)
        n += at->d_name[0] != '.';
    closedir(d);
    return n;
}

static inline struct seal *new_seal(const char *master)
{
    struct seal *s = NULL;
    struct err e = {0};

    if (seal_new(master, folder, NULL, &s, &e) < 0)
        printf("# seal_new: %s\n", e.msg);
    MUST(s);
    return s;
}

static inline void write_file(const char *name, const void *bytes, size_t n, mode_t mode)
{
    char *path = xprintf("%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    MUST(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && fchmod(fd, mode) == 0);
    close(fd);
    free(path);
}

static inline mode_t mode_of(const char *name)
{
    char *path = xprintf("%s/%s", folder, name);
    struct stat st = {0};

    stat(path, &st);
    free(path);
    return st.st_mode & 07777;
}

#include "base/files.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEEPEST 8
#define MOST 20000 /* beyond: whatever changes there is not seen */

struct stamp {
    char *path;
    dev_t dev;
    ino_t ino;
    mode_t mode;
    off_t size;
    struct timespec modified;
};

struct files {
    struct stamp *all; /* sorted by path */
    size_t count, cap;
    bool refused; /* memory was */
};

static bool of_an_editor(const char *name)
{
    static const char *const ends[] = {"~", ".swp", ".swx", ".tmp", ".bak"};
    size_t n = strlen(name);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && strcmp(name + n - m, ends[i]) == 0)
            return true;
    }
    return name[0] == '.' || name[0] == '#' || strcmp(name, "4913") == 0;
}

static void add(struct files *f, const char *path, const struct stat *st)
{
    if (f->count == MOST)
        return;
    if (f->count == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 32;
        struct stamp *all = realloc(f->all, cap * sizeof(*all));
        f->refused |= !all;
        if (!all)
            return;
        f->all = all;
        f->cap = cap;
    }
    char *copy = strdup(path);
    f->refused |= !copy;
    if (copy)
        f->all[f->count++] =
            (struct stamp){copy, st->st_dev, st->st_ino, st->st_mode, st->st_size, st->st_mtim};
}

/* `inside`: how deep below what was asked for. */
static void look(struct files *f, const char *path, int inside, bool flat)
{
    struct stat st;
    struct dirent *at;
    char below[PATH_MAX];

    if (stat(path, &st) < 0)
        return;
    if (!S_ISDIR(st.st_mode)) {
        add(f, path, &st);
        return;
    }
    if (inside > (flat ? 0 : DEEPEST))
        return;
    DIR *d = opendir(path);
    while (d && !f->refused && (at = readdir(d)) != NULL) {
        int n = snprintf(below, sizeof(below), "%s/%s", path, at->d_name);
        if (!of_an_editor(at->d_name) && n > 0 && (size_t)n < sizeof(below))
            look(f, below, inside + 1, flat);
    }
    if (d)
        closedir(d);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct stamp *)a)->path, ((const struct stamp *)b)->path);
}

struct files *files_look(const char *const *paths, size_t n, bool flat)
{
    struct files *f = calloc(1, sizeof(*f));

    for (size_t i = 0; f && i < n; i++)
        look(f, paths[i], 0, flat);
    if (f && f->refused)
        files_free(&f);
    if (f && f->count)
        qsort(f->all, f->count, sizeof(*f->all), by_path);
    return f;
}

void files_free(struct files **f)
{
    if (!*f)
        return;
    for (size_t i = 0; i < (*f)->count; i++)
        free((*f)->all[i].path);
    free((*f)->all);
    free(*f);
    *f = NULL;
}

static bool same(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->mode == b->mode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec &&
           a->modified.tv_nsec == b->modified.tv_nsec;
}

const char *files_changed(const struct files *older, const struct files *newer)
{
    for (size_t i = 0;; i++) {
        const struct stamp *a = i < older->count ? &older->all[i] : NULL;
        const struct stamp *b = i < newer->count ? &newer->all[i] : NULL;
        if (!a && !b)
            return NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
        if (order != 0)
            return order < 0 ? a->path : b->path;
        if (!same(a, b))
            return b->path;
    }
}

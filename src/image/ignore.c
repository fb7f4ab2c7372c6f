/*
 * .dockerignore, as `docker build` reads it: one pattern a line, `*`, `?`, `[a-z]` within a
 * name, `**` over folders, `!` takes back, the last that fits decides. What is below a folder
 * that fits is out as well.
 */
#include "image/image_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool one_of(const char **pattern, char c)
{
    const char *p = *pattern + 1;
    bool inverse = *p == '^' || *p == '!', found = false;

    p += inverse;
    do {
        char low = *p == '\\' && p[1] ? *++p : *p, high;
        if (!low)
            return false;
        high = low;
        if (p[1] == '-' && p[2] && p[2] != ']') {
            high = p[2];
            p += 2;
        }
        found = found || (c >= low && c <= high);
        p++;
    } while (*p && *p != ']');
    if (!*p)
        return false;
    *pattern = p + 1;
    return found != inverse && c != '/';
}

static bool fits(const char *pattern, const char *path);

/* Behind a star: any bytes of one name, or of several for two. */
static bool fits_star(const char *pattern, const char *path)
{
    bool deep = pattern[1] == '*';

    while (*pattern == '*') /* more than two are two */
        pattern++;
    if (deep && *pattern == '/')
        if (fits(pattern + 1, path)) /* no folder at all */
            return true;
    for (;; path++) {
        if (fits(pattern, path))
            return true;
        if (!*path || (!deep && *path == '/'))
            return false;
    }
}

static bool fits(const char *pattern, const char *path)
{
    while (*pattern) {
        if (*pattern == '*')
            return fits_star(pattern, path);
        if (!*path)
            return false;
        if (*pattern == '[') {
            if (!one_of(&pattern, *path))
                return false;
            path++;
            continue;
        }
        if (*pattern == '\\' && pattern[1])
            pattern++;
        else if (*pattern == '?' && *path != '/') {
            pattern++;
            path++;
            continue;
        }
        if (*pattern++ != *path++)
            return false;
    }
    return !*path;
}

/* The path itself or a folder above it. */
static bool fits_any(const char *pattern, const char *rel)
{
    char *path = xstrdup(rel), *slash;
    bool found = fits(pattern, path);

    while (!found && (slash = strrchr(path, '/'))) {
        *slash = '\0';
        found = fits(pattern, path);
    }
    free(path);
    return found;
}

bool image__ignored(const struct image_ignore *g, const char *rel)
{
    bool out = false;

    for (size_t i = 0; i < g->count; i++) {
        const char *rule = g->rules[i];
        bool back = *rule == '!';
        if (out == back && fits_any(rule + back, rel))
            out = !back;
    }
    return out;
}

#define RULES_MAX 1000
#define RULE_STARS_MAX 8 /* each multiplies the work */

void image__ignore_parse(const char *text, struct image_ignore *ret)
{
    struct image_ignore g = {.rules = xalloc(RULES_MAX * sizeof(char *))};

    while (*text && g.count < RULES_MAX) {
        size_t len = strcspn(text, "\n");
        struct str line = str_trim((struct str){text, len});
        bool back = line.len && *line.data == '!';
        text += len + (text[len] == '\n');
        if (line.len == 0 || *line.data == '#')
            continue;
        line.data += back;
        line.len -= back;
        line = str_trim(line);
        while (line.len && (*line.data == '/' ||
                            (line.len > 1 && line.data[0] == '.' && line.data[1] == '/'))) {
            line.data++;
            line.len--;
        }
        while (line.len && line.data[line.len - 1] == '/')
            line.len--;
        size_t stars = 0;
        for (size_t i = 0; i < line.len; i++)
            stars += line.data[i] == '*' && (i == 0 || line.data[i - 1] != '*');
        if (line.len == 0 || stars > RULE_STARS_MAX)
            continue;
        g.rules[g.count++] = xprintf("%s%.*s", back ? "!" : "", STR_FMT(line));
        g.exceptions = g.exceptions || back;
    }
    *ret = g;
}

int image__ignore_load(const char *path, struct image_ignore *ret, struct err *e)
{
    FILE *f = fopen(path, "re");
    struct buf text = {.max = (size_t)1 << 20};
    char room[4096];
    size_t n;

    if (!f && errno != ENOENT && errno != ENOTDIR)
        return err_set(e, ERR_IO, errno, "open '%s'", path);
    while (f && (n = fread(room, 1, sizeof(room), f)) > 0)
        buf_add(&text, room, n);
    if (f)
        fclose(f);
    if (text.full) {
        buf_release(&text);
        return err_set(e, ERR_INVALID, 0, "'%s' is larger than 1 MiB", path);
    }
    image__ignore_parse(buf_text(&text), ret);
    buf_release(&text);
    return 0;
}

void image__ignore_release(struct image_ignore *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->rules[i]);
    free(g->rules);
    *g = (struct image_ignore){0};
}

/* deploy.yaml into values, and what the command line and the environment say instead. */
#include "fleet/spec_int.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1000

/* "health" of "health.path": the length of the first level, 0 when there is one only. */
static size_t group_len(const char *path)
{
    const char *dot = strchr(path, '.');

    return dot ? (size_t)(dot - path) : 0;
}

static bool in_group(const char *path, const char *group)
{
    size_t len = group_len(path);

    return len == strlen(group) && strncmp(path, group, len) == 0;
}

/* A key of a level: a field (-1: none), or the name of a group. */
static int find_field(const char *group, const char *key, bool *ret_group)
{
    *ret_group = false;
    for (int id = 0; id < SPEC__COUNT; id++) {
        const char *path = spec__rows[id].path;
        size_t len = group_len(path);
        if (!*group && len && strlen(key) == len && strncmp(path, key, len) == 0)
            *ret_group = true;
        if (in_group(path, group) && strcmp(path + (len ? len + 1 : 0), key) == 0)
            return id;
    }
    return -1;
}

/* The nearest key that this level has; then one of any level, with its path. */
static void nearest(const char *group, const char *key, char ret[80])
{
    int best = 4;

    ret[0] = '\0';
    for (int pass = 0; pass < 2 && !*ret; pass++) {
        for (int id = 0; id < SPEC__COUNT; id++) {
            const char *path = spec__rows[id].path;
            size_t len = group_len(path);
            const char *last = path + (len ? len + 1 : 0);
            char first[40];
            snprintf(first, sizeof(first), "%.*s", (int)len, path);
            const char *word = pass == 0 && len && !*group ? first : last;
            if (pass == 0 && *group && !in_group(path, group))
                continue;
            int d = str_distance(key, word, best);
            if (d >= best || d >= (int)strlen(word))
                continue;
            best = d;
            snprintf(ret, 80, "%s", pass == 0 ? word : path);
        }
    }
}

static int unknown(const struct spec *s, const struct yaml_node *map, size_t i,
                   const char *group, struct err *e)
{
    char near[80];
    const char *key = yaml_key(map, i);
    int line = yaml_key_line(map, i);

    nearest(group, key, near);
    if (*near)
        return spec__err(s, line, e, "unknown key '%.40s'; did you mean '%s'?", key, near);
    return spec__err(s, line, e,
                     "unknown key '%.40s'; docs/deploy-yaml.md lists those there are", key);
}

static int need_text(const struct spec *s, const struct yaml_node *n, const char *path,
                     const char **ret, struct err *e)
{
    if (yaml_kind(n) != YAML_SCALAR)
        return spec__err(s, yaml_line(n), e, "'%s' must be one text or number, and no %s", path,
                         yaml_kind(n) == YAML_LIST ? "list" : "keys with values");
    *ret = yaml_text(n);
    if (!**ret)
        return spec__err(s, yaml_line(n), e, "'%s' is empty; leave it away, or say something",
                         path);
    return 0;
}

static int read_list(struct spec *s, enum spec_id id, const struct yaml_node *n, struct err *e)
{
    const char *path = spec__rows[id].path, *text = "";

    if (yaml_kind(n) != YAML_LIST)
        return spec__err(s, yaml_line(n), e, "'%s' must be a list ('- ...' lines, or [a, b])",
                         path);
    if (yaml_count(n) > LIST_MAX)
        return spec__err(s, yaml_line(n), e, "'%s' has more than %d lines", path, LIST_MAX);
    for (size_t i = 0; i < yaml_count(n); i++) {
        if (need_text(s, yaml_at(n, i), path, &text, e) < 0)
            return -1;
        spec__push(&s->values[id], text, NULL, yaml_line(yaml_at(n, i)));
    }
    return 0;
}

static int read_map(struct spec *s, enum spec_id id, const struct yaml_node *n, struct err *e)
{
    const char *path = spec__rows[id].path;

    if (yaml_kind(n) != YAML_MAP)
        return spec__err(s, yaml_line(n), e, "'%s' must be lines of 'name: value'", path);
    if (yaml_count(n) > LIST_MAX)
        return spec__err(s, yaml_line(n), e, "'%s' has more than %d lines", path, LIST_MAX);
    for (size_t i = 0; i < yaml_count(n); i++) {
        const struct yaml_node *value = yaml_at(n, i);
        if (yaml_kind(value) != YAML_SCALAR)
            return spec__err(s, yaml_line(value), e, "'%s.%.40s' must be one text or number",
                             path, yaml_key(n, i));
        spec__insert(&s->values[id], yaml_key(n, i), yaml_text(value), yaml_key_line(n, i));
    }
    return 0;
}

/* A list, or a line that is cut at its blanks; quotes would want a shell's rules. */
static int read_words(struct spec *s, enum spec_id id, const struct yaml_node *n, struct err *e)
{
    const char *path = spec__rows[id].path, *text = "";

    if (yaml_kind(n) == YAML_LIST)
        return read_list(s, id, n, e);
    if (need_text(s, n, path, &text, e) < 0)
        return -1;
    if (strpbrk(text, "'\"\\$`|&;<>"))
        return spec__err(s, yaml_line(n), e,
                         "'%s' with quotes or signs of a shell: write it as a list, as "
                         "[sh, -c, \"...\"]",
                         path);
    while (*(text += strspn(text, " \t\r\n"))) {
        size_t len = strcspn(text, " \t\r\n");
        char *word = xstrndup(text, len);
        spec__push(&s->values[id], word, NULL, yaml_line(n));
        free(word);
        text += len;
    }
    if (s->values[id].count == 0)
        return spec__err(s, yaml_line(n), e, "'%s' is empty; leave it away, or say something",
                         path);
    return 0;
}

static int read_field(struct spec *s, enum spec_id id, const struct yaml_node *n, int line,
                      struct err *e)
{
    const char *path = spec__rows[id].path, *text = "";
    int rc;

    switch (spec__rows[id].type) {
    case SPEC_LIST_TYPE:
        rc = read_list(s, id, n, e);
        break;
    case SPEC_MAP_TYPE:
        rc = read_map(s, id, n, e);
        break;
    case SPEC_WORDS_TYPE:
        rc = read_words(s, id, n, e);
        break;
    default:
        if (need_text(s, n, path, &text, e) < 0)
            return -1;
        return spec__set(s, id, text, yaml_line(n), path, e);
    }
    s->values[id].line = line;
    s->values[id].given = true;
    return rc;
}

static int read_level(struct spec *s, const struct yaml_node *map, const char *group,
                      struct err *e)
{
    if (yaml_kind(map) != YAML_MAP)
        return spec__err(s, yaml_line(map), e, "%s%s%s must be lines of 'key: value'",
                         *group ? "'" : "this file", group, *group ? "'" : "");
    for (size_t i = 0; i < yaml_count(map); i++) {
        bool is_group;
        int id = find_field(group, yaml_key(map, i), &is_group);
        int rc;
        if (id >= 0)
            rc = read_field(s, (enum spec_id)id, yaml_at(map, i), yaml_key_line(map, i), e);
        else if (is_group)
            rc = read_level(s, yaml_at(map, i), yaml_key(map, i), e);
        else
            rc = unknown(s, map, i, group, e);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static const char *variable(char **environment, const char *name)
{
    size_t len = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return (*environment)[len + 1] ? *environment + len + 1 : NULL;
    return NULL;
}

static int override(struct spec *s, const struct spec_how *how, struct err *e)
{
    static const struct {
        const char *name;
        enum spec_id id;
    } variables[] = {{"MODAL_MEMORY_MB", SPEC_MEMORY},
                     {"MODAL_MAX_CONTAINERS", SPEC_MAX_CONTAINERS}};

    if (!how)
        return 0;
    if (how->name && spec__set(s, SPEC_NAME, how->name, 0, "--name", e) < 0)
        return -1;
    if (how->strategy && spec__set(s, SPEC_STRATEGY, how->strategy, 0, "--strategy", e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = variable(how->environment, variables[i].name);
        if (value && spec__set(s, variables[i].id, value, 0, variables[i].name, e) < 0)
            return -1;
    }
    return 0;
}

static int finish(struct spec *s, const struct yaml *y, const struct spec_how *how,
                  struct err *e)
{
    if (yaml_root(y) && read_level(s, yaml_root(y), "", e) < 0)
        return -1;
    if (override(s, how, e) < 0)
        return -1;
    spec__fill(s);
    return spec__check(s, e) < 0 ? -1 : spec__check_new(s, e);
}

static int take(const char *file, struct yaml *y, const struct spec_how *how, struct spec **ret,
                struct err *e)
{
    struct spec *s = spec__new(file);
    int rc = finish(s, y, how, e);

    yaml_close(&y);
    if (rc < 0)
        spec_free(&s);
    else
        *ret = s;
    return rc;
}

int spec_parse(const char *file, const char *text, size_t len, const struct spec_how *how,
               struct spec **ret, struct err *e)
{
    struct yaml *y;

    if (yaml_parse(file, text, len, &y, e) < 0) {
        if (e->code == ERR_AGENT)
            e->code = ERR_CONFIG;
        return -1;
    }
    return take(file, y, how, ret, e);
}

int spec_load(const char *file, const struct spec_how *how, struct spec **ret, struct err *e)
{
    struct yaml *y;

    if (yaml_load(file, &y, e) < 0) {
        if (e->code == ERR_AGENT)
            e->code = ERR_CONFIG;
        return -1;
    }
    return take(file, y, how, ret, e);
}

/* Reading the tree, and complaining about it. */
#include "yaml/yaml_int.h"

#include "base/must.h"
#include "base/strs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CENTS_MAX 9999999

const struct yaml_node *yaml_root(const struct yaml *y)
{
    return y->root;
}

enum yaml_kind yaml_kind(const struct yaml_node *n)
{
    return n->kind;
}

size_t yaml_count(const struct yaml_node *n)
{
    return n->count;
}

const struct yaml_node *yaml_at(const struct yaml_node *n, size_t i)
{
    MUST(i < n->count);
    return n->members[i].value;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (!map || map->kind != YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->members[i].key, key) == 0)
            return map->members[i].value;
    return NULL;
}

const char *yaml_key(const struct yaml_node *map, size_t i)
{
    MUST(map->kind == YAML_MAP && i < map->count);
    return map->members[i].key;
}

int yaml_key_line(const struct yaml_node *map, size_t i)
{
    MUST(i < map->count);
    return map->members[i].key_line;
}

int yaml_line(const struct yaml_node *n)
{
    return n->line;
}

const char *yaml_text(const struct yaml_node *n)
{
    return n->text;
}

int yaml_err(const struct yaml_node *n, struct err *e, const char *fmt, ...)
{
    char msg[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    return yaml__err_line(n->file, n->line, e, "%s", msg);
}

static const char *nearest(const char *key, const char *const *known)
{
    const char *best = NULL;
    int best_distance = 4;

    for (; *known; known++) {
        int d = str_distance(key, *known, best_distance);
        if (d < best_distance) {
            best_distance = d;
            best = *known;
        }
    }
    return best;
}

static bool listed(const char *key, const char *const *known)
{
    while (*known && strcmp(*known, key) != 0)
        known++;
    return *known != NULL;
}

static void join(const char *const *known, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (size_t i = 0; known[i] && len < size; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s%s", i ? ", " : "", known[i]);
}

int yaml_only_keys(const struct yaml_node *map, const char *const *known, struct err *e)
{
    char all[160];

    join(known, all, sizeof(all));
    if (map->kind != YAML_MAP)
        return yaml_err(map, e, "here go keys with values: %s", all);
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->members[i].key;
        if (listed(key, known))
            continue;
        const char *like = nearest(key, known);
        if (like)
            return yaml__err_line(map->file, map->members[i].key_line, e,
                                  "unknown key '%.40s'; did you mean '%s'?", key, like);
        return yaml__err_line(map->file, map->members[i].key_line, e,
                              "unknown key '%.40s'; known are %s", key, all);
    }
    return 0;
}

int yaml_need_text(const struct yaml_node *map, const char *key, const char **ret,
                   struct err *e)
{
    const struct yaml_node *n = yaml_get(map, key);

    if (!n)
        return yaml_err(map, e, "'%s' is missing", key);
    if (n->kind != YAML_SCALAR)
        return yaml_err(n, e, "'%s' must be a text", key);
    if (str_trim(str_of(n->text)).len == 0)
        return yaml_err(n, e, "'%s' is empty", key);
    *ret = n->text;
    return 0;
}

int yaml_need_list(const struct yaml_node *map, const char *key, const struct yaml_node **ret,
                   struct err *e)
{
    const struct yaml_node *n = yaml_get(map, key);

    if (!n)
        return yaml_err(map, e, "'%s' is missing", key);
    if (n->kind != YAML_LIST)
        return yaml_err(n, e, "'%s' must be a list ('- ...' lines, or [a, b])", key);
    *ret = n;
    return 0;
}

/* Digits, at most one point, at most two digits behind it. -1 when it is anything else. */
static int64_t parse_cents(const char *s)
{
    int64_t cents = 0;
    int behind = -1; /* digits after the point */

    if (*s < '0' || *s > '9')
        return -1;
    for (; *s; s++) {
        if (*s == '.' && behind < 0) {
            behind = 0;
            continue;
        }
        if (*s < '0' || *s > '9' || behind == 2 || cents > CENTS_MAX)
            return -1;
        cents = cents * 10 + (*s - '0');
        behind += behind >= 0;
    }
    if (behind == 0)
        return -1;
    for (int i = behind < 0 ? 0 : behind; i < 2; i++)
        cents *= 10;
    return cents <= CENTS_MAX ? cents : -1;
}

int yaml_as_cents(const struct yaml_node *n, int64_t *ret, struct err *e)
{
    int64_t cents = n->kind == YAML_SCALAR ? parse_cents(n->text) : -1;

    if (cents < 0)
        return yaml_err(n, e,
                        "'%.40s' is not an amount; write it like 13 or 13.50 (at most "
                        "99999.99, not negative)",
                        n->text ? n->text : "a list");
    *ret = cents;
    return 0;
}

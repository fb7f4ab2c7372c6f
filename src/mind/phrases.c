/*
 * What the house mind says, by occasion: <folder>/phrases.yaml. A map from each occasion of
 * house_say.def to a list of phrases; every occasion must be there, and a phrase may use the
 * placeholders of its occasion only, so that an edited file cannot make Maya talk nonsense.
 */
#include "mind/house_int.h"

#include "base/alloc.h"
#include "yaml/yaml.h"

#include <stdlib.h>
#include <string.h>

struct phrases {
    struct yaml *yaml; /* owns the texts */
    const char **texts[OC__COUNT];
    size_t counts[OC__COUNT];
};

static const struct {
    const char *name, *placeholders;
} occasions[] = {
#define OCCASION(name, placeholders) {#name, placeholders},
#include "mind/house_say.def"
#undef OCCASION
};

/* In the file small talk has no prefix and no capitals: T_ROUGH_DAY is "rough_day". */
static void file_name(size_t o, char ret[32])
{
    const char *s = occasions[o].name;

    if (strncmp(s, "T_", 2) == 0)
        s += 2;
    str_copy(ret, 32, s);
    for (; *ret; ret++)
        *ret = *ret >= 'A' && *ret <= 'Z' ? (char)(*ret + 32) : *ret;
}

static bool allowed(size_t o, const char *name, size_t len)
{
    const char *p = occasions[o].placeholders;

    while (*p) {
        size_t n = strcspn(p, " ");

        if (n == len && memcmp(p, name, n) == 0)
            return true;
        p += n;
        p += strspn(p, " ");
    }
    return false;
}

static int check_phrase(const struct yaml_node *n, size_t o, const char *text, struct err *e)
{
    char name[32];

    file_name(o, name);
    if (!*text)
        return yaml_err(n, e, "a phrase for '%s' is empty", name);
    if (strlen(text) > 600)
        return yaml_err(n, e, "a phrase for '%s' is longer than 600 bytes", name);
    for (const char *p = text; (p = strpbrk(p, "{}")); p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;

        if (!end)
            return yaml_err(n, e, "a brace in a phrase for '%s' has no partner", name);
        if (!allowed(o, p + 1, (size_t)(end - p - 1)))
            return yaml_err(n, e, "'%s' knows no placeholder {%.*s}; it may use: %s", name,
                            (int)(end - p - 1), p + 1,
                            occasions[o].placeholders[0] ? occasions[o].placeholders : "none");
        p = end;
    }
    return 0;
}

static int load_occasion(struct phrases *p, const struct yaml_node *root, size_t o,
                         struct err *e)
{
    char name[32];
    const struct yaml_node *list;
    size_t n;

    file_name(o, name);
    if (yaml_need_list(root, name, &list, e) < 0)
        return -1;
    n = yaml_count(list);
    if (n == 0)
        return yaml_err(list, e, "'%s' has no phrase; give it at least one", name);
    if (n > 200)
        return yaml_err(list, e, "'%s' has %zu phrases; at most 200", name, n);
    p->texts[o] = xalloc(n * sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = yaml_at(list, i);
        const char *text = yaml_text(item);

        if (!text)
            return yaml_err(item, e, "a phrase for '%s' is not a text", name);
        if (check_phrase(item, o, text, e) < 0)
            return -1;
        p->texts[o][i] = text;
        p->counts[o]++;
    }
    return 0;
}

static int load(struct phrases *p, struct err *e)
{
    const struct yaml_node *root = yaml_root(p->yaml);
    const char *known[OC__COUNT + 1];
    char names[OC__COUNT][32];

    if (!root)
        return err_set(e, ERR_AGENT, 0, "phrases.yaml is empty");
    if (yaml_kind(root) != YAML_MAP)
        return yaml_err(root, e, "this file is a map from occasions to lists of phrases");
    for (size_t o = 0; o < OC__COUNT; o++) {
        file_name(o, names[o]);
        known[o] = names[o];
    }
    known[OC__COUNT] = NULL;
    if (yaml_only_keys(root, known, e) < 0)
        return -1;
    for (size_t o = 0; o < OC__COUNT; o++)
        if (load_occasion(p, root, o, e) < 0)
            return -1;
    return 0;
}

int phrases_load(const char *folder, struct phrases **ret, struct err *e)
{
    struct phrases *p = xalloc(sizeof(*p));
    char *path = xprintf("%s/phrases.yaml", folder);
    int r = yaml_load(path, &p->yaml, e);

    free(path);
    if (r < 0 || load(p, e) < 0) {
        phrases_free(&p);
        return -1;
    }
    *ret = p;
    return 0;
}

void phrases_free(struct phrases **p)
{
    if (!*p)
        return;
    for (size_t o = 0; o < OC__COUNT; o++)
        free(*(void **)&(*p)->texts[o]);
    yaml_close(&(*p)->yaml);
    free(*p);
    *p = NULL;
}

size_t phrases_count(const struct phrases *p, enum occasion o)
{
    return p->counts[o];
}

const char *phrases_get(const struct phrases *p, enum occasion o, size_t i)
{
    return p->texts[o][i];
}

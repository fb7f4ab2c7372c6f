/* Defaults, and whether the fields go together. */
#include "fleet/spec_int.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "config/config.h"
#include "fleet/fleet.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA "/data"

static void set_number(struct spec *s, enum spec_id id, double number)
{
    struct spec_value *v = &s->values[id];

    if (v->text)
        return;
    v->text = xprintf("%.15g", number);
    v->number = number;
}

static void fill_size(struct spec *s)
{
    for (size_t i = 0; i < spec__sizes_count; i++) {
        const struct spec_size *z = &spec__sizes[i];
        if (strcmp(z->name, spec_text(s, SPEC_SIZE)) != 0)
            continue;
        set_number(s, SPEC_SESSIONS, z->sessions);
        set_number(s, SPEC_SESSION_MEMORY, z->session_memory);
        set_number(s, SPEC_THRESHOLD, z->threshold);
        set_number(s, SPEC_MEMORY, z->memory);
        set_number(s, SPEC_MAX_CONTAINERS, z->max_containers);
    }
}

/* A name for the app's own volume, that a volume may have. */
static void fill_volume(struct spec *s)
{
    const struct image_list volumes = spec_list(s, SPEC_VOLUMES);
    char name[SPEC_OBJECT_MAX + 1];

    for (size_t i = 0; i < volumes.count; i++)
        if (strcmp(volumes.at[i].value, DATA) == 0)
            return;
    spec_object_name(spec_text(s, SPEC_NAME), "-data", name);
    spec__insert(&s->values[SPEC_VOLUMES], name, DATA, 0);
}

void spec__fill(struct spec *s)
{
    for (int id = 0; id < SPEC__COUNT; id++) {
        struct spec_value *v = &s->values[id];
        const char *preset = spec__rows[id].preset;
        if (v->text || v->count || !*preset || strcmp(preset, "size") == 0)
            continue;
        v->text = xstrdup(preset);
        (void)!str_to_double(preset, &v->number);
    }
    fill_size(s);
    if (spec_is_maya(s) && *spec_text(s, SPEC_NAME))
        fill_volume(s);
    /* Another server has an address of its own for this, or none. */
    if (!spec_is_maya(s)) {
        struct spec_value *health = &s->values[SPEC_HEALTH_PATH];
        struct spec_value *ready = &s->values[SPEC_READY_PATH];
        if (!health->given) {
            free(health->text);
            health->text = xstrdup("/");
        }
        if (!ready->given) {
            free(ready->text);
            ready->text = xstrdup(health->text);
        }
    }
}

static int line_of(const struct spec *s, enum spec_id id)
{
    return s->values[id].line;
}

int spec__item_line(const struct spec *s, enum spec_id id, size_t n)
{
    return s->values[id].lines[n] ? s->values[id].lines[n] : s->values[id].line;
}

/* The image's kind, and that each of its fields belongs to it. */
static int check_image(const struct spec *s, struct err *e)
{
    static const struct {
        enum spec_id id, with; /* with itself: not with any of the others */
    } belongs[] = {
        {SPEC_IMAGE_PACKAGES, SPEC_IMAGE_BASE},      {SPEC_IMAGE_PIP, SPEC_IMAGE_BASE},
        {SPEC_IMAGE_REQUIREMENTS, SPEC_IMAGE_BASE},  {SPEC_IMAGE_FILES, SPEC_IMAGE_BASE},
        {SPEC_IMAGE_ENV, SPEC_IMAGE_BASE},           {SPEC_IMAGE_COMMANDS, SPEC_IMAGE_BASE},
        {SPEC_IMAGE_CONTEXT, SPEC_IMAGE_DOCKERFILE},
    };
    static const enum spec_id own[] = {SPEC_IMAGE_AGENT, SPEC_IMAGE_LANGUAGES};
    static const enum spec_id kinds[] = {SPEC_IMAGE_BASE, SPEC_IMAGE_DOCKERFILE,
                                         SPEC_IMAGE_READY};
    enum spec_id kind = SPEC__COUNT;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!spec_given(s, kinds[i]))
            continue;
        if (kind != SPEC__COUNT)
            return spec__err(s, line_of(s, kinds[i]), e,
                             "'%s' and '%s' are two kinds of image; keep one of them",
                             spec__rows[kind].path, spec__rows[kinds[i]].path);
        kind = kinds[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(belongs); i++)
        if (spec_given(s, belongs[i].id) && kind != belongs[i].with)
            return spec__err(s, line_of(s, belongs[i].id), e, "'%s' goes with '%s' only",
                             spec__rows[belongs[i].id].path, spec__rows[belongs[i].with].path);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (spec_given(s, own[i]) && kind != SPEC__COUNT)
            return spec__err(s, line_of(s, own[i]), e,
                             "'%s' goes with Maya's own image, and '%s' is another",
                             spec__rows[own[i]].path, spec__rows[kind].path);
    return 0;
}

static int check_command(const struct spec *s, struct err *e)
{
    const struct image_list command = spec_list(s, SPEC_COMMAND);

    if (spec_image_kind(s) == IMAGE_OWN && !spec_is_maya(s))
        return spec__err(s, line_of(s, SPEC_COMMAND), e,
                         "there is no '%.40s' in Maya's own image; name another with "
                         "image: base, dockerfile or ready",
                         command.at[0].key);
    if (spec_image_kind(s) == IMAGE_BASE && command.count == 0)
        return spec__err(s, line_of(s, SPEC_IMAGE_BASE), e,
                         "with 'image.base' a 'command' is needed, as [python, server.py]");
    return 0;
}

static int check_containers(const struct spec *s, struct err *e)
{
    const struct spec_value *most = &s->values[SPEC_MAX_CONTAINERS];

    if (spec_int(s, SPEC_MIN_CONTAINERS) > spec_int(s, SPEC_MAX_CONTAINERS))
        return spec__err(s, line_of(s, SPEC_MIN_CONTAINERS), e,
                         "'min_containers' is %lld and %s %lld; the first may not be more",
                         (long long)spec_int(s, SPEC_MIN_CONTAINERS),
                         most->given && !most->line ? "MODAL_MAX_CONTAINERS"
                                                    : "'max_containers'",
                         (long long)spec_int(s, SPEC_MAX_CONTAINERS));
    if (*spec_text(s, SPEC_TLS_CERTIFICATE) && !*spec_text(s, SPEC_TLS_KEY))
        return spec__err(s, line_of(s, SPEC_TLS_CERTIFICATE), e,
                         "'tls.certificate' needs 'tls.key' beside it");
    if (*spec_text(s, SPEC_TLS_KEY) && !*spec_text(s, SPEC_TLS_CERTIFICATE))
        return spec__err(s, line_of(s, SPEC_TLS_KEY), e,
                         "'tls.key' needs 'tls.certificate' beside it");
    return 0;
}

static bool user_ok(const char *text)
{
    size_t len = strlen(text);

    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._:", *c))
            return false;
    return len && len <= 64 && *text != ':' && *text != '-' && text[len - 1] != ':';
}

static int check_texts(const struct spec *s, struct err *e)
{
    static const enum spec_id paths[] = {SPEC_HEALTH_PATH, SPEC_READY_PATH};

    if (!user_ok(spec_text(s, SPEC_USER)))
        return spec__err(s, line_of(s, SPEC_USER), e,
                         "'user' is '%.40s'; it may be as 1000:1000, or a name of the image",
                         spec_text(s, SPEC_USER));
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const char *path = spec_text(s, paths[i]);
        bool fine = *path == '/' && strlen(path) <= 200;
        for (const char *c = path; *c; c++)
            fine = fine && *c > ' ' && *c < 0x7f && !strchr("\"'\\", *c);
        if (!fine)
            return spec__err(s, line_of(s, paths[i]), e,
                             "'%s' is '%.40s'; it may be a path as /healthz",
                             spec__rows[paths[i]].path, path);
    }
    return 0;
}

/* Names in lists */

static int check_secrets(const struct spec *s, struct err *e)
{
    const struct image_list all = spec_list(s, SPEC_SECRETS);

    for (size_t i = 0; i < all.count; i++) {
        if (!spec_name_ok(all.at[i].key, FLEET_SECRET_NAME_MAX))
            return spec__err(s, spec__item_line(s, SPEC_SECRETS, i), e,
                             "'%.40s' in 'secrets' is no secret's name: letters, digits, '-', "
                             "'.' and '_'; its values go into `maya secret create`",
                             all.at[i].key);
        for (size_t j = 0; j < i; j++)
            if (strcmp(all.at[i].key, all.at[j].key) == 0)
                return spec__err(s, spec__item_line(s, SPEC_SECRETS, i), e,
                                 "'%s' is twice in 'secrets'; keep one of them", all.at[i].key);
    }
    return 0;
}

static bool below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool place_ok(const char *path)
{
    static const char *const never[] = {"/proc", "/sys", "/dev", "/etc", "/run/secrets"};
    size_t len = strlen(path);

    if (*path != '/' || len < 2 || len > 200 || path[len - 1] == '/' || strstr(path, "//") ||
        strpbrk(path, "\r\n\t:,"))
        return false;
    for (const char *at = path; (at = strstr(at, "/.")); at += 2)
        if (at[2] == '\0' || at[2] == '/' || (at[2] == '.' && (at[3] == '\0' || at[3] == '/')))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (below(path, never[i]))
            return false;
    return true;
}

static int check_volumes(const struct spec *s, struct err *e)
{
    const struct image_list all = spec_list(s, SPEC_VOLUMES);

    for (size_t i = 0; i < all.count; i++) {
        if (!spec_name_ok(all.at[i].key, SPEC_NAME_MAX) || strlen(all.at[i].key) < 2)
            return spec__err(s, spec__item_line(s, SPEC_VOLUMES, i), e,
                             "'%.40s' in 'volumes' is no volume's name: letters, digits, '-', "
                             "'.' and '_', at least two",
                             all.at[i].key);
        if (!place_ok(all.at[i].value))
            return spec__err(s, spec__item_line(s, SPEC_VOLUMES, i), e,
                             "the volume '%.40s' is put on '%.40s'; it may be a path as /data",
                             all.at[i].key, all.at[i].value);
        for (size_t j = 0; j < i; j++)
            if (strcmp(all.at[i].value, all.at[j].value) == 0)
                return spec__err(s, spec__item_line(s, SPEC_VOLUMES, i), e,
                                 "two volumes are put on '%s'; keep one of them",
                                 all.at[i].value);
    }
    return 0;
}

static int check_files(const struct spec *s, struct err *e)
{
    const struct image_list all = spec_list(s, SPEC_IMAGE_FILES);

    for (size_t i = 0; i < all.count; i++)
        if (*all.at[i].value != '/' || strpbrk(all.at[i].value, "\r\n") || !*all.at[i].key)
            return spec__err(s, spec__item_line(s, SPEC_IMAGE_FILES, i), e,
                             "'%.40s' is to be put at '%.40s'; it may be a path as /app",
                             all.at[i].key, all.at[i].value);
    return 0;
}

/* A DNS name, or one with *. in front (RFC 1123 section 2.1). */
static bool host_ok(const char *name)
{
    size_t label = 0;

    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    if (!*name || strlen(name) > 253)
        return false;
    for (const char *c = name; *c; c++) {
        if (*c == '.') {
            if (label == 0 || c[-1] == '-' || !c[1])
                return false;
            label = 0;
            continue;
        }
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || (*c == '-' && label)) ||
            ++label > 63)
            return false;
    }
    return name[strlen(name) - 1] != '-';
}

static int check_hosts(const struct spec *s, struct err *e)
{
    const struct image_list all = spec_list(s, SPEC_HOSTNAMES);

    for (size_t i = 0; i < all.count; i++)
        if (!host_ok(all.at[i].key))
            return spec__err(s, spec__item_line(s, SPEC_HOSTNAMES, i), e,
                             "'%.60s' in 'hostnames' is no name; it may be as maya.example.org "
                             "or *.example.org, in small letters, without a port",
                             all.at[i].key);
    return 0;
}

/* The environment */

static bool variable_ok(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

/* Said by fields: two places would contradict each other. */
static const struct {
    const char *name, *field;
} said[] = {
    {"MAYA_SESSIONS_PER_CONTAINER", "sessions"},
    {"MAYA_DEFAULT_SESSION_MEMORY_MB", "session_memory"},
    {"MAYA_CONTAINER_MEMORY_THRESHOLD", "memory_threshold"},
    {"MODAL_MEMORY_MB", "memory"},
    {"MODAL_MAX_CONTAINERS", "max_containers"},
    {"MAYA_DRAIN_SECONDS", "drain"},
    {"PORT", "port"},
};

static bool is_secret(const char *name)
{
    static const char *const secrets[] = {
#define OPTION(id, env, flag, type, preset, min, max, unit, choices, help)                     \
    type == CONFIG_SECRET ? env : "",
#include "config/config.def"
#undef OPTION
    };

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (strcmp(secrets[i], name) == 0)
            return true;
    return false;
}

static int check_variable(const struct spec *s, enum spec_id id, size_t item, struct err *e)
{
    const struct image_pair *p = &s->values[id].pairs[item];
    int line = spec__item_line(s, id, item);

    if (!variable_ok(p->key))
        return spec__err(s, line, e,
                         "'%.40s' in '%s' is no variable's name: letters, digits and '_'",
                         p->key, spec__rows[id].path);
    if (is_secret(p->key))
        return spec__err(s, line, e,
                         "%s is a secret, and who sees this file or the engine would read it; "
                         "`maya secret create NAME %s=...`, and NAME into 'secrets'",
                         p->key, p->key);
    for (size_t i = 0; i < ARRAY_LEN(said) && spec_is_maya(s); i++)
        if (strcmp(said[i].name, p->key) == 0)
            return spec__err(s, line, e, "%s is said by '%s' here", p->key, said[i].field);
    return 0;
}

static int check_environment(const struct spec *s, struct err *e)
{
    static const enum spec_id maps[] = {SPEC_ENV, SPEC_IMAGE_ENV};

    for (size_t m = 0; m < ARRAY_LEN(maps); m++) {
        const struct image_list all = spec_list(s, maps[m]);
        for (size_t i = 0; i < all.count; i++)
            if (check_variable(s, maps[m], i, e) < 0)
                return -1;
    }
    return 0;
}

static void on_variable(void *ctx, const char *name, const char *value)
{
    struct spec_value *all = ctx;

    spec__push(all, name, value, 0);
}

/* What the container's Maya would say about her options, before there is a container. */
static int check_options(const struct spec *s, struct err *e)
{
    char program[] = "serve", flag[] = "--env-file=/dev/null";
    char *argv[] = {program, flag, NULL};
    struct spec_value all = {0};
    struct config *c = config_new();
    struct err why;
    int rc;

    spec_environment(s, on_variable, &all);
    char **environment = xalloc((all.count + 1) * sizeof(char *));
    for (size_t i = 0; i < all.count; i++)
        environment[i] = xprintf("%s=%s", all.pairs[i].key, all.pairs[i].value);
    rc = config_read(c, 2, argv, environment, &why);
    if (rc < 0)
        spec__err(s, line_of(s, SPEC_ENV), e, "%.180s", why.msg);
    else if (config_warning(c, 0))
        rc = spec__err(s, line_of(s, SPEC_ENV), e, "%.180s", config_warning(c, 0));
    for (size_t i = 0; i < all.count; i++)
        free(environment[i]);
    free(environment);
    spec__clear(&all);
    config_free(&c);
    return rc;
}

int spec__check(const struct spec *s, struct err *e)
{
    if (!*spec_text(s, SPEC_NAME))
        return spec__err(s, 0, e,
                         "'name' is missing; write it here as name: my-app, or give "
                         "--name");
    if (check_image(s, e) < 0 || check_command(s, e) < 0 || check_containers(s, e) < 0 ||
        check_texts(s, e) < 0 || check_secrets(s, e) < 0 || check_volumes(s, e) < 0 ||
        check_files(s, e) < 0 || check_hosts(s, e) < 0 || check_environment(s, e) < 0)
        return -1;
    return spec_is_maya(s) ? check_options(s, e) : 0;
}

/*
 * Secrets that change while a container serves: read again from .env and the files of secrets,
 * and taken over one by one. The environment and the command line of a process do not change.
 */
#include "config/config_int.h"

#include "base/files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct found {
    char *text, *file;
    enum config_from from;
    int line;
};

struct config_fresh {
    const struct config *config;
    struct found of[CONFIG__COUNT]; /* secrets only */
    bool refused;                   /* memory was */
};

static void wipe(struct found *f)
{
    if (f->text)
        explicit_bzero(f->text, strlen(f->text));
    free(f->text);
    free(f->file);
    *f = (struct found){0};
}

static void note(struct config_fresh *f, const char *name, const char *value, const char *file,
                 int line, enum config_from from)
{
    for (int id = 0; id < CONFIG__COUNT; id++) {
        if (config__rows[id].type != CONFIG_SECRET || strcmp(config__rows[id].env, name) != 0 ||
            !*value)
            continue;
        wipe(&f->of[id]);
        f->of[id] = (struct found){strdup(value), strdup(file), from, line};
        f->refused |= !f->of[id].text || !f->of[id].file;
    }
}

static void on_pair(void *self, const char *name, const char *value, int line)
{
    struct config_fresh *f = self;

    note(f, name, value, f->config->env_path, line, CONFIG_ENV_FILE);
}

static void on_value(void *self, const char *name, const char *value, const char *file,
                     int line)
{
    note(self, name, value, file, line, CONFIG_SECRET_FILE);
}

int config_reread(const struct config *c, struct config_fresh **ret, struct err *e)
{
    struct config_fresh *f = calloc(1, sizeof(*f));
    const struct config_sink pairs = {on_pair, f};
    const struct config_secret_sink secrets = {on_value, f};
    struct err local = {0};
    int rc = 0;

    if (!f)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    f->config = c;
    if (c->env_path)
        rc = config_env_read(c->env_path, &pairs, &local);
    if (rc < 0 && local.code == ERR_NOT_FOUND)
        rc = 0;
    if (rc == 0)
        rc = config__secrets_read(c->values[C_SECRETS_DIR].text, &secrets, &local);
    if (rc == 0 && f->refused)
        rc = err_set(&local, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    if (rc < 0) {
        config_fresh_free(&f);
        if (e)
            *e = local;
        return -1;
    }
    *ret = f;
    return 0;
}

void config_fresh_free(struct config_fresh **f)
{
    if (!*f)
        return;
    for (int id = 0; id < CONFIG__COUNT; id++)
        wipe(&(*f)->of[id]);
    free(*f);
    *f = NULL;
}

const char *config_fresh_text(const struct config_fresh *f, enum config_id id)
{
    const struct config_value *v = &f->config->values[id];
    bool fixed = v->from == CONFIG_ENVIRONMENT || v->from == CONFIG_FLAG;

    return fixed ? v->text : f->of[id].text;
}

bool config_fresh_differs(const struct config_fresh *f, enum config_id id)
{
    const char *now = config_fresh_text(f, id), *was = f->config->values[id].text;

    if (config__rows[id].type != CONFIG_SECRET)
        return false;
    return (now != NULL) != (was != NULL) || (now && strcmp(now, was) != 0);
}

int config_take(struct config *c, struct config_fresh *f, enum config_id id, struct err *e)
{
    struct config_value was = c->values[id];
    struct found *now = &f->of[id];

    MUST(f->config == c && now->text);
    c->values[id].text = now->text;
    c->values[id].file = now->file;
    c->values[id].from = now->from;
    c->values[id].line = now->line;
    if (config__check(c, id, e) < 0) {
        c->values[id] = was;
        return -1;
    }
    now->text = was.text; /* wiped with the rest */
    now->file = was.file;
    return 0;
}

struct files *config_look(const struct config *c)
{
    char folders[8][PATH_MAX];
    const char *paths[9], *at = c->values[C_SECRETS_DIR].text;
    size_t n = 0;

    while (n < 8 && config__secret_folder(&at, folders[n])) {
        paths[n] = folders[n];
        n++;
    }
    if (c->env_path)
        paths[n++] = c->env_path;
    return files_look(paths, n, true);
}

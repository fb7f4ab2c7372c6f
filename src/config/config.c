/* Where values come from, and which one counts. */
#include "config/config_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct config_row config__rows[CONFIG__COUNT] = {
#define OPTION(id, env, flag, type, preset, min, max, unit, choices, help)                     \
    [C_##id] = {env, flag, type, preset, min, max, unit, choices, help},
#include "config/config.def"
#undef OPTION
};

struct config *config_new(void)
{
    struct config *c = xalloc(sizeof(*c));

    for (int id = 0; id < CONFIG__COUNT; id++) {
        if (*config__rows[id].preset)
            c->values[id].text = xstrdup(config__rows[id].preset);
        MUST(config__check(c, (enum config_id)id, NULL) == 0);
    }
    return c;
}

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void config_free(struct config **c)
{
    if (!*c)
        return;
    for (int id = 0; id < CONFIG__COUNT; id++) {
        wipe(&(*c)->values[id].text);
        free((*c)->values[id].file);
    }
    for (unsigned i = 0; i < (*c)->n_warnings; i++)
        free((*c)->warnings[i]);
    free((*c)->warnings);
    free((*c)->env_path);
    free(*c);
    *c = NULL;
}

static void warn(struct config *c, char *text)
{
    c->warnings = xrealloc(c->warnings, (c->n_warnings + 1) * sizeof(*c->warnings));
    c->warnings[c->n_warnings++] = text;
}

static void set(struct config *c, int id, const char *text, enum config_from from, int line)
{
    struct config_value *v = &c->values[id];

    if (!*text)
        return;
    wipe(&v->text);
    free(v->file);
    v->file = NULL;
    v->text = xstrdup(text);
    v->from = from;
    v->line = line;
}

static int id_of_env(const char *name)
{
    for (int id = 0; id < CONFIG__COUNT; id++)
        if (strcmp(config__rows[id].env, name) == 0)
            return id;
    return -1;
}

/* The row whose name (or flag) is nearest to `name`, or -1 when none is near. */
static int nearest(const char *name, bool flag)
{
    int best = (int)strlen(name) / 3 + 2, found = -1;

    for (int id = 0; id < CONFIG__COUNT; id++) {
        const char *known = flag ? config__rows[id].flag : config__rows[id].env;
        int d = *known ? str_distance(known, name, best) : best;
        if (d < best) {
            best = d;
            found = id;
        }
    }
    return found;
}

static void warn_unknown(struct config *c, const char *name, const char *place)
{
    int near = nearest(name, false);
    char shown[80];

    config__shown(shown, sizeof(shown), name);
    if (near >= 0)
        warn(c, xprintf("%s (from %s) is not an option; did you mean %s?", shown, place,
                        config__rows[near].env));
    else
        warn(c, xprintf("%s (from %s) is not an option", shown, place));
}

/* .env: one pair. */
static void on_pair(void *self, const char *name, const char *value, int line)
{
    struct config *c = self;
    int id = id_of_env(name);
    char file[CONFIG__PATH_SHOWN], place[CONFIG__PLACE];

    config__path_shown(file, c->env_path);
    snprintf(place, sizeof(place), "%s line %d", file, line);
    if (id < 0) {
        if (strncmp(name, "MAYA_", 5) == 0)
            warn_unknown(c, name, place);
        return;
    }
    if (id == C_ENV_FILE) {
        warn(c, xprintf("%s (from %s) has no effect inside the file itself", name, place));
        return;
    }
    if (c->values[id].from == CONFIG_ENV_FILE)
        warn(c,
             xprintf("%s is set twice in %s; line %d counts, line %d does not", name, file,
                     *value ? line : c->values[id].line, *value ? c->values[id].line : line));
    set(c, id, value, CONFIG_ENV_FILE, line);
}

static int read_env_file(struct config *c, struct err *e)
{
    const struct config_sink sink = {on_pair, c};
    bool asked = c->values[C_ENV_FILE].from != CONFIG_DEFAULT;
    struct err local;

    c->env_path = xstrdup(c->values[C_ENV_FILE].text);
    if (config_env_read(c->env_path, &sink, &local) == 0)
        return 0;
    if (local.code == ERR_NOT_FOUND && !asked)
        return 0;
    if (local.code == ERR_NOT_FOUND && c->values[C_ENV_FILE].from == CONFIG_FLAG)
        local.code = ERR_INVALID;
    if (e)
        *e = local;
    return -1;
}

/* One value of a file of secrets. */
static void on_secret(void *self, const char *name, const char *value, const char *file,
                      int line)
{
    struct config *c = self;
    int id = id_of_env(name);
    char shown[CONFIG__PATH_SHOWN], place[CONFIG__PLACE];

    config__path_shown(shown, file);
    snprintf(place, sizeof(place), "%s line %d", shown, line);
    if (id < 0) {
        if (strncmp(name, "MAYA_", 5) == 0)
            warn_unknown(c, name, place);
        return;
    }
    if (id == C_ENV_FILE || id == C_SECRETS_DIR) {
        warn(c, xprintf("%s (from %s) has no effect in a file of secrets", name, shown));
        return;
    }
    if (!*value)
        return;
    set(c, id, value, CONFIG_SECRET_FILE, line);
    c->values[id].file = xstrdup(file);
}

/* The environment counts more than a file, and a file that is changed then changes nothing. */
static void warn_covered(struct config *c, int id)
{
    char shown[CONFIG__PATH_SHOWN];

    if (c->values[id].from != CONFIG_SECRET_FILE)
        return;
    config__path_shown(shown, c->values[id].file);
    warn(c, xprintf("%s is in the environment, so the one from %s does not count",
                    config__rows[id].env, shown));
}

/* `only`: this option, or -1 for all but those that tell where to read. */
static void read_environment(struct config *c, char **environment, int only)
{
    for (char **at = environment; at && *at; at++) {
        const char *eq = strchr(*at, '=');
        if (!eq || eq == *at)
            continue;
        char *name = xstrndup(*at, (size_t)(eq - *at));
        int id = id_of_env(name);
        bool where = id == C_ENV_FILE || id == C_SECRETS_DIR;
        if (only >= 0 ? id == only : id >= 0 && !where) {
            if (eq[1])
                warn_covered(c, id);
            set(c, id, eq + 1, CONFIG_ENVIRONMENT, 0);
        } else if (only < 0 && id < 0 && strncmp(name, "MAYA_", 5) == 0)
            warn_unknown(c, name, "the environment");
        free(name);
    }
}

/* Where the files of secrets are may stand in .env, the environment and the flags. */
static int read_secrets(struct config *c, const struct config *flags, char **environment,
                        struct err *e)
{
    const struct config_secret_sink sink = {on_secret, c};

    read_environment(c, environment, C_SECRETS_DIR);
    if (flags->values[C_SECRETS_DIR].from == CONFIG_FLAG)
        set(c, C_SECRETS_DIR, flags->values[C_SECRETS_DIR].text, CONFIG_FLAG, 0);
    if (config__check(c, C_SECRETS_DIR, e) < 0)
        return -1;
    return config__secrets_read(c->values[C_SECRETS_DIR].text, &sink, e);
}

static int unknown_flag(const char *name, struct err *e)
{
    int near = nearest(name, true), secret = -1;
    char shown[48];

    config__shown(shown, sizeof(shown), name);
    for (int id = 0; id < CONFIG__COUNT; id++) {
        struct buf spelt = BUF_INIT;
        for (const char *p = name; *p; p++)
            buf_char(&spelt, *p == '-' ? '_' : (*p >= 'a' && *p <= 'z') ? (char)(*p - 32) : *p);
        size_t n = strlen(config__rows[id].env);
        if (!*config__rows[id].flag && spelt.len && spelt.len <= n &&
            strcmp(config__rows[id].env + n - spelt.len, buf_text(&spelt)) == 0)
            secret = id;
        buf_release(&spelt);
    }
    if (secret >= 0)
        return err_set(e, ERR_INVALID, 0,
                       "there is no flag --%s, because other programs can read a command line; "
                       "set %s in the environment or in .env",
                       shown, config__rows[secret].env);
    if (near >= 0)
        return err_set(e, ERR_INVALID, 0, "there is no flag --%s; did you mean --%s?", shown,
                       config__rows[near].flag);
    return err_set(e, ERR_INVALID, 0, "there is no flag --%s; --help lists them", shown);
}

static int id_of_flag(struct str name)
{
    for (int id = 0; id < CONFIG__COUNT; id++)
        if (*config__rows[id].flag && str_eq(name, config__rows[id].flag))
            return id;
    return -1;
}

/* The flags in *argv: noted as they come, so the last of two counts. */
static int read_flags(struct config *c, int argc, char **argv, struct err *e)
{
    char shown[48];

    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            c->help = true;
            return 0;
        }
        if (strncmp(arg, "--", 2) != 0 || !arg[2]) {
            config__shown(shown, sizeof(shown), arg);
            return err_set(e, ERR_INVALID, 0,
                           "'%s' is not expected here; options look like --name value", shown);
        }
        struct str name = {arg + 2, strcspn(arg + 2, "=")};
        int id = id_of_flag(name);
        if (id < 0) {
            char *z = xstrndup(name.data, name.len);
            unknown_flag(z, e);
            free(z);
            return -1;
        }
        const char *value = name.data + name.len;
        if (*value == '=')
            value++;
        else if (config__rows[id].type == CONFIG_BOOL)
            value = "true";
        else if (i + 1 < argc)
            value = argv[++i];
        else
            return err_set(e, ERR_INVALID, 0, "--%s needs a value", config__rows[id].flag);
        set(c, id, value, CONFIG_FLAG, 0);
    }
    return 0;
}

int config_read(struct config *c, int argc, char **argv, char **environment, struct err *e)
{
    struct config *flags = config_new();
    int rc = read_flags(flags, argc, argv, e);

    c->help = flags->help;
    if (rc == 0 && !c->help) {
        /* Which file to read is known first, from the environment and the flags alone. */
        read_environment(c, environment, C_ENV_FILE);
        if (flags->values[C_ENV_FILE].from == CONFIG_FLAG)
            set(c, C_ENV_FILE, flags->values[C_ENV_FILE].text, CONFIG_FLAG, 0);
        rc = config__check(c, C_ENV_FILE, e);
        if (rc == 0)
            rc = read_env_file(c, e);
        if (rc == 0)
            rc = read_secrets(c, flags, environment, e);
    }
    if (rc == 0 && !c->help) {
        read_environment(c, environment, -1);
        for (int id = 0; id < CONFIG__COUNT; id++)
            if (flags->values[id].from == CONFIG_FLAG)
                set(c, id, flags->values[id].text, CONFIG_FLAG, 0);
        for (int id = 0; rc == 0 && id < CONFIG__COUNT; id++)
            rc = config__check(c, (enum config_id)id, e);
    }
    config_free(&flags);
    return rc;
}

/* `maya secret`: values that apps get, kept by the Swarm. */
#include "cli/verb.h"

#include "base/buf.h"
#include "cli/cli.h"
#include "config/config.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_secret(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

/* A file of values being read; the first mistake stays. */
struct reading {
    struct fleet_values *values;
    const char *file;
    struct err *e;
    int rc;
};

static void on_pair(void *self, const char *name, const char *value, int line)
{
    struct reading *r = self;
    struct err e;

    if (r->rc == 0 && fleet_values_add(r->values, name, value, &e) < 0)
        r->rc = err_set(r->e, e.code, 0, "%.100s:%d: %s", r->file, line, e.msg);
}

static int from_dotenv(struct fleet_values *v, const char *file, struct err *e)
{
    struct reading r = {v, file, e, 0};
    const struct config_sink sink = {on_pair, &r};

    if (config_env_read(file, &sink, e) < 0) {
        if (e->code == ERR_NOT_FOUND)
            err_set(e, ERR_INVALID, 0, "there is no file '%.150s'", file);
        return -1;
    }
    return r.rc;
}

static int from_json(struct fleet_values *v, const char *file, struct err *e)
{
    json_error_t why;
    json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &why), *value;
    const char *name;
    int rc = 0;

    if (!root && why.line < 0)
        return err_set(e, ERR_INVALID, 0, "'%.150s' cannot be read: %s", file, why.text);
    if (!root) /* jansson's text may quote the value */
        return err_set(e, ERR_INVALID, 0, "%.100s:%d: this is not JSON", file, why.line);
    if (!json_is_object(root))
        rc = err_set(e, ERR_INVALID, 0,
                     "%.100s: one JSON object is wanted, {\"NAME\": \"value\"}", file);
    json_object_foreach(root, name, value)
    {
        if (rc == 0 && !json_is_string(value))
            rc =
                err_set(e, ERR_INVALID, 0, "%.100s: the value of %.60s is no text", file, name);
        if (rc == 0)
            rc = fleet_values_add(v, name, json_string_value(value), e);
    }
    json_decref(root);
    return rc;
}

static int from_word(struct fleet_values *v, char *word, struct err *e)
{
    char *equals = strchr(word, '=');

    if (!equals) /* it may be a value that was meant to be secret: do not repeat it */
        return err_set(e, ERR_INVALID, 0, "values are given as KEY=VALUE; one has no '='");
    *equals = '\0';
    int rc = fleet_values_add(v, word, equals + 1, e);
    /* What stands in the arguments anybody here can see while we run. */
    explicit_bzero(equals + 1, strlen(equals + 1));
    return rc;
}

static int gather(const struct cli_args *a, struct fleet_values *v, struct err *e)
{
    if (a->flag[CLI_FLAG_DOTENV] && from_dotenv(v, a->flag[CLI_FLAG_DOTENV], e) < 0)
        return -1;
    if (a->flag[CLI_FLAG_FROM_JSON] && from_json(v, a->flag[CLI_FLAG_FROM_JSON], e) < 0)
        return -1;
    for (int i = 1; i < a->words; i++)
        if (from_word(v, a->word[i], e) < 0)
            return -1;
    return 0;
}

/* Who has the one before, in one sentence: what becomes of them. */
static void tell_takers(struct engine *en, const char *name)
{
    json_t *now = NULL, *later = NULL;
    struct buf takes = BUF_INIT, waits = BUF_INIT;
    struct err ignored; /* it is kept all the same */

    if (fleet_secret_takers(en, name, &now, &later, &ignored) < 0)
        return;
    size_t n = json_array_size(now), m = json_array_size(later);
    fleet_join(&takes, now);
    fleet_join(&waits, later);
    if (n)
        printf("%s take%s it over within seconds", buf_text(&takes), n == 1 ? "s" : "");
    if (m)
        printf(
            "%s%s get%s it with the next deploy, since only Maya takes it over while she runs",
            n ? "; " : "", buf_text(&waits), m == 1 ? "s" : "");
    if (n || m)
        printf(".\n");
    buf_release(&waits);
    buf_release(&takes);
    json_decref(later);
    json_decref(now);
}

int verb_secret_create(const struct cli_args *a)
{
    struct fleet_values *v = fleet_values_new();
    struct engine *en = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (gather(a, v, &e) < 0 || cli__engine(a, &en, &e) < 0 ||
        fleet_secret_create(en, a->word[0], v, a->flag[CLI_FLAG_FORCE] != NULL, &e) < 0)
        code = cli_fail(&e);
    else
        printf("The secret '%s' is kept, with %zu value%s.\n", a->word[0],
               fleet_values_count(v), fleet_values_count(v) == 1 ? "" : "s");
    if (code == CLI_OK && a->flag[CLI_FLAG_FORCE])
        tell_takers(en, a->word[0]);
    engine_close(&en);
    fleet_values_free(&v);
    return code;
}

static int get_secrets(const struct cli_args *a, struct engine *en, json_t **ret, struct err *e)
{
    (void)a;
    return fleet_secret_list(en, ret, e);
}

static void show_secret(struct cli_table *t, const json_t *row)
{
    cli__table_add(t, cli__row_text(row, "name"));
    cli__table_add_list(t, json_object_get(row, "keys"));
    cli__table_add_version(t, row);
    cli__table_add_time(t, cli__row_text(row, "created"));
    cli__table_add_list(t, json_object_get(row, "apps"));
}

int verb_secret_list(const struct cli_args *a)
{
    static const char *const columns[] = {"Name",       "Values",  "Version",
                                          "Created at", "Used by", NULL};
    static const struct cli_list list = {
        columns, "No secrets yet; `maya secret create NAME KEY=VALUE` makes one.", get_secrets,
        show_secret};

    return cli__list(a, &list);
}

int verb_secret_delete(const struct cli_args *a)
{
    struct engine *en = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (!cli__confirm(a, "Delete the secret '%s'? Nobody can read its values back.",
                      a->word[0]))
        return CLI_FAILED;
    if (cli__engine(a, &en, &e) < 0)
        code = cli_fail(&e);
    else if (fleet_secret_delete(en, a->word[0], &e) == 0)
        printf("The secret '%s' is gone.\n", a->word[0]);
    else if (e.code == ERR_NOT_FOUND && a->flag[CLI_FLAG_MISSING])
        printf("There is no secret '%s'.\n", a->word[0]);
    else
        code = cli_fail(&e);
    engine_close(&en);
    return code;
}

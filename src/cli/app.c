/* `maya app`: what is deployed. */
#include "cli/verb.h"

#include "base/strs.h"
#include "cli/cli.h"
#include "cli/plan.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_app(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

static int get_apps(const struct cli_args *a, struct engine *en, json_t **ret, struct err *e)
{
    (void)a;
    return fleet_app_list(en, ret, e);
}

static void show_app(struct cli_table *t, const json_t *row)
{
    cli__table_add(t, cli__row_text(row, "name"));
    cli__table_add(t, cli__row_text(row, "state"));
    cli__table_add_version(t, row);
    cli__table_addf(t, "%d", (int)json_integer_value(json_object_get(row, "containers")));
    cli__table_add_time(t, cli__row_text(row, "created"));
}

int verb_app_list(const struct cli_args *a)
{
    static const char *const columns[] = {"App",        "State",       "Version",
                                          "Containers", "Deployed at", NULL};
    static const struct cli_list list = {columns, "No apps yet; `maya deploy` makes one.",
                                         get_apps, show_app};

    return cli__list(a, &list);
}

static int get_history(const struct cli_args *a, struct engine *en, json_t **ret, struct err *e)
{
    return fleet_app_history(en, a->word[0], ret, e);
}

static void show_version(struct cli_table *t, const json_t *row)
{
    cli__table_add_version(t, row);
    cli__table_add_time(t, cli__row_text(row, "created"));
    cli__table_add(t, cli__row_text(row, "by"));
    cli__table_add(t, cli__row_text(row, "commit"));
    cli__table_add(t, cli__row_text(row, "tag"));
    cli__table_add(t, cli__row_text(row, "state"));
}

int verb_app_history(const struct cli_args *a)
{
    static const char *const columns[] = {"Version", "Deployed at", "Deployed by", "Commit",
                                          "Tag",     "State",       NULL};
    static const struct cli_list list = {columns, "", get_history, show_version};

    return cli__list(a, &list);
}

/* "v5" or "5". */
static int read_version(const char *said, int *ret, struct err *e)
{
    int64_t n;

    if (!str_to_int(said + (*said == 'v'), &n) || n < 1 || n > INT_MAX)
        return err_set(e, ERR_INVALID, 0, "'%.40s' is no version; one looks like v5 or 5",
                       said);
    *ret = (int)n;
    return 0;
}

int verb_app_rollback(const struct cli_args *a)
{
    const char *said = a->words > 1 ? a->word[1] : a->flag[CLI_FLAG_TO];
    bool anyway = a->flag[CLI_FLAG_ANYWAY] != NULL;
    const struct fleet_deploy how = {.who = cli__who(),
                                     .discard = anyway,
                                     .unchecked = anyway,
                                     .on_line = cli__on_line,
                                     .on_wait = cli__on_wait};
    struct fleet_deployed done;
    struct engine *en = NULL;
    struct err e = {0};
    int to = 0, code = CLI_OK;

    if (a->words > 1 && a->flag[CLI_FLAG_TO])
        return cli_fail_with(CLI_USAGE, "the version is said twice, as a word and with --to");
    if ((said && read_version(said, &to, &e) < 0) || cli__engine(a, &en, &e) < 0 ||
        fleet_rollback(en, a->word[0], to, &how, &done, &e) < 0)
        code = cli_fail(&e);
    else
        printf("%s is at v%d.\n", a->word[0], done.version);
    engine_close(&en);
    return code;
}

static int decide(const struct cli_args *a, bool promote)
{
    struct engine *en = NULL;
    struct err e = {0};
    int version = 0, code = CLI_OK;

    if (cli__engine(a, &en, &e) < 0 ||
        fleet_decide(en, a->word[0], promote, cli__who(), cli__on_line, NULL, &version, &e) < 0)
        code = cli_fail(&e);
    else if (promote)
        printf("%s is at v%d.\n", a->word[0], version);
    engine_close(&en);
    return code;
}

int verb_app_promote(const struct cli_args *a)
{
    return decide(a, true);
}

int verb_app_discard(const struct cli_args *a)
{
    if (!cli__confirm(a, "Take back the version of '%s' that waits?", a->word[0]))
        return CLI_FAILED;
    return decide(a, false);
}

int verb_app_stop(const struct cli_args *a)
{
    struct engine *en = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (!cli__confirm(a,
                      "Stop the app '%s'? Its containers end at once; its history, volumes and "
                      "secrets stay.",
                      a->word[0]))
        return CLI_FAILED;
    if (cli__engine(a, &en, &e) < 0 || fleet_app_stop(en, a->word[0], &e) < 0)
        code = cli_fail(&e);
    engine_close(&en);
    return code;
}

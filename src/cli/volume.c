/* `maya volume`: files that apps keep. */
#include "cli/verb.h"

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_STEP (4u << 20) /* bytes between two signs of progress */

int cmd_volume(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

int verb_volume_create(const struct cli_args *a)
{
    struct engine *en = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (cli__engine(a, &en, &e) < 0 || fleet_volume_create(en, a->word[0], &e) < 0)
        code = cli_fail(&e);
    else
        printf("The volume '%s' is there.\n", a->word[0]);
    engine_close(&en);
    return code;
}

static int get_volumes(const struct cli_args *a, struct engine *en, json_t **ret, struct err *e)
{
    (void)a;
    return fleet_volume_list(en, ret, e);
}

static void show_volume(struct cli_table *t, const json_t *row)
{
    cli__table_add(t, cli__row_text(row, "name"));
    cli__table_add_time(t, cli__row_text(row, "created"));
    cli__table_add_list(t, json_object_get(row, "apps"));
}

int verb_volume_list(const struct cli_args *a)
{
    static const char *const columns[] = {"Name", "Created at", "Used by", NULL};
    static const struct cli_list list = {columns,
                                         "No volumes yet; `maya volume create NAME` makes one.",
                                         get_volumes, show_volume};

    return cli__list(a, &list);
}

/* Exact for programs, "1.5 MiB" for people. */
static void add_size(struct cli_table *t, const json_t *row)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    json_int_t size = json_integer_value(json_object_get(row, "size"));
    double shown = (double)size;
    size_t unit = 0;

    while (shown >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        shown /= 1024;
        unit++;
    }
    if (t->json || unit == 0)
        cli__table_addf(t, "%lld%s", (long long)size, t->json ? "" : " B");
    else
        cli__table_addf(t, "%.1f %s", shown, units[unit]);
}

static int get_files(const struct cli_args *a, struct engine *en, json_t **ret, struct err *e)
{
    return fleet_volume_ls(en, a->word[0], a->words > 1 ? a->word[1] : "/",
                           a->flag[CLI_FLAG_RECURSIVE] != NULL, ret, e);
}

static void show_file(struct cli_table *t, const json_t *row)
{
    cli__table_add(t, cli__row_text(row, "path"));
    cli__table_add(t, cli__row_text(row, "type"));
    cli__table_add_time(t, cli__row_text(row, "modified"));
    add_size(t, row);
}

/* Whoever reads a pipe wants paths. */
static int print_paths(const struct cli_args *a)
{
    struct engine *en = NULL;
    json_t *list = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (cli__engine(a, &en, &e) < 0 || get_files(a, en, &list, &e) < 0)
        code = cli_fail(&e);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct buf clean = BUF_INIT;
        cli__clean(&clean, cli__row_text(json_array_get(list, i), "path"));
        puts(buf_text(&clean));
        buf_release(&clean);
    }
    json_decref(list);
    engine_close(&en);
    return code;
}

int verb_volume_ls(const struct cli_args *a)
{
    static const char *const columns[] = {"Filename", "Type", "Modified", "Size", NULL};
    static const struct cli_list list = {columns, "Nothing is in there.", get_files, show_file};

    if (!a->flag[CLI_FLAG_JSON] && !isatty(STDOUT_FILENO))
        return print_paths(a);
    return cli__list(a, &list);
}

/* What a person sees while much is copied; on stderr, where nobody is there nothing. */
struct progress {
    uint64_t shown;
    bool on;
};

static void on_bytes(void *ctx, uint64_t done)
{
    struct progress *p = ctx;

    if (!p->on || done - p->shown < SHOWN_STEP)
        return;
    p->shown = done;
    fprintf(stderr, "\r%" PRIu64 " MiB", done >> 20);
}

static void end_progress(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = 0;
}

static void on_note(void *ctx, const char *line)
{
    end_progress(ctx);
    cli_fail_with(CLI_OK, "%s", line);
}

int verb_volume_put(const struct cli_args *a)
{
    struct progress p = {.on = isatty(STDERR_FILENO)};
    const struct fleet_copy c = {.volume = a->word[0],
                                 .local = a->word[1],
                                 .remote = a->words > 2 ? a->word[2] : "/",
                                 .replace = a->flag[CLI_FLAG_FORCE] != NULL,
                                 .on_note = on_note,
                                 .on_bytes = on_bytes,
                                 .ctx = &p};
    struct engine *en = NULL;
    struct err e = {0};
    char *path = NULL;
    int rc = cli__engine(a, &en, &e);

    if (rc == 0)
        rc = fleet_volume_put(en, &c, &path, &e);
    end_progress(&p);
    engine_close(&en);
    if (rc < 0)
        return cli_fail(&e);
    struct buf line = BUF_INIT;
    cli__clean(&line, path);
    printf("'%s' is in the volume '%s'.\n", buf_text(&line), a->word[0]);
    buf_release(&line);
    free(path);
    return CLI_OK;
}

int verb_volume_get(const struct cli_args *a)
{
    struct progress p = {.on = isatty(STDERR_FILENO)};
    const struct fleet_copy c = {.volume = a->word[0],
                                 .remote = a->word[1],
                                 .local = a->words > 2 ? a->word[2] : ".",
                                 .replace = a->flag[CLI_FLAG_FORCE] != NULL,
                                 .on_note = on_note,
                                 .on_bytes = on_bytes,
                                 .ctx = &p};
    struct engine *en = NULL;
    struct err e = {0};
    char *path = NULL;
    unsigned left_out = 0;

    signal(SIGPIPE, SIG_IGN); /* who reads us may go; what was made is removed all the same */
    int rc = cli__engine(a, &en, &e);
    if (rc == 0)
        rc = fleet_volume_get(en, &c, &path, &left_out, &e);
    end_progress(&p);
    engine_close(&en);
    if (rc < 0)
        return cli_fail(&e);
    if (strcmp(c.local, "-") != 0)
        printf("'%s' is here.\n", path);
    free(path);
    if (left_out)
        return cli_fail_with(CLI_FAILED,
                             "%u of what is there %s no file or folder of its own and was left "
                             "out",
                             left_out, left_out == 1 ? "is" : "are");
    return CLI_OK;
}

int verb_volume_rm(const struct cli_args *a)
{
    struct engine *en = NULL;
    struct err e = {0};
    const bool deep = a->flag[CLI_FLAG_RECURSIVE] != NULL;
    struct buf path = BUF_INIT;
    int code = CLI_FAILED;

    cli__clean(&path, a->word[1]);
    if (!deep || cli__confirm(a, "Remove '%s' from the volume '%s', and all that is in it?",
                              buf_text(&path), a->word[0])) {
        if (cli__engine(a, &en, &e) < 0 ||
            fleet_volume_rm(en, a->word[0], a->word[1], deep, &e) < 0) {
            code = cli_fail(&e);
        } else {
            printf("'%s' is gone from the volume '%s'.\n", buf_text(&path), a->word[0]);
            code = CLI_OK;
        }
    }
    engine_close(&en);
    buf_release(&path);
    return code;
}

int verb_volume_delete(const struct cli_args *a)
{
    struct engine *en = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (!cli__confirm(a, "Delete the volume '%s' with all that is in it?", a->word[0]))
        return CLI_FAILED;
    if (cli__engine(a, &en, &e) < 0)
        code = cli_fail(&e);
    else if (fleet_volume_delete(en, a->word[0], &e) == 0)
        printf("The volume '%s' is gone.\n", a->word[0]);
    else if (e.code == ERR_NOT_FOUND && a->flag[CLI_FLAG_MISSING])
        printf("There is no volume '%s'.\n", a->word[0]);
    else
        code = cli_fail(&e);
    engine_close(&en);
    return code;
}

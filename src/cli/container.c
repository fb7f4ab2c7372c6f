/* `maya container`: the containers that apps run in. */
#include "cli/verb.h"

#include "base/buf.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define SHORT_ID 12

int cmd_container(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

static const char *text(const json_t *row, const char *key)
{
    const char *value = json_string_value(json_object_get(row, key));

    return value && *value ? value : NULL;
}

int verb_container_list(const struct cli_args *a)
{
    static const char *const columns[] = {"Container ID", "App",   "Version", "Node",
                                          "Address",      "State", "Since",   NULL};
    struct cli_table t = {.columns = columns};
    bool json = a->flag[CLI_FLAG_JSON] != NULL;
    struct engine *en = NULL;
    json_t *list = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (cli__engine(a, &en, &e) < 0 ||
        fleet_container_list(en, a->flag[CLI_FLAG_APP], &list, &e) < 0)
        code = cli_fail(&e);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const char *id = text(row, "id");
        if (id && !json)
            cli__table_addf(&t, "%.*s", SHORT_ID, id);
        else
            cli__table_add(&t, id);
        cli__table_add(&t, text(row, "app"));
        cli__table_addf(&t, "v%d", (int)json_integer_value(json_object_get(row, "version")));
        cli__table_add(&t, text(row, "node"));
        cli__table_add(&t, text(row, "address"));
        cli__table_add(&t, text(row, "state"));
        cli__table_add_time(&t, text(row, "since"), json);
    }
    if (code == CLI_OK)
        cli__table_print(&t, json, "No containers run; `maya deploy` starts an app.");
    json_decref(list);
    engine_close(&en);
    return code;
}

int verb_container_stop(const struct cli_args *a)
{
    struct engine *en = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (!cli__confirm(a, "Stop the container %s? Its app gets another one in its place.",
                      a->word[0]))
        return CLI_FAILED;
    if (cli__engine(a, &en, &e) < 0 || fleet_container_stop(en, a->word[0], &e) < 0)
        code = cli_fail(&e);
    engine_close(&en);
    return code;
}

/* The terminal while a program in a container has it. */
struct shell {
    int rows, columns;
    struct termios before;
    bool raw;
};

static void on_output(void *ctx, int stream, const char *data, size_t len)
{
    (void)ctx;
    fwrite(data, 1, len, stream == 1 ? stdout : stderr);
    fflush(stream == 1 ? stdout : stderr);
}

static bool on_size(void *ctx, int *rows, int *columns)
{
    struct shell *s = ctx;
    struct winsize size;

    if (!s->raw || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 ||
        (size.ws_row == s->rows && size.ws_col == s->columns))
        return false;
    *rows = s->rows = size.ws_row;
    *columns = s->columns = size.ws_col;
    return true;
}

/* What is typed goes there as it is: Ctrl-C is for the program. */
static void begin_raw(struct shell *s)
{
    struct termios raw;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
        tcgetattr(STDIN_FILENO, &s->before) < 0)
        return;
    raw = s->before;
    cfmakeraw(&raw);
    s->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

int verb_container_exec(const struct cli_args *a)
{
    struct shell s = {0};
    struct engine *en = NULL;
    struct err e = {0};
    int code = 0;

    if (cli__engine(a, &en, &e) < 0)
        return cli_fail(&e);
    begin_raw(&s);
    struct fleet_exec x = {
        .argv = (const char *const *)a->word + 1,
        .terminal = s.raw,
        .in_fd = STDIN_FILENO,
        .on_bytes = on_output,
        .resized = on_size,
        .ctx = &s,
    };
    int rc = fleet_container_exec(en, a->word[0], &x, &code, &e);
    if (s.raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &s.before);
    engine_close(&en);
    return rc < 0 ? cli_fail(&e) : code;
}

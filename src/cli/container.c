/* `maya container`: the containers that apps run in. */
#include "cli/verb.h"

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define SHORT_ID 12
#define METRICS_S 2 /* what is well answers at once */

int cmd_container(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

/* The value of a metric without labels, or -1. */
static long metric(const char *page, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = page; (at = strstr(at, name)); at += len)
        if ((at == page || at[-1] == '\n') && at[len] == ' ')
            return strtol(at + len + 1, NULL, 10);
    return -1;
}

/*
 * How many sessions a Maya has, and how many it may have; from its metrics. One that cannot be
 * reached from here costs its time once: the others are on the same network.
 */
static bool ask_sessions(const json_t *row, long *ret_now, long *ret_most)
{
    const char *address = cli__row_text(row, "address");
    struct cli_request r = {.path = "/metrics", .timeout_s = METRICS_S};
    struct cli_client c;
    struct err e;
    bool reached = false;

    *ret_now = -1;
    if (!address || !json_is_true(json_object_get(row, "maya")))
        return true;
    if (cli__client_open(&c, address, &cli__stop, &e) == 0)
        reached = cli__request(&c, &r, &e) == 0;
    if (reached && r.status == 200) {
        *ret_now = metric(buf_text(&r.body), "maya_active_sessions");
        *ret_most = metric(buf_text(&r.body), "maya_max_sessions");
    }
    cli__request_release(&r);
    cli__client_close(&c);
    return reached;
}

/* The containers, and what each holds. */
static int get_containers(const struct cli_args *a, struct engine *en, json_t **ret,
                          struct err *e)
{
    bool reachable = true;

    if (fleet_container_list(en, a->flag[CLI_FLAG_APP], ret, e) < 0)
        return -1;
    fleet_container_measure(en, *ret);
    for (size_t i = 0; reachable && i < json_array_size(*ret); i++) {
        json_t *row = json_array_get(*ret, i);
        long now, most = 0;
        reachable = ask_sessions(row, &now, &most);
        if (now >= 0)
            json_object_set_new(row, "sessions", json_integer(now));
        json_object_set_new(row, "max_sessions", json_integer(most));
    }
    return 0;
}

static void add_measures(struct cli_table *t, const json_t *row)
{
    const json_t *now = json_object_get(row, "sessions"),
                 *memory = json_object_get(row, "memory");
    long long most = json_integer_value(json_object_get(row, "max_sessions"));
    long long bytes = json_integer_value(memory);

    if (!now)
        cli__table_add(t, NULL);
    else if (t->json || most <= 0)
        cli__table_addf(t, "%lld", (long long)json_integer_value(now));
    else
        cli__table_addf(t, "%lld of %lld", (long long)json_integer_value(now), most);
    if (!memory)
        cli__table_add(t, NULL);
    else if (t->json)
        cli__table_addf(t, "%lld", bytes);
    else
        cli__table_addf(t, "%.1f MiB", (double)bytes / 1048576.0);
}

static void show_container(struct cli_table *t, const json_t *row)
{
    const char *id = cli__row_text(row, "id");

    if (id && !t->json)
        cli__table_addf(t, "%.*s", SHORT_ID, id);
    else
        cli__table_add(t, id);
    cli__table_add(t, cli__row_text(row, "app"));
    cli__table_add_version(t, row);
    cli__table_add(t, cli__row_text(row, "node"));
    cli__table_add(t, cli__row_text(row, "address"));
    cli__table_add(t, cli__row_text(row, "state"));
    cli__table_add_time(t, cli__row_text(row, "since"));
    add_measures(t, row);
}

int verb_container_list(const struct cli_args *a)
{
    static const char *const columns[] = {"Container ID", "App",   "Version", "Node",
                                          "Address",      "State", "Since",   "Sessions",
                                          "Memory",       NULL};
    static const struct cli_list list = {columns,
                                         "No containers run; `maya deploy` starts an app.",
                                         get_containers, show_container};

    return cli__list(a, &list);
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
    else
        printf("The container %s has stopped; its app gets another one.\n", a->word[0]);
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

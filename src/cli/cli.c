/* The table of commands, and what all of them share. */
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "cli/verb.h"

#include "base/strs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
#define CMD(name, shown, usage, sentence) {#name, cmd_##name, shown, usage, sentence},
#include "cli/cmd.def"
#undef CMD
};

bool cli__command_at(size_t i, struct cli_command *ret)
{
    if (i >= ARRAY_LEN(commands))
        return false;
    *ret = commands[i];
    return true;
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const struct cli_command *near = NULL;
    int best = 4;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        int d = str_distance(commands[i].name, name, best);
        if (d < best && d < (int)strlen(commands[i].name)) {
            best = d;
            near = &commands[i];
        }
    }
    if (near)
        return cli_fail_with(CLI_USAGE, "there is no command '%.40s'; did you mean '%s'?", name,
                             near->name);
    return cli_fail_with(CLI_USAGE, "there is no command '%.40s'; `maya help` lists them",
                         name);
}

/* `out` is stdout for who asked, stderr for who mistyped. */
static void overview(FILE *out)
{
    fputs("Maya serves conversational agents.\n\nUsage: maya COMMAND ...\n\n", out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].shown)
            fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].sentence);
    fputs("\n`maya help COMMAND` tells more; `maya --version` tells the version.\n", out);
}

int cmd_help(int argc, char **argv)
{
    char flag[] = "--help";
    char *asked[] = {NULL, flag, NULL};

    if (argc > 2)
        return cli_fail_with(CLI_USAGE, "help takes one command");
    if (argc < 2 || cli_wants_help(argc, argv)) {
        overview(stdout);
        return CLI_OK;
    }
    const struct cli_command *c = find(argv[1]);
    if (!c)
        return unknown(argv[1]);
    if (c->run == cmd_help)
        return cli_usage("help", NULL);
    asked[0] = argv[1];
    return c->run(2, asked);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        overview(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cmd_help(1, argv);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("maya " MAYA_VERSION);
        return CLI_OK;
    }
    const struct cli_command *c = find(argv[1]);
    return c ? c->run(argc - 1, argv + 1) : unknown(argv[1]);
}

int cli_run(int argc, char **argv)
{
    int code = dispatch(argc, argv);

    /* A full disk is noticed here and not by who reads half a page later. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE && code == CLI_OK)
        return cli_fail_with(CLI_FAILED, "cannot write the output: %s", strerror(errno));
    return code;
}

int cli_fail_with(enum cli_exit code, const char *fmt, ...)
{
    struct buf text = BUF_INIT, clean = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    cli__clean(&clean, buf_text(&text)); /* it may quote what somebody else wrote */
    fprintf(stderr, "maya: %s\n", buf_text(&clean));
    buf_release(&clean);
    buf_release(&text);
    return code;
}

int cli_fail(const struct err *e)
{
    enum cli_exit code = CLI_FAILED;

    if (e->code == ERR_INVALID)
        code = CLI_USAGE;
    else if (err_retry_after_s(e->code) > 0)
        code = CLI_TRY_AGAIN;
    return cli_fail_with(code, "%s", e->msg);
}

bool cli_wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_usage(const char *command, const char *more)
{
    const struct cli_command *c = find(command);

    MUST(c);
    printf("Usage: maya %s %s\n\n%s\n", c->name, c->usage, c->sentence);
    if (more)
        printf("\n%s", more);
    return CLI_OK;
}

void cli_commands_markdown(struct buf *out)
{
    buf_str(
        out,
        "# Commands\n\n<!-- Made from src/cli/cmd.def; do not edit. -->\n\n"
        "Data goes to stdout, words for people to stderr. `maya completion` makes the shell "
        "complete commands, flags\nand values.\n\n"
        "| command | what it does |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        buf_printf(out, "| `maya %s %s` | %s |\n", commands[i].name, commands[i].usage,
                   commands[i].sentence);
    cli__verbs_markdown(out);
    buf_str(out, "\n## Exit codes\n\n| code | what it means |\n|---|---|\n");
#define EXIT(name, number, sentence) buf_printf(out, "| %d | %s |\n", CLI_##name, sentence);
#include "cli/exit.def"
#undef EXIT
}

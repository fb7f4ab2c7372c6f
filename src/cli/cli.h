/*
 * cli: `maya <command>`. One file a command, one row of cmd.def each: it reads its arguments,
 * calls one verb of a lower part, prints. Data goes to stdout, words for people to stderr.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct seal;

enum cli_exit {
#define EXIT(name, number, sentence) CLI_##name = number,
#include "cli/exit.def"
#undef EXIT
};

/* The commands: the exit code is what they return. argv[0] is the command's own name. */
#define CMD(name, shown, usage, sentence) int cmd_##name(int argc, char **argv);
#include "cli/cmd.def"
#undef CMD

/* cli.c */

/* All of main: find the command in argv[1] and run it. */
int cli_run(int argc, char **argv);

/* "maya: <message>" to stderr; returns the exit code that suits the error. */
int cli_fail(const struct err *e);
/* The same with words of its own, for CLI_USAGE and the rest. */
int cli_fail_with(enum cli_exit code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Is --help or -h among the arguments? */
bool cli_wants_help(int argc, char **argv);
/* The command's usage line and sentence, to stdout; `more` follows after an empty line. */
int cli_usage(const char *command, const char *more);
/* The table as Markdown. */
void cli_commands_markdown(struct buf *out);

/* options.c */

/*
 * Read a config from the arguments, the environment and .env; warnings go to stderr. Returns
 * false when the command is to end at once with *ret_exit: help was printed, or a mistake.
 */
bool cli_options(const char *command, struct config *c, int argc, char **argv,
                 int *ret_exit) MUST_USE;

/* The keys: the data folder's, MAYA_MASTER_KEY and MAYA_MASTER_KEY_OLD. */
int cli_seal(const struct config *c, struct seal **ret, struct err *e) MUST_USE;

/* config_plan() with the config's numbers; under `measured` everything fits. */
int cli_plan(const struct config *c, uint64_t limit, uint64_t footprint, uint64_t *ret_sessions,
             struct err *e) MUST_USE;
/* Bytes this process holds in memory now: the same program that serves, so about its own. */
uint64_t cli_footprint(void);

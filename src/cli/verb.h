/*
 * Private to cli/: commands with verbs, `maya secret create NAME ...`. What verbs there are is
 * verb.def, what flags flag.def; help, errors and completion come from these tables.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_flag {
#define FLAG(id, name, letter, value, sentence) CLI_FLAG_##id,
#include "cli/flag.def"
#undef FLAG
    CLI_FLAG__COUNT
};

struct cli_args {
    const char *flag[CLI_FLAG__COUNT]; /* NULL: not given; "" for one without a value */
    char **word;                       /* what is no flag */
    int words;
};

/* What the verbs are; the exit code is what they return. */
#define VERB(command, verb, usage, least, most, flags, sentence)                               \
    int verb_##command##_##verb(const struct cli_args *a);
#include "cli/verb.def"
#undef VERB

struct cli_verb {
    const char *command, *verb, *usage, *sentence;
    int least, most;
    uint64_t flags; /* bits of enum cli_flag */
    int (*run)(const struct cli_args *a);
};
const struct cli_verb *cli__verb_at(size_t i); /* NULL after the last */
bool cli__takes(const struct cli_verb *v, size_t flag);
/*
 * The first argument that belongs to the program which a verb runs, whatever it looks like;
 * INT_MAX when there is none yet, and for other verbs. argv[0] is the command.
 */
int cli__own_args(const struct cli_verb *v, int argc, char **argv);
/* How many of the arguments are words; *ret_engine is the value of --engine, else it stays. */
int cli__words(const struct cli_verb *v, int argc, char **argv, const char **ret_engine);

/* complete_name.c: what the engine has that the verb's first word may be. Silent, and brief. */
void cli__names(const struct cli_verb *v, const char *engine,
                void (*on_name)(void *ctx, const char *name, const char *what), void *ctx);

struct cli_flag_row {
    const char *name, *value, *sentence;
    char letter;
};
const struct cli_flag_row *cli__flag_at(enum cli_flag id);

/* Both tables, for the page about commands. */
struct buf;
void cli__verbs_markdown(struct buf *out);

/* Run the verb in argv[1] of the command argv[0]. */
int cli__run_verb(int argc, char **argv);
/*
 * Is it to be done? Without --yes it is asked, "[y/N]" behind the question; where nobody can be
 * asked the answer is no, and says so.
 */
bool cli__confirm(const struct cli_args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Ctrl-C sets it: what is under way ends with ERR_STOPPED and cleans up behind it. */
extern volatile sig_atomic_t cli__stop;
/* The engine of --engine or the environment. */
struct engine;
int cli__engine(const struct cli_args *a, struct engine **ret, struct err *e) MUST_USE;

/* The port that a flag says; *ret stays when it says none. */
int cli__port(const struct cli_args *a, enum cli_flag flag, int *ret, struct err *e) MUST_USE;

/* table.c: rows for people, JSON for programs */

struct cli_table {
    const char *const *columns; /* NULL-ended titles: "App", "Created at" */
    bool json;                  /* for programs */
    char **cells;               /* NULL: nothing there */
    size_t count, cap;
};
void cli__table_add(struct cli_table *t, const char *cell); /* copied; NULL: nothing there */
void cli__table_addf(struct cli_table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void cli__table_add_list(struct cli_table *t, const json_t *texts); /* "a, b"; none: nothing */
/* A text of what fleet lists; NULL: it is not there, or empty. */
const char *cli__row_text(const json_t *row, const char *key);
void cli__table_add_version(struct cli_table *t, const json_t *row); /* "v5" */
/*
 * Print and release. JSON is an array of objects whose keys are the titles in lower case with
 * "_"; every value is a text or null. Without rows people read `none`.
 */
void cli__table_print(struct cli_table *t, const char *none);
/* A time of RFC 3339: as it is for programs, "2025-06-15 15:06" here for people. */
void cli__table_add_time(struct cli_table *t, const char *rfc3339);

/* A verb that shows what an engine has: where its rows come from, and one of them as cells. */
struct cli_list {
    const char *const *columns;
    const char *none; /* what people read where there is no row */
    int (*get)(const struct cli_args *a, struct engine *en, json_t **ret, struct err *e);
    void (*row)(struct cli_table *t, const json_t *row);
};
int cli__list(const struct cli_args *a, const struct cli_list *l); /* an exit code */

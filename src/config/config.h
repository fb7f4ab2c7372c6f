/*
 * config: every option of `maya serve`, one table (config.def): name of the variable, flag,
 * type, default, bounds, one sentence. Values come from, in rising order: the default, the
 * .env file, files of secrets, the environment, the command line. Parser, --help,
 * docs/config.md and the start-up dump are made from the table. Holds values only: a part gets
 * its own small struct of limits from cli/serve.c and never reads this.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum config_type {
    CONFIG_TEXT,
    CONFIG_INT,
    CONFIG_NUMBER, /* fractions allowed */
    CONFIG_BOOL,   /* 1 0 true false yes no on off */
    CONFIG_CHOICE, /* one of a|b|c */
    CONFIG_SECRET  /* text that is never shown */
};

enum config_from {
    CONFIG_DEFAULT,
    CONFIG_ENV_FILE,
    CONFIG_SECRET_FILE,
    CONFIG_ENVIRONMENT,
    CONFIG_FLAG
};

enum config_id {
#define OPTION(id, env, flag, type, preset, min, max, unit, choices, help) C_##id,
#include "config/config.def"
#undef OPTION
    CONFIG__COUNT
};

struct config;

/* Everything at its default. */
struct config *config_new(void) MUST_USE;
void config_free(struct config **c);

/*
 * Read `argv` (argv[0] is the command; flags: --name value, --name=value, --switch),
 * `environment` and the .env file (--env-file, or ".env" in the working directory when it is
 * there). Once per config. An empty value counts as none, wherever it stands. The first value
 * that is not valid stops with one sentence: variable, where it stood (file and line for .env),
 * what it was (never for a secret), what it may be. ERR_INVALID is the command line's fault,
 * ERR_CONFIG that of the environment or the file. Unknown MAYA_ names are noted as warnings,
 * with the nearest known one, read with config_warning(). With --help or -h nothing else is
 * read.
 */
int config_read(struct config *c, int argc, char **argv, char **environment,
                struct err *e) MUST_USE;
const char *config_warning(const struct config *c, unsigned i); /* NULL after the last */
bool config_wants_help(const struct config *c);

const char *config_text(const struct config *c, enum config_id id); /* NULL or "" when unset */
int64_t config_int(const struct config *c, enum config_id id);
bool config_bool(const struct config *c, enum config_id id);
double config_number(const struct config *c, enum config_id id);
bool config_given(const struct config *c, enum config_id id); /* not the default */
enum config_from config_from(const struct config *c, enum config_id id);
/* "MAYA_X=1 (from .env line 3)"; a secret shows as "set" or "not set". */
void config_describe(const struct config *c, enum config_id id, struct buf *out);

void config_help(struct buf *out);     /* the options, for --help */
void config_markdown(struct buf *out); /* for docs/config.md */

/* A row of the table, for who tells of it. Texts are static, "" where there is none. */
struct config_about {
    const char *env, *flag, *unit, *choices, *help;
    enum config_type type;
};
void config_about(enum config_id id, struct config_about *ret);

/* rotate.c: secrets that change while a container serves */

struct config_fresh;
struct files;

/* What .env and the files of secrets look like now; NULL: no memory. Any thread may ask. */
struct files *config_look(const struct config *c) MUST_USE;
/*
 * Read the secrets again. Any thread may, as long as nobody takes. No other option is looked
 * at. Errors name file and line.
 */
int config_reread(const struct config *c, struct config_fresh **ret, struct err *e) MUST_USE;
void config_fresh_free(struct config_fresh **f); /* wipes what it holds */
/* What a secret would be; NULL: it is nowhere any more. */
const char *config_fresh_text(const struct config_fresh *f, enum config_id id);
bool config_fresh_differs(const struct config_fresh *f, enum config_id id); /* no secret: no */
/*
 * From now on it is the value of `c`. The one before lives until `f` is freed: tell its readers
 * first. An invalid one is an error and changes nothing.
 */
int config_take(struct config *c, struct config_fresh *f, enum config_id id,
                struct err *e) MUST_USE;

/* plan.c */

/* What the `reserved` policy promises: every admitted session may use its whole budget. */
struct config_plan {
    uint64_t sessions;
    uint64_t budget; /* bytes of one session */
    double threshold;
    uint64_t limit;     /* bytes of the container */
    uint64_t footprint; /* bytes of the process with no session */
    bool chosen;        /* the operator set sessions or budget */
};

/*
 * Does sessions x budget + footprint fit under threshold x limit? Then *ret_sessions is
 * `sessions`. When it does not and nobody chose the numbers, it is how many do fit. Otherwise
 * ERR_CONFIG: the arithmetic, and the nearest plans that fit.
 */
int config_plan(const struct config_plan *p, uint64_t *ret_sessions, struct err *e) MUST_USE;

/* env.c: files in the form of .env */

/* Who is told of every NAME=value; both end in NUL and live until the return. */
struct config_sink {
    void (*on_pair)(void *self, const char *name, const char *value, int line);
    void *self;
};
/*
 * Pairs before the first mistake have been reported. ERR_NOT_FOUND when there is no such file,
 * ERR_IO when it cannot be read, ERR_CONFIG with file and line.
 */
int config_env_read(const char *path, const struct config_sink *sink, struct err *e) MUST_USE;

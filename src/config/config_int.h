/* Private to config/: the table's rows, the values, and the .env reader. */
#pragma once

#include "config/config.h"

#include <limits.h>

/* One row of config.def. */
struct config_row {
    const char *env, *flag;
    enum config_type type;
    const char *preset;
    double min, max;
    const char *unit, *choices, *help;
};

extern const struct config_row config__rows[CONFIG__COUNT];

struct config_value {
    char *text; /* as given, a choice in the table's spelling; NULL when unset */
    int64_t whole;
    double number;
    bool on;
    enum config_from from;
    int line;   /* of the .env file, or of `file`; 0: it is all of that */
    char *file; /* CONFIG_SECRET_FILE: where it stood */
};

struct config {
    struct config_value values[CONFIG__COUNT];
    char *env_path; /* what was read, NULL: none */
    char **warnings;
    unsigned n_warnings;
    bool help;
};

/* check.c */

/* Fill in whole, number, on from the text; the sentence of an error is complete. */
int config__check(struct config *c, enum config_id id, struct err *e) MUST_USE;
/* "--port", ".env line 3", "the environment", "the default". */
const char *config__place(const struct config *c, enum config_id id, char *room, size_t size);
/* Copy for a message: one line, no control characters, at most size - 1 bytes, … when cut. */
void config__shown(char *dst, size_t size, const char *value);
#define CONFIG__PATH_SHOWN 128
#define CONFIG__PLACE 160
/* The same for a path: of a long one the end, which tells more. */
void config__path_shown(char dst[CONFIG__PATH_SHOWN], const char *path);
bool config__has_range(const struct config_row *r);
/* "0 to 3600 seconds", "text or json", or "" */
void config__may_be(const struct config_row *r, struct buf *out);

/* env.c */

#define CONFIG__ENV_MAX (1024 * 1024)

/* `file` is for the message only. Pairs before the first mistake have been reported. */
int config__env_parse(const char *text, size_t len, const char *file,
                      const struct config_sink *sink, struct err *e) MUST_USE;
/*
 * A whole file, NUL-terminated, for `take`, and wiped behind it. ERR_NOT_FOUND when there is no
 * such file, ERR_IO when it cannot be read, or what `take` says.
 */
int config__text_read(const char *path,
                      int (*take)(void *self, char *text, size_t len, struct err *e),
                      void *self, struct err *e) MUST_USE;

/* secrets.c */

/* Who is told of every value; `line` 0: it is all of the file. The texts live until the return.
 */
struct config_secret_sink {
    void (*on_value)(void *self, const char *name, const char *value, const char *file,
                     int line);
    void *self;
};

/* All files of all folders (commas between), later ones last. What is not there is empty. */
int config__secrets_read(const char *folders, const struct config_secret_sink *sink,
                         struct err *e) MUST_USE;
/* The next folder of the list; false at its end. */
bool config__secret_folder(const char **at, char ret[PATH_MAX]);
int config__secret_named(
    const char *name); /* the option that a file of this name holds; or -1 */

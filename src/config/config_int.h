/* Private to config/: the table's rows, the values, and the .env reader. */
#pragma once

#include "config/config.h"

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
    int line; /* of the .env file */
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
bool config__has_range(const struct config_row *r);
/* "0 to 3600 seconds", "text or json", or "" */
void config__may_be(const struct config_row *r, struct buf *out);

/* env.c */

#define CONFIG__ENV_MAX (1024 * 1024)

/* `file` is for the message only. Pairs before the first mistake have been reported. */
int config__env_parse(const char *text, size_t len, const char *file,
                      const struct config_sink *sink, struct err *e) MUST_USE;

/* Private to the files of spec: the table's rows and the values. */
#pragma once

#include "fleet/spec.h"

struct spec_row {
    const char *path;
    enum spec_type type;
    const char *preset;
    double min, max;
    const char *unit, *choices, *help;
};
extern const struct spec_row spec__rows[SPEC__COUNT];

struct spec_value {
    char *text; /* of scalars; NULL: unset */
    double number;
    struct image_pair *pairs; /* keys and values are owned */
    int *lines;               /* of the pairs */
    size_t count;
    int line;   /* 0: not from the file */
    bool given; /* by the file, the command line or the environment */
};

struct spec {
    struct spec_value values[SPEC__COUNT];
    char *file, *folder;
};

struct spec_size {
    const char *name;
    double sessions, session_memory, threshold, memory, max_containers;
};
extern const struct spec_size spec__sizes[];
extern const size_t spec__sizes_count;

struct spec *spec__new(const char *file);
/* "deploy.yaml:12: ..."; line 0 leaves it away. */
int spec__err(const struct spec *s, int line, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Set a scalar from text; complains with what it may be. `whose` names it in the message. */
int spec__set(struct spec *s, enum spec_id id, const char *text, int line, const char *whose,
              struct err *e) MUST_USE;
/* At the end, or where its key belongs. `value` may be NULL. */
void spec__push(struct spec_value *v, const char *key, const char *value, int line);
void spec__insert(struct spec_value *v, const char *key, const char *value, int line);
void spec__clear(struct spec_value *v);
bool spec__has_bounds(const struct spec_row *r);
/* "16 to 16777216 MiB", "rolling, blue-green, canary or recreate" */
void spec__may_be(const struct spec_row *r, struct buf *out);
/* spec_check.c: what is left unset gets its default; then whether the fields go together. */
void spec__fill(struct spec *s);
int spec__check(const struct spec *s, struct err *e) MUST_USE;
/*
 * spec_new.c: what a file must hold to besides. What is kept of a version is not asked: a rule
 * that came later must not make unreadable what runs.
 */
int spec__check_new(const struct spec *s, struct err *e) MUST_USE;
/* Of that what would stop the gateway for all apps: asked of a rollback, too. */
int spec__check_front(const struct spec *s, struct err *e) MUST_USE;
/* spec_use.c: the files that the image is made from. */
int spec__image_files(const struct spec *s, struct err *e) MUST_USE;
/* The line of the n-th in a list or a map; 0: not known. */
int spec__item_line(const struct spec *s, enum spec_id id, size_t n);

/*
 * spec: what an app is to be, as deploy.yaml says it. One table (spec.def) of fields, from
 * which the parser, its complaints, docs/deploy-yaml.md, the JSON Schema, the stored form and
 * the comparison are made. Holds values only; what runs is no business of this.
 *
 * Every complaint about a file begins with file and line and says what would be right; its
 * code is ERR_CONFIG.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "image/image.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

enum spec_type {
    SPEC_NAME_TYPE,
    SPEC_TEXT_TYPE,
    SPEC_INT_TYPE,
    SPEC_NUMBER_TYPE,
    SPEC_CHOICE_TYPE,
    SPEC_LIST_TYPE,
    SPEC_MAP_TYPE,
    SPEC_WORDS_TYPE
};

enum spec_id {
#define FIELD(id, path, type, preset, min, max, unit, choices, help) SPEC_##id,
#include "fleet/spec.def"
#undef FIELD
    SPEC__COUNT
};

#define SPEC_NAME_MAX 64
#define SPEC_TAG_MAX 50
#define SPEC_FILE "deploy.yaml"
/* Before a name of the app: where a version that waits or begins is reached. */
#define SPEC_NEXT_HOST "next."

struct spec;

/* What is said beside the file; all may be NULL. */
struct spec_how {
    const char *name, *strategy; /* of the command line */
    char **environment;          /* where MODAL_MEMORY_MB and MODAL_MAX_CONTAINERS are read */
};

int spec_load(const char *file, const struct spec_how *how, struct spec **ret,
              struct err *e) MUST_USE;
/* The same from memory; `file` is for messages, and relative paths begin at its folder. */
int spec_parse(const char *file, const char *text, size_t len, const struct spec_how *how,
               struct spec **ret, struct err *e) MUST_USE;
void spec_free(struct spec **s);

const char *spec_text(const struct spec *s, enum spec_id id); /* "" when unset */
int64_t spec_int(const struct spec *s, enum spec_id id);
double spec_number(const struct spec *s, enum spec_id id);
/* Texts in their order, a map's by key; borrowed from the spec. */
struct image_list spec_list(const struct spec *s, enum spec_id id);
bool spec_given(const struct spec *s, enum spec_id id); /* not the default */
/* Is it Maya that runs? Then the arithmetic of sessions holds, and her options are checked. */
bool spec_is_maya(const struct spec *s);
enum image_kind spec_image_kind(const struct spec *s);

/* Letters, digits, dash, period, underscore, the first and last a letter or digit. */
bool spec_name_ok(const char *text, size_t most);
/*
 * A name for something of the engine's: the app's and what follows, as "-v7". A service's has
 * 63 characters and no period (Swarm); one that does not fit is cut and told apart by its hash.
 */
#define SPEC_OBJECT_MAX 63
void spec_object_name(const char *app, const char *suffix, char ret[SPEC_OBJECT_MAX + 1]);

/* spec_json.c: how it is kept. Every field, so that a later default changes nothing. */

char *spec_stored(const struct spec *s); /* the same spec, the same text; free() it */
/* ERR_CONFIG for what is no spec, ERR_NEWER for one that a later Maya wrote. */
int spec_restore(const char *text, size_t len, struct spec **ret, struct err *e) MUST_USE;
/* What is different, field by field, as texts for people. `was` or `is` may be "". */
void spec_compare(const struct spec *from, const struct spec *to,
                  void (*on_change)(void *ctx, const char *path, const char *was,
                                    const char *is),
                  void *ctx);
/* A field's value for people. */
void spec_describe(const struct spec *s, enum spec_id id, struct buf *out);

/* spec_use.c: what follows from it. */

/* The environment of a container: what the fields say, then `env`. Sorted by name. */
void spec_environment(const struct spec *s,
                      void (*on_pair)(void *ctx, const char *name, const char *value),
                      void *ctx);
/*
 * Do Maya's sessions fit into a container? `footprint` is what the process holds without any.
 * 0 for other apps. ERR_CONFIG with the arithmetic and what would fit.
 */
int spec_prove(const struct spec *s, uint64_t footprint, struct err *e) MUST_USE;
/*
 * Are the files there that it names, can they be read, and can people be shown the certificate?
 * Only for one that came from a file.
 */
int spec_files(const struct spec *s, struct err *e) MUST_USE;
/* Seconds between a stop and the end by force: longer than the drain. */
int spec_stop_grace_s(const struct spec *s);
/* image_make() of it; `agent` is the folder when the file names none. */
int spec_image(const struct spec *s, struct engine *en, const char *agent,
               void (*on_line)(void *ctx, const char *line), void *ctx, struct image_made *ret,
               struct err *e) MUST_USE;

/* spec_docs.c */

void spec_markdown(struct buf *out); /* docs/deploy-yaml.md */
void spec_schema(struct buf *out);   /* JSON Schema, draft 2020-12 */

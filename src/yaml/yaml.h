/*
 * yaml: a file of YAML as a tree of nodes that know their line, so that every complaint about
 * a file a person edits can say where. A thin reader over libyaml; it knows no schema.
 * Limits: 1 MiB a file, depth 32. Aliases and duplicate keys are refused while reading.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct yaml;      /* a loaded file; owns every node and text */
struct yaml_node; /* borrowed from its file */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

int yaml_load(const char *path, struct yaml **ret, struct err *e) MUST_USE;
int yaml_parse(const char *name, const char *text, size_t len, struct yaml **ret,
               struct err *e) MUST_USE; /* `name` stands for the path in errors */
/* Not called yaml_free: libyaml exports that name, and ours would take its place. */
void yaml_close(struct yaml **y);

const struct yaml_node *yaml_root(const struct yaml *y); /* NULL for an empty file */
enum yaml_kind yaml_kind(const struct yaml_node *n);
size_t yaml_count(const struct yaml_node *n); /* members of a list or map */
const struct yaml_node *yaml_at(const struct yaml_node *n,
                                size_t i); /* list item or map value */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key); /* or NULL */
const char *yaml_key(const struct yaml_node *map, size_t i);
int yaml_key_line(const struct yaml_node *map, size_t i);
int yaml_line(const struct yaml_node *n);
const char *yaml_text(const struct yaml_node *n); /* scalar as written, NULL for list or map */

/* err_set() with "<file>:<line>: " in front. Code is ERR_AGENT unless told otherwise. */
int yaml_err(const struct yaml_node *n, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Complains about a key that is not in the NULL-ended list, with the nearest that is. */
int yaml_only_keys(const struct yaml_node *map, const char *const *known,
                   struct err *e) MUST_USE;
/* Scalars with a type; complain with file and line. `what` names the member in the error. */
int yaml_need_text(const struct yaml_node *map, const char *key, const char **ret,
                   struct err *e) MUST_USE;
int yaml_need_list(const struct yaml_node *map, const char *key, const struct yaml_node **ret,
                   struct err *e) MUST_USE;
/* "13", "13.5" or "13.50" (at most 99999.99) as cents. */
int yaml_as_cents(const struct yaml_node *n, int64_t *ret, struct err *e) MUST_USE;

/* Private to fleet/files*.c: folders of a volume by descriptor, no link followed. */
#pragma once

#include "fleet/volume.h"

#include <stddef.h>

#define FILES_DEPTH_MAX 200 /* folders in folders; a descriptor each */

struct files_names {
    char **at; /* sorted */
    size_t count;
};

/* errno as a sentence; `path` as in the volume. */
int files__fail(struct err *e, const char *what, const char *path);
int files__folder(int at, const char *name); /* a descriptor, or -1 with errno */
/* The folder that `path` is in; *ret_name is its name there, "." for the root itself. */
int files__parent(int root, const char *path, const char **ret_name, struct err *e) MUST_USE;
int files__names(int folder, struct files_names *ret) MUST_USE; /* -1 with errno */
void files__names_release(struct files_names *n);
char *files__join(const char *folder, const char *name) MUST_USE; /* free() it */
int files__remove(int parent, const char *name, const char *path, bool deep, int depth,
                  struct err *e) MUST_USE;
int files__empty(int folder, const char *path, int depth, struct err *e) MUST_USE;

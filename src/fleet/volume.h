/*
 * Volumes, and the files in them. A volume is the engine's own, on the node that it runs on;
 * ours are those labelled so (fleet_int.h) and those that apps use. Files go in and out through
 * a container that is made for it: as the engine's archives, a piece at a time, so that memory
 * does not grow with them. Part of the door, fleet.h.
 *
 * A path in a volume is said with or without a slash in front; ".." is refused. Nothing here
 * follows a link that is in a volume.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct engine;

#define FLEET_VOLUME_NAME_MAX 64

/* volume.c */

/* ERR_EXISTS. */
int fleet_volume_create(struct engine *en, const char *name, struct err *e) MUST_USE;
/*
 * *ret: [{"name", "created", "apps": ["x"], "running": ["x"]}], by name: the apps that use it,
 * and those of them that run. The caller's reference.
 */
int fleet_volume_list(struct engine *en, json_t **ret, struct err *e) MUST_USE;
/* With all that is in it. ERR_NOT_FOUND; ERR_USED with who uses it, and nothing is deleted. */
int fleet_volume_delete(struct engine *en, const char *name, struct err *e) MUST_USE;

/* volume_files.c */

/*
 * *ret: [{"path": "a/b", "type": "dir" ("file", "link", "fifo", "socket", "device"), "size":
 * 12, "modified": "2025-...", "mode": "0644"}], by path. What is in a folder, `deep`: and in
 * those below; of a file that alone. Bytes of a name that are no UTF-8 are written as \xNN.
 */
int fleet_volume_ls(struct engine *en, const char *name, const char *path, bool deep,
                    json_t **ret, struct err *e) MUST_USE;
/* A folder only when `deep`; "/" is emptied. ERR_NOT_FOUND. */
int fleet_volume_rm(struct engine *en, const char *name, const char *path, bool deep,
                    struct err *e) MUST_USE;

/* A file, or a folder with all that is in it, from here to there or back. */
struct fleet_copy {
    const char *volume;
    const char *remote; /* put: what ends with a slash is the folder it goes into */
    const char *local;  /* "-": stdin or stdout, of one file */
    bool replace;       /* files that are there already */
    /* For people; both may be NULL. Bytes: so many went over by now. */
    void (*on_note)(void *ctx, const char *line);
    void (*on_bytes)(void *ctx, uint64_t done);
    void *ctx;
};

/*
 * volume_put.c. What is put becomes visible when all of it is there; it belongs to whom the
 * volume belongs. *ret_path: where it is, "/a/b"; free() it. ERR_EXISTS names what is there.
 * ERR_INVALID for what is neither file nor folder, links, too.
 */
int fleet_volume_put(struct engine *en, const struct fleet_copy *c, char **ret_path,
                     struct err *e) MUST_USE;
/*
 * volume_get.c. A file becomes visible when it is whole. A local folder that is there gets it
 * inside. *ret_path: where it is; free() it. *ret_left_out: links and the like, not copied,
 * each noted.
 */
int fleet_volume_get(struct engine *en, const struct fleet_copy *c, char **ret_path,
                     unsigned *ret_left_out, struct err *e) MUST_USE;

/*
 * files.c: the other side, within the container. `root` is the volume's folder, open.
 */
#define FLEET_FILES_ROOT "/volume"
/* A line each: type, size, time, mode, and the path, percent-encoded. */
int fleet_files_list(int root, const char *path, bool deep, FILE *out, struct err *e) MUST_USE;
int fleet_files_remove(int root, const char *path, bool deep, struct err *e) MUST_USE;
/*
 * `from` goes to `to`, and folders that are there already are filled: nothing is moved when
 * something stands in the way. All of it gets the root's owner; a new root that is root's own
 * gets `owner` first.
 */
int fleet_files_move(int root, const char *from, const char *to, unsigned owner, bool replace,
                     struct err *e) MUST_USE;
/* files_path.c: "a/b" out of "/a//b/"; "" for the root. ERR_INVALID. free() it. */
int fleet_files_path(const char *said, char **ret, struct err *e) MUST_USE;
/* Undo engine_quote(), in place. */
void fleet_files_unquote(char *text);

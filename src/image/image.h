/*
 * image: what an app's containers are made from, and how it gets into an engine. Knows no app's
 * versions and no deploy.yaml; blocks, for commands.
 *
 * Whatever the kind, an image ends as `maya/NAME:HASH` in the engine, HASH being that of what
 * went in: the same in gives the same name, and what is there already is not sent again. No
 * registry is needed, but for a base or a ready image that the engine does not have yet.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

#define IMAGE_USER 65532 /* who runs in images of ours: nobody's account */

/* A run of texts with values, owned by the caller; a plain list has no values. */
struct image_pair {
    const char *key, *value;
};
struct image_list {
    const struct image_pair *at;
    size_t count;
};

enum image_kind {
    IMAGE_OWN,    /* this program and what it needs, and nothing else */
    IMAGE_BASE,   /* somebody's image, and what is put into it */
    IMAGE_RECIPE, /* a Dockerfile */
    IMAGE_READY   /* somebody's image as it is */
};

struct image_cfg {    /* texts are borrowed for the call; NULL or "": not given */
    const char *name; /* of the app */
    enum image_kind kind;
    const char *folder; /* what relative paths begin at */
    const char *user;   /* "65532:65532"; who owns `folders` */
    int port;
    struct image_list folders; /* made for that user: what a volume is put on has its owner */
    struct image_list env;
    struct image_list command; /* a default; what runs it may say another */
    /* own */
    const char *agent;           /* the agent folder */
    struct image_list languages; /* of eSpeak NG, as "en"; "all" is each */
    /* base, ready */
    const char *base;
    struct image_list packages, pip, files, commands; /* files: path here -> path there */
    const char *requirements;
    /* recipe */
    const char *dockerfile, *context;
    /* For people: what the engine says while it works, a line each. NULL: nobody listens. */
    void (*on_line)(void *ctx, const char *line);
    void *ctx;
};

struct image_made {
    char *ref;     /* "maya/bar:0f31a5..." */
    uint64_t size; /* bytes on the engine's disk; 0: not known before it is built */
    uint64_t sent; /* bytes; 0: it was there already */
};

/*
 * See that the engine has it. Without an engine (NULL) nothing is sent, and ref and size say
 * what it would be; ref is NULL where that only the engine can tell (a ready image).
 * A build that fails says in which line.
 */
int image_make(struct engine *en, const struct image_cfg *cfg, struct image_made *ret,
               struct err *e) MUST_USE;
void image_made_release(struct image_made *m);

/* tree.c: what is in an image or a context, by path. */

/*
 * A slash in front of a path is dropped. The folders above it are made (root, 0755). A path
 * that is added again is replaced. Files are read when they are written out; their size is
 * fixed before.
 */
struct image_tree;
struct image_tree *image_tree_new(void) MUST_USE;
void image_tree_free(struct image_tree **t);
void image_add_bytes(struct image_tree *t, const char *path, unsigned mode, const void *data,
                     size_t len);
void image_add_folder(struct image_tree *t, const char *path, unsigned mode, unsigned owner);
void image_add_link(struct image_tree *t, const char *path, const char *target);
/* A file, or a folder with all that is in it; links are kept as links below a folder. */
int image_add(struct image_tree *t, const char *path, const char *source,
              struct err *e) MUST_USE;

/*
 * copy.c: files as they are, with their modes and times, into a container (running or not).
 */

/*
 * A file, or a folder with all that is in it. ERR_INVALID names what is neither: a link (but
 * for `source` itself, which is followed), a pipe, a device.
 */
int image_add_copy(struct image_tree *t, const char *path, const char *source,
                   struct err *e) MUST_USE;
struct image_send {
    const char *container, *folder; /* which is there */
    const struct image_tree *tree;
    void (*on_bytes)(void *ctx, uint64_t done); /* or NULL */
    void *ctx;
};
/* As root's. What is there is replaced, but no folder by a file and no file by a folder. */
int image_send(struct engine *en, const struct image_send *s, struct err *e) MUST_USE;

/* program.c */

/*
 * A program of this machine (a file's path) and every shared library it is linked with, and the
 * loader; debug sections stay behind. For one library the same: "libcurl.so.4".
 * ERR_NOT_FOUND names what is missing and who needs it.
 */
int image_add_program(struct image_tree *t, const char *path, const char *source,
                      struct err *e) MUST_USE;
int image_add_library(struct image_tree *t, const char *file, struct err *e) MUST_USE;

/* own.c */

/*
 * How an engine is to see whether Maya is well in a container, in the engine's words
 * (HealthConfig): every `interval_s`, and not well when `retries` answers in a row were bad or
 * took longer than `timeout_s`. `watch`: by one question that stays (`maya healthcheck
 * --watch`), which her build must know; then she is seen ready as soon as she is.
 */
struct image_health {
    int64_t interval_s, timeout_s;
    int retries;
    bool watch;
};
json_t *image_health(const struct image_health *h) MUST_USE; /* new reference */
#define IMAGE_HEALTH_HOLD_S 3600 /* the longest that such a question stays */

/* load.c */

/*
 * An image of one layer: `config` is what the engine keeps as Config (Env, Cmd, User, ...),
 * borrowed. `en` as above.
 */
int image_load(struct engine *en, const char *name, const struct image_tree *layer,
               const json_t *config, struct image_made *ret, struct err *e) MUST_USE;

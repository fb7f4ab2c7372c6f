/* Private to image/: the tree's entries, its stream, and the reader of ELF files. */
#pragma once

#include "base/buf.h"
#include "image/image.h"

#include <limits.h>

enum image_entry_kind {
    IMAGE_ENTRY_FOLDER,
    IMAGE_ENTRY_BYTES,
    IMAGE_ENTRY_FILE,
    IMAGE_ENTRY_LINK,
    IMAGE_ENTRY_TREE /* another tree, as a tar within */
};

#define IMAGE_HEAD_MAX 64

struct image_entry {
    char *path;
    enum image_entry_kind kind;
    unsigned mode, owner;
    uint64_t size;
    int64_t time; /* of its last change; 0 in images: the same things make the same bytes */
    char *source; /* FILE: where it is; LINK: its target; BYTES: the bytes */
    const struct image_tree *tree;
    unsigned char head[IMAGE_HEAD_MAX]; /* FILE: goes in front instead of its own */
    size_t head_len;
};

struct image_tree {
    struct image_entry *at; /* sorted by path */
    size_t count, cap;
};

/* tree.c */

struct image_entry *image__entry(struct image_tree *t, const char *path,
                                 enum image_entry_kind kind);
const struct image_entry *image__find(const struct image_tree *t, const char *path);
/* A regular file; the mode is 0755 when its owner may run it, else 0644. */
int image__add_file(struct image_tree *t, const char *path, const char *source,
                    struct err *e) MUST_USE;
/* Everything below `source` that `keep` wants (NULL: all). `rel` has no slash in front. */
struct image_walk {
    bool (*keep)(void *ctx, const char *rel, bool folder);
    void *ctx;
};
int image__add_below(struct image_tree *t, const char *path, const char *source,
                     const struct image_walk *walk, struct err *e) MUST_USE;

/* program.c: of a library, as "espeak-ng-data" */
int image__data_folder(const char *name, char ret[PATH_MAX], struct err *e) MUST_USE;

/* tar.c: a tree as a stream of ustar (POSIX.1-1988), with pax records where that is too small.
 */

#define IMAGE_DIGEST_HEX 65

struct image_tar;
struct image_tar *image__tar_new(const struct image_tree *t) MUST_USE;
void image__tar_free(struct image_tar **ref);
/* As struct engine_call wants it: bytes put into `to`, 0 at the end, -1. */
long image__tar_read(void *ctx, char *to, size_t size);
const struct err *image__tar_error(const struct image_tar *tar);
uint64_t image__tar_size(const struct image_tree *t);
int image__tar_digest(const struct image_tree *t, char ret[IMAGE_DIGEST_HEX],
                      struct err *e) MUST_USE;

/* elf.c: 64-bit little-endian ELF, as far as the loader looks at it. */

#define IMAGE_NEEDED_MAX 64

struct image_elf {
    unsigned machine;
    uint64_t loaded;                      /* bytes up to the end of what the loader maps */
    const char *loader, *name, *run_path; /* NULL: none; borrowed from the bytes */
    const char *needed[IMAGE_NEEDED_MAX];
    size_t needed_count;
};
/* `name` is for the message. ERR_INVALID says what is wrong with the file. */
int image__elf_read(const char *name, const void *data, size_t len, struct image_elf *ret,
                    struct err *e) MUST_USE;
/* The head without a table of sections: what lies behind `loaded` may go. */
void image__elf_head(const void *data, unsigned char ret[IMAGE_HEAD_MAX]);

/* ignore.c: .dockerignore */

struct image_ignore {
    char *text;
    char **rules; /* with the ! in front */
    size_t count;
    bool exceptions;
};
int image__ignore_load(const char *path, struct image_ignore *ret, struct err *e) MUST_USE;
void image__ignore_parse(const char *text, struct image_ignore *ret);
void image__ignore_release(struct image_ignore *g);
bool image__ignored(const struct image_ignore *g, const char *rel);

/* own.c */

int image__own(const struct image_cfg *cfg, struct image_tree *t, struct err *e) MUST_USE;
/* Config of such an image; the caller's reference. */
json_t *image__own_config(const struct image_cfg *cfg);

/* recipe.c */

/* A Dockerfile and what it copies, out of a base and the rest; `text` is for messages. */
int image__base_context(const struct image_cfg *cfg, struct image_tree *t, struct buf *text,
                        struct err *e) MUST_USE;

/* build.c */

int image__build(struct engine *en, const struct image_cfg *cfg,
                 const struct image_tree *context, const char *dockerfile,
                 const struct buf *text, struct image_made *ret, struct err *e) MUST_USE;
/* 1-based line of a Dockerfile's n-th instruction (from 1), 0 when it has less. */
int image__instruction_line(const char *text, unsigned n);

/* ready.c */

int image__ready(struct engine *en, const struct image_cfg *cfg, struct image_made *ret,
                 struct err *e) MUST_USE;
int image__pull(struct engine *en, const struct image_cfg *cfg, const char *ref,
                struct err *e) MUST_USE;
/* Does the engine have it? Then its size, and its id when wanted (the caller's). */
int image__present(struct engine *en, const char *ref, bool *ret, uint64_t *ret_size,
                   char **ret_id, struct err *e) MUST_USE;
/* "maya/bar" out of an app's name. */
char *image__repository(const char *name);
/* Joined to the folder of cfg, unless it begins with a slash. */
char *image__path(const struct image_cfg *cfg, const char *path);

/*
 * Private to seal/: the keys in memory, and the files that hold keys and salt.
 *
 * ring.c collects the keys, rotate.c changes the files, seal.c seals and opens with what is
 * there. The files are <data_dir>/master.key, which seals, and master.key.old-<id>, which open
 * what they once sealed. master.lock holds no byte: its locks tell who seals with which key.
 */
#pragma once

#include "base/strs.h"
#include "seal/seal.h"

#include <limits.h>

#include <sys/types.h>
#include <time.h>

#define SEAL_KEY_BYTES 32
#define SEAL_KEY_TEXT 44 /* 32 bytes in padded base64 */
#define SEAL_ID_BYTES 4
#define SEAL_KEYS_MAX 64
#define SEAL_NAME_MAX 32 /* of a key's file, and its NUL */
#define SEAL_CURRENT_FILE "master.key"
#define SEAL_OLDER_PREFIX "master.key.old-"

struct seal_key {
    uint8_t *bytes; /* from sodium_malloc: locked where allowed, not in core dumps, read-only */
    uint8_t id[SEAL_ID_BYTES];
    enum seal_key_from from;
    char file[SEAL_NAME_MAX]; /* in the data folder; "": given from outside */
};

/* What a file looked like when it was read; all zero: there was none. */
struct seal_stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

struct seal {
    struct seal_key keys[SEAL_KEYS_MAX]; /* the first one seals, all of them open */
    unsigned count;
    unsigned generation;
    bool given; /* the first key comes from outside, the files are older ones */
    char *data_dir, *salt_file;
    struct seal_stamp key_seen, folder_seen;
    bool bad;     /* what was seen could not be taken up: look again */
    int lock_fd;  /* of master.lock, or -1 */
    bool holding; /* this process tells with which key it seals */
};

struct seal_file {
    const char *path;
    const char *what; /* for errors: "key" */
    size_t size;      /* exactly this many bytes */
    bool secret;      /* refuse it when others may read it */
};

/* file.c */

/*
 * Read the file into `dst`, or make it with `fresh` when there is none (mode 0600, whole or not
 * at all, durable). When two processes make it at once, one wins and both read the same.
 * 0: found, 1: made, -1: error.
 */
int seal__file(const struct seal_file *f, const void *fresh, void *dst, struct err *e) MUST_USE;
/* 0: read, 1: there is none, -1: error. */
int seal__file_read(const struct seal_file *f, void *dst, struct err *e) MUST_USE;
void seal__file_sync_folder(const char *path); /* of this file */

/* ring.c */

/* Of a file in the data folder. */
void seal__path(const struct seal *s, const char *name, char ret[PATH_MAX]);

/* For one key more: 0, or -1 when there are too many. */
int seal__ring_room(struct seal *s, struct err *e) MUST_USE;
/* The key's place; what is known already keeps its own. -1: there are too many. */
int seal__ring_add(struct seal *s, const uint8_t key[SEAL_KEY_BYTES], enum seal_key_from from,
                   const char *file, struct err *e) MUST_USE;
/* The key that a text means: 32 bytes in base64, or a passphrase. Reads only the salt file. */
int seal__ring_key(const struct seal *s, struct str text, bool older,
                   uint8_t ret[SEAL_KEY_BYTES], bool *ret_passphrase, struct err *e) MUST_USE;
/* The key at this place seals from now on. */
int seal__ring_first(struct seal *s, int at, struct err *e) MUST_USE;
void seal__ring_id(const uint8_t key[SEAL_KEY_BYTES], uint8_t ret[SEAL_ID_BYTES]);
const struct seal_key *seal__ring_find(const struct seal *s, const uint8_t id[SEAL_ID_BYTES]);
/* The text that MAYA_MASTER_KEY takes, and a newline: a person can move it. */
void seal__ring_text(const uint8_t key[SEAL_KEY_BYTES], char ret[SEAL_KEY_TEXT + 1]);
/* Take up what is in the files now, seen or not. */
int seal__ring_load(struct seal *s, struct err *e) MUST_USE;

/* rotate.c: before a key becomes the one that seals */
int seal__hold_key(struct seal *s, const struct seal_key *k, struct err *e) MUST_USE;

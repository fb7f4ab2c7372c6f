/*
 * seal: authenticated encryption of what is stored (libsodium, XChaCha20-Poly1305-IETF).
 * Owns the keys: one that seals, and older ones that still open what they sealed. Knows nothing
 * of sessions or files other than the keys' own. The sealed form is: version byte 1, key id (4
 * bytes, a hash of the key), nonce (24), ciphertext and tag (16). Bound to `context` (a session
 * id), so that one row cannot be put in another's place.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_OVERHEAD (1 + 4 + 24 + 16)

struct seal;

enum seal_key_from {
    SEAL_KEY_GIVEN,      /* 32 bytes, url-safe base64, the predecessor's Fernet form */
    SEAL_KEY_PASSPHRASE, /* any other text, through Argon2id with the salt file */
    SEAL_KEY_FILE,       /* found in the data folder */
    SEAL_KEY_MADE        /* made just now and kept in the data folder */
};

#define SEAL_ID_TEXT 9 /* a key's id in hex, and its NUL */

/*
 * `master` is MAYA_MASTER_KEY or NULL. Without it the key is <data_dir>/master.key, made once
 * with mode 0600 (refused when others may read it); it holds the text MAYA_MASTER_KEY takes, so
 * containers that share a store can share it. An empty text is as NULL. A passphrase needs a
 * salt: `salt_file`, or <data_dir>/master.salt when NULL, made once (O_EXCL, 0600).
 * Older keys are <data_dir>/master.key.old-<id>, and master.key itself when `master` is given.
 */
int seal_new(const char *master, const char *data_dir, const char *salt_file, struct seal **ret,
             struct err *e) MUST_USE;
void seal_free(struct seal **s); /* wipes the keys */
/*
 * MAYA_MASTER_KEY_OLD: older keys, each in a form that MAYA_MASTER_KEY takes, with commas
 * between. A passphrase may have commas too: several parts are tried as one whole as well.
 */
int seal_add_older(struct seal *s, const char *keys, struct err *e) MUST_USE;

/* change.c: another MAYA_MASTER_KEY under a process that runs */

struct seal_change;
/*
 * What MAYA_MASTER_KEY (NULL: the one that seals stays) and MAYA_MASTER_KEY_OLD mean. May take
 * a tenth of a second; any thread may ask while no other one has the keys.
 */
int seal_change_new(const struct seal *s, const char *master, const char *older,
                    struct seal_change **ret, struct err *e) MUST_USE;
void seal_change_free(struct seal_change **c); /* wipes what it holds */
/*
 * Seal with the first from now on; the keys that were known open what they sealed until
 * seal_free(). *ret_kept is false when a start with these keys would not know the one before.
 * On an error the one before goes on sealing.
 */
int seal_change_take(struct seal *s, const struct seal_change *c, bool *ret_kept,
                     struct err *e) MUST_USE;

/* seal.c */

/* Append the sealed form of `plain` to `out` (which may turn full). */
void seal_lock(const struct seal *s, const char *context, const void *plain, size_t len,
               struct buf *out);

/*
 * Append the plain text to `out`. ERR_CORRUPT when it was changed, cut, or is another key's or
 * another context's; ERR_NOMEM when `out` turned full. On failure `out` keeps its length. A key
 * that is not known is looked for in the files, so the current key may be another afterwards.
 */
int seal_unlock(struct seal *s, const char *context, const void *sealed, size_t len,
                struct buf *out, struct err *e) MUST_USE;

/* Is this the sealed form of the key that seals now? */
bool seal_current(const struct seal *s, const void *sealed, size_t len);
/* The key it was sealed with, in hex; "" when this is no sealed form. */
void seal_key_of(const void *sealed, size_t len, char ret[SEAL_ID_TEXT]);

/* ring.c: the keys */

struct seal_key_info {
    char id[SEAL_ID_TEXT];
    enum seal_key_from from;
    const char *file; /* its name in the data folder, borrowed; "": given from outside */
};

enum seal_key_from seal_key_from(const struct seal *s);
/* Key 0 seals. A key stays known until seal_free(), whatever becomes of its file. */
unsigned seal_key_count(const struct seal *s);
void seal_key_info(const struct seal *s, unsigned i, struct seal_key_info *ret);
/* Another number whenever there is a key more or another one seals. Never 0. */
unsigned seal_generation(const struct seal *s);
/*
 * Take up key files that have changed (a stat when none has). What cannot be taken up is tried
 * and told again at every call; the keys in memory go on.
 */
int seal_refresh(struct seal *s, struct err *e) MUST_USE;

/* rotate.c: changing keys under processes that share the folder */

/*
 * From now on other processes can tell with which key this one seals (it ends with the
 * process). After a rotation the older ones count until seal_release_older(): say that when
 * all that was sealed with them is durable.
 */
int seal_hold(struct seal *s, struct err *e) MUST_USE;
void seal_release_older(struct seal *s);
/*
 * Make a new key that seals from now on and keep the one before it as an older one. A crash at
 * any point leaves files that open everything. Not with a key from outside (ERR_INVALID).
 */
int seal_rotate(struct seal *s, struct err *e) MUST_USE;
/* A new key as text, for who keeps it elsewhere. The caller wipes it. */
void seal_make_text(struct buf *out);
/*
 * Nobody may begin to seal with key `i` from now to seal_free(). *ret is false when a process
 * seals with it now; then nothing is claimed.
 */
int seal_claim(struct seal *s, unsigned i, bool *ret, struct err *e) MUST_USE;
bool seal_in_use(const struct seal *s, unsigned i); /* does another process seal with it now? */
int seal_remove_file(struct seal *s, unsigned i, struct err *e) MUST_USE; /* claimed before */

/* seal.c: random bytes and names */
void seal_random(void *dst, size_t n);
uint64_t seal_random_u64(void);
/* n characters of [A-Za-z0-9_-] and a NUL. 16 characters carry 96 bits. */
void seal_token(char *dst, size_t n);
/* BLAKE2b-128 of the bytes. */
void seal_digest(const void *data, size_t n, uint8_t ret[16]);
/* Are these two texts the same? Takes as long wherever they differ. */
bool seal_same(const void *a, size_t a_len, const void *b, size_t b_len);

/*
 * jwt.c: append a token signed with RS256. `header` and `claims` are JSON, `pem` the private
 * key of a service account. Errors hold nothing of the key.
 */
int seal_jwt(const char *pem, const char *header, const char *claims, struct buf *out,
             struct err *e) MUST_USE;

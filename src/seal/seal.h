/*
 * seal: authenticated encryption of what is stored (libsodium, XChaCha20-Poly1305-IETF).
 * Owns the key; knows nothing of sessions or files other than the key's own. The sealed form
 * is: version byte 1, key id (4 bytes, a hash of the key), nonce (24), ciphertext and tag (16).
 * Bound to `context` (a session id), so that one row cannot be put in another's place.
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

/*
 * `master` is MAYA_MASTER_KEY or NULL. Without it the key is <data_dir>/master.key, made once
 * with mode 0600 (refused when others may read it); it holds the text MAYA_MASTER_KEY takes, so
 * containers that share a store can share it. An empty text is as NULL. A passphrase needs a
 * salt: `salt_file`, or <data_dir>/master.salt when NULL, made once (O_EXCL, 0600).
 */
int seal_new(const char *master, const char *data_dir, const char *salt_file, struct seal **ret,
             struct err *e) MUST_USE;
void seal_free(struct seal **s); /* wipes the key */
enum seal_key_from seal_key_from(const struct seal *s);

/* Append the sealed form of `plain` to `out` (which may turn full). */
void seal_lock(const struct seal *s, const char *context, const void *plain, size_t len,
               struct buf *out);

/*
 * Append the plain text to `out`. ERR_CORRUPT when it was changed, cut, or is another key's or
 * another context's; ERR_NOMEM when `out` turned full. On failure `out` keeps its length.
 */
int seal_unlock(const struct seal *s, const char *context, const void *sealed, size_t len,
                struct buf *out, struct err *e) MUST_USE;

/* Random bytes and names. */
void seal_random(void *dst, size_t n);
uint64_t seal_random_u64(void);
/* n characters of [A-Za-z0-9_-] and a NUL. 16 characters carry 96 bits. */
void seal_token(char *dst, size_t n);
/* BLAKE2b-128 of the bytes. */
void seal_digest(const void *data, size_t n, uint8_t ret[16]);
/* Are these two texts the same? Takes as long wherever they differ. */
bool seal_same(const void *a, size_t a_len, const void *b, size_t b_len);

#include "seal/seal.h"

#include "base/alloc.h"
#include "seal/seal_int.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM 1
#define ID_BYTES 4
#define NONCE_AT (1 + ID_BYTES)
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define BODY_AT (NONCE_AT + NONCE_BYTES)
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEY_TEXT 44 /* 32 bytes in padded base64 */

_Static_assert(BODY_AT + TAG_BYTES == SEAL_OVERHEAD, "the header says how large the form is");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SEAL_KEY_BYTES, "key size");

/* Lies in memory from sodium_malloc: locked where allowed, not in core dumps, read-only. */
struct seal {
    uint8_t key[SEAL_KEY_BYTES];
    uint8_t id[ID_BYTES];
    enum seal_key_from from;
};

static bool key_from_text(const char *text, size_t len, uint8_t key[SEAL_KEY_BYTES])
{
    static const int forms[] = {sodium_base64_VARIANT_URLSAFE,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t got = 0;
        if (sodium_base642bin(key, SEAL_KEY_BYTES, text, len, NULL, &got, NULL, forms[i]) ==
                0 &&
            got == SEAL_KEY_BYTES)
            return true;
    }
    return false;
}

static int key_from_passphrase(struct seal *s, const char *master, const char *salt_path,
                               struct err *e)
{
    uint8_t fresh[crypto_pwhash_SALTBYTES], salt[crypto_pwhash_SALTBYTES];
    const struct seal_file f = {.path = salt_path, .what = "salt", .size = sizeof(salt)};

    randombytes_buf(fresh, sizeof(fresh));
    if (seal__file(&f, fresh, salt, e) < 0)
        return -1;
    if (crypto_pwhash(s->key, sizeof(s->key), master, strlen(master), salt,
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return err_set(e, ERR_NOMEM, errno, "make a key from the passphrase (needs %u MiB)",
                       crypto_pwhash_MEMLIMIT_INTERACTIVE >> 20);
    s->from = SEAL_KEY_PASSPHRASE;
    return 0;
}

/* The file holds the text that MAYA_MASTER_KEY takes, and a newline: a person can move it. */
static int key_from_file(struct seal *s, const char *path, struct err *e)
{
    char fresh[KEY_TEXT + 1], text[KEY_TEXT + 1];
    const struct seal_file f = {
        .path = path, .what = "key", .size = sizeof(text), .secret = true};
    uint8_t key[SEAL_KEY_BYTES];

    randombytes_buf(key, sizeof(key));
    sodium_bin2base64(fresh, sizeof(fresh), key, sizeof(key), sodium_base64_VARIANT_URLSAFE);
    fresh[KEY_TEXT] = '\n';
    sodium_memzero(key, sizeof(key));

    int r = seal__file(&f, fresh, text, e);
    if (r >= 0 && (text[KEY_TEXT] != '\n' || !key_from_text(text, KEY_TEXT, s->key)))
        r = err_set(e, ERR_CONFIG, 0,
                    "the key file '%s' does not hold 32 bytes in url-safe base64", path);
    sodium_memzero(fresh, sizeof(fresh));
    sodium_memzero(text, sizeof(text));
    if (r < 0)
        return -1;
    s->from = r == 1 ? SEAL_KEY_MADE : SEAL_KEY_FILE;
    return 0;
}

static void name_key(struct seal *s)
{
    static const uint8_t purpose[] = "maya: the name of a sealing key";
    uint8_t hash[crypto_generichash_BYTES_MIN];

    crypto_generichash(hash, sizeof(hash), s->key, sizeof(s->key), purpose, sizeof(purpose));
    memcpy(s->id, hash, ID_BYTES);
}

static int take_key(struct seal *s, const char *master, const char *data_dir,
                    const char *salt_file, struct err *e)
{
    char *path;
    int r;

    if (master && *master) {
        if (key_from_text(master, strlen(master), s->key)) {
            s->from = SEAL_KEY_GIVEN;
            return 0;
        }
        path =
            salt_file && *salt_file ? xstrdup(salt_file) : xprintf("%s/master.salt", data_dir);
        r = key_from_passphrase(s, master, path, e);
    } else {
        path = xprintf("%s/master.key", data_dir);
        r = key_from_file(s, path, e);
    }
    free(path);
    return r;
}

int seal_new(const char *master, const char *data_dir, const char *salt_file, struct seal **ret,
             struct err *e)
{
    struct seal *s;

    if (sodium_init() < 0)
        return err_set(e, ERR_INTERNAL, 0, "libsodium found no source of randomness");
    s = sodium_malloc(sizeof(*s));
    if (!s)
        return err_set(e, ERR_NOMEM, errno, "guarded memory for the key");
    sodium_memzero(s, sizeof(*s));
    if (take_key(s, master, data_dir, salt_file, e) < 0) {
        sodium_free(s);
        return -1;
    }
    name_key(s);
    (void)sodium_mprotect_readonly(s); /* a guard more; without it all works the same */
    *ret = s;
    return 0;
}

void seal_free(struct seal **s)
{
    sodium_free(*s); /* wipes it */
    *s = NULL;
}

enum seal_key_from seal_key_from(const struct seal *s)
{
    return s->from;
}

static const unsigned char *bytes_of(const char *text)
{
    return (const unsigned char *)text;
}

void seal_lock(const struct seal *s, const char *context, const void *plain, size_t len,
               struct buf *out)
{
    unsigned char *to;

    if (len > SIZE_MAX - SEAL_OVERHEAD) {
        out->full = true;
        return;
    }
    to = (unsigned char *)buf_reserve(out, len + SEAL_OVERHEAD);
    if (!to)
        return;
    to[0] = FORM;
    memcpy(to + 1, s->id, ID_BYTES);
    /* 192 random bits: no counter to keep, none to lose when a container starts twice. */
    randombytes_buf(to + NONCE_AT, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(to + BODY_AT, NULL, plain, len,
                                               bytes_of(context), strlen(context), NULL,
                                               to + NONCE_AT, s->key);
    out->len += len + SEAL_OVERHEAD;
    out->data[out->len] = '\0';
}

int seal_unlock(const struct seal *s, const char *context, const void *sealed, size_t len,
                struct buf *out, struct err *e)
{
    const unsigned char *from = sealed;
    unsigned char *to;
    size_t plain_len;

    if (len < SEAL_OVERHEAD)
        return err_set(e, ERR_CORRUPT, 0, "sealed data was cut: %zu bytes, at least %d", len,
                       SEAL_OVERHEAD);
    if (from[0] != FORM)
        return err_set(e, ERR_CORRUPT, 0, "sealed data has form %d; this program knows %d",
                       from[0], FORM);
    if (memcmp(from + 1, s->id, ID_BYTES) != 0)
        return err_set(
            e, ERR_CORRUPT, 0,
            "sealed with another key (id %02x%02x%02x%02x; ours is %02x%02x%02x%02x)", from[1],
            from[2], from[3], from[4], s->id[0], s->id[1], s->id[2], s->id[3]);
    plain_len = len - SEAL_OVERHEAD;
    to = (unsigned char *)buf_reserve(out, plain_len);
    if (!to)
        return err_set(e, ERR_NOMEM, 0, "no room for %zu bytes of plain text", plain_len);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            to, NULL, NULL, from + BODY_AT, len - BODY_AT, bytes_of(context), strlen(context),
            from + NONCE_AT, s->key) != 0) {
        out->data[out->len] = '\0';
        return err_set(e, ERR_CORRUPT, 0,
                       "sealed data was changed or cut, or belongs to another id");
    }
    out->len += plain_len;
    out->data[out->len] = '\0';
    return 0;
}

void seal_random(void *dst, size_t n)
{
    randombytes_buf(dst, n);
}

uint64_t seal_random_u64(void)
{
    uint64_t v;

    randombytes_buf(&v, sizeof(v));
    return v;
}

void seal_token(char *dst, size_t n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    randombytes_buf(dst, n);
    for (size_t i = 0; i < n; i++)
        dst[i] = alphabet[(unsigned char)dst[i] & 63];
    dst[n] = '\0';
}

void seal_digest(const void *data, size_t n, uint8_t ret[16])
{
    crypto_generichash(ret, 16, data, n, NULL, 0);
}

bool seal_same(const void *a, size_t a_len, const void *b, size_t b_len)
{
    uint8_t one[16], other[16];

    seal_digest(a, a_len, one);
    seal_digest(b, b_len, other);
    return sodium_memcmp(one, other, sizeof(one)) == 0;
}

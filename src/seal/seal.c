#include "seal/seal.h"

#include "seal/seal_int.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FORM 1
#define NONCE_AT (1 + SEAL_ID_BYTES)
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define BODY_AT (NONCE_AT + NONCE_BYTES)
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(BODY_AT + TAG_BYTES == SEAL_OVERHEAD, "the header says how large the form is");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SEAL_KEY_BYTES, "key size");

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
    memcpy(to + 1, s->keys[0].id, SEAL_ID_BYTES);
    /* 192 random bits: no counter to keep, none to lose when a container starts twice. */
    randombytes_buf(to + NONCE_AT, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(to + BODY_AT, NULL, plain, len,
                                               bytes_of(context), strlen(context), NULL,
                                               to + NONCE_AT, s->keys[0].bytes);
    out->len += len + SEAL_OVERHEAD;
    out->data[out->len] = '\0';
}

/* A key that is not known may have come since the files were looked at. */
static const struct seal_key *find_key(struct seal *s, const uint8_t id[SEAL_ID_BYTES])
{
    const struct seal_key *k = seal__ring_find(s, id);

    if (k)
        return k;
    bool all = seal_refresh(s, NULL) == 0; /* one bad file does not keep the others away */
    (void)all;
    return seal__ring_find(s, id);
}

int seal_unlock(struct seal *s, const char *context, const void *sealed, size_t len,
                struct buf *out, struct err *e)
{
    const unsigned char *from = sealed;
    const struct seal_key *key;
    unsigned char *to;
    size_t plain_len;

    if (len < SEAL_OVERHEAD)
        return err_set(e, ERR_CORRUPT, 0, "sealed data was cut: %zu bytes, at least %d", len,
                       SEAL_OVERHEAD);
    if (from[0] != FORM)
        return err_set(e, ERR_CORRUPT, 0, "sealed data has form %d; this program knows %d",
                       from[0], FORM);
    key = find_key(s, from + 1);
    if (!key) {
        const uint8_t *ours = s->keys[0].id;
        return err_set(
            e, ERR_CORRUPT, 0,
            "sealed with another key (id %02x%02x%02x%02x; ours is %02x%02x%02x%02x)", from[1],
            from[2], from[3], from[4], ours[0], ours[1], ours[2], ours[3]);
    }
    plain_len = len - SEAL_OVERHEAD;
    to = (unsigned char *)buf_reserve(out, plain_len);
    if (!to)
        return err_set(e, ERR_NOMEM, 0, "no room for %zu bytes of plain text", plain_len);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            to, NULL, NULL, from + BODY_AT, len - BODY_AT, bytes_of(context), strlen(context),
            from + NONCE_AT, key->bytes) != 0) {
        out->data[out->len] = '\0';
        return err_set(e, ERR_CORRUPT, 0,
                       "sealed data was changed or cut, or belongs to another id");
    }
    out->len += plain_len;
    out->data[out->len] = '\0';
    return 0;
}

static bool sealed_form(const uint8_t *sealed, size_t len)
{
    return len >= SEAL_OVERHEAD && sealed[0] == FORM;
}

bool seal_current(const struct seal *s, const void *sealed, size_t len)
{
    return sealed_form(sealed, len) &&
           memcmp((const uint8_t *)sealed + 1, s->keys[0].id, SEAL_ID_BYTES) == 0;
}

void seal_key_of(const void *sealed, size_t len, char ret[SEAL_ID_TEXT])
{
    ret[0] = '\0';
    if (sealed_form(sealed, len))
        sodium_bin2hex(ret, SEAL_ID_TEXT, (const uint8_t *)sealed + 1, SEAL_ID_BYTES);
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

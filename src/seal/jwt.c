/* Signed tokens (RS256) for who wants one for a service account. */
#include "seal/seal_int.h"

#include "seal/crypto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void base64(struct buf *out, const void *data, size_t len)
{
    size_t room = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *at = buf_reserve(out, room);

    if (!at)
        return;
    sodium_bin2base64(at, room, data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out->len += strlen(at);
}

/* Sign what stands in `out` from `start` on. */
static bool sign(EVP_PKEY *key, size_t start, struct buf *out)
{
    EVP_MD_CTX *ctx = seal__crypto.EVP_MD_CTX_new();
    const unsigned char *text = (const unsigned char *)out->data + start;
    unsigned char signature[1024];
    size_t len = sizeof(signature);
    bool fine =
        ctx &&
        seal__crypto.EVP_DigestSignInit(ctx, NULL, seal__crypto.EVP_sha256(), NULL, key) == 1 &&
        seal__crypto.EVP_DigestSign(ctx, signature, &len, text, out->len - start) == 1;

    seal__crypto.EVP_MD_CTX_free(ctx);
    if (!fine)
        return false;
    buf_char(out, '.');
    base64(out, signature, len);
    return !out->full;
}

int seal_jwt(const char *pem, const char *header, const char *claims, struct buf *out,
             struct err *e)
{
    if (seal__crypto_load(e) < 0)
        return -1;
    BIO *bio = seal__crypto.BIO_new_mem_buf(pem, (int)strlen(pem));
    EVP_PKEY *key = bio ? seal__crypto.PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    size_t start = out->len;
    int rc = 0;

    base64(out, header, strlen(header));
    buf_char(out, '.');
    base64(out, claims, strlen(claims));
    if (!key)
        rc = err_set(e, ERR_INVALID, 0, "that is no private key in PEM form");
    else if (out->full || !sign(key, start, out))
        rc = err_set(e, ERR_INVALID, 0, "this private key cannot sign with RS256");
    seal__crypto.EVP_PKEY_free(key);
    seal__crypto.BIO_free(bio);
    return rc;
}

/*
 * Signed tokens (RS256) for who wants one for a service account. libcrypto is loaded when the
 * first one is made: it comes with libcurl, and nothing else here needs it.
 */
#include "seal/seal_int.h"

#include "base/library.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct {
#define FUNCTION(name) __typeof__(name) *name;
#include "seal/jwt.def"
#undef FUNCTION
} crypto;

static int load(struct err *e)
{
    void *lib;

    if (crypto.EVP_PKEY_free)
        return 0;
    lib = library_open(LIBRARY_CRYPTO, ERR_IO, e);
    if (!lib)
        return -1;
#define FUNCTION(name)                                                                         \
    if (library_find(lib, LIBRARY_CRYPTO, #name, &crypto.name, ERR_IO, e) < 0)                 \
        return -1;
#include "seal/jwt.def"
#undef FUNCTION
    return 0;
}

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
    EVP_MD_CTX *ctx = crypto.EVP_MD_CTX_new();
    const unsigned char *text = (const unsigned char *)out->data + start;
    unsigned char signature[1024];
    size_t len = sizeof(signature);
    bool fine = ctx &&
                crypto.EVP_DigestSignInit(ctx, NULL, crypto.EVP_sha256(), NULL, key) == 1 &&
                crypto.EVP_DigestSign(ctx, signature, &len, text, out->len - start) == 1;

    crypto.EVP_MD_CTX_free(ctx);
    if (!fine)
        return false;
    buf_char(out, '.');
    base64(out, signature, len);
    return !out->full;
}

int seal_jwt(const char *pem, const char *header, const char *claims, struct buf *out,
             struct err *e)
{
    if (load(e) < 0)
        return -1;
    BIO *bio = crypto.BIO_new_mem_buf(pem, (int)strlen(pem));
    EVP_PKEY *key = bio ? crypto.PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    size_t start = out->len;
    int rc = 0;

    base64(out, header, strlen(header));
    buf_char(out, '.');
    base64(out, claims, strlen(claims));
    if (!key)
        rc = err_set(e, ERR_INVALID, 0, "that is no private key in PEM form");
    else if (out->full || !sign(key, start, out))
        rc = err_set(e, ERR_INVALID, 0, "this private key cannot sign with RS256");
    crypto.EVP_PKEY_free(key);
    crypto.BIO_free(bio);
    return rc;
}

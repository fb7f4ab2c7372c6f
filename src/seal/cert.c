/* Certificates that somebody gives: do they fit, and may they be shown now? */
#include "seal/seal_int.h"

#include "seal/crypto.h"

#include <string.h>

/* A key with a passphrase would be asked for on the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): its type is libcrypto's */
static int no_passphrase(char *text, int size, int writing, void *ctx)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static int check(X509 *cert, EVP_PKEY *key, const char *const *names, int64_t now_s,
                 struct err *e)
{
    time_t now = (time_t)now_s;

    if (!cert)
        return err_set(e, ERR_CONFIG, 0, "is no certificate in PEM form");
    if (!key)
        return err_set(e, ERR_CONFIG, 0,
                       "has a key that is no private key in PEM form without a passphrase");
    if (seal__crypto.X509_check_private_key(cert, key) != 1)
        return err_set(e, ERR_CONFIG, 0, "does not fit its key: they are not a pair");
    if (seal__crypto.X509_cmp_time(seal__crypto.X509_get0_notAfter(cert), &now) <= 0)
        return err_set(e, ERR_CONFIG, 0, "has expired; get a new one");
    if (seal__crypto.X509_cmp_time(seal__crypto.X509_get0_notBefore(cert), &now) > 0)
        return err_set(e, ERR_CONFIG, 0, "is not valid yet");
    for (; names && *names; names++)
        if (**names != '*' &&
            seal__crypto.X509_check_host(cert, *names, strlen(*names), 0, NULL) != 1)
            return err_set(e, ERR_CONFIG, 0, "is not for the name '%.100s'", *names);
    return 0;
}

int seal_cert_check(const char *chain, const char *key, const char *const *names, int64_t now_s,
                    struct err *e)
{
    if (seal__crypto_load(e) < 0)
        return -1;
    BIO *chain_bio = seal__crypto.BIO_new_mem_buf(chain, (int)strlen(chain));
    BIO *key_bio = seal__crypto.BIO_new_mem_buf(key, (int)strlen(key));
    X509 *cert =
        chain_bio ? seal__crypto.PEM_read_bio_X509(chain_bio, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *pair =
        key_bio ? seal__crypto.PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, NULL)
                : NULL;
    int rc = check(cert, pair, names, now_s, e);

    seal__crypto.ERR_clear_error();
    seal__crypto.EVP_PKEY_free(pair);
    seal__crypto.X509_free(cert);
    seal__crypto.BIO_free(chain_bio);
    seal__crypto.BIO_free(key_bio);
    return rc;
}

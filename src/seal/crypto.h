/*
 * Private to seal/: libcrypto, loaded when it is first wanted. It comes with libcurl, and only
 * signed tokens and other people's certificates need it.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct seal_crypto {
#define FUNCTION(name) __typeof__(name) *name;
#include "seal/crypto.def"
#undef FUNCTION
};
extern struct seal_crypto seal__crypto; /* once this worked: */
int seal__crypto_load(struct err *e) MUST_USE;

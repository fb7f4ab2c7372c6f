/*
 * secret: finds what looks like a secret in a text: API keys, bearer tokens, JWTs (secret.def),
 * PEM private keys, and card numbers (13 to 19 digits, grouped perhaps, that an issuer could
 * have given and that pass Luhn's check, ISO/IEC 7812-1). No state, no allocation, one pass; so
 * the log (redact.h) and the scan of what minds say have one table. The text may still be
 * growing: then an answer holds whatever comes behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A hit is known after at most so many bytes, prefix included. */
#define SECRET_KNOWN_MAX 96

enum secret_form {
#define SECRET(name, prefix, class, at_least, mixed) SECRET_##name,
#include "base/secret.def"
#undef SECRET
    SECRET_PEM,
    SECRET_CARD,
    SECRET_FORM__COUNT
};

struct secret_hit {
    enum secret_form form;
    size_t start;
    size_t keep;  /* where the secret part begins, behind "sk_live_"; of a card: start */
    size_t end;   /* as far as it takes to know; what follows is found by secret_rest() */
    bool partial; /* not known yet: what is from `start` on may become one */
};

/*
 * The first at or after `from`; what stands before `from` is looked at to see whether a word
 * begins there. `last`: nothing will follow, so nothing is partial.
 */
bool secret_next(const char *text, size_t len, size_t from, bool last, struct secret_hit *ret);
/*
 * How many bytes of text go on a secret of that form. *ret_over: it has ended there; otherwise
 * the bytes left over (few) wait for more. With `last` it is always over.
 */
size_t secret_rest(enum secret_form form, const char *text, size_t len, bool last,
                   bool *ret_over);

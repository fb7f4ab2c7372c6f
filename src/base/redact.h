/*
 * redact: overwrites what looks like a secret, in place and at the same length or shorter in
 * meaning: API keys (AIza…, sk_…, sk-…), bearer tokens and card numbers become asterisks.
 * The last net under log.h; code that holds a secret does not print it in the first place.
 */
#pragma once

#include <stddef.h>

void redact(char *text, size_t len);

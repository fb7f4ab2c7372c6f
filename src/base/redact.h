/*
 * redact: overwrites what looks like a secret, in place and at the same length: what secret.h
 * finds (keys, bearer tokens, private keys, card numbers) becomes asterisks, but for the prefix
 * that says what it was. The last net under log.h; code that holds a secret does not print it
 * in the first place.
 */
#pragma once

#include <stddef.h>

void redact(char *text, size_t len);

/*
 * strs: what <string.h> lacks. No state, no allocation.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes, not NUL-terminated. */
struct str {
    const char *data;
    size_t len;
};

#define STR_FMT(s) (int)(s).len, (s).data /* for "%.*s" */

struct str str_of(const char *z);
bool str_eq(struct str a, const char *z);
bool str_eq_nocase(struct str a, const char *z);
struct str str_trim(struct str s);

/* Copy with truncation; always NUL-terminated. Returns false when cut. */
bool str_copy(char *dst, size_t size, const char *src);

/* What does not fit is left out at the beginning, "..." in its place: a cause stands at the
 * end.
 */
void str_keep_end(const char *text, char *dst, size_t size);

/* Length of the valid UTF-8 prefix (no surrogates, no overlong); == len when all is valid. */
size_t utf8_valid_prefix(const char *s, size_t len);

/* Edit distance (insert, delete, replace, swap of neighbours each 1), capped at `cap`. */
int str_distance(const char *a, const char *b, int cap);

/* Whole text as a number; false on anything else, on overflow, on an empty text. */
bool str_to_int(const char *s, int64_t *ret);
bool str_to_double(const char *s, double *ret);

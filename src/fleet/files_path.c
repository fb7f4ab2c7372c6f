/* Paths in a volume, as they are said and as they are meant. */
#include "fleet/volume.h"

#include "base/alloc.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int fleet_files_path(const char *said, char **ret, struct err *e)
{
    char *path = xalloc(strlen(said) + 1), *end = path;

    for (const char *at = said; *at;) {
        size_t n = strcspn(at, "/");
        bool nothing = n == 0 || (n == 1 && *at == '.');
        if ((n == 2 && strncmp(at, "..", 2) == 0) || n > NAME_MAX) {
            free(path);
            return err_set(e, ERR_INVALID, 0,
                           n == 2 ? "'%.120s' leads out of the volume; a path has no '..'"
                                  : "a name in '%.120s' is too long",
                           said);
        }
        if (!nothing) {
            if (end != path)
                *end++ = '/';
            memcpy(end, at, n);
            end += n;
        }
        at += n + (at[n] == '/');
    }
    if (end - path >= PATH_MAX - 64) {
        free(path);
        return err_set(e, ERR_INVALID, 0, "the path '%.60s...' is too long", said);
    }
    *end = '\0';
    *ret = path;
    return 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void fleet_files_unquote(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        int high = *at == '%' ? digit(at[1]) : -1, low = high >= 0 ? digit(at[2]) : -1;
        if (low >= 0 && (high || low)) {
            *to++ = (char)(high << 4 | low);
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
}

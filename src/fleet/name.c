/* What things may be called. */
#include "fleet/fleet.h"

#include <ctype.h>
#include <string.h>

int fleet_check_name(const char *what, const char *name, size_t max, struct err *e)
{
    size_t n =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    if (n && !name[n] && n <= max && isalnum((unsigned char)name[0]))
        return 0;
    return err_set(
        e, ERR_INVALID, 0,
        "'%.80s' is no name for %s: one has letters, digits, '-', '.' and '_', begins "
        "with a letter or digit, and is at most %zu long",
        name, what, max);
}

/* What things may be called. */
#include "fleet/fleet.h"

#include <ctype.h>
#include <string.h>

static bool name_ok(const char *name, size_t max)
{
    size_t n =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return n && !name[n] && n <= max && isalnum((unsigned char)name[0]);
}

int fleet_check_name(const char *what, const char *name, size_t max, struct err *e)
{
    if (name_ok(name, max))
        return 0;
    return err_set(
        e, ERR_INVALID, 0,
        "'%.80s' is no name for %s: one has letters, digits, '-', '.' and '_', begins "
        "with a letter or digit, and is at most %zu long",
        name, what, max);
}

/* The engine has none of one letter. */
int fleet_check_volume_name(const char *name, struct err *e)
{
    if (name_ok(name, FLEET_VOLUME_NAME_MAX) && name[1])
        return 0;
    return err_set(
        e, ERR_INVALID, 0,
        "'%.80s' is no name for a volume: one has letters, digits, '-', '.' and '_', begins "
        "with a letter or digit, and is 2 to %d long",
        name, FLEET_VOLUME_NAME_MAX);
}

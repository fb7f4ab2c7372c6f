/* How the gateway calls an app, and by which names people reach it. */
#include "fleet/keeper_int.h"

#include "base/alloc.h"
#include "seal/seal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define APP_MAX 40

/* Is it so already, and no other app's second one? */
static bool plain(const char *app)
{
    size_t len = strlen(app), tail = strlen(FRONT_NEXT);

    return len <= APP_MAX && strspn(app, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
           (len < tail || strcmp(app + len - tail, FRONT_NEXT) != 0);
}

char *front__name(const char *app, const char *suffix)
{
    uint8_t sum[16];
    char *name;

    if (plain(app))
        return xprintf("%s%s", app, suffix);
    seal_digest(app, strlen(app), sum);
    name = xprintf("%.*s-%02x%02x%02x%s", APP_MAX - 7, app, sum[0], sum[1], sum[2], suffix);
    for (char *c = name; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
    return name;
}

char **front__hosts(const char *app, const struct spec *s, bool next, size_t *ret_count)
{
    struct image_list names = spec_list(s, SPEC_HOSTNAMES);
    char **hosts = xalloc((names.count + 1) * sizeof(*hosts));
    size_t n = 0;

    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.at[i].key;
        if (!next)
            hosts[n++] = xstrdup(name);
        else if (name[0] != '*')
            hosts[n++] = xprintf(SPEC_NEXT_HOST "%s", name);
    }
    if (next && n == 0) {
        char *short_name = front__name(app, "");
        hosts[n++] = xprintf(SPEC_NEXT_HOST "%s.localhost", short_name);
        free(short_name);
    }
    *ret_count = n;
    return hosts;
}

/* How the gateway calls an app, and by which names people reach it. */
#include "fleet/keeper_int.h"

#include "base/alloc.h"

#include <ctype.h>
#include <stdlib.h>

char *front__name(const char *app, const char *suffix)
{
    char *name = xprintf("%.40s%s", app, suffix);

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
            hosts[n++] = xprintf("next.%s", name);
    }
    if (next && n == 0) {
        char *short_name = front__name(app, "");
        hosts[n++] = xprintf("next.%s.localhost", short_name);
        free(short_name);
    }
    *ret_count = n;
    return hosts;
}

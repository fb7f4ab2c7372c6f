/*
 * Before a deploy: the names by which people reach an app are no other's. The gateway has one
 * configuration for all apps, and HAProxy takes none in which two apps have the same name.
 */
#include "fleet/front.h"

#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/keeper_int.h"

#include <stdlib.h>
#include <string.h>

static void free_hosts(char **hosts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(hosts[i]);
    free(hosts);
}

static int differ(const struct spec *s, const char *other, const struct spec *theirs, bool next,
                  struct err *e)
{
    const char *app = spec_text(s, SPEC_NAME);
    size_t n, m;
    char **ours = front__hosts(app, s, next, &n);
    char **others = front__hosts(other, theirs, next, &m);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++)
        for (size_t k = 0; rc == 0 && k < m; k++)
            if (strcmp(ours[i], others[k]) == 0)
                rc = err_set(e, ERR_CONFIG, 0,
                             "'%.80s' is a name of the app %.60s already; give %.60s another "
                             "one under `hostnames`",
                             ours[i], other, app);
    free_hosts(ours, n);
    free_hosts(others, m);
    return rc;
}

static int compare(const struct spec *s, const char *other, const struct spec *theirs,
                   struct err *e)
{
    const char *app = spec_text(s, SPEC_NAME);

    if (spec_list(s, SPEC_HOSTNAMES).count == 0 && spec_list(theirs, SPEC_HOSTNAMES).count == 0)
        return err_set(e, ERR_CONFIG, 0,
                       "the app %.60s has every name that is no other app's already; give "
                       "%.60s names of its own under `hostnames`",
                       other, app);
    return differ(s, other, theirs, false, e) < 0 || differ(s, other, theirs, true, e) < 0 ? -1
                                                                                           : 0;
}

/* Another app, as the version that serves would have it, or the newest that runs. */
static int compare_app(struct engine *en, const struct spec *s, const char *other,
                       struct err *e)
{
    const struct version *v;
    struct spec *theirs = NULL;
    struct app a;
    int rc = 0;

    if (fleet__app_read(en, other, &a, e) < 0)
        return -1;
    v = fleet__running(&a, ROLE_STABLE);
    for (size_t i = 0; i < a.count && !v; i++)
        if (a.versions[i].service)
            v = &a.versions[i];
    if (v)
        rc = fleet__version_spec(v, &theirs, e);
    if (rc == 0 && theirs)
        rc = compare(s, other, theirs, e);
    spec_free(&theirs);
    fleet__app_release(&a);
    return rc;
}

static bool seen_before(const json_t *services, size_t at)
{
    const char *app = fleet__label(json_array_get(services, at), LABEL_APP);

    for (size_t i = 0; i < at; i++)
        if (strcmp(fleet__label(json_array_get(services, i), LABEL_APP), app) == 0)
            return true;
    return false;
}

int fleet__hosts_check(struct engine *en, const struct spec *s, struct err *e)
{
    json_t *services = NULL;
    int rc = fleet__services(en, NULL, &services, e);

    for (size_t i = 0; rc == 0 && i < json_array_size(services); i++) {
        const char *other = fleet__label(json_array_get(services, i), LABEL_APP);
        if (strcmp(other, spec_text(s, SPEC_NAME)) != 0 && !seen_before(services, i))
            rc = compare_app(en, s, other, e);
    }
    json_decref(services);
    return rc;
}

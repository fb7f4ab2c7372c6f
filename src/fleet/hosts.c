/*
 * Before a deploy: the names by which people reach an app are no other's. The gateway has one
 * configuration for all apps, and HAProxy takes none in which two apps have the same name.
 */
#include "fleet/front.h"

#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/keeper_int.h"
#include "fleet/spec_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void free_hosts(char **hosts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(hosts[i]);
    free(hosts);
}

/* Those of an app, or those under which its new versions are tried: what the gateway has. */
static int differ(const struct spec *s, bool next, const char *other, const struct spec *theirs,
                  bool their_next, struct err *e)
{
    const char *app = spec_text(s, SPEC_NAME);
    size_t n, m;
    char **ours = front__hosts(app, s, next, &n);
    char **others = front__hosts(other, theirs, their_next, &m);
    const char *same = NULL;

    for (size_t i = 0; !same && i < n; i++)
        for (size_t k = 0; !same && k < m; k++)
            if (strcmp(ours[i], others[k]) == 0)
                same = ours[i];
    if (same && next)
        err_set(
            e, ERR_CONFIG, 0,
            "'%.80s' is a name of the app %.64s already, and a new version of %.64s would be "
            "tried there; give it another one under `hostnames`",
            same, other, app);
    else if (same && their_next)
        err_set(e, ERR_CONFIG, 0,
                "'%.80s' is where a new version of the app %.64s is tried; give %.64s another "
                "one under `hostnames`",
                same, other, app);
    else if (same)
        err_set(e, ERR_CONFIG, 0,
                "'%.80s' is a name of the app %.64s already; give %.64s another one under "
                "`hostnames`",
                same, other, app);
    free_hosts(ours, n);
    free_hosts(others, m);
    return same ? -1 : 0;
}

int fleet__hosts_compare(const struct spec *s, const char *other, const struct spec *theirs,
                         struct err *e)
{
    const char *app = spec_text(s, SPEC_NAME);

    if (spec_list(s, SPEC_HOSTNAMES).count == 0 && spec_list(theirs, SPEC_HOSTNAMES).count == 0)
        return err_set(e, ERR_CONFIG, 0,
                       "the app %.64s has every name that is no other app's already; give "
                       "%.64s names of its own under `hostnames`",
                       other, app);
    for (int i = 0; i < 4; i++)
        if (differ(s, i & 1, other, theirs, i & 2, e) < 0)
            return -1;
    return 0;
}

int fleet__hosts_compare_own(const struct spec *s, const struct spec *before, struct err *e)
{
    const char *app = spec_text(s, SPEC_NAME);
    struct err why;

    if (differ(s, true, app, before, false, &why) == 0)
        return 0;
    return err_set(
        e, ERR_CONFIG, 0,
        "people come to %.64s by a name with '" SPEC_NEXT_HOST
        "' in front, under which this version would be tried; stop the app first, or "
        "give it other `hostnames`",
        app);
}

/* Another app, in all of its versions that run: one that waits may be the next that serves. */
static int compare_app(struct engine *en, const struct spec *s, const char *other,
                       struct err *e)
{
    bool own = strcmp(other, spec_text(s, SPEC_NAME)) == 0;
    struct app a;
    int rc = 0;

    if (fleet__app_read(en, other, &a, e) < 0)
        return -1;
    const struct version *stable = fleet__running(&a, ROLE_STABLE);
    for (size_t i = 0; rc == 0 && i < a.count; i++) {
        const struct version *v = &a.versions[i];
        struct spec *theirs = NULL;
        if (!v->service || (own && v != stable))
            continue;
        rc = fleet__version_spec(v, &theirs, e);
        if (rc == 0)
            rc = own ? fleet__hosts_compare_own(s, theirs, e)
                     : fleet__hosts_compare(s, other, theirs, e);
        spec_free(&theirs);
    }
    fleet__app_release(&a);
    return rc;
}

/* Swarm takes 'Bar-v1' and 'bar-v1' for one, also when the other app is stopped. */
static int compare_name(struct engine *en, const char *app, struct err *e)
{
    static const char *const filter[] = {"label", LABEL_VERSION, NULL};
    json_t *configs = NULL;
    int rc = engine_list(en, "/configs", filter, &configs, e);

    for (size_t i = 0; rc == 0 && i < json_array_size(configs); i++) {
        const char *other = fleet__label(json_array_get(configs, i), LABEL_APP);
        if (strcasecmp(other, app) == 0 && strcmp(other, app) != 0)
            rc = err_set(e, ERR_CONFIG, 0,
                         "there is an app '%.64s', and the engine takes '%.64s' for the same; "
                         "give this one another `name`",
                         other, app);
    }
    json_decref(configs);
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
    int rc = spec__check_front(s, e);

    if (rc == 0)
        rc = compare_name(en, spec_text(s, SPEC_NAME), e);

    if (rc == 0)
        rc = fleet__services(en, NULL, &services, e);
    for (size_t i = 0; rc == 0 && i < json_array_size(services); i++)
        if (!seen_before(services, i))
            rc = compare_app(en, s, fleet__label(json_array_get(services, i), LABEL_APP), e);
    json_decref(services);
    return rc;
}

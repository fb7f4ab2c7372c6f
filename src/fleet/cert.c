/* Certificates: from files of who deploys to secrets that the keeper gets. */
#include "fleet/cert.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "engine/engine.h"
#include "fleet/spec_int.h"
#include "fleet/version.h"
#include "seal/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEM_MAX ((size_t)240 << 10) /* of each: both fit into a secret */
#define KEPT "kept"

/* Reads into memory that does not move: no copy of a key stays behind. */
static int read_pem(const struct spec *s, enum spec_id id, struct buf *ret, struct err *e)
{
    const char *said = spec_text(s, id);
    char *path = *said == '/' ? xstrdup(said) : xprintf("%s/%s", s->folder, said);
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    char *room = buf_reserve(ret, PEM_MAX + 1);
    ssize_t n = fd >= 0 ? 1 : -1;

    while (n > 0 && ret->len <= PEM_MAX) {
        n = read(fd, room + ret->len, PEM_MAX + 1 - ret->len);
        ret->len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        rc = spec__err(s, s->values[id].line, e, "'%s' is '%.80s', which cannot be read: %s",
                       spec__rows[id].path, said, strerror(errno));
    else if (ret->len > PEM_MAX || memchr(room, '\0', ret->len))
        rc = spec__err(s, s->values[id].line, e, "'%s' is '%.80s', which is no PEM file",
                       spec__rows[id].path, said);
    else
        room[ret->len] = '\0';
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

static int check(const struct spec *s, const struct buf *chain, const struct buf *key,
                 struct err *e)
{
    const struct image_list hosts = spec_list(s, SPEC_HOSTNAMES);
    const char **names = xalloc((hosts.count + 1) * sizeof(*names));
    struct err why;

    for (size_t i = 0; i < hosts.count; i++)
        names[i] = hosts.at[i].key;
    names[hosts.count] = NULL;
    int rc = seal_cert_check(buf_text(chain), buf_text(key), names, time(NULL), &why);
    free((void *)(uintptr_t)names);
    return rc < 0 ? spec__err(s, s->values[SPEC_TLS_CERTIFICATE].line, e,
                              "the certificate '%.80s' %s", spec_text(s, SPEC_TLS_CERTIFICATE),
                              why.msg)
                  : 0;
}

static int read_all(struct engine *en, json_t **ret, struct err *e)
{
    static const char *const filter[] = {"label", LABEL_CERT, NULL};

    int rc = engine_list(en, "/secrets", filter, ret, e);
    return rc;
}

static bool shown(const json_t *secret)
{
    return !*fleet__label(secret, LABEL_STATE);
}

static bool is_of(const json_t *secret, const char *app)
{
    return strcmp(fleet__label(secret, LABEL_CERT), app) == 0;
}

/* The names that a spec's certificate is for; free() it. */
static char *hosts_of(const struct spec *s)
{
    const struct image_list hosts = spec_list(s, SPEC_HOSTNAMES);
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < hosts.count; i++)
        buf_printf(&text, "%s%s", i ? "," : "", hosts.at[i].key);
    char *all = xstrdup(buf_text(&text));
    buf_release(&text);
    return all;
}

/* Of an app's, the newest for these names; without names, of those that are shown. */
static const json_t *newest(const json_t *all, const char *app, const char *hosts)
{
    const json_t *best = NULL;

    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        bool fits = hosts ? strcmp(fleet__label(one, LABEL_HOSTS), hosts) == 0 : shown(one);
        if (is_of(one, app) && fits && (!best || fleet__version(one) > fleet__version(best)))
            best = one;
    }
    return best;
}

/* Of the certificate alone, which is no secret: it belongs to one key. */
static void digest_of(const struct buf *chain, char ret[33])
{
    uint8_t digest[16];

    seal_digest(chain->data, chain->len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static int create(struct engine *en, const struct spec *s, int version, const struct buf *chain,
                  const struct buf *key, char **ret, struct err *e)
{
    char *suffix = xprintf("-tls-%d", version), *hosts = hosts_of(s), number[16], digest[33];
    const char *app = spec_text(s, SPEC_NAME);
    char name[SPEC_OBJECT_MAX + 1];
    struct buf both = BUF_INIT, text = BUF_INIT;
    json_t *made = NULL;

    snprintf(number, sizeof(number), "%d", version);
    digest_of(chain, digest);
    spec_object_name(app, suffix, name);
    buf_reserve(&both, chain->len + key->len + 1);
    buf_reserve(&text, (chain->len + key->len) * 2);
    buf_printf(&both, "%s\n%s", buf_text(chain), buf_text(key));
    base64_add(&text, both.data, both.len);
    json_t *body = json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:s}", "Name", name, "Labels",
                             LABEL_CERT, app, LABEL_VERSION, number, LABEL_DIGEST, digest,
                             LABEL_HOSTS, hosts, LABEL_STATE, KEPT, "Data", buf_text(&text));
    MUST(body);
    int rc = engine_json(en, "POST", body, &made, e, "/secrets/create");
    if (rc == 0)
        *ret = xstrdup(fleet__text(made, "ID"));
    const char *data = json_string_value(json_object_get(body, "Data"));
    explicit_bzero((char *)(uintptr_t)data, strlen(data));
    json_decref(made);
    json_decref(body);
    buf_wipe(&both);
    buf_wipe(&text);
    free(hosts);
    free(suffix);
    return rc;
}

static int set_state(struct engine *en, const json_t *secret, const char *state, struct err *e)
{
    json_t *spec = json_deep_copy(json_object_get(secret, "Spec"));
    json_int_t index =
        json_integer_value(json_object_get(json_object_get(secret, "Version"), "Index"));

    json_object_set_new(json_object_get(spec, "Labels"), LABEL_STATE, json_string(state));
    int rc = engine_json(en, "POST", spec, NULL, e, "/secrets/%s/update?version=%lld",
                         fleet__text(secret, "ID"), (long long)index);
    json_decref(spec);
    return rc;
}

static int read_both(const struct spec *s, struct buf *chain, struct buf *key, struct err *e)
{
    int rc = read_pem(s, SPEC_TLS_CERTIFICATE, chain, e);

    if (rc == 0)
        rc = read_pem(s, SPEC_TLS_KEY, key, e);
    return rc == 0 ? check(s, chain, key, e) : rc;
}

int fleet__cert_check(const struct spec *s, struct err *e)
{
    struct buf chain = BUF_INIT, key = BUF_INIT;
    int rc = *spec_text(s, SPEC_TLS_CERTIFICATE) ? read_both(s, &chain, &key, e) : 0;

    buf_wipe(&chain);
    buf_wipe(&key);
    return rc;
}

static int keep(struct engine *en, const struct spec *s, const json_t *all, char **ret,
                bool *ret_made, struct err *e)
{
    const char *app = spec_text(s, SPEC_NAME);
    const json_t *last = fleet__newest_of(all, LABEL_CERT, app);
    struct buf chain = BUF_INIT, key = BUF_INIT;
    char digest[33], *hosts = hosts_of(s);
    const json_t *before = newest(all, app, hosts);
    int rc = read_both(s, &chain, &key, e);

    if (rc == 0) {
        digest_of(&chain, digest);
        if (before && strcmp(fleet__label(before, LABEL_DIGEST), digest) == 0) {
            *ret = xstrdup(fleet__text(before, "ID"));
        } else {
            rc = create(en, s, last ? fleet__version(last) + 1 : 1, &chain, &key, ret, e);
            *ret_made = rc == 0;
        }
    }
    buf_wipe(&chain);
    buf_wipe(&key);
    free(hosts);
    return rc;
}

int fleet__cert_keep(struct engine *en, const struct spec *s, char **ret, bool *ret_made,
                     struct err *e)
{
    json_t *all = NULL;
    int rc = 0;

    *ret = NULL;
    *ret_made = false;
    if (!*spec_text(s, SPEC_TLS_CERTIFICATE))
        return 0;
    rc = read_all(en, &all, e);
    if (rc == 0)
        rc = keep(en, s, all, ret, ret_made, e);
    json_decref(all);
    return rc;
}

int fleet__cert_find(struct engine *en, const struct spec *s, char **ret, struct err *e)
{
    const char *app = spec_text(s, SPEC_NAME);
    char *hosts = hosts_of(s);
    json_t *all = NULL;
    int rc = 0;

    *ret = NULL;
    if (*spec_text(s, SPEC_TLS_CERTIFICATE)) {
        rc = read_all(en, &all, e);
        const json_t *found = rc == 0 ? newest(all, app, hosts) : NULL;
        if (found)
            *ret = xstrdup(fleet__text(found, "ID"));
        else if (rc == 0)
            rc = err_set(e, ERR_CONFIG, 0,
                         "no certificate is kept any more for the names that %.60s had then; "
                         "`maya deploy` takes one from its files",
                         app);
    }
    json_decref(all);
    free(hosts);
    return rc;
}

int fleet__cert_shown(struct engine *en, const char *app, char **ret, struct err *e)
{
    json_t *all = NULL;
    int rc = read_all(en, &all, e);
    const json_t *one = rc == 0 ? newest(all, app, NULL) : NULL;

    *ret = one ? xstrdup(fleet__text(one, "ID")) : NULL;
    json_decref(all);
    return rc;
}

/* First that one: who ends in between leaves one at least. */
int fleet__cert_show(struct engine *en, const char *app, const char *id, struct err *e)
{
    json_t *all = NULL;
    int rc = read_all(en, &all, e);

    if (rc == 0 && id) {
        const json_t *one = fleet__by_id(all, id);
        if (!one)
            rc = err_set(e, ERR_CONFIG, 0, "the certificate of %.60s was deleted meanwhile",
                         app);
        else if (!shown(one))
            rc = set_state(en, one, "", e);
    }
    for (size_t i = 0; rc == 0 && i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        bool other = !id || strcmp(fleet__text(one, "ID"), id) != 0;
        if (other && is_of(one, app) && shown(one))
            rc = set_state(en, one, KEPT, e);
    }
    json_decref(all);
    return rc;
}

void fleet__cert_forget(struct engine *en, const char *id)
{
    struct err ignored;

    if (engine_json(en, "DELETE", NULL, NULL, &ignored, "/secrets/%s", id) < 0)
        return; /* the keeper has it for a moment yet; the next one that tidies tries again */
}

static int by_app(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;

    return strcmp(fleet__label(*x, LABEL_CERT), fleet__label(*y, LABEL_CERT));
}

int fleet__cert_list(struct engine *en, json_t **ret, struct err *e)
{
    json_t *all = NULL;
    size_t n = 0;

    if (read_all(en, &all, e) < 0)
        return -1;
    const json_t **rows = xalloc((json_array_size(all) + 1) * sizeof(*rows));
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (one == newest(all, fleet__label(one, LABEL_CERT), NULL))
            rows[n++] = one;
    }
    qsort((void *)(uintptr_t)rows, n, sizeof(*rows), by_app);
    *ret = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            *ret, json_pack("{s:s, s:s, s:s}", "app", fleet__label(rows[i], LABEL_CERT), "id",
                            fleet__text(rows[i], "ID"), "swarm_name", fleet__name(rows[i])));
    free((void *)(uintptr_t)rows);
    json_decref(all);
    return 0;
}

/* Has a version that may serve again these names, and a certificate? */
static bool asked_for(const struct app *a, const char *hosts)
{
    bool found = false;

    for (size_t i = 0; i < a->count && !found; i++) {
        struct spec *s = NULL;
        struct err ignored;
        if (*fleet__label(a->versions[i].config, LABEL_STATE) ||
            fleet__version_spec(&a->versions[i], &s, &ignored) < 0)
            continue;
        char *its = hosts_of(s);
        found = *spec_text(s, SPEC_TLS_CERTIFICATE) && strcmp(its, hosts) == 0;
        free(its);
        spec_free(&s);
    }
    return found;
}

static bool needed(struct engine *en, const json_t *all, const json_t *one)
{
    const char *app = fleet__label(one, LABEL_CERT), *hosts = fleet__label(one, LABEL_HOSTS);
    struct err ignored;
    struct app a;

    if (one == newest(all, app, NULL))
        return true;
    if (one != newest(all, app, hosts))
        return false;
    if (fleet__app_read(en, app, &a, &ignored) < 0)
        return true; /* who cannot look deletes nothing */
    bool is = asked_for(&a, hosts);
    fleet__app_release(&a);
    return is;
}

void fleet__cert_tidy(struct engine *en)
{
    json_t *all = NULL;
    struct err e;

    if (read_all(en, &all, &e) < 0)
        return;
    for (size_t i = 0; i < json_array_size(all); i++)
        if (!needed(en, all, json_array_get(all, i)))
            fleet__cert_forget(en, fleet__text(json_array_get(all, i), "ID"));
    json_decref(all);
}

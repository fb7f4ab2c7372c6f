/* Certificates: from files of who deploys to secrets that the keeper gets. */
#include "fleet/cert.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "engine/engine.h"
#include "fleet/fleet_int.h"
#include "fleet/spec_int.h"
#include "seal/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEM_MAX ((size_t)240 << 10) /* of each: both fit into a secret */
#define DROPPED "dropped"

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

static bool dropped(const json_t *secret)
{
    return strcmp(fleet__label(secret, LABEL_STATE), DROPPED) == 0;
}

/* Of the certificate alone, which is no secret: it belongs to one key. */
static void digest_of(const struct buf *chain, char ret[33])
{
    uint8_t digest[16];

    seal_digest(chain->data, chain->len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static int create(struct engine *en, const char *app, int version, const struct buf *chain,
                  const struct buf *key, struct err *e)
{
    char *suffix = xprintf("-tls-%d", version), number[16], digest[33];
    char name[SPEC_OBJECT_MAX + 1];
    struct buf both = BUF_INIT, text = BUF_INIT;

    snprintf(number, sizeof(number), "%d", version);
    digest_of(chain, digest);
    spec_object_name(app, suffix, name);
    buf_reserve(&both, chain->len + key->len + 1);
    buf_reserve(&text, (chain->len + key->len) * 2);
    buf_printf(&both, "%s\n%s", buf_text(chain), buf_text(key));
    base64_add(&text, both.data, both.len);
    json_t *body =
        json_pack("{s:s, s:{s:s, s:s, s:s}, s:s}", "Name", name, "Labels", LABEL_CERT, app,
                  LABEL_VERSION, number, LABEL_DIGEST, digest, "Data", buf_text(&text));
    MUST(body);
    int rc = engine_json(en, "POST", body, NULL, e, "/secrets/create");
    const char *data = json_string_value(json_object_get(body, "Data"));
    explicit_bzero((char *)(uintptr_t)data, strlen(data));
    json_decref(body);
    buf_wipe(&both);
    buf_wipe(&text);
    free(suffix);
    return rc;
}

static int drop(struct engine *en, const json_t *secret, struct err *e)
{
    json_t *spec = json_deep_copy(json_object_get(secret, "Spec"));
    json_int_t index =
        json_integer_value(json_object_get(json_object_get(secret, "Version"), "Index"));

    json_object_set_new(json_object_get(spec, "Labels"), LABEL_STATE, json_string(DROPPED));
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

static int keep(struct engine *en, const struct spec *s, const json_t *before, struct err *e)
{
    struct buf chain = BUF_INIT, key = BUF_INIT;
    char digest[33];
    int rc = read_both(s, &chain, &key, e);

    if (rc == 0) {
        digest_of(&chain, digest);
        if (!before || dropped(before) ||
            strcmp(fleet__label(before, LABEL_DIGEST), digest) != 0)
            rc = create(en, spec_text(s, SPEC_NAME), before ? fleet__version(before) + 1 : 1,
                        &chain, &key, e);
    }
    buf_wipe(&chain);
    buf_wipe(&key);
    return rc;
}

int fleet__cert_keep(struct engine *en, const struct spec *s, struct err *e)
{
    json_t *all = NULL;
    int rc = read_all(en, &all, e);

    if (rc == 0) {
        const json_t *before = fleet__newest_of(all, LABEL_CERT, spec_text(s, SPEC_NAME));
        if (*spec_text(s, SPEC_TLS_CERTIFICATE))
            rc = keep(en, s, before, e);
        else if (before && !dropped(before))
            rc = drop(en, before, e);
    }
    json_decref(all);
    return rc;
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
    const json_t **shown = xalloc((json_array_size(all) + 1) * sizeof(*shown));
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (one == fleet__newest_of(all, LABEL_CERT, fleet__label(one, LABEL_CERT)) &&
            !dropped(one))
            shown[n++] = one;
    }
    qsort((void *)(uintptr_t)shown, n, sizeof(*shown), by_app);
    *ret = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            *ret, json_pack("{s:s, s:s, s:s}", "app", fleet__label(shown[i], LABEL_CERT), "id",
                            fleet__text(shown[i], "ID"), "swarm_name", fleet__name(shown[i])));
    free((void *)(uintptr_t)shown);
    json_decref(all);
    return 0;
}

void fleet__cert_tidy(struct engine *en)
{
    json_t *all = NULL;
    struct err e;

    if (read_all(en, &all, &e) < 0)
        return;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if ((one != fleet__newest_of(all, LABEL_CERT, fleet__label(one, LABEL_CERT)) ||
             dropped(one)) &&
            engine_json(en, "DELETE", NULL, NULL, &e, "/secrets/%s", fleet__text(one, "ID")) <
                0)
            continue; /* the keeper has it for a moment yet; the next one tries again */
    }
    json_decref(all);
}

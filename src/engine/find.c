/* Where the engine is: what the docker command looks at, in its order. */
#include "engine/engine.h"

#include "base/alloc.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/var/run/docker.sock"

static const char *env(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
}

/* The folder of the docker command's own settings. */
static char *docker_folder(void)
{
    if (env("DOCKER_CONFIG"))
        return xstrdup(env("DOCKER_CONFIG"));
    return xprintf("%s/.docker", env("HOME") ? env("HOME") : "");
}

static json_t *read_file(const char *path)
{
    return json_load_file(path, 0, NULL);
}

static char *current_context(void)
{
    char *folder, *path, *name = NULL;

    if (env("DOCKER_CONTEXT"))
        return xstrdup(env("DOCKER_CONTEXT"));
    folder = docker_folder();
    path = xprintf("%s/config.json", folder);
    json_t *root = read_file(path);
    const char *current = json_string_value(json_object_get(root, "currentContext"));
    if (current && *current)
        name = xstrdup(current);
    json_decref(root);
    free(path);
    free(folder);
    return name;
}

/* A context's folder is named by the SHA-256 of its name. */
static char *context_id(const char *name)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof(sum) + 1];

    crypto_hash_sha256(sum, (const unsigned char *)name, strlen(name));
    sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
    return xstrdup(hex);
}

static int from_context(const char *name, struct engine_place *p, struct err *e)
{
    char *folder = docker_folder(), *id = context_id(name);
    char *meta = xprintf("%s/contexts/meta/%s/meta.json", folder, id);
    char *tls = xprintf("%s/contexts/tls/%s/docker", folder, id);
    json_t *root = read_file(meta);
    const json_t *docker = json_object_get(json_object_get(root, "Endpoints"), "docker");
    const char *host = json_string_value(json_object_get(docker, "Host"));
    int rc = 0;

    if (host && *host) {
        p->host = xstrdup(host);
        p->from = xprintf("the context '%s'", name);
        if (access(tls, F_OK) == 0)
            p->cert_path = xstrdup(tls);
    } else {
        rc = err_set(e, ERR_CONFIG, 0,
                     "the Docker context '%s' is not in '%s'; `docker context ls` lists those "
                     "that are",
                     name, folder);
    }
    json_decref(root);
    free(tls);
    free(meta);
    free(id);
    free(folder);
    return rc;
}

static void from_default(struct engine_place *p)
{
    char *own = NULL;

    p->from = xstrdup("the default");
    if (env("XDG_RUNTIME_DIR"))
        own = xprintf("%s/docker.sock", env("XDG_RUNTIME_DIR"));
    if (own && access(DEFAULT_SOCKET, F_OK) < 0 && access(own, F_OK) == 0)
        p->host = xprintf("unix://%s", own);
    else
        p->host = xstrdup("unix://" DEFAULT_SOCKET);
    free(own);
}

static void add_certificates(struct engine_place *p)
{
    if (p->cert_path || strncmp(p->host, "tcp://", 6) != 0)
        return;
    if (env("DOCKER_CERT_PATH"))
        p->cert_path = xstrdup(env("DOCKER_CERT_PATH"));
    else if (env("DOCKER_TLS_VERIFY"))
        p->cert_path = docker_folder();
}

int engine_find(const char *host, struct engine_place *ret, struct err *e)
{
    struct engine_place p = {0};
    char *context = NULL;
    int rc = 0;

    if (host && *host) {
        p.host = xstrdup(host);
        p.from = xstrdup("--engine");
    } else if (env("DOCKER_HOST")) {
        p.host = xstrdup(env("DOCKER_HOST"));
        p.from = xstrdup("DOCKER_HOST");
    } else if ((context = current_context()) && strcmp(context, "default") != 0) {
        rc = from_context(context, &p, e);
    } else {
        from_default(&p);
    }
    free(context);
    if (rc < 0)
        return -1;
    add_certificates(&p);
    *ret = p;
    return 0;
}

void engine_place_release(struct engine_place *p)
{
    free(p->host);
    free(p->cert_path);
    free(p->from);
    *p = (struct engine_place){0};
}

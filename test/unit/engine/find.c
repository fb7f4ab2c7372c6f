/* Where the engine is, as the docker command would find it. */
#include "engine/find.c"
#include "unit/tap.h"

#include "base/must.h"

#include <sys/stat.h>

static char home[64];

static void forget_all(void)
{
    static const char *const names[] = {"DOCKER_HOST",       "DOCKER_CONTEXT",
                                        "DOCKER_CONFIG",     "DOCKER_CERT_PATH",
                                        "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}

/* Write a file below the home, and the folders on its way. */
static void put(const char *path, const char *text)
{
    char *whole = xprintf("%s/%s", home, path);

    for (char *slash = strchr(whole + strlen(home) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *f = fopen(whole, "w");
    MUST(f);
    fputs(text, f);
    fclose(f);
    free(whole);
}

static const char *found(const char *host)
{
    static char text[512];
    struct engine_place p;
    struct err e = {0};

    if (engine_find(host, &p, &e) < 0)
        return strcpy(text, e.msg);
    snprintf(text, sizeof(text), "%s|%s|%s", p.host, p.from, p.cert_path ? p.cert_path : "");
    engine_place_release(&p);
    return text;
}

static void the_nearest_wins(void)
{
    char want[256];

    forget_all();
    CHECK_STR(found(NULL), "unix:///var/run/docker.sock|the default|");
    char *id = context_id("far"), *meta = xprintf(".docker/contexts/meta/%s/meta.json", id);
    CHECK_INT(strlen(id), 64);
    put(meta, "{\"Name\":\"far\",\"Endpoints\":{\"docker\":{\"Host\":\"ssh://me@far\"}}}");
    put(".docker/config.json", "{\"currentContext\":\"far\"}");
    CHECK_STR(found(NULL), "ssh://me@far|the context 'far'|");
    setenv("DOCKER_CONTEXT", "default", 1);
    CHECK_STR(found(NULL), "unix:///var/run/docker.sock|the default|");
    setenv("DOCKER_CONTEXT", "nowhere", 1);
    CHECK(strstr(found(NULL), "the Docker context 'nowhere' is not in"));
    setenv("DOCKER_HOST", "tcp://h:2376", 1);
    CHECK_STR(found(NULL), "tcp://h:2376|DOCKER_HOST|");
    setenv("DOCKER_TLS_VERIFY", "1", 1);
    snprintf(want, sizeof(want), "tcp://h:2376|DOCKER_HOST|%s/.docker", home);
    CHECK_STR(found(NULL), want);
    setenv("DOCKER_CERT_PATH", "/certs", 1);
    CHECK_STR(found(NULL), "tcp://h:2376|DOCKER_HOST|/certs");
    CHECK_STR(found("unix:///x"), "unix:///x|--engine|");
    free(meta);
    free(id);
}

/* The name of a context's folder is what the docker command makes of it. */
static void a_context_is_named_by_its_hash(void)
{
    char *id = context_id("desktop-linux");

    CHECK_STR(id, "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e");
    free(id);
}

static const struct tap_case cases[] = {
    {"the nearest address wins", the_nearest_wins},
    {"a context is named by its hash", a_context_is_named_by_its_hash},
};

int main(void)
{
    snprintf(home, sizeof(home), "/tmp/maya-home-XXXXXX");
    MUST(mkdtemp(home));
    setenv("HOME", home, 1);
    int code = tap_run(cases, 2);
    char *rm = xprintf("rm -r '%s'", home);
    MUST(system(rm) == 0);
    free(rm);
    return code;
}

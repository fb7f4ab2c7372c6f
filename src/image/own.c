/*
 * The smallest image: this program, the libraries it is linked with and those it loads, eSpeak
 * NG's data, the certificates it trusts, two accounts, the agent. No shell and no package
 * manager: what is not there needs no update.
 */
#include "image/image_int.h"

#include "base/alloc.h"
#include "base/library.h"
#include "base/strs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "usr/bin/maya"
#define AGENT "usr/share/maya/agents/maya"
#define DATA "data"
#define S_NS 1000000000LL
#define WATCH_NS (S_NS / 10) /* between two questions that stay */
#define SLACK_S 60           /* for a machine that has much to do */

static void note(const struct image_cfg *cfg, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(const struct image_cfg *cfg, const char *fmt, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;

    if (!cfg->on_line)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    cfg->on_line(cfg->ctx, buf_text(&text));
    buf_release(&text);
}

static unsigned owner_of(const struct image_cfg *cfg)
{
    unsigned long id = cfg->user && isdigit((unsigned char)*cfg->user)
                           ? strtoul(cfg->user, NULL, 10)
                           : IMAGE_USER;

    return id <= 0x7fffffff ? (unsigned)id : IMAGE_USER;
}

static void add_text(struct image_tree *t, const char *path, const char *text)
{
    image_add_bytes(t, path, 0644, text, strlen(text));
}

static void add_accounts(const struct image_cfg *cfg, struct image_tree *t)
{
    char *passwd = xprintf("root:x:0:0:root:/:/sbin/nologin\n"
                           "maya:x:%u:%u:Maya:/" DATA ":/sbin/nologin\n",
                           owner_of(cfg), owner_of(cfg));
    char *group = xprintf("root:x:0:\nmaya:x:%u:\n", owner_of(cfg));

    add_text(t, "etc/passwd", passwd);
    add_text(t, "etc/group", group);
    add_text(t, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
    free(passwd);
    free(group);
}

/* Where libcurl of this machine looks for them. */
static int add_certificates(const struct image_cfg *cfg, struct image_tree *t, struct err *e)
{
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
                                         "/etc/pki/tls/certs/ca-bundle.crt",
                                         "/etc/ssl/cert.pem"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], R_OK) == 0)
            return image__add_file(t, places[i], places[i], e);
    note(cfg, "no certificates: HTTPS will not work in the image (Debian: ca-certificates)");
    return 0;
}

/* eSpeak NG's data */

static bool all_languages(const struct image_cfg *cfg)
{
    for (size_t i = 0; i < cfg->languages.count; i++)
        if (strcmp(cfg->languages.at[i].key, "all") == 0)
            return true;
    return false;
}

/* "en" of "en_dict" or of "lang/gmw/en-GB-scotland" is asked for; with none asked, English. */
static bool wanted(const struct image_cfg *cfg, const char *name)
{
    size_t len = strcspn(name, "-_");

    if (cfg->languages.count == 0)
        return len == 2 && strncmp(name, "en", 2) == 0;
    for (size_t i = 0; i < cfg->languages.count; i++)
        if (strlen(cfg->languages.at[i].key) == len &&
            strncmp(cfg->languages.at[i].key, name, len) == 0)
            return true;
    return false;
}

static bool keep_data(void *ctx, const char *rel, bool folder)
{
    const struct image_cfg *cfg = ctx;
    const char *slash = strrchr(rel, '/'), *name = slash ? slash + 1 : rel;
    size_t len = strlen(rel);

    if (strncmp(rel, "voices/mb", 9) == 0 || strncmp(rel, "mbrola", 6) == 0)
        return false; /* another program's voices */
    if (folder)
        return true;
    if (strncmp(rel, "lang/", 5) == 0 || (len > 5 && strcmp(rel + len - 5, "_dict") == 0))
        return wanted(cfg, name);
    return true;
}

static int add_speech(const struct image_cfg *cfg, struct image_tree *t, struct err *e)
{
    const struct image_walk walk = {keep_data, (void *)(uintptr_t)cfg};
    char folder[PATH_MAX];
    struct err why;

    if (image__data_folder("espeak-ng-data", folder, &why) < 0) {
        note(cfg, "no voice: %s (Debian: espeak-ng-data)", why.msg);
        return 0;
    }
    if (all_languages(cfg))
        return image__add_below(t, folder, folder, NULL, e);
    for (size_t i = 0; i < cfg->languages.count; i++) {
        char *dict = xprintf("%s/%s_dict", folder, cfg->languages.at[i].key);
        bool there = access(dict, R_OK) == 0;
        free(dict);
        if (!there)
            return err_set(e, ERR_CONFIG, 0,
                           "eSpeak NG has no language '%.20s' on this machine; `ls "
                           "%s/*_dict` shows those it has",
                           cfg->languages.at[i].key, folder);
    }
    return image__add_below(t, folder, folder, &walk, e);
}

static int add_libraries(const struct image_cfg *cfg, struct image_tree *t, struct err *e)
{
    for (int id = 0; id < LIBRARY__COUNT; id++) {
        struct err why;
        if (image_add_library(t, library_file((enum library_id)id), &why) == 0)
            continue;
        if (why.code != ERR_NOT_FOUND) {
            *e = why;
            return -1;
        }
        note(cfg, "left out: %s", why.msg);
    }
    return 0;
}

int image__own(const struct image_cfg *cfg, struct image_tree *t, struct err *e)
{
    if (image_add_program(t, PROGRAM, "/proc/self/exe", e) < 0 ||
        add_libraries(cfg, t, e) < 0 || add_speech(cfg, t, e) < 0 ||
        add_certificates(cfg, t, e) < 0)
        return -1;
    if (cfg->agent && *cfg->agent) {
        char *agent = image__path(cfg, cfg->agent);
        int rc = image_add(t, AGENT, agent, e);
        free(agent);
        if (rc < 0)
            return -1;
    }
    add_accounts(cfg, t);
    image_add_folder(t, "tmp", 01777, 0);
    image_add_folder(t, DATA, 0700, owner_of(cfg));
    for (size_t i = 0; i < cfg->folders.count; i++)
        image_add_folder(t, cfg->folders.at[i].key, 0700, owner_of(cfg));
    return 0;
}

static json_t *texts(const struct image_list *list)
{
    json_t *all = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(all, json_string(list->at[i].key));
    return all;
}

json_t *image_health(const struct image_health *h)
{
    json_int_t interval = h->watch ? WATCH_NS : h->interval_s * S_NS;
    json_int_t within = h->timeout_s;
    json_t *test = json_pack("[s, s, s]", "CMD", "/" PROGRAM, "healthcheck");

    if (h->watch) {
        within += IMAGE_HEALTH_HOLD_S + h->interval_s + SLACK_S;
        json_array_append_new(test, json_sprintf("--watch=%lld", (long long)h->interval_s));
        json_array_append_new(test, json_sprintf("--timeout=%lld", (long long)h->timeout_s));
    }
    json_t *health =
        json_pack("{s:o, s:I, s:I, s:i, s:I}", "Test", test, "Interval", interval, "Timeout",
                  within * S_NS, "Retries", h->retries, "StartPeriod", (json_int_t)(2 * S_NS));
    MUST(health);
    return health;
}

json_t *image__own_config(const struct image_cfg *cfg)
{
    const struct image_health health = {10, 5, 3, true};
    char user[32], port[32], port_env[32];
    json_t *config;

    snprintf(user, sizeof(user), "%u:%u", owner_of(cfg), owner_of(cfg));
    snprintf(port, sizeof(port), "%d/tcp", cfg->port);
    snprintf(port_env, sizeof(port_env), "PORT=%d", cfg->port);
    config =
        json_pack("{s:[s], s:[s, s, s], s:s, s:s, s:s, s:{s:{}}, s:o, s:{s:s}}", "Entrypoint",
                  "/" PROGRAM, "Env", "PATH=/usr/bin", port_env, "MAYA_DATA_DIR=/" DATA, "User",
                  user, "WorkingDir", "/", "StopSignal", "SIGTERM", "ExposedPorts", port,
                  "Healthcheck", image_health(&health), "Labels", "maya.app", cfg->name);
    MUST(config);
    for (size_t i = 0; i < cfg->env.count; i++) {
        char *pair = xprintf("%s=%s", cfg->env.at[i].key, cfg->env.at[i].value);
        json_array_append_new(json_object_get(config, "Env"), json_string(pair));
        free(pair);
    }
    if (cfg->command.count)
        json_object_set_new(config, "Cmd", texts(&cfg->command));
    else
        json_object_set_new(config, "Cmd", json_pack("[s]", "serve"));
    return config;
}

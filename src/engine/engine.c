/* Who the engine is, and calls with JSON. */
#include "engine/engine.h"
#include "engine/engine_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was tested; older than the first is from before 2020, newer ones serve these as well. */
#define API_MIN_MINOR 40
#define API_MAX_MINOR 47

static int minor_of(const char *version)
{
    int minor;

    return version && sscanf(version, "1.%d", &minor) == 1 ? minor : -1;
}

static int agree(struct engine *en, const json_t *version, struct err *e)
{
    int most = minor_of(json_string_value(json_object_get(version, "ApiVersion")));
    int least = minor_of(json_string_value(json_object_get(version, "MinAPIVersion")));

    if (most < 0)
        return err_set(e, ERR_IO, 0, "%s answers, but not as a Docker Engine does",
                       engine_shown(en));
    if (most < API_MIN_MINOR)
        return err_set(e, ERR_IO, 0,
                       "the engine at %s speaks API 1.%d; 1.%d is needed (Docker Engine 19.03)",
                       engine_shown(en), most, API_MIN_MINOR);
    if (least > API_MAX_MINOR)
        return err_set(e, ERR_IO, 0,
                       "the engine at %s wants API 1.%d at least, and Maya speaks up to 1.%d",
                       engine_shown(en), least, API_MAX_MINOR);
    snprintf(en->api, sizeof(en->api), "1.%d", most < API_MAX_MINOR ? most : API_MAX_MINOR);
    return 0;
}

/* Podman says so among its components. */
static bool podman_in(const json_t *version)
{
    const json_t *list = json_object_get(version, "Components");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), "Name"));
        if (name && strstr(name, "Podman"))
            return true;
    }
    return false;
}

static int greet(struct engine *en, struct err *e)
{
    json_t *version = NULL;
    int rc = engine_json(en, "GET", NULL, &version, e, "/version");

    if (rc == 0) {
        rc = agree(en, version, e);
        en->podman = podman_in(version);
    }
    json_decref(version);
    return rc;
}

/* The base of addresses for libcurl; for a socket any name will do. */
static int choose_base(struct engine *en, struct err *e)
{
    const char *host = en->place.host;

    if (strncmp(host, "unix://", 7) == 0) {
        en->base = xstrdup("http://docker");
        return 0;
    }
    if (strncmp(host, "ssh://", 6) == 0) {
        en->base = xstrdup("http://docker");
        en->ssh = true;
        return 0;
    }
    if (strncmp(host, "tcp://", 6) == 0 && en->place.cert_path) {
        en->base = xprintf("https://%s", host + 6);
        return 0;
    }
    if (strncmp(host, "tcp://", 6) == 0)
        return err_set(e, ERR_CONFIG, 0,
                       "%s is plain TCP, which anybody on the way can use as root; set "
                       "DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use ssh://",
                       host);
    return err_set(
        e, ERR_CONFIG, 0,
        "'%s' (%s) is no engine's address; one begins with unix://, tcp:// or ssh://", host,
        en->place.from);
}

int engine_open(const struct engine_cfg *cfg, struct engine **ret, struct err *e)
{
    struct engine *en;

    if (curl_load(e) < 0)
        return -1;
    en = xalloc(sizeof(*en));
    en->stop = cfg->stop;
    curl_lib.global_init(CURL_GLOBAL_DEFAULT);
    en->easy = curl_lib.easy_init();
    en->multi = curl_lib.multi_init();
    if (!en->easy || !en->multi) {
        engine_close(&en);
        return err_set(e, ERR_NOMEM, 0, "libcurl cannot start");
    }
    if (engine_find(cfg->host, &en->place, e) < 0 || choose_base(en, e) < 0 ||
        greet(en, e) < 0) {
        engine_close(&en);
        return -1;
    }
    *ret = en;
    return 0;
}

void engine_close(struct engine **ref)
{
    struct engine *en = *ref;

    *ref = NULL;
    if (!en)
        return;
    if (en->easy)
        curl_lib.easy_cleanup(en->easy);
    if (en->multi)
        curl_lib.multi_cleanup(en->multi);
    curl_lib.global_cleanup();
    engine_place_release(&en->place);
    free(en->base);
    free(en);
}

void engine_unstop(struct engine *en)
{
    en->deaf = true;
}

void engine_heed(struct engine *en)
{
    en->deaf = false;
}

bool engine__stopped(const struct engine *en)
{
    return en->stop && *en->stop && !en->deaf;
}

const char *engine_shown(const struct engine *en)
{
    return en->place.host;
}

bool engine_is_podman(const struct engine *en)
{
    return en->podman;
}

void engine_quote(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-._~", c))
            buf_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

void engine_filters(struct buf *out, const char *const *pairs)
{
    json_t *filters = json_object();

    for (; pairs[0]; pairs += 2) {
        json_t *list = json_object_get(filters, pairs[0]);
        if (!list) {
            list = json_array();
            json_object_set_new(filters, pairs[0], list);
        }
        json_array_append_new(list, json_string(pairs[1]));
    }
    char *text = json_dumps(filters, JSON_COMPACT);
    buf_str(out, "filters=");
    engine_quote(out, text ? text : "{}");
    free(text);
    json_decref(filters);
}

static int read_json(const struct engine *en, const struct engine_call *call, json_t **ret,
                     struct err *e)
{
    json_error_t why;

    if (call->answer.len == 0) {
        *ret = json_null();
        return 0;
    }
    *ret = json_loadb(buf_text(&call->answer), call->answer.len,
                      JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!*ret)
        return err_set(e, ERR_IO, 0, "%s answers %s with what is no JSON (%s)",
                       engine_shown(en), call->path, why.text);
    return 0;
}

int engine_json(struct engine *en, const char *method, json_t *body, json_t **ret,
                struct err *e, const char *path, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;

    va_start(ap, path);
    buf_vprintf(&text, path, ap);
    va_end(ap);
    struct engine_call call = {
        .method = method,
        .path = buf_text(&text),
        .body_json = body,
        .silence_s = ENGINE_SILENCE_S,
    };
    int rc = engine_do(en, &call, e);
    if (rc == 0 && ret)
        rc = read_json(en, &call, ret, e);
    engine_call_release(&call);
    buf_release(&text);
    return rc;
}

int engine_list(struct engine *en, const char *path, const char *const *pairs, json_t **ret,
                struct err *e)
{
    struct buf filters = BUF_INIT;

    engine_filters(&filters, pairs);
    int rc = engine_json(en, "GET", NULL, ret, e, "%s%c%s", path, strchr(path, '?') ? '&' : '?',
                         buf_text(&filters));
    buf_release(&filters);
    return rc;
}

bool engine_disk_full(const char *words)
{
    return strstr(words, "no space left on device") != NULL;
}

int engine_refuse(const struct engine *en, enum err_code code, const char *words, struct err *e)
{
    char line[200];
    size_t n = 0;

    if (engine_disk_full(words))
        return err_set(e, ERR_DISK, 0,
                       "the disk of the engine at %s is full; make room there (`docker system "
                       "df` shows what takes it), and try again",
                       engine_shown(en));
    /* Some come in several lines. */
    for (; *words && n < sizeof(line) - 1; words++)
        if (!isspace((unsigned char)*words))
            line[n++] = *words;
        else if (n && line[n - 1] != ' ')
            line[n++] = ' ';
    line[n && line[n - 1] == ' ' ? n - 1 : n] = '\0';
    return err_set(e, code, 0, "%s", line);
}

/* NDJSON: whole lines out of pieces. */

struct lines {
    const struct engine *en;
    struct buf part;
    bool (*on_line)(void *ctx, json_t *line);
    void *ctx;
    struct err *e;
    bool failed, enough;
};

static const char *complaint_of(const json_t *line)
{
    const char *words =
        json_string_value(json_object_get(json_object_get(line, "errorDetail"), "message"));

    return words ? words : json_string_value(json_object_get(line, "error"));
}

static bool take_line(struct lines *l, const char *text, size_t len)
{
    json_t *line = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    const char *words = complaint_of(line);

    if (words) {
        l->failed = engine_refuse(l->en, ERR_IO, words, l->e) < 0;
    } else if (line && !l->on_line(l->ctx, line)) {
        l->enough = true;
    }
    json_decref(line);
    return !l->failed && !l->enough;
}

static bool on_lines(void *ctx, const char *data, size_t len)
{
    struct lines *l = ctx;
    const char *end;

    while ((end = memchr(data, '\n', len))) {
        size_t n = (size_t)(end - data);
        buf_add(&l->part, data, n);
        bool more = l->part.len == 0 || take_line(l, buf_text(&l->part), l->part.len);
        buf_clear(&l->part);
        if (!more)
            return false;
        data += n + 1;
        len -= n + 1;
    }
    buf_add(&l->part, data, len);
    return !l->part.full;
}

int engine_lines(struct engine *en, struct engine_call *call,
                 bool (*on_line)(void *ctx, json_t *line), void *ctx, struct err *e)
{
    struct lines l = {
        .en = en, .on_line = on_line, .ctx = ctx, .e = e, .part.max = ENGINE_ANSWER_MAX};

    call->on_data = on_lines;
    call->data_ctx = &l; /* cppcheck-suppress autoVariables ; cleared below */
    int rc = engine_do(en, call, e);
    if (rc == 0 && !l.failed && !l.enough && l.part.len)
        take_line(&l, buf_text(&l.part), l.part.len);
    call->on_data = NULL;
    call->data_ctx = NULL;
    buf_release(&l.part);
    return l.failed ? -1 : rc;
}

void engine_frames_feed(struct engine_frames *f, const char *data, size_t len)
{
    while (len) {
        if (f->left) {
            size_t n = len < f->left ? len : f->left;
            f->on_bytes(f->ctx, f->head[0], data, n);
            f->left -= (uint32_t)n;
            data += n;
            len -= n;
            continue;
        }
        f->head[f->have++] = (unsigned char)*data++;
        len--;
        if (f->have == sizeof(f->head)) {
            f->have = 0;
            f->left = (uint32_t)f->head[4] << 24 | (uint32_t)f->head[5] << 16 |
                      (uint32_t)f->head[6] << 8 | f->head[7];
        }
    }
}

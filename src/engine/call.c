/* One exchange with the engine over libcurl, and the sentences for when there is none. */
#include "engine/engine_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_S 10L
#define WAKE_MS 100 /* a signal between two looks at `stop` waits no longer */

struct exchange {
    struct engine *en;
    struct engine_call *call;
    struct curl_slist *headers;
    char *url, *body;
    bool enough, over, gave_up;
};

static size_t on_body(char *data, size_t size, size_t n, void *self)
{
    struct exchange *x = self;
    struct engine_call *c = x->call;

    n *= size;
    curl_lib.easy_getinfo(x->en->easy, CURLINFO_RESPONSE_CODE, &c->status);
    if (c->on_data && c->status >= 200 && c->status < 300) {
        x->enough = !c->on_data(c->data_ctx, data, n);
        return x->enough ? 0 : n;
    }
    buf_add(&c->answer, data, n);
    x->over = c->answer.full;
    return x->over ? 0 : n;
}

static size_t on_header(char *data, size_t size, size_t n, void *self)
{
    static const char name[] = "x-docker-container-path-stat:";
    struct engine_call *c = ((struct exchange *)self)->call;
    size_t len = n * size;

    if (len > sizeof(name) && strncasecmp(data, name, sizeof(name) - 1) == 0) {
        struct str v =
            str_trim((struct str){data + sizeof(name) - 1, len - (sizeof(name) - 1)});
        free(c->stat_header);
        c->stat_header = xprintf("%.*s", STR_FMT(v));
    }
    return len;
}

static size_t on_send(char *to, size_t size, size_t n, void *self)
{
    struct exchange *x = self;
    long got = x->call->body_read(x->call->body_ctx, to, size * n);

    if (got < 0) {
        x->gave_up = true;
        return CURL_READFUNC_ABORT;
    }
    return (size_t)got;
}

static void add_header(struct exchange *x, const char *name, const char *value)
{
    char *line = xprintf("%s: %s", name, value);

    x->headers = curl_lib.slist_append(x->headers, line);
    free(line);
}

static curl_socket_t on_socket(void *self, curlsocktype type, struct curl_sockaddr *to)
{
    struct engine *en = self;

    (void)type;
    (void)to;
    return engine__ssh(en->place.host);
}

static int on_connected(void *self, curl_socket_t fd, curlsocktype type)
{
    (void)self;
    (void)fd;
    (void)type;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static void set_tls_file(struct engine *en, CURL *easy, CURLoption option, const char *name)
{
    char *path = xprintf("%s/%s", en->place.cert_path, name);

    curl_lib.easy_setopt(easy, option, path); /* libcurl copies it */
    free(path);
}

static void prepare_way(struct engine *en, CURL *easy)
{
    curl_lib.easy_setopt(easy, CURLOPT_PROXY, "");
    curl_lib.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_lib.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_lib.easy_setopt(easy, CURLOPT_USERAGENT, "maya/" MAYA_VERSION);
    curl_lib.easy_setopt(easy, CURLOPT_ERRORBUFFER, en->detail);
    curl_lib.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_lib.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    if (strncmp(en->place.host, "unix://", 7) == 0)
        curl_lib.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, en->place.host + 7);
    if (en->ssh) {
        curl_lib.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
        curl_lib.easy_setopt(easy, CURLOPT_OPENSOCKETDATA, en);
        curl_lib.easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_connected);
        /* A name would be looked up, although nobody connects to it. */
        curl_lib.easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1/");
    }
    if (en->place.cert_path) {
        set_tls_file(en, easy, CURLOPT_CAINFO, "ca.pem");
        set_tls_file(en, easy, CURLOPT_SSLCERT, "cert.pem");
        set_tls_file(en, easy, CURLOPT_SSLKEY, "key.pem");
    }
}

static void prepare_body(struct exchange *x)
{
    struct engine_call *c = x->call;
    CURL *easy = x->en->easy;

    add_header(x, "Expect", "");
    if (c->registry_auth)
        add_header(x, "X-Registry-Auth", c->registry_auth);
    if (c->body_json) {
        x->body = json_dumps(c->body_json, JSON_COMPACT | JSON_ENCODE_ANY);
        MUST(x->body);
        add_header(x, "Content-Type", "application/json");
        curl_lib.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(x->body));
        curl_lib.easy_setopt(easy, CURLOPT_POSTFIELDS, x->body);
    } else if (c->body_read) {
        add_header(x, "Content-Type", c->body_type);
        add_header(x, "Transfer-Encoding", "chunked");
        curl_lib.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_lib.easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        curl_lib.easy_setopt(easy, CURLOPT_READDATA, x);
    } else if (strcmp(c->method, "POST") == 0) {
        curl_lib.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_lib.easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    }
    if (strcmp(c->method, "HEAD") == 0)
        curl_lib.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_lib.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, c->method);
}

char *engine__url(const struct engine *en, const char *path)
{
    const char *base = en->ssh ? "http://127.0.0.1" : en->base;

    return *en->api ? xprintf("%s/v%s%s", base, en->api, path) : xprintf("%s%s", base, path);
}

static void prepare(struct exchange *x)
{
    struct engine *en = x->en;
    struct engine_call *c = x->call;
    CURL *easy = en->easy;

    curl_lib.easy_reset(easy);
    prepare_way(en, easy);
    x->url = engine__url(en, c->path);
    curl_lib.easy_setopt(easy, CURLOPT_URL, x->url);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl_lib.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_lib.easy_setopt(easy, CURLOPT_HEADERDATA, x);
    if (c->silence_s) {
        curl_lib.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_lib.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, c->silence_s);
    }
    prepare_body(x);
    curl_lib.easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
}

static CURLcode drive(struct engine *en)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1, left;
    CURLMsg *m;

    curl_lib.multi_add_handle(en->multi, en->easy);
    while (running && !engine__stopped(en)) {
        if (curl_lib.multi_perform(en->multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_lib.multi_poll(en->multi, NULL, 0, WAKE_MS, NULL);
    }
    while ((m = curl_lib.multi_info_read(en->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            result = m->data.result;
    curl_lib.multi_remove_handle(en->multi, en->easy);
    return result;
}

static int nobody_there(const struct engine *en, struct err *e)
{
    long sys = 0;

    curl_lib.easy_getinfo(en->easy, CURLINFO_OS_ERRNO, &sys);
    if (sys == EACCES || sys == EPERM)
        return err_set(e, ERR_IO, 0,
                       "no right to use the Docker Engine at %s; run this as root, or join the "
                       "group docker",
                       engine_shown(en));
    return err_set(e, ERR_IO, 0,
                   "no Docker Engine answers at %s (%s); start it (systemctl start docker), or "
                   "set DOCKER_HOST",
                   engine_shown(en), en->place.from);
}

/* What a person can do about it. */
static int say_why(const struct exchange *x, CURLcode why, struct err *e)
{
    const struct engine *en = x->en;

    switch (why) {
    case CURLE_COULDNT_CONNECT:
        return nobody_there(en, e);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(e, ERR_IO, 0, "the host in %s is not known", engine_shown(en));
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(e, ERR_IO, 0, "the engine at %s says nothing any more",
                       engine_shown(en));
    case CURLE_PEER_FAILED_VERIFICATION:
        return err_set(e, ERR_IO, 0, "the certificate of %s cannot be trusted: %s",
                       engine_shown(en), en->detail);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(e, ERR_CONFIG, 0, "the certificates in %s cannot be used: %s",
                       en->place.cert_path, en->detail);
    default:
        return err_set(e, ERR_IO, 0, "the connection to %s broke off (%s)", engine_shown(en),
                       *en->detail ? en->detail : curl_lib.easy_strerror(why));
    }
}

/* The engine's own words; Podman's and a proxy's where they have none. */
static int refused(const struct engine *en, const struct engine_call *c, struct err *e)
{
    json_t *root = json_loadb(buf_text(&c->answer), c->answer.len, JSON_ALLOW_NUL, NULL);
    const char *words = json_string_value(json_object_get(root, "message"));
    enum err_code code = ERR_IO;

    if (c->status == 404)
        code = ERR_NOT_FOUND;
    else if (c->status == 409)
        code = ERR_USED;
    else if (c->status == 400)
        code = ERR_INVALID;
    if (words && *words)
        engine_refuse(en, code, words, e);
    else
        err_set(e, code, 0, "the engine at %s answers %ld to %s %.80s", engine_shown(en),
                c->status, c->method, c->path);
    json_decref(root);
    return -1;
}

static int judge(struct exchange *x, CURLcode why, struct err *e)
{
    struct engine_call *c = x->call;

    if (engine__stopped(x->en))
        return err_set(e, ERR_STOPPED, 0, "stopped");
    if (x->gave_up)
        return err_set(e, ERR_IO, 0, "what was to be sent could not be read");
    if (x->over)
        return err_set(e, ERR_IO, 0, "the engine at %s answers more than %zu MiB",
                       engine_shown(x->en), ENGINE_ANSWER_MAX >> 20);
    if (why != CURLE_OK && !x->enough)
        return say_why(x, why, e);
    curl_lib.easy_getinfo(x->en->easy, CURLINFO_RESPONSE_CODE, &c->status);
    if ((c->status >= 200 && c->status < 300) || c->status == 304)
        return 0;
    return refused(x->en, c, e);
}

void engine__way(struct engine *en, CURL *easy)
{
    prepare_way(en, easy);
}

int engine__verdict(struct engine *en, const struct engine_call *call, CURLcode why,
                    struct err *e)
{
    const struct exchange x = {.en = en};

    if (why != CURLE_OK)
        return say_why(&x, why, e);
    return call->status >= 200 && call->status < 300 ? 0 : refused(en, call, e);
}

CURLcode engine__connect(struct engine *en, CURL *easy)
{
    prepare_way(en, easy);
    curl_lib.easy_setopt(easy, CURLOPT_URL, en->ssh ? "http://127.0.0.1" : en->base);
    curl_lib.easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    return curl_lib.easy_perform(easy);
}

int engine_do(struct engine *en, struct engine_call *call, struct err *e)
{
    struct exchange x = {.en = en, .call = call};

    call->answer.max = ENGINE_ANSWER_MAX;
    en->detail[0] = '\0';
    prepare(&x);
    int rc = judge(&x, drive(en), e);
    /* The handle keeps pointers to what ends here. */
    curl_lib.easy_reset(en->easy);
    curl_lib.slist_free_all(x.headers);
    free(x.url);
    if (x.body) { /* it may hold a secret */
        explicit_bzero(x.body, strlen(x.body));
        free(x.body);
    }
    return rc;
}

void engine_call_release(struct engine_call *call)
{
    buf_release(&call->answer);
    free(call->stat_header);
    call->stat_header = NULL;
}

/* One HTTP exchange over libcurl, and the sentences for when there is none. */
#include "cli/cli_int.h"

#include "base/alloc.h"
#include "base/curl.h"
#include "base/strs.h"
#include "config/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BODY_MAX (1024 * 1024)
#define CONNECT_S 10L
#define SILENCE_S 60L
#define WAKE_MS 200 /* a signal between two looks at `stop` waits no longer */

struct exchange {
    struct cli_client *client;
    struct cli_request *r;
};

static bool is_stream(const struct cli_request *r)
{
    return r->sse && r->status == 200 && strncasecmp(r->type, "text/event-stream", 17) == 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *self)
{
    struct exchange *x = self;
    struct cli_request *r = x->r;

    n *= size;
    curl_lib.easy_getinfo(x->client->easy, CURLINFO_RESPONSE_CODE, &r->status);
    if (is_stream(r)) {
        cli__sse_feed(r->sse, data, n);
        return *r->enough ? 0 : n;
    }
    buf_add(&r->body, data, n);
    return r->body.full ? 0 : n;
}

static void copy_value(char *dst, size_t size, struct str v)
{
    snprintf(dst, size, "%.*s", (int)(v.len < size ? v.len : size - 1), v.data);
}

static size_t on_header(char *data, size_t size, size_t n, void *self)
{
    struct cli_request *r = ((struct exchange *)self)->r;
    const char *colon = memchr(data, ':', n * size);
    char number[12];
    int64_t seconds;

    if (!colon)
        return n * size;
    struct str name = {data, (size_t)(colon - data)};
    struct str value = str_trim((struct str){colon + 1, n * size - name.len - 1});
    if (str_eq_nocase(name, "content-type")) {
        copy_value(r->type, sizeof(r->type), value);
    } else if (str_eq_nocase(name, "location")) {
        copy_value(r->location, sizeof(r->location), value);
    } else if (str_eq_nocase(name, "x-session-id")) {
        copy_value(r->session, sizeof(r->session), value);
    } else if (str_eq_nocase(name, "retry-after")) {
        copy_value(number, sizeof(number), value);
        if (str_to_int(number, &seconds) && seconds > 0 && seconds < 1000000)
            r->retry_after_s = (int)seconds;
    }
    return n * size;
}

/* What a person can do about it. */
static int say_why(const struct cli_client *c, struct cli_request *r, CURLcode why,
                   const char *detail, struct err *e)
{
    r->absent = why == CURLE_COULDNT_CONNECT;
    switch (why) {
    case CURLE_COULDNT_CONNECT:
        return err_set(e, ERR_IO, 0,
                       "nobody answers at %s; `maya serve` starts Maya here, and another "
                       "address goes behind the command",
                       c->shown);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(e, ERR_IO, 0, "the host in %s is not known; check the address",
                       c->shown);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(e, ERR_INVALID, 0,
                       "'%s' is not an address; one looks like http://127.0.0.1:8000",
                       c->shown);
    case CURLE_OPERATION_TIMEDOUT:
        r->broke = true;
        return err_set(e, ERR_IO, 0, "%s says nothing; try again, or another address",
                       c->shown);
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(e, ERR_IO, 0, "%s does not speak TLS with us (%s); is it http://?",
                       c->shown, detail);
    case CURLE_PEER_FAILED_VERIFICATION:
        return err_set(e, ERR_IO, 0, "the certificate of %s cannot be trusted: %s", c->shown,
                       detail);
    default:
        r->broke = true;
        return err_set(e, ERR_IO, 0, "the connection to %s broke off (%s); try again", c->shown,
                       *detail ? detail : curl_lib.easy_strerror(why));
    }
}

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    char *line = xprintf("%s: %s", name, value);
    *list = curl_lib.slist_append(*list, line);
    free(line);
}

static struct curl_slist *prepare(struct exchange *x, const char *url, char *detail)
{
    struct cli_client *c = x->client;
    struct cli_request *r = x->r;
    CURL *easy = c->easy;
    struct curl_slist *headers = NULL;

    curl_lib.easy_reset(easy);
    curl_lib.easy_setopt(easy, CURLOPT_URL, url);
    curl_lib.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_lib.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_lib.easy_setopt(easy, CURLOPT_USERAGENT, "maya/" MAYA_VERSION);
    curl_lib.easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    curl_lib.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_lib.easy_setopt(easy, CURLOPT_TIMEOUT, r->timeout_s);
    curl_lib.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_lib.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl_lib.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_lib.easy_setopt(easy, CURLOPT_HEADERDATA, x);
    if (c->socket)
        curl_lib.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, c->socket);
    /* A proxy for the world outside is none for this machine. */
    if (c->socket || strstr(c->base, "//127.") || strstr(c->base, "//localhost") ||
        strstr(c->base, "//[::1]"))
        curl_lib.easy_setopt(easy, CURLOPT_PROXY, "");
    add_header(&headers, "Accept", r->sse ? "text/event-stream" : "application/json");
    add_header(&headers, "X-Session-ID", c->session);
    add_header(&headers, "Idempotency-Key", r->key);
    add_header(&headers, "Last-Event-ID", r->last_id);
    if (r->json) {
        add_header(&headers, "Content-Type", "application/json");
        curl_lib.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->json->len);
        curl_lib.easy_setopt(easy, CURLOPT_POSTFIELDS, buf_text(r->json));
    }
    curl_lib.easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    return headers;
}

/* CURLE_ABORTED_BY_CALLBACK: stopped. */
static CURLcode drive(struct cli_client *c)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1, left;
    CURLMsg *m;

    curl_lib.multi_add_handle(c->multi, c->easy);
    while (running && !(c->stop && *c->stop)) {
        if (curl_lib.multi_perform(c->multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_lib.multi_poll(c->multi, NULL, 0, WAKE_MS, NULL);
    }
    while ((m = curl_lib.multi_info_read(c->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            result = m->data.result;
    curl_lib.multi_remove_handle(c->multi, c->easy);
    return result;
}

int cli__request(struct cli_client *c, struct cli_request *r, struct err *e)
{
    struct exchange x = {c, r};
    char detail[CURL_ERROR_SIZE] = "";
    char *url = xprintf("%s%s", c->base, r->path);
    int rc = 0;

    r->body.max = BODY_MAX;
    struct curl_slist *headers = prepare(&x, url, detail);
    CURLcode why = drive(c);
    curl_lib.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &r->status);
    if (c->stop && *c->stop)
        rc = err_set(e, ERR_STOPPED, 0, "stopped");
    else if (why == CURLE_WRITE_ERROR && r->body.full)
        rc = err_set(e, ERR_IO, 0, "%s answers more than a Maya would; is it one?", c->shown);
    else if (why != CURLE_OK && !(why == CURLE_WRITE_ERROR && r->enough && *r->enough))
        rc = say_why(c, r, why, detail, e);
    if (!c->session[0] && cli__session_ok(r->session))
        str_copy(c->session, sizeof(c->session), r->session);
    /* The handle keeps pointers to what ends here. */
    curl_lib.easy_reset(c->easy);
    curl_lib.slist_free_all(headers);
    free(url);
    return rc;
}

void cli__request_release(struct cli_request *r)
{
    buf_release(&r->body);
}

char *cli__default_url(void)
{
    char name[] = "maya";
    char *argv[] = {name, NULL};
    struct config *c = config_new();
    const char *host = "127.0.0.1";
    char *url;

    if (config_read(c, 1, argv, environ, NULL) < 0) {
        config_free(&c);
        return xstrdup("http://127.0.0.1:8000");
    }
    const char *given = config_text(c, C_HOST);
    if (strncmp(given, "unix:", 5) == 0) {
        url = xstrdup(given);
    } else {
        /* Who listens on every address listens on this one. */
        if (strcmp(given, "0.0.0.0") != 0 && strcmp(given, "::") != 0)
            host = given;
        const char *left = strchr(host, ':') ? "[" : "", *right = *left ? "]" : "";
        url =
            xprintf("http://%s%s%s:%lld", left, host, right, (long long)config_int(c, C_PORT));
    }
    config_free(&c);
    return url;
}

/* One outgoing call: its callbacks, its deadlines, its end. */
#include "net/client_int.h"
#include "net/ws_int.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEND 16384L       /* bytes written at once, the least that libcurl does */
#define RECEIVE 8192L     /* bytes read at once */
#define FORGOTTEN_MS 1000 /* what a forgotten call still gets */

static const struct {
    const char *label, *text;
} losses[HTTP_LOST__COUNT] = {
#define HTTP_LOST(name, label, text) {label, text},
#include "net/lost.def"
#undef HTTP_LOST
};

const char *http_lost_label(enum http_lost l)
{
    return l < HTTP_LOST__COUNT ? losses[l].label : "unknown";
}

struct http_client *http_client_new(struct loop *l, const struct http_client_cfg *cfg)
{
    struct http_client *c = xalloc(sizeof(*c));

    c->loop = l;
    c->cfg = *cfg;
    list_init(&c->starting);
    list_init(&c->running);
    list_init(&c->over);
    list_init(&c->gone);
    list_init(&c->sockets_starting);
    list_init(&c->sockets);
    list_init(&c->sockets_over);
    list_init(&c->sockets_gone);
    return c;
}

int http_client_load(struct http_client *c, struct err *e)
{
    return http_client__attach(c, e);
}

/* The call's life in libcurl. */

static void call_free(struct http_call *call)
{
    list_remove(&call->link);
    if (call->added)
        curl_lib.multi_remove_handle(call->client->multi, call->easy);
    if (call->easy)
        curl_lib.easy_cleanup(call->easy);
    for (struct curl_slist *h = call->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_lib.slist_free_all(call->headers);
    free(call);
}

static void move(struct http_call *call, struct list *to)
{
    list_remove(&call->link);
    list_append(to, &call->link);
}

static enum http_lost lost_by(const struct http_call *call)
{
    switch (call->code) {
    case CURLE_OK:
        return HTTP_LOST_NONE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_LOST_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return HTTP_LOST_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_LOST_CONNECT_MS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return HTTP_LOST_CERTIFICATE;
    case CURLE_SSL_CONNECT_ERROR:
        return HTTP_LOST_TLS;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return HTTP_LOST_CUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return HTTP_LOST_ADDRESS;
    default:
        return HTTP_LOST_OTHER;
    }
}

static int64_t limit_of(const struct http_call *call, enum http_lost l)
{
    switch (l) {
    case HTTP_LOST_CONNECT_MS:
        return call->ask.connect_ms;
    case HTTP_LOST_FIRST_MS:
        return call->ask.first_ms;
    case HTTP_LOST_BETWEEN_MS:
        return call->ask.between_ms;
    default:
        return call->ask.whole_ms;
    }
}

static void explain(const struct http_call *call, struct err *e)
{
    bool timed = call->lost >= HTTP_LOST_CONNECT_MS && call->lost <= HTTP_LOST_WHOLE_MS;
    const char *detail = call->detail;
    char seconds[24];
    long sys = 0;

    if (call->lost == HTTP_LOST_REFUSED) {
        curl_lib.easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &sys);
        detail = strerror((int)sys);
    }
    snprintf(seconds, sizeof(seconds), "%g", (double)limit_of(call, call->lost) / 1000);
    if (!*detail)
        detail = curl_lib.easy_strerror(call->code);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the table's, with one or two texts */
    err_set(e, ERR_MIND, 0, losses[call->lost].text, call->where, timed ? seconds : detail);
#pragma GCC diagnostic pop
}

/* Tell the owner; the call is freed first, so that its connection is free for the next. */
static void conclude(struct http_call *call)
{
    struct http_ask ask = call->ask;
    bool silent = call->gone || call->forgotten;
    enum http_lost lost = call->lost;
    int status = call->status;
    struct err e = {0};

    if (lost != HTTP_LOST_NONE)
        explain(call, &e);
    call_free(call);
    if (!silent)
        ask.on_end(ask.ctx, status, lost, lost == HTTP_LOST_NONE ? NULL : &e);
}

static void end(struct http_call *call, enum http_lost lost)
{
    call->lost = lost;
    move(call, &call->client->over);
}

/* What waited for libcurl to return; calls nobody. */
static void tidy(struct http_client *c)
{
    LIST_EACH(at, after, &c->starting)
    {
        struct http_call *call = LIST_ITEM(at, struct http_call, link);
        call->added = curl_lib.multi_add_handle(c->multi, call->easy) == CURLM_OK;
        if (call->added)
            move(call, &c->running);
        else
            end(call, HTTP_LOST_OTHER);
    }
    while (!list_empty(&c->gone))
        call_free(LIST_ITEM(c->gone.next, struct http_call, link));
    ws__client_start(c);
}

void http_client__settle(struct http_client *c)
{
    CURLMsg *m;
    int left;

    if (c->inside)
        return;
    c->inside++; /* whoever is told below may start and cancel; that waits for tidy() */
    while ((m = curl_lib.multi_info_read(c->multi, &left))) {
        struct http_tag *tag;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_lib.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&tag);
        struct http_call *call = tag->call;
        if (!call)
            ws__client_connected(tag->ws, m->data.result);
        if (!call || call->gone)
            continue;
        call->code = m->data.result;
        end(call, lost_by(call));
    }
    while (!list_empty(&c->over))
        conclude(LIST_ITEM(c->over.next, struct http_call, link));
    ws__client_settle(c);
    c->inside--;
    tidy(c);
}

static void check_deadlines(struct http_call *call, int64_t now)
{
    const struct http_ask *a = &call->ask;
    int64_t silent = now - call->last_ms;

    if (a->whole_ms && now - call->began_ms >= a->whole_ms)
        end(call, HTTP_LOST_WHOLE_MS);
    else if (call->phase == CALL_CONNECTING && a->connect_ms && silent >= a->connect_ms)
        end(call, HTTP_LOST_CONNECT_MS);
    else if (call->phase == CALL_WAITING && a->first_ms && silent >= a->first_ms)
        end(call, HTTP_LOST_FIRST_MS);
    else if (call->phase == CALL_READING && !call->paused && a->between_ms &&
             silent >= a->between_ms)
        end(call, HTTP_LOST_BETWEEN_MS);
}

void http_client__sweep(struct http_client *c)
{
    int64_t now = loop_now(c->loop);

    LIST_EACH(at, after, &c->running)
    {
        check_deadlines(LIST_ITEM(at, struct http_call, link), now);
    }
    ws__client_sweep(c, now);
    http_client__settle(c);
}

/* libcurl's callbacks. */

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's own type */
static int on_connected(void *self, char *to, char *from, int to_port, int from_port)
{
    struct http_call *call = self;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    call->phase = CALL_WAITING;
    call->last_ms = loop_now(call->client->loop);
    return CURL_PREREQFUNC_OK;
}

static size_t on_read(char *dst, size_t size, size_t n, void *self)
{
    struct http_call *call = self;
    size_t left = call->ask.body.len - call->sent;

    if (call->gone)
        return CURL_READFUNC_ABORT;
    n *= size;
    if (n > left)
        n = left;
    if (n)
        memcpy(dst, call->ask.body.data + call->sent, n);
    call->sent += n;
    return n;
}

static int on_seek(void *self, curl_off_t offset, int origin)
{
    struct http_call *call = self;

    if (call->gone || call->forgotten || origin != SEEK_SET || offset < 0 ||
        (size_t)offset > call->ask.body.len)
        return CURL_SEEKFUNC_FAIL;
    call->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *data, size_t size, size_t n, void *self)
{
    struct http_call *call = self;
    const char *colon = memchr(data, ':', n * size);
    long status = 0;

    n *= size;
    if (call->gone)
        return 0;
    curl_lib.easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->status = (int)status;
    if (colon && !call->forgotten && call->ask.on_header) {
        struct str name = {data, (size_t)(colon - data)};
        struct str value = str_trim((struct str){colon + 1, n - name.len - 1});
        call->ask.on_header(call->ask.ctx, call->status, name, value);
    }
    return call->gone ? 0 : n;
}

static size_t on_body(char *data, size_t size, size_t n, void *self)
{
    struct http_call *call = self;

    n *= size;
    if (call->gone)
        return n ? 0 : 1;
    call->phase = CALL_READING;
    call->last_ms = loop_now(call->client->loop);
    if (!call->forgotten)
        call->ask.on_data(call->ask.ctx, call->status, data, n);
    return call->gone ? !n : n;
}

/* Starting and stopping. */

/* Scheme, a user's name and the path are of no use to people, and may be secret. */
static void show_host(struct http_call *call)
{
    const char *host = strstr(call->ask.url, "://");
    size_t len;

    host = host ? host + 3 : call->ask.url;
    len = strcspn(host, "/?#");
    const char *at = memchr(host, '@', len);
    if (at) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    snprintf(call->where, sizeof(call->where), "%.*s", (int)(len > 90 ? 90 : len), host);
}

static void set_callbacks(struct http_call *call)
{
    CURL *easy = call->easy;

    call->tag.call = call;
    curl_lib.easy_setopt(easy, CURLOPT_PRIVATE, &call->tag);
    curl_lib.easy_setopt(easy, CURLOPT_ERRORBUFFER, call->detail);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_lib.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_lib.easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_lib.easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_lib.easy_setopt(easy, CURLOPT_PREREQDATA, call);
    if (!call->ask.body.data)
        return;
    /* Read piece by piece, and not lent: a call that is cancelled must not look at it again. */
    curl_lib.easy_setopt(easy, CURLOPT_POST, 1L);
    curl_lib.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->ask.body.len);
    curl_lib.easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_lib.easy_setopt(easy, CURLOPT_READDATA, call);
    curl_lib.easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_lib.easy_setopt(easy, CURLOPT_SEEKDATA, call);
}

void http_client__options(struct http_client *c, CURL *easy, const char *url)
{
    const struct http_client_cfg *cfg = &c->cfg;
    bool tls = strncmp(url, "https:", 6) == 0;

    curl_lib.easy_setopt(easy, CURLOPT_URL, url);
    curl_lib.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_lib.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Else a name that nobody resolves would hold the loop when its call is cancelled. */
    curl_lib.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_lib.easy_setopt(easy, CURLOPT_USERAGENT, "maya/" MAYA_VERSION);
    curl_lib.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_lib.easy_setopt(easy, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
    curl_lib.easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE);
    curl_lib.easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND);
    curl_lib.easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_lib.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 24 * 3600 * 1000L); /* see sweep */
    curl_lib.easy_setopt(easy, CURLOPT_PROXY, cfg->proxy ? cfg->proxy : "");
    if (cfg->ca_file && *cfg->ca_file)
        curl_lib.easy_setopt(easy, CURLOPT_CAINFO, cfg->ca_file);
}

static bool set_headers(struct http_call *call)
{
    static const char *const none[] = {NULL};
    /* No waiting for 100; and a body is JSON unless the owner says otherwise. */
    struct curl_slist *list = curl_lib.slist_append(NULL, "Expect:");

    for (const char *const *h = call->ask.headers ? call->ask.headers : none; list && *h; h++) {
        struct curl_slist *longer = curl_lib.slist_append(list, *h);
        if (!longer)
            curl_lib.slist_free_all(list);
        list = longer;
    }
    call->headers = list;
    call->ask.headers = NULL;
    curl_lib.easy_setopt(call->easy, CURLOPT_HTTPHEADER, list);
    return list != NULL;
}

/* A line break in one (of a key that was pasted badly) would begin another. */
static bool are_lines(const char *const *headers)
{
    for (; headers && *headers; headers++)
        if (strpbrk(*headers, "\r\n"))
            return false;
    return true;
}

int http_call_start(struct http_client *c, const struct http_ask *ask, struct http_call **ret,
                    struct err *e)
{
    struct http_call *call;

    if (http_client__attach(c, e) < 0)
        return -1;
    if (!are_lines(ask->headers))
        return err_set(e, ERR_INVALID, 0, "a header (of a key, maybe) has a line break in it");
    call = http_client__memory_short() ? NULL : calloc(1, sizeof(*call));
    if (!call)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    list_init(&call->link);
    call->client = c;
    call->ask = *ask;
    call->easy = curl_lib.easy_init();
    if (!call->easy || !set_headers(call)) {
        call_free(call);
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    }
    show_host(call);
    http_client__options(c, call->easy, call->ask.url);
    set_callbacks(call);
    call->ask.url = NULL; /* libcurl has its copy */
    call->began_ms = call->last_ms = loop_now(c->loop);
    list_append(&c->starting, &call->link);
    if (!c->inside)
        tidy(c);
    *ret = call;
    return 0;
}

void http_call_pause(struct http_call *call, bool paused)
{
    struct http_client *c = call->client;

    call->paused = paused;
    call->last_ms = loop_now(c->loop);
    c->inside++; /* what libcurl kept meanwhile comes now */
    curl_lib.easy_pause(call->easy, paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
    c->inside--;
    http_client__settle(c);
}

void http_call_cancel(struct http_call *call)
{
    struct http_client *c = call->client;

    call->gone = true;
    move(call, &c->gone);
    if (!c->inside)
        tidy(c);
}

void http_call_forget(struct http_call *call)
{
    struct http_ask *a = &call->ask;
    int64_t now = loop_now(call->client->loop);

    call->forgotten = true;
    a->body.len = call->sent; /* it is the owner's, and goes with him */
    a->whole_ms = now - call->began_ms + FORGOTTEN_MS;
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;

    if (!c)
        return;
    struct list *lists[] = {&c->starting, &c->running, &c->over, &c->gone};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        while (!list_empty(lists[i]))
            call_free(LIST_ITEM(lists[i]->next, struct http_call, link));
    ws__client_end(c);
    http_client__detach(c);
    free(c);
    *client = NULL;
}

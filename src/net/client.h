/*
 * The client of net/: calls to others over HTTP and HTTPS, on the loop. Part of net.h, where a
 * page would not hold it. libcurl is loaded by the first call, or by http_client_load().
 *
 * Owns its connections, which are kept for the next call, and nothing of its owner's but what
 * it copies. A call ends once: whole, lost for a reason of lost.def, cancelled, or forgotten.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stdint.h>

struct http_client;
struct http_call;
struct loop;

/* Why a call came to nothing: HTTP_LOST(NAME, "label", "sentence") in lost.def. */
enum http_lost {
#define HTTP_LOST(name, label, text) HTTP_LOST_##name,
#include "net/lost.def"
#undef HTTP_LOST
    HTTP_LOST__COUNT
};
const char *http_lost_label(enum http_lost l);

struct http_client_cfg { /* texts are borrowed */
    const char *proxy;   /* NULL or "": none; what the environment says is not asked */
    const char *ca_file; /* whom to trust; NULL or "": whom the system trusts */
};

struct http_client *http_client_new(struct loop *l, const struct http_client_cfg *cfg) MUST_USE;
int http_client_load(struct http_client *c, struct err *e) MUST_USE;
void http_client_free(struct http_client **c); /* what still runs is cancelled */

struct http_ask {
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", NULL-ended; one with a line break
                                 * is refused. Copied, and wiped at the end */
    struct str body;            /* POST; {NULL, 0}: GET. Borrowed until the end or cancel */
    int64_t connect_ms, first_ms, between_ms, whole_ms; /* deadlines; 0: none */
    /* All on the loop, never inside http_call_start(); on_end once, and last. */
    void (*on_header)(void *ctx, int status, struct str name, struct str value);
    void (*on_data)(void *ctx, int status, const char *data, size_t len);
    void (*on_end)(void *ctx, int status, enum http_lost lost, const struct err *e);
    void *ctx;
};
int http_call_start(struct http_client *c, const struct http_ask *ask, struct http_call **ret,
                    struct err *e) MUST_USE;
void http_call_pause(struct http_call *call, bool paused); /* the sender is held up */
/* Nothing is called any more, and the connection (HTTP/2: the stream) is closed at once. */
void http_call_cancel(struct http_call *call);
/* Nothing is called any more; what little is left may come, so that the connection lives on. */
void http_call_forget(struct http_call *call);

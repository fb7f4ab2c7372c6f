/*
 * Private to net/: the outgoing client. libcurl may not be asked to add or remove a transfer
 * inside its own callbacks, so both wait in a list until it has returned.
 */
#pragma once

#include "base/curl.h"
#include "base/list.h"
#include "net/net.h"
#include "net/net_int.h"

enum call_phase { CALL_CONNECTING, CALL_WAITING, CALL_READING };

/* What libcurl gives back of a transfer: a call, or a WebSocket's connection. */
struct http_tag {
    struct http_call *call;
    struct ws *ws;
};

struct http_call {
    struct list link; /* in one list of the client */
    struct http_client *client;
    struct http_tag tag;
    struct http_ask ask;
    CURL *easy;
    struct curl_slist *headers;
    size_t sent; /* of the body */
    int status;
    enum call_phase phase;
    enum http_lost lost;
    CURLcode code;
    bool added, gone, forgotten, paused;
    int64_t began_ms, last_ms; /* of the loop's clock; last: of the phase, or the last byte */
    char where[96];            /* "host:port", for people */
    char detail[CURL_ERROR_SIZE];
};

struct http_client {
    struct loop *loop;
    struct http_client_cfg cfg;
    CURLM *multi; /* NULL: nothing was asked yet */
    uv_timer_t *timer, *sweep;
    int inside;                                /* libcurl has the word */
    struct list starting, running, over, gone; /* calls */
    struct list sockets_starting, sockets, sockets_over, sockets_gone;
};

/* client_uv.c: libcurl's sockets and its timer on the loop */
int http_client__attach(struct http_client *c, struct err *e) MUST_USE;
void http_client__detach(struct http_client *c);

/* client_mem.c */
int http_client__memory_init(struct err *e) MUST_USE; /* and libcurl with it */
bool http_client__memory_short(void);                 /* no new call now */
void *http_client__take(size_t n); /* zeroed, where libcurl's memory comes from, and */
void http_client__give(void *p);   /* goes to */

/* client.c */
void http_client__settle(struct http_client *c); /* after libcurl had the word */
void http_client__sweep(struct http_client *c);  /* deadlines; a few times a second */
/* What every transfer has: proxy, whom to trust, no waiting. */
void http_client__options(struct http_client *c, CURL *easy, const char *url);

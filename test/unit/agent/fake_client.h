/* net/client.h without a network: the calls that were begun, for a test to answer. */
#pragma once

#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>

struct http_call {
    struct http_ask ask;
    char url[600], headers[2000]; /* as sent, a line each */
    bool over;
};

static struct fake_client {
    struct http_call calls[64];
    unsigned begun, cancelled;
    bool refuse; /* there is no memory */
} fake_client;

int http_call_start(struct http_client *c, const struct http_ask *ask, struct http_call **ret,
                    struct err *e)
{
    struct http_call *call = &fake_client.calls[fake_client.begun % 64];
    int n = 0;

    (void)c;
    if (fake_client.refuse)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    fake_client.begun++;
    *call = (struct http_call){.ask = *ask};
    snprintf(call->url, sizeof(call->url), "%s", ask->url);
    for (const char *const *h = ask->headers; *h; h++)
        n += snprintf(call->headers + n, sizeof(call->headers) - (size_t)n, "%s\n", *h);
    *ret = call;
    return 0;
}

void http_call_cancel(struct http_call *call)
{
    MUST(!call->over);
    call->over = true;
    fake_client.cancelled++;
}

/* The answer, in pieces of at most so many bytes. */
static inline void fake_answer(struct http_call *call, int status, const char *data, size_t len,
                               size_t piece)
{
    for (size_t at = 0; at < len && !call->over; at += piece)
        call->ask.on_data(call->ask.ctx, status, data + at,
                          len - at < piece ? len - at : piece);
    if (call->over)
        return;
    call->over = true;
    call->ask.on_end(call->ask.ctx, status, HTTP_LOST_NONE, NULL);
}

static inline void fake_lost(struct http_call *call, enum http_lost lost)
{
    struct err e;

    err_set(&e, ERR_MIND, 0, "lost");
    call->over = true;
    call->ask.on_end(call->ask.ctx, 0, lost, &e);
}

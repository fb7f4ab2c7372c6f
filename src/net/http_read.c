#include "net/net_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* From bytes to requests: one at a time, the rest waits in conn->in. */

/* What reading and understanding it takes grows with its size; asking the clock costs as much
 * as a small one. */
#define LARGE_BODY ((size_t)16 * 1024)

/* Of this thread: that others had the processor meanwhile is not this request's doing. */
static uint64_t cpu_ns(void)
{
    struct timespec t;

    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0
               ? (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec
               : 0;
}

static void dispatch(struct conn *c)
{
    struct http_server *s = c->server;

    http_conn__move(c, CONN_BUSY);
    s->stats.requests++;
    c->req->started_ns = loop_hrtime_ns();
    bool large = c->req->body_len >= LARGE_BODY;
    uint64_t before = large ? cpu_ns() : 0;
    s->cfg.on_request(s->cfg.ctx, c->req);
    if (large)
        http_conn__rest(c, cpu_ns() - before);
}

/* A whole head lies at `data`. */
static void take_head(struct conn *c, const char *data, size_t len, bool more)
{
    struct http_server *s = c->server;
    struct http_head h;
    enum refusal why = http_head_parse(data, len, &h);

    if (!why && h.method == HTTP_METHOD__COUNT)
        why = REFUSE_METHOD_UNKNOWN;
    if (!why && h.length > s->cfg.max_body)
        why = REFUSE_BODY_SIZE;
    if (!why) {
        c->req = http_req__new(&h, c);
        if (!c->req)
            why = REFUSE_MEMORY;
    }
    if (why) {
        http_answer__refuse(c, why);
        return;
    }
    if (!h.chunked && h.length == 0) {
        dispatch(c);
        return;
    }
    http_conn__move(c, CONN_BODY);
    if (h.expect_continue && !more)
        http_answer__continue(c);
}

static size_t read_head(struct conn *c, const char *data, size_t len)
{
    enum refusal why = REFUSE_NONE;

    switch (http_head_scan(&c->scan, data, len, c->server->cfg.max_head, &why)) {
    case PARSE_MORE:
        return 0;
    case PARSE_REFUSED:
        http_answer__refuse(c, why);
        return len;
    case PARSE_DONE:
        break;
    }
    size_t start = c->scan.start, end = c->scan.pos;
    c->scan = (struct http_head_scan){0};
    take_head(c, data + start, end - start, len > end);
    return end;
}

static size_t read_length(struct conn *c, const char *data, size_t len)
{
    struct http_req *r = c->req;
    size_t n = len < r->body_left ? len : (size_t)r->body_left;

    if (!http_req__add_body(r, data, n, r->body_left)) {
        http_answer__refuse(c, REFUSE_MEMORY);
        return len;
    }
    r->body_left -= n;
    if (r->body_left == 0)
        dispatch(c);
    return n;
}

static size_t read_chunked(struct conn *c, const char *data, size_t len)
{
    struct http_req *r = c->req;
    size_t max = c->server->cfg.max_body, used = 0;
    enum refusal why = REFUSE_NONE;
    struct str run;

    switch (http_chunked_next(&r->chunked, data, len, &used, &run, &why)) {
    case PARSE_DONE:
        dispatch(c);
        return used;
    case PARSE_REFUSED:
        break;
    case PARSE_MORE:
        if (r->body_len + run.len + r->chunked.left > max)
            why = REFUSE_BODY_SIZE;
        else if (run.len && !http_req__add_body(r, run.data, run.len, r->chunked.left))
            why = REFUSE_MEMORY;
        break;
    }
    if (!why)
        return used;
    http_answer__refuse(c, why);
    return len;
}

/* Use what can be used; returns how much that was. */
static size_t use(struct conn *c, const char *data, size_t len)
{
    size_t at = 0;

    while (at < len && !c->doomed) {
        size_t n;
        if (c->rest_until && c->state <= CONN_HEAD)
            return at;
        switch (c->state) {
        case CONN_IDLE:
            http_conn__move(c, CONN_HEAD);
            continue;
        case CONN_HEAD:
            n = read_head(c, data + at, len - at);
            break;
        case CONN_BODY:
            n = c->req->chunked_body ? read_chunked(c, data + at, len - at)
                                     : read_length(c, data + at, len - at);
            break;
        case CONN_LINGER:
        case CONN_CLOSED:
            return len;
        case CONN_STREAM:
            if (!c->req->on_bytes || c->held)
                return at;
            c->req->on_bytes(c->req, data + at, len - at);
            return len;
        default: /* a request is in progress: this is for later */
            return at;
        }
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

static bool keep(struct conn *c, const char *data, size_t len)
{
    if (c->in_len + len > c->in_cap) {
        size_t cap = c->in_cap * 2;
        if (cap < c->in_len + len)
            cap = c->in_len + len;
        char *p = realloc(c->in, cap);
        if (!p)
            return false;
        c->server->conn_bytes += net__block(cap) - net__block(c->in_cap);
        c->in = p;
        c->in_cap = (uint32_t)cap;
    }
    memcpy(c->in + c->in_len, data, len);
    c->in_len += (uint32_t)len;
    return true;
}

void http_conn__drop_kept(struct conn *c)
{
    c->server->conn_bytes -= net__block(c->in_cap);
    free(c->in);
    c->in = NULL;
    c->in_len = c->in_cap = 0;
}

/* `data` is new and comes after what is kept; it may be empty. */
void http_conn__feed(struct conn *c, const char *data, size_t len)
{
    size_t used;

    c->feeding = true;
    if (c->in_len == 0) { /* the usual case: nothing is copied */
        used = use(c, data, len);
        if (used < len && !keep(c, data + used, len - used))
            http_conn__doom(c, HTTP_CLOSE_MEMORY);
    } else if (len && !keep(c, data, len)) {
        http_conn__doom(c, HTTP_CLOSE_MEMORY);
    } else {
        used = use(c, c->in, c->in_len);
        if (used == c->in_len) {
            http_conn__drop_kept(c);
        } else if (used) {
            memmove(c->in, c->in + used, c->in_len - used);
            c->in_len -= (uint32_t)used;
        }
    }
    c->feeding = false;
}

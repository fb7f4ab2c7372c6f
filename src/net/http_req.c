#include "net/net_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* What its block needs; it may be larger, by what percent-decoding saved. */
static size_t room_of(const struct http_req *r)
{
    return sizeof(*r) + r->path_len + r->query_len + r->headers_len + 3;
}

/* One block: the struct, the decoded path, the query and the header lines. */
struct http_req *http_req__new(const struct http_head *h, struct conn *c)
{
    size_t room = sizeof(struct http_req) + h->path.len + h->query.len + h->headers.len + 3;
    struct http_req *r = malloc(room);

    if (!r)
        return NULL;
    *r = (struct http_req){.magic = REQ_MAGIC,
                           .method = (uint8_t)h->method,
                           .http_1_1 = h->minor == 1,
                           .keep_alive = h->keep_alive,
                           .chunked_body = h->chunked,
                           .no_body = h->method == HTTP_HEAD,
                           .conn = c,
                           .body_left = h->length};
    ptrdiff_t n = http_percent_decode(h->path, r->text, false);
    MUST(n >= 0); /* the parser has tried it */
    char *p = r->text + n;
    *p++ = '\0';
    if (h->query.len)
        memcpy(p, h->query.data, h->query.len);
    p += h->query.len;
    *p++ = '\0';
    if (h->headers.len)
        memcpy(p, h->headers.data, h->headers.len);
    p[h->headers.len] = '\0';
    r->path_len = (uint32_t)n;
    r->query_len = (uint32_t)h->query.len;
    r->headers_len = (uint32_t)h->headers.len;
    c->server->conn_bytes += net__block(room_of(r));
    return r;
}

/*
 * `expect`: how many bytes are still to come, 0 if unknown. Memory grows with what has really
 * come (doubling), not with what was announced: an announcement costs a client nothing.
 */
bool http_req__add_body(struct http_req *r, const char *data, size_t len, uint64_t expect)
{
    struct http_server *s = r->conn->server;

    if (r->body_len + len + 1 > r->body_cap) {
        size_t cap = r->body_cap * 2;
        if (expect && cap > r->body_len + expect + 1)
            cap = r->body_len + (size_t)expect + 1;
        if (cap < r->body_len + len + 1)
            cap = r->body_len + len + 1;
        if (s->cfg.max_bodies && s->bodies - r->body_cap + cap > s->cfg.max_bodies)
            return false;
        char *p = realloc(r->body, cap);
        if (!p)
            return false;
        s->bodies += cap - r->body_cap;
        r->body = p;
        r->body_cap = cap;
    }
    memcpy(r->body + r->body_len, data, len);
    r->body_len += len;
    r->body[r->body_len] = '\0';
    return true;
}

void http_req__free(struct http_req **r)
{
    if (!*r)
        return;
    MUST((*r)->magic == REQ_MAGIC);
    (*r)->magic = 0;
    (*r)->conn->server->bodies -= (*r)->body_cap;
    (*r)->conn->server->conn_bytes -= net__block(room_of(*r));
    buf_release(&(*r)->headers);
    free((*r)->body);
    free(*r);
    *r = NULL;
}

struct http_req *http_stream_settle(struct http_req *r)
{
    struct conn *c = r->conn;

    MUST(r->magic == REQ_MAGIC && r->streaming && !r->gone);
    c->server->bodies -= r->body_cap;
    free(r->body);
    r->body = NULL;
    r->body_len = r->body_cap = 0;
    c->server->conn_bytes -= net__block(room_of(r));
    r->path_len = r->query_len = r->headers_len = 0;
    memset(r->text, 0, 3);
    c->server->conn_bytes += net__block(room_of(r));
    struct http_req *moved = realloc(r, room_of(r));
    if (moved) /* else it stays where it is, as large as it was */
        c->req = r = moved;
    return r;
}

void http_req_charge(struct http_req *r, struct budget *b)
{
    MUST(r->magic == REQ_MAGIC && !r->gone);
    r->budget = b;
    http_out__charge(r->conn, b);
}

enum http_method http_req_method(const struct http_req *r)
{
    MUST(r->magic == REQ_MAGIC);
    return (enum http_method)r->method;
}

struct str http_req_path(const struct http_req *r)
{
    MUST(r->magic == REQ_MAGIC);
    return (struct str){r->text, r->path_len};
}

struct str http_req_query(const struct http_req *r)
{
    MUST(r->magic == REQ_MAGIC);
    return (struct str){r->text + r->path_len + 1, r->query_len};
}

struct str http_req_header(const struct http_req *r, const char *lower_name)
{
    MUST(r->magic == REQ_MAGIC);
    struct str rest = {r->text + r->path_len + 1 + r->query_len + 1, r->headers_len};
    struct str name, value;

    while (http_header_next(&rest, &name, &value)) {
        if (str_eq_nocase(name, lower_name))
            return value;
    }
    return (struct str){NULL, 0};
}

struct str http_req_body(const struct http_req *r)
{
    MUST(r->magic == REQ_MAGIC);
    return (struct str){r->body ? r->body : "", r->body_len};
}

uint64_t http_req_started_ns(const struct http_req *r)
{
    return r->started_ns;
}

/* Asked for rarely, so it is looked up when asked for. */
static const char *peer_of(struct conn *c)
{
    struct sockaddr_storage sa = {0};
    int len = sizeof(sa);
    char text[INET6_ADDRSTRLEN] = "unknown";

    if (c->server->unix_socket)
        return "unix";
    if (c->peer)
        return c->peer;
    if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&sa, &len) == 0) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&sa;
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&sa;
        if (sa.ss_family == AF_INET)
            inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    }
    c->peer = strdup(text);
    if (!c->peer) {
        memcpy(c->server->peer, text, sizeof(text));
        return c->server->peer; /* until somebody else is asked for */
    }
    c->server->conn_bytes += net__block(strlen(text) + 1);
    return c->peer;
}

struct str http_req_peer(const struct http_req *r)
{
    return str_of(peer_of(r->conn));
}

bool http_req_loopback(const struct http_req *r)
{
    const char *peer = peer_of(r->conn);

    return r->conn->server->unix_socket || strncmp(peer, "127.", 4) == 0 ||
           strcmp(peer, "::1") == 0;
}

bool http_req_param(const struct http_req *r, const char *name, struct buf *out)
{
    struct str q = http_req_query(r);
    struct buf key = BUF_INIT;
    bool found = false;

    while (q.len && !found) {
        const char *amp = memchr(q.data, '&', q.len);
        struct str pair = {q.data, amp ? (size_t)(amp - q.data) : q.len};
        size_t step = pair.len + (amp != NULL);
        const char *eq = memchr(pair.data, '=', pair.len);
        struct str k = {pair.data, eq ? (size_t)(eq - pair.data) : pair.len};
        struct str v = {pair.data + k.len + (eq != NULL), pair.len - k.len - (eq != NULL)};
        char *at = buf_reserve(&key, k.len);
        ptrdiff_t n = at ? http_percent_decode(k, at, true) : -1;
        out->full |= key.full;
        q = (struct str){q.data + step, q.len - step};
        if (n < 0 || !str_eq((struct str){at, (size_t)n}, name))
            continue;
        at = buf_reserve(out, v.len);
        n = at ? http_percent_decode(v, at, true) : -1;
        if (n < 0)
            break;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        found = true;
    }
    buf_release(&key);
    return found;
}

void http_req_set_ctx(struct http_req *r, void *ctx)
{
    r->ctx = ctx;
}

void *http_req_ctx(const struct http_req *r)
{
    return r->ctx;
}

void http_req_on_gone(struct http_req *r, void (*fn)(void *ctx, struct http_req *r))
{
    r->on_gone = fn;
}

void http_stream_on_room(struct http_req *r, void (*fn)(void *ctx, struct http_req *r))
{
    r->on_room = fn;
}

void http_stream_on_drain(struct http_req *r, void (*fn)(void *ctx, struct http_req *r))
{
    r->on_drain = fn;
    if (r->conn->server->drain_begun) { /* it came too late to be told with the others */
        http_conn__ready(r->conn);
    }
}

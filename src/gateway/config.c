/* A plan as HAProxy 2.6 reads it. Directives are in docs/gateway.md, with their reasons. */
#include "gateway/gateway_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_S 2147483 /* HAProxy counts milliseconds in an int */
#define SOON_MS 100
#define AGAIN_MS 5     /* after an answer that was held back for seconds */
#define HTTPS_PORT 443 /* of a URL without a port */
#define JSON "content-type application/json string "

static unsigned seconds(unsigned s)
{
    return s < LONGEST_S ? s : LONGEST_S;
}

/* Strong quotes: nothing within them means anything to HAProxy. gateway_check() lets none in.
 */
static void put_word(struct buf *out, const char *word)
{
    MUST(!strchr(word, '\'') && !strchr(word, '\n'));
    buf_printf(out, "'%s'", word);
}

static void put_global(const struct gateway_plan *p, struct buf *out)
{
    bool path = p->runtime[0] == '/';

    buf_printf(out, "# Made by Maya from its plan; changes go there.\nglobal\n    maxconn %u\n",
               p->max_conns);
    if (p->threads)
        buf_printf(out, "    nbthread %u\n", p->threads);
    buf_printf(out, "    stats socket '%s%s'",
               path                   ? "unix@"
               : p->runtime[0] == '[' ? "ipv6@"
                                      : "ipv4@",
               p->runtime);
    if (p->instance) /* in the same word, for which it has to follow at once */
        buf_printf(out, "\".${%s}\"", p->instance);
    buf_printf(out, "%s level admin expose-fd listeners\n    stats timeout 30s\n",
               path ? " mode 600" : "");
    buf_printf(out,
               "    no strict-limits\n    localpeer gateway\n    tune.bufsize %u\n    "
               "hard-stop-after 1h\n"
               "    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets\n\n",
               p->buffer);
    /* Without http-no-delay what comes word by word is held back for 200 ms at a time. */
    buf_str(out, "defaults\n    mode http\n    timeout connect 2s\n    timeout client 75s\n"
                 "    timeout server 75s\n    timeout http-request 10s\n"
                 "    timeout http-keep-alive 75s\n    timeout queue 10s\n"
                 "    timeout tunnel 1h\n    timeout client-fin 10s\n"
                 "    timeout server-fin 10s\n    option dontlognull\n"
                 "    option http-no-delay\n\n");
    if (p->peer)
        buf_printf(out, "peers gateway\n    peer gateway 'unix@%s'\n\n", p->peer);
}

static void put_bind(const struct gateway_plan *p, const char *address, unsigned port, bool tls,
                     struct buf *out)
{
    bool six = strchr(address, ':') != NULL;

    if (!port)
        return;
    buf_printf(out, "    bind '%s%s:%u'%s", six ? "ipv6@" : "", address, port,
               six ? " v6only" : "");
    for (size_t i = 0; tls && i < p->cert_count; i++) {
        buf_str(out, i ? " crt " : " ssl crt ");
        put_word(out, p->certs[i]);
    }
    buf_str(out, tls ? " alpn h2,http/1.1\n" : "\n");
}

struct route {
    const char *host;
    const char *app;
};

/* Names before patterns, and of these the longer, narrower ones first. */
static int by_rank(const void *a, const void *b)
{
    const struct route *x = a, *y = b;
    bool any_x = x->host[0] == '*', any_y = y->host[0] == '*';
    size_t len_x = strlen(x->host), len_y = strlen(y->host);

    if (any_x != any_y)
        return any_x ? 1 : -1;
    if (any_x && len_x != len_y)
        return len_x > len_y ? -1 : 1;
    return strcmp(x->host, y->host);
}

static void put_routes(const struct gateway_plan *p, struct buf *out)
{
    const char *fallback = NULL;
    size_t n = 0, count = 0;

    for (size_t i = 0; i < p->app_count; i++)
        count += p->apps[i].host_count;
    struct route *routes = xalloc((count + 1) * sizeof(*routes));
    for (size_t i = 0; i < p->app_count; i++) {
        const struct gateway_app *a = &p->apps[i];
        for (size_t k = 0; k < a->host_count; k++)
            routes[n++] = (struct route){a->hosts[k], a->name};
        if (a->fallback)
            fallback = a->name;
    }
    qsort(routes, n, sizeof(*routes), by_rank);
    for (size_t i = 0; i < n; i++) {
        bool any = routes[i].host[0] == '*';
        buf_printf(out, "    use_backend 'app-%s' if { req.hdr(host),host_only -i%s '%s' }\n",
                   routes[i].app, any ? " -m end" : "", routes[i].host + any);
    }
    free(routes);
    if (fallback)
        buf_printf(out, "    default_backend 'app-%s'\n\n", fallback);
    else
        buf_str(out, "    default_backend nowhere\n\nbackend nowhere\n"
                     "    http-request return status 404 " JSON
                     "'{\"code\":\"unknown_host\",\"detail\":\"No app has this host.\"}'\n\n");
}

static void put_frontend(const struct gateway_plan *p, struct buf *out)
{
    /* Two sockets: one for both would call people by addresses like ::ffff:1.2.3.4. */
    const char *const addresses[] = {p->bind, strcmp(p->bind, "::") == 0 ? "*" : NULL};

    buf_str(out, "frontend people\n");
    for (size_t i = 0; i < ARRAY_LEN(addresses) && addresses[i]; i++) {
        put_bind(p, addresses[i], p->http_port, false, out);
        put_bind(p, addresses[i], p->https_port, true, out);
    }
    buf_str(out, "    http-request del-header X-Forwarded-For\n    option forwardfor\n"
                 "    http-request set-header X-Forwarded-Proto https if { ssl_fc }\n"
                 "    http-request set-header X-Forwarded-Proto http unless { ssl_fc }\n");
    if (p->instance)
        buf_str(out, "    http-after-response set-header Connection close if "
                     "{ var(" GATEWAY__LEAVING ") -m bool } !{ status 101 }\n");
    put_routes(p, out);
}

enum retry { KEYED, SAME };

/* retry.def as two conditions, each with all of its paths. */
static void put_retry_paths(struct buf *out)
{
    static const struct {
        enum retry how;
        const char *path;
    } rows[] = {
#define RETRY(how, path, why) {how, path},
#include "gateway/retry.def"
#undef RETRY
    };
    static const char *const names[] = {[KEYED] = "keyed", [SAME] = "same"};

    for (size_t how = 0; how < ARRAY_LEN(names); how++) {
        buf_printf(out, "    acl %s path -m end", names[how]);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            if (rows[i].how == (enum retry)how)
                buf_printf(out, " %s", rows[i].path);
        buf_char(out, '\n');
    }
}

/* Here and not where hosts are told apart: an app's pattern may be beside another's name. */
static void put_redirect(const struct gateway_plan *p, struct buf *out)
{
    buf_str(out, "    http-request redirect location https://%[req.hdr(host),host_only]");
    if (p->https_port != HTTPS_PORT)
        buf_printf(out, ":%u", p->https_port);
    buf_str(out, "%[pathq] code 308 unless { ssl_fc }\n");
}

/* Who is where, and what may be sent again: as Maya's own statuses and headers say. */
static void put_maya(const struct gateway_plan *p, const struct gateway_app *a, struct buf *out)
{
    /* HAProxy keeps `server-fin` of a connection that broke for the one after it. */
    buf_printf(out,
               "    option http-buffer-request\n"
               "    retry-on conn-failure empty-response 503\n"
               "    timeout server-fin %us\n",
               seconds(a->turn_s));
    put_retry_paths(out);
    buf_str(out, "    acl reads method GET HEAD OPTIONS\n"
                 "    http-request del-header Gateway-Key\n"
                 "    http-request set-header Gateway-Key %[uuid()] if keyed\n"
                 "    http-request disable-l7-retry unless reads or keyed or same\n");
    buf_str(out, "    http-request set-var(txn.session) req.hdr(X-Session-ID)\n"
                 "    http-request set-var(txn.session) url_param(session_id) "
                 "unless { var(txn.session) -m found }\n"
                 "    http-request set-var(txn.session) req.hdr(Mcp-Session-Id) "
                 "unless { var(txn.session) -m found }\n");
    buf_printf(out, "    stick-table type string len 128 size 1m expire %us%s\n",
               seconds(a->expiry_s), p->peer ? " peers gateway" : "");
    buf_str(out, "    stick on var(txn.session)\n"
                 "    stick store-response res.hdr(X-Session-ID)\n"
                 "    stick store-response res.hdr(Mcp-Session-Id)\n");
}

static void put_slot(const struct gateway_app *a, unsigned slot, const unsigned *weights,
                     struct buf *out)
{
    const struct gateway_server *s = slot <= a->server_count ? &a->servers[slot - 1] : NULL;
    bool empty = !s || !s->version;
    unsigned weight = empty ? 0 : weights[slot - 1];
    const char *address = empty ? "127.0.0.1" : s->address;
    bool six = strchr(address, ':') != NULL;

    buf_printf(out, "    server s%u %s%s:%u", slot, six ? "ipv6@" : "", address,
               empty ? 1 : s->port);
    if (a->agent)
        buf_printf(out, " weight 100 agent-check agent-addr %s agent-port %u agent-send %u%%",
                   address, empty ? 1 : s->agent_port, weight);
    else
        buf_printf(out, " weight %u", weight);
    /* HAProxy has no word for a server that drains from the start; one of weight 0 does. */
    buf_str(out, empty || s->state == GATEWAY_MAINT || s->down ? " disabled\n" : "\n");
}

/*
 * Maya keeps the answer to a check back while she is well (api/ready.c), so one is under way
 * nearly always, and ends with her: then the first that fails counts, or what was being
 * answered would be sent to her again, ten times within a millisecond, where something in
 * front of her (docker-proxy) still takes connections.
 */
static void put_checks(const struct gateway_plan *p, const struct gateway_app *a,
                       struct buf *out)
{
    unsigned soon_ms = p->check_ms < SOON_MS ? p->check_ms : SOON_MS;

    if (a->maya)
        buf_printf(out,
                   "    http-check send-state\n    timeout check 6s\n"
                   "    default-server check inter %ums downinter %ums fall 1",
                   AGAIN_MS, soon_ms);
    else
        buf_printf(out,
                   "    timeout check 2s\n"
                   "    default-server check inter %ums fastinter %ums downinter %ums fall 3",
                   p->check_ms, soon_ms, soon_ms);
    buf_printf(out, " rise 1%s observe layer4 error-limit 1 on-error sudden-death\n",
               a->agent ? " agent-inter 1s" : "");
}

static void put_app(const struct gateway_plan *p, const struct gateway_app *a, struct buf *out)
{
    unsigned *weights = xalloc((a->server_count + 1) * sizeof(*weights));

    gateway_weights(a, weights);
    buf_printf(out, "backend 'app-%s'\n", a->name);
    for (size_t i = 0; i < a->version_count; i++) {
        static const char *const roles[] = {"stable", "canary", "old"};
        buf_printf(out, "    # %s: %s, weight %u\n", a->versions[i].name,
                   roles[a->versions[i].role], a->versions[i].weight);
    }
    buf_printf(out,
               "    balance roundrobin\n    timeout server %us\n    retries 10\n"
               "    option redispatch 1\n    option httpchk\n"
               "    http-check send meth GET uri '%s' ver HTTP/1.1 hdr Host gateway "
               "hdr Connection close\n    http-check expect status 200\n",
               seconds(a->turn_s), a->health);
    if (a->redirect)
        put_redirect(p, out);
    if (a->maya)
        put_maya(p, a, out);
    else
        buf_str(out, "    retry-on conn-failure\n");
    for (unsigned status = 502; status <= 504; status++)
        buf_printf(out,
                   "    http-error status %u " JSON
                   "'{\"code\":\"%s\",\"detail\":\"No container of this app could answer; try "
                   "again.\"}' hdr Retry-After 5\n",
                   status, status == 503 ? "no_container" : "container_lost");
    put_checks(p, a, out);
    for (unsigned slot = 1; slot <= a->slots; slot++)
        put_slot(a, slot, weights, out);
    /* Nobody sticks to it, and a connection to it serves one request. The others queue. */
    if (a->waiting)
        buf_printf(out,
                   "    http-response set-status 503 if { res.hdr(" GATEWAY_WAIT_OVER
                   ") -m found }\n    http-response del-header " GATEWAY_WAIT_OVER
                   "\n    timeout queue %us\n    server " GATEWAY_WAIT
                   " 'unix@%s' backup no-check non-stick pool-max-conn 0 maxconn 1\n",
                   seconds(a->wait_s), a->waiting);
    buf_char(out, '\n');
    free(weights);
}

void gateway_config(const struct gateway_plan *p, struct buf *out)
{
    put_global(p, out);
    put_frontend(p, out);
    for (size_t i = 0; i < p->app_count; i++)
        put_app(p, &p->apps[i], out);
}

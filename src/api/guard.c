/*
 * Who may ask what only an operator may (everything under ~/ops/): who has the token; and
 * where none is set, who sits at this machine. A browser sits there too and runs strangers'
 * pages, and a proxy brings strangers in, so both are looked for in what a request says.
 */
#include "api/api_int.h"

#include "seal/seal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SCHEME "bearer "
#define HOW "set MAYA_ADMIN_TOKEN and send it as 'Authorization: Bearer ...'"

/* The first of them that the request has, or NULL. */
static const char *proxy_mark(const struct http_req *req)
{
    static const char *const marks[] = {
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "via",
    };

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (http_req_header(req, marks[i]).data)
            return marks[i];
    return NULL;
}

static bool only_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isdigit((unsigned char)s.data[i]))
            return false;
    return true;
}

/* Host without its port: a name that only this machine has. Others can be pointed here. */
static bool local_name(struct str host, bool unix_socket)
{
    bool six = host.len && host.data[0] == '[';
    const char *end = host.len ? memchr(host.data, six ? ']' : ':', host.len) : NULL;
    size_t n = end ? (size_t)(end - host.data) + six : host.len; /* "[::1]", "localhost" */
    struct str port = {host.data + n, host.len - n};
    char name[INET6_ADDRSTRLEN + 2];
    struct in6_addr v6;
    struct in_addr v4;

    if (n == 0 || n >= sizeof(name) || (six && !end))
        return false;
    if (port.len &&
        (port.data[0] != ':' || !only_digits((struct str){port.data + 1, port.len - 1})))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)(n - 2 * six), host.data + six);
    if (six)
        return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcasecmp(name, "localhost") == 0 || (unix_socket && strcasecmp(name, "unix") == 0);
}

/* A page may ask only where it came from. */
static bool own_page(const struct http_req *req, struct str host)
{
    static const char scheme[] = "http://";
    struct str origin = http_req_header(req, "origin");
    struct str site = http_req_header(req, "sec-fetch-site");
    char own[sizeof(scheme) + 80];

    if (site.data && !str_eq(site, "same-origin") && !str_eq(site, "none"))
        return false;
    if (!origin.data)
        return true;
    snprintf(own, sizeof(own), "%s%.*s", scheme, STR_FMT(host));
    return host.len < 80 && str_eq_nocase(origin, own);
}

static bool at_this_machine(struct http_req *req)
{
    struct str host = http_req_header(req, "host");
    bool unix_socket = str_eq(http_req_peer(req), "unix");
    const char *mark = proxy_mark(req);
    struct err e;

    if (!http_req_loopback(req))
        err_set(&e, ERR_FORBIDDEN, 0,
                "Only this machine itself may ask here; to ask from elsewhere " HOW);
    else if (mark)
        err_set(&e, ERR_FORBIDDEN, 0,
                "This came through a proxy (it has '%s'), so from anywhere; " HOW, mark);
    else if (!local_name(host, unix_socket))
        err_set(&e, ERR_FORBIDDEN, 0,
                "This was asked of a host that is not 'localhost' or a loopback address; "
                "ask there, or " HOW);
    else if (!own_page(req, host))
        err_set(&e, ERR_FORBIDDEN, 0, "A page of another origin may not ask here; " HOW);
    else
        return true;
    api__error(req, &e);
    return false;
}

static bool has_token(struct http_req *req, const char *token)
{
    struct str given = http_req_header(req, "authorization");
    bool bearer = given.data && given.len >= strlen(SCHEME) &&
                  str_eq_nocase((struct str){given.data, strlen(SCHEME)}, SCHEME);

    if (bearer) {
        given = str_trim((struct str){given.data + strlen(SCHEME), given.len - strlen(SCHEME)});
        if (seal_same(given.data, given.len, token, strlen(token)))
            return true;
    }
    http_header(req, "WWW-Authenticate", "Bearer realm=\"maya\"%s",
                bearer ? ", error=\"invalid_token\"" : "");
    api__error_code(req, ERR_UNAUTHORIZED,
                    bearer ? "This is not the operator's token (MAYA_ADMIN_TOKEN)."
                           : "This needs the operator's token (MAYA_ADMIN_TOKEN), sent as "
                             "'Authorization: Bearer ...'.");
    return false;
}

bool api__for_operator(const struct api_route_row *r)
{
    return strncmp(r->path, "~/ops/", 6) == 0;
}

bool api__operator(const struct api *a, struct http_req *req)
{
    const char *token = a->cfg.admin_token;

    http_header(req, "Cache-Control", "no-store");
    return token && *token ? has_token(req, token) : at_this_machine(req);
}

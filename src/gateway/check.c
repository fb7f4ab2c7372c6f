/* Is a plan one that HAProxy can be given? Nothing is quoted later that was not looked at here.
 */
#include "gateway/gateway_int.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 48
#define HOST_MAX_LEN 253
#define SECONDS_MAX 315360000
#define BUFFER_MIN 16384
#define BUFFER_MAX 1048576

static bool only(const char *s, size_t max, const char *more)
{
    size_t n = s ? strlen(s) : 0;

    if (n == 0 || n > max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') ||
              (s[i] != '\0' && strchr(more, s[i]))))
            return false;
    return true;
}

static bool is_name(const char *s)
{
    return only(s, NAME_MAX_LEN, "-") && s[0] != '-';
}

static bool is_version(const char *s)
{
    return only(s, 64, "-._ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool is_host(const char *s)
{
    if (!s)
        return false;
    if (s[0] == '*' && s[1] == '.')
        s += 2;
    return only(s, HOST_MAX_LEN, "-.") && s[0] != '.' && s[0] != '-' && !strstr(s, "..") &&
           s[strlen(s) - 1] != '.';
}

bool gateway__is_path(const char *s, size_t max)
{
    return only(s, max, "/._-+=,:@~?&ABCDEFGHIJKLMNOPQRSTUVWXYZ") && s[0] == '/';
}

bool gateway__is_address(const char *s)
{
    struct in6_addr six;
    struct in_addr four;

    return s && (inet_pton(AF_INET, s, &four) == 1 || inet_pton(AF_INET6, s, &six) == 1);
}

bool gateway__split(const char *s, char *ret_address, size_t size, unsigned *ret_port)
{
    const char *colon = s ? strrchr(s, ':') : NULL;
    int64_t port;

    if (!colon || !isdigit((unsigned char)colon[1]) || !str_to_int(colon + 1, &port) ||
        port < 1 || port > GATEWAY_PORT_MAX)
        return false;
    size_t n = (size_t)(colon - s);
    bool six = n > 2 && s[0] == '[' && s[n - 1] == ']';
    if (n - 2 * six >= size)
        return false;
    snprintf(ret_address, size, "%.*s", (int)(n - 2 * six), s + six);
    *ret_port = (unsigned)port;
    return gateway__is_address(ret_address) && six == (strchr(ret_address, ':') != NULL);
}

/* What is wrong is told, but not more of it than fits a line, and nothing that is no text. */
static int refuse(struct err *e, const char *where, const char *what, const char *given,
                  const char *right)
{
    char shown[64];
    size_t n = 0;

    for (const char *c = given ? given : ""; *c && n + 1 < sizeof(shown); c++)
        shown[n++] = *c >= 0x20 && *c < 0x7f ? *c : '?';
    shown[n] = '\0';
    return err_set(e, ERR_CONFIG, 0, "%s%s '%s' must be %s", where, what, shown, right);
}

static int bounds(struct err *e, const char *where, const char *what, unsigned n, unsigned min,
                  unsigned max)
{
    if (n >= min && n <= max)
        return 0;
    return err_set(e, ERR_CONFIG, 0, "%s%s %u must be %u to %u", where, what, n, min, max);
}

static const struct gateway_version *version_of(const struct gateway_app *a, const char *name)
{
    for (size_t i = 0; i < a->version_count; i++)
        if (strcmp(a->versions[i].name, name) == 0)
            return &a->versions[i];
    return NULL;
}

static int check_servers(const struct gateway_app *a, const char *where, struct err *e)
{
    if (a->server_count > a->slots)
        return err_set(e, ERR_CONFIG, 0, "%s%zu containers do not fit its %u slots", where,
                       a->server_count, a->slots);
    for (size_t i = 0; i < a->server_count; i++) {
        const struct gateway_server *s = &a->servers[i];
        if (!s->version)
            continue;
        if (!version_of(a, s->version))
            return refuse(e, where, "container's version", s->version, "one of its versions");
        if (!gateway__is_address(s->address))
            return refuse(e, where, "container's address", s->address,
                          "numeric, as 10.0.0.7 or fd00::7");
        if (bounds(e, where, "container's port", s->port, 1, GATEWAY_PORT_MAX) < 0)
            return -1;
        if (a->agent &&
            bounds(e, where, "container's agent port", s->agent_port, 1, GATEWAY_PORT_MAX) < 0)
            return -1;
        if (s->state >= GATEWAY_STATE__COUNT)
            return err_set(e, ERR_CONFIG, 0, "%sa container's state is unknown", where);
    }
    return 0;
}

static int check_versions(const struct gateway_app *a, const char *where, struct err *e)
{
    for (size_t i = 0; i < a->version_count; i++) {
        const struct gateway_version *v = &a->versions[i];
        if (!is_version(v->name))
            return refuse(e, where, "version", v->name,
                          "1 to 64 of letters, digits, '-', '.' and '_'");
        if (version_of(a, v->name) != v)
            return refuse(e, where, "version", v->name, "there only once");
        if (bounds(e, where, "weight", v->weight, 0, 10000) < 0)
            return -1;
        if (v->role >= GATEWAY_ROLE__COUNT)
            return err_set(e, ERR_CONFIG, 0, "%sa version's role is unknown", where);
    }
    return 0;
}

static int check_app(const struct gateway_app *a, struct err *e)
{
    char where[NAME_MAX_LEN + 16];

    if (!is_name(a->name))
        return refuse(e, "", "app", a->name, "1 to 48 of a-z, 0-9 and '-', and not begin so");
    snprintf(where, sizeof(where), "app '%s': ", a->name);
    if (a->host_count == 0 && !a->fallback)
        return err_set(e, ERR_CONFIG, 0,
                       "%sit has no host, so nobody reaches it; give it one, or make it the "
                       "fallback",
                       where);
    for (size_t i = 0; i < a->host_count; i++)
        if (!is_host(a->hosts[i]))
            return refuse(e, where, "host", a->hosts[i],
                          "a name in small letters, as bar.example or *.bar.example");
    if (a->waiting && !gateway__is_path(a->waiting, GATEWAY_PATH_MAX))
        return refuse(e, where, "waiting", a->waiting, "a path of at most 90 bytes");
    if (!gateway__is_path(a->health, 200))
        return refuse(e, where, "health", a->health, "a path, as /readyz");
    if (bounds(e, where, "expiry_s", a->expiry_s, 1, SECONDS_MAX) < 0 ||
        bounds(e, where, "turn_s", a->turn_s, 1, SECONDS_MAX) < 0 ||
        (a->waiting && bounds(e, where, "wait_s", a->wait_s, 1, SECONDS_MAX) < 0) ||
        bounds(e, where, "slots", a->slots, 1, GATEWAY_SLOTS_MAX) < 0 ||
        check_versions(a, where, e) < 0)
        return -1;
    return check_servers(a, where, e);
}

/* The app that has this host, up to app `to` and its host `host_to`. */
static bool host_taken(const struct gateway_plan *p, size_t to, size_t host_to)
{
    const char *host = p->apps[to].hosts[host_to];

    for (size_t i = 0; i <= to; i++)
        for (size_t k = 0; k < (i == to ? host_to : p->apps[i].host_count); k++)
            if (strcmp(p->apps[i].hosts[k], host) == 0)
                return true;
    return false;
}

static int check_routes(const struct gateway_plan *p, struct err *e)
{
    const char *fallback = NULL;

    for (size_t i = 0; i < p->app_count; i++) {
        const struct gateway_app *a = &p->apps[i];
        for (size_t k = 0; k < i; k++)
            if (strcmp(p->apps[k].name, a->name) == 0)
                return refuse(e, "", "app", a->name, "there only once");
        if (a->fallback && fallback)
            return err_set(e, ERR_CONFIG, 0,
                           "only one app may be the fallback, not '%s' and '%s'", fallback,
                           a->name);
        if (a->fallback)
            fallback = a->name;
        for (size_t k = 0; k < a->host_count; k++)
            if (host_taken(p, i, k))
                return refuse(e, "", "host", a->hosts[k], "one app's, and there only once");
    }
    return 0;
}

static int check_tls(const struct gateway_plan *p, struct err *e)
{
    if (p->https_port && !p->cert_count)
        return err_set(e, ERR_CONFIG, 0, "https_port %u needs a certificate", p->https_port);
    for (size_t i = 0; i < p->app_count; i++)
        if (p->apps[i].redirect && !(p->https_port && p->http_port))
            return err_set(e, ERR_CONFIG, 0,
                           "app '%s': a redirect needs both an http_port and an https_port",
                           p->apps[i].name);
    for (size_t i = 0; i < p->cert_count; i++)
        if (!gateway__is_path(p->certs[i], 4000))
            return refuse(e, "", "certificate", p->certs[i],
                          "the whole path of a PEM file, without spaces");
    return 0;
}

int gateway_check(const struct gateway_plan *p, struct err *e)
{
    char address[INET6_ADDRSTRLEN];
    unsigned port;

    if (!p->runtime || (!gateway__is_path(p->runtime, GATEWAY_PATH_MAX) &&
                        !gateway__split(p->runtime, address, sizeof(address), &port)))
        return refuse(e, "", "runtime", p->runtime,
                      "a path of at most 90 bytes, or ADDRESS:PORT");
    if (p->peer && !gateway__is_path(p->peer, GATEWAY_PATH_MAX))
        return refuse(e, "", "peer", p->peer, "a path of at most 90 bytes");
    if (!p->bind || (strcmp(p->bind, "*") != 0 && !gateway__is_address(p->bind)))
        return refuse(e, "", "bind", p->bind, "a numeric address, * or ::");
    if (!p->http_port && !p->https_port)
        return err_set(e, ERR_CONFIG, 0, "the gateway needs an http_port or an https_port");
    if (p->http_port == p->https_port)
        return err_set(e, ERR_CONFIG, 0, "http_port and https_port must not be the same");
    if (bounds(e, "", "http_port", p->http_port, 0, GATEWAY_PORT_MAX) < 0 ||
        bounds(e, "", "https_port", p->https_port, 0, GATEWAY_PORT_MAX) < 0 ||
        bounds(e, "", "max_conns", p->max_conns, 10, 10000000) < 0 ||
        bounds(e, "", "threads", p->threads, 0, 64) < 0 ||
        bounds(e, "", "buffer", p->buffer, BUFFER_MIN, BUFFER_MAX) < 0 ||
        bounds(e, "", "check_ms", p->check_ms, 50, 60000) < 0 || check_tls(p, e) < 0)
        return -1;
    for (size_t i = 0; i < p->app_count; i++)
        if (check_app(&p->apps[i], e) < 0)
            return -1;
    return check_routes(p, e);
}

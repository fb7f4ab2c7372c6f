/* The router: route table, methods, cross-origin requests, counting. */
#include "api/api.h"

#include "api/api_int.h"
#include "api/assets.h"
#include "base/alloc.h"
#include "ops/ops.h"
#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>

enum schema_id {
#define SCHEMA(name, type, text) SCHEMA_##name,
#include "api/schema.def"
#undef SCHEMA
    SCHEMA__COUNT
};

const struct api_route_row api__routes[ROUTE_ASSET] = {
#define ROUTE(id, method, path, handler, summary, request, response)                           \
    [ROUTE_##id] = {method, path, #handler, summary, SCHEMA_##request, SCHEMA_##response},
#include "api/route.def"
#undef ROUTE
};

static void (*const handlers[ROUTE_ASSET])(struct api *, struct http_req *) = {
#define ROUTE(id, method, path, handler, summary, request, response) [ROUTE_##id] = handler,
#include "api/route.def"
#undef ROUTE
};

struct api *api_new(const struct api_cfg *cfg)
{
    struct api *a = xalloc(sizeof(*a));

    a->cfg = *cfg;
    for (int i = 0; i < ROUTE__COUNT; i++)
        a->plain[i].route = (enum api_route)i;
    map_init(&a->talkers, seal_random_u64());
    api__fresh_init(a);
    api__watch_init(a);
    api__ready_init(a);
    return a;
}

void api_free(struct api **a)
{
    if (!*a)
        return;
    api__watch_release(*a);
    map_release(&(*a)->talkers);
    free(*a);
    *a = NULL;
}

void api_set_ops(struct api *a, struct ops *ops)
{
    a->cfg.ops = ops;
}

void api_set_admin_token(struct api *a, const char *token)
{
    a->cfg.admin_token = token;
}

const char *const *api_route_names(size_t *ret_count)
{
    static const char *const names[ROUTE__COUNT] = {
#define ROUTE(id, method, path, handler, summary, request, response) [ROUTE_##id] = path,
#include "api/route.def"
#undef ROUTE
        [ROUTE_ASSET] = "page",
        [ROUTE_OTHER] = "other",
    };

    *ret_count = ROUTE__COUNT;
    return names;
}

/* Segment by segment; what stands for "{...}", not empty, goes to *ret_param. */
static bool follows(struct str path, const char *pattern, struct str *ret_param)
{
    size_t at = 0, n = 0;

    while (*pattern) {
        if (*pattern == '{') {
            for (n = 0; at + n < path.len && path.data[at + n] != '/';)
                n++;
            if (n == 0)
                return false;
            *ret_param = (struct str){path.data + at, n};
            at += n;
            pattern += strcspn(pattern, "}") + 1;
        } else if (at < path.len && path.data[at] == *pattern) {
            at++;
            pattern++;
        } else {
            return false;
        }
    }
    return at == path.len;
}

static bool path_is(struct str path, const char *route, struct str *ret_param)
{
    static const char *const prefixes[] = {"/api/v1", "/api"};

    if (route[0] != '~')
        return follows(path, route, ret_param);
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (path.len > n && memcmp(path.data, prefixes[i], n) == 0 &&
            follows((struct str){path.data + n, path.len - n}, route + 1, ret_param))
            return true;
    }
    return false;
}

struct str api__path_param(const struct http_req *req)
{
    const struct api_call *call = http_req_ctx(req);
    struct str param = {"", 0};

    path_is(http_req_path(req), api__routes[call->route].path, &param);
    return param;
}

/* One origin of the comma-separated list, or any. */
bool api__origin_allowed(const struct api *a, struct str origin)
{
    const char *at = a->cfg.allow_origins;

    while (at && *at) {
        size_t n = strcspn(at, ",");
        struct str one = str_trim((struct str){at, n});
        if (str_eq(one, "*") ||
            (one.len == origin.len && memcmp(one.data, origin.data, one.len) == 0))
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

static void cross_origin(const struct api *a, struct http_req *req)
{
    struct str origin = http_req_header(req, "origin");

    if (!origin.data)
        return;
    http_header(req, "Vary", "Origin");
    if (!api__origin_allowed(a, origin))
        return;
    http_header(req, "Access-Control-Allow-Origin", "%.*s", STR_FMT(origin));
    http_header(req, "Access-Control-Allow-Credentials", "true");
    http_header(req, "Access-Control-Expose-Headers", "X-Session-ID, Retry-After");
}

/* HEAD asks what GET would say, without its effects; a turn, and speech, are nothing but
 * effects, and what a stream without an end would say is not known. */
static bool has_head(int route)
{
    return api__routes[route].method == HTTP_GET && route != ROUTE_STREAM_GET &&
           route != ROUTE_SPEECH && route != ROUTE_SESSION_EVENTS && route != ROUTE_VOICE;
}

/* A set of methods is a number with a bit for each. */
static unsigned methods_of(int route)
{
    return 1u << api__routes[route].method | (has_head(route) ? 1u << HTTP_HEAD : 0);
}

static unsigned methods_at(struct str path)
{
    struct str param;
    unsigned methods = 0;

    for (int i = 0; i < ROUTE_ASSET; i++)
        if (path_is(path, api__routes[i].path, &param))
            methods |= methods_of(i);
    return methods;
}

static void method_header(struct http_req *req, const char *name, unsigned methods)
{
    struct buf text = BUF_INIT;

    for (int m = 0; m < HTTP_METHOD__COUNT; m++)
        if (methods & 1u << m)
            buf_printf(&text, "%s%s", text.len ? ", " : "",
                       http_method_text((enum http_method)m));
    http_header(req, name, "%s", buf_text(&text));
    buf_release(&text);
}

static void preflight(struct http_req *req)
{
    struct str headers = http_req_header(req, "access-control-request-headers");
    unsigned methods = methods_at(http_req_path(req));

    if (!methods) /* a file of the page, or nothing */
        methods = 1u << HTTP_GET | 1u << HTTP_HEAD;
    method_header(req, "Access-Control-Allow-Methods", methods | 1u << HTTP_OPTIONS);
    http_header(req, "Access-Control-Max-Age", "600");
    if (headers.data)
        http_header(req, "Access-Control-Allow-Headers", "%.*s", STR_FMT(headers));
    http_answer(req, 200, "text/plain; charset=utf-8", "OK", 2);
}

static void serve_asset(struct http_req *req, const struct asset *asset)
{
    http_header(req, "Content-Security-Policy", ASSET_POLICY);
    http_header(req, "X-Content-Type-Options", "nosniff");
    http_header(req, "Referrer-Policy", "no-referrer");
    http_header(req, "Cache-Control", "no-cache");
    http_answer_file(req, asset->type, asset->etag, asset->data, asset->len);
}

/* A path that is there, asked with a method that is not. */
static void wrong_method(struct http_req *req, unsigned methods)
{
    method_header(req, "Allow", methods);
    api__error_code(req, ERR_METHOD, NULL);
}

static void serve_route(struct api *a, struct http_req *req, int route)
{
    if (api__for_operator(&api__routes[route]) && !api__operator(a, req))
        return;
    handlers[route](a, req);
}

void api_on_request(void *ctx, struct http_req *req)
{
    struct api *a = ctx;
    enum http_method method = http_req_method(req);
    struct str path = http_req_path(req), param;
    unsigned methods;

    http_req_set_ctx(req, &a->plain[ROUTE_OTHER]);
    cross_origin(a, req);
    if (method == HTTP_OPTIONS && http_req_header(req, "access-control-request-method").data) {
        preflight(req);
        return;
    }
    for (int i = 0; i < ROUTE_ASSET; i++) {
        if (!path_is(path, api__routes[i].path, &param))
            continue;
        http_req_set_ctx(req, &a->plain[i]);
        if (methods_of(i) & 1u << method) {
            serve_route(a, req, i);
            return;
        }
    }
    if ((methods = methods_at(path))) {
        wrong_method(req, methods);
        return;
    }
    if (api__fresh(a, req, path))
        return;
    const struct asset *asset = asset_find(path);
    if (asset) {
        http_req_set_ctx(req, &a->plain[ROUTE_ASSET]);
        if (method == HTTP_GET || method == HTTP_HEAD)
            serve_asset(req, asset);
        else
            wrong_method(req, 1u << HTTP_GET | 1u << HTTP_HEAD);
        return;
    }
    api__error_code(req, ERR_NOT_FOUND, NULL);
}

void api_on_answer(void *ctx, struct http_req *req, int status)
{
    struct api *a = ctx;
    const struct api_call *call = req ? http_req_ctx(req) : NULL;

    if (a->cfg.ops)
        ops_count_request(a->cfg.ops, call ? call->route : ROUTE_OTHER, status);
}

/* What a request says: its session id and its JSON body. */
#include "api/api_int.h"

#include "base/json_text.h"
#include "memory/memory.h"

#include <string.h>

bool api__session_id(struct http_req *req, char ret[SESSION_ID_MAX + 1])
{
    struct str given = http_req_header(req, "x-session-id");
    struct err e;

    given = str_trim(given.data ? given : (struct str){"", 0});
    if (given.len == 0) {
        session_id_make(ret);
        return true;
    }
    if (!session_id_valid(given.data, given.len)) {
        err_set(&e, ERR_SESSION_ID, 0,
                "X-Session-ID must be 1 to %d characters of A-Z a-z 0-9 _ - . : (this has %zu "
                "bytes); leave it out to get a new one",
                SESSION_ID_MAX, given.len);
        api__error(req, &e);
        return false;
    }
    memcpy(ret, given.data, given.len);
    ret[given.len] = '\0';
    return true;
}

bool api__stream_session_id(struct http_req *req, char ret[SESSION_ID_MAX + 1])
{
    struct str header = http_req_header(req, "x-session-id");
    struct buf param = BUF_INIT;
    bool fine = true;

    if ((!header.data || str_trim(header).len == 0) &&
        http_req_param(req, "session_id", &param) && param.len) {
        fine = session_id_valid(param.data, param.len);
        if (fine)
            memcpy(ret, param.data, param.len + 1);
        else
            api__error_code(req, ERR_SESSION_ID,
                            "session_id must be 1 to 128 characters of A-Z a-z 0-9 _ - . :");
    } else if (param.full) {
        api__error_code(req, ERR_NOMEM, NULL);
        fine = false;
    } else {
        fine = api__session_id(req, ret);
    }
    buf_release(&param);
    return fine;
}

/* What the session could take now; all of its budget while it is busy or not in memory. */
static size_t room_of(const struct api *a, const char *id)
{
    int64_t now_s = a->cfg.now_s ? a->cfg.now_s(a->cfg.clock_ctx) : 0;
    const struct session *s = session_at_rest(a->cfg.sessions, id, now_s);
    struct session_stats all;

    if (s)
        return s->budget.limit - s->budget.used;
    session_stats(a->cfg.sessions, &all);
    return all.budget;
}

bool api__body_fits(const struct api *a, struct http_req *req, const char *id)
{
    size_t len = http_req_body(req).len, room = room_of(a, id);
    struct err e;

    if (len <= room)
        return true;
    session_count_over_budget(a->cfg.sessions);
    err_set(
        &e, ERR_SESSION_MEMORY, 0,
        "A request of %zu bytes is more than this session's memory budget can take now, which "
        "is %zu bytes. Send a shorter one; the conversation goes on as it was",
        len, room);
    http_header(req, "X-Session-ID", "%s", id);
    api__error(req, &e);
    return false;
}

static bool says_json(struct http_req *req)
{
    struct str type = http_req_header(req, "content-type");

    if (!type.data)
        return true; /* clients that say nothing mean JSON */
    const char *end = memchr(type.data, ';', type.len);
    struct str media =
        str_trim((struct str){type.data, end ? (size_t)(end - type.data) : type.len});
    return str_eq_nocase(media, "application/json") ||
           (media.len > 5 &&
            str_eq_nocase((struct str){media.data + media.len - 5, 5}, "+json"));
}

static void not_an_object(struct http_req *req, const json_t *input)
{
    api__invalid(req,
                 &(struct api_complaint){
                     .type = "model_attributes_type",
                     .msg = "Input should be a valid dictionary or object to extract fields "
                            "from",
                     .input = input});
}

static void not_json(struct http_req *req, const json_error_t *error)
{
    struct buf ctx = BUF_INIT;
    json_t *empty = json_object();
    char at[24];
    bool nul = json_error_code(error) == json_error_null_character;
    const char *why = nul ? "a string must not hold \\u0000" : error->text;

    buf_str(&ctx, "{\"error\":");
    json_text(&ctx, why, strlen(why), false);
    buf_char(&ctx, '}');
    snprintf(at, sizeof(at), "%d", error->position > 0 ? error->position : 0);
    if (ctx.full)
        api__error_code(req, ERR_NOMEM, NULL);
    else
        api__invalid(req, &(struct api_complaint){.type = "json_invalid",
                                                  .msg = "JSON decode error",
                                                  .loc = at,
                                                  .input = empty,
                                                  .ctx = buf_text(&ctx)});
    json_decref(empty);
    buf_release(&ctx);
}

json_t *api__body_object(struct http_req *req)
{
    struct str body = http_req_body(req);
    json_error_t error;

    if (body.len == 0) {
        api__invalid(req, &(struct api_complaint){.type = "missing", .msg = "Field required"});
        return NULL;
    }
    if (!says_json(req)) {
        json_t *raw = json_stringn(body.data, body.len);
        not_an_object(req, raw);
        json_decref(raw);
        return NULL;
    }
    json_t *root = json_region_load(body.data, body.len, JSON_DECODE_ANY, &error);
    if (!root) {
        if (json_error_code(&error) == json_error_out_of_memory)
            api__error_code(req, ERR_NOMEM, NULL);
        else
            not_json(req, &error);
        return NULL;
    }
    if (!json_is_object(root)) {
        not_an_object(req, root);
        json_decref(root);
        return NULL;
    }
    return root;
}

bool api__body_maybe(struct http_req *req, json_t **ret)
{
    struct str body = http_req_body(req);
    json_error_t error = {0};
    json_t *root = body.len ? json_region_load(body.data, body.len, 0, &error) : NULL;

    if (json_error_code(&error) == json_error_out_of_memory) {
        api__error_code(req, ERR_NOMEM, NULL);
        return false;
    }
    *ret = json_is_object(root) ? root : NULL;
    if (!*ret)
        json_decref(root);
    return true;
}

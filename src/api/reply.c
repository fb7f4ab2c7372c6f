/* Answers and errors as JSON. */
#include "api/api_int.h"

#include "base/json_text.h"
#include "base/log.h"
#include "memory/memory.h"

#include <string.h>

#define JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* What is our fault is news to the operator; the rest is for who looks closely. */
void api__log_error(struct http_req *req, const struct err *e)
{
    struct str given = req ? http_req_header(req, "x-session-id") : (struct str){NULL, 0};
    char id[SESSION_ID_MAX + 1] = "";

    given = str_trim(given.data ? given : (struct str){"", 0});
    if (session_id_valid(given.data, given.len))
        memcpy(id, given.data, given.len);
    if (err_status(e->code) == 500 || e->code == ERR_STORE)
        log_warn("api", "failed", "code=%s session=%s error=\"%s\"", err_code_text(e->code),
                 log_id(id), e->msg);
    else
        log_debug("api", "refused", "code=%s session=%s", err_code_text(e->code), log_id(id));
}

/* Where the store lies and what ails it is between the log and the operator. */
const char *api__error_text(const struct err *e)
{
    return e->code == ERR_STORE ? err_sentence(e->code) : e->msg;
}

void api__error(struct http_req *req, const struct err *e)
{
    struct buf body = BUF_INIT;
    const char *text = api__error_text(e);
    int retry = err_retry_after_s(e->code);

    api__log_error(req, e);
    buf_str(&body, "{\"detail\":");
    json_text(&body, text, strlen(text), false);
    buf_printf(&body, ",\"code\":\"%s\"}", err_code_text(e->code));
    if (!body.full && retry)
        http_header(req, "Retry-After", "%d", retry);
    api__answer_buf(req, err_status(e->code), API_JSON, &body);
    buf_release(&body);
}

void api__answer_buf(struct http_req *req, int status, const char *type, const struct buf *body)
{
    static const char text[] =
        "{\"detail\":\"The container is out of memory.\",\"code\":\"out_of_memory\"}";

    if (!body->full) {
        http_answer(req, status, type, body->data, body->len);
        return;
    }
    http_header(req, "Retry-After", "%d", err_retry_after_s(ERR_NOMEM));
    http_answer(req, err_status(ERR_NOMEM), API_JSON, text, sizeof(text) - 1);
}

void api__error_code(struct http_req *req, enum err_code code, const char *detail)
{
    struct err e;

    err_set(&e, code, 0, "%s", detail ? detail : err_sentence(code));
    api__error(req, &e);
}

void api__invalid(struct http_req *req, const struct api_complaint *c)
{
    struct buf body = BUF_INIT;

    buf_printf(&body, "{\"detail\":[{\"type\":\"%s\",\"loc\":[\"body\"", c->type);
    if (c->loc)
        buf_printf(&body, ",%s", c->loc);
    buf_str(&body, "],\"msg\":");
    json_text(&body, c->msg, strlen(c->msg), false);
    buf_str(&body, ",\"input\":");
    if (c->input)
        json_region_dump(c->input, JSON_FLAGS | JSON_ENCODE_ANY, &body);
    else
        buf_str(&body, "null");
    if (c->ctx)
        buf_printf(&body, ",\"ctx\":%s", c->ctx);
    buf_printf(&body, "}],\"code\":\"%s\"}", err_code_text(ERR_UNPROCESSABLE));
    api__answer_buf(req, 422, API_JSON, &body);
    buf_release(&body);
}

void api__answer_text(struct http_req *req, const char *session_id, const struct buf *json)
{
    if (json->full) {
        api__error_code(req, ERR_NOMEM, NULL);
        return;
    }
    if (session_id)
        http_header(req, "X-Session-ID", "%s", session_id);
    http_answer(req, 200, API_JSON, json->data, json->len);
}

void api__dump(struct buf *out, const json_t *value)
{
    json_region_dump(value, JSON_FLAGS, out);
}

void api__answer_json(struct http_req *req, const char *session_id, json_t *root)
{
    struct buf body = BUF_INIT;

    api__dump(&body, root);
    json_decref(root);
    api__answer_text(req, session_id, &body);
    buf_release(&body);
}

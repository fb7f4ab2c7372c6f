/*
 * Keys of a session's own: their providers are asked first, and only then is the session
 * opened, so that a provider that is slow holds up nobody's turn. When one key is invalid none
 * is kept.
 */
#include "api/api_int.h"

#include "base/json_text.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(AGENT_KEY_MAX <= SESSION_SECRET_MAX, "a key that is checked can be kept");

struct keys {
    struct api_call call;
    struct api *api;
    struct http_req *req;
    struct agent_key_check *check; /* one of the two runs, or none inside of either */
    struct agent_change *change;
    bool inside, over;
    struct agent_key_verdict verdicts[AGENT_KEY__COUNT];
    size_t len[AGENT_KEY__COUNT];
    char key[AGENT_KEY__COUNT][AGENT_KEY_MAX + 1];
    char id[SESSION_ID_MAX + 1];
};

static void end(struct keys *k)
{
    explicit_bzero(k->key, sizeof(k->key));
    k->over = true;
    if (!k->inside)
        free(k);
}

static void on_gone(void *ctx, struct http_req *req)
{
    struct keys *k = http_req_ctx(req);

    (void)ctx;
    if (k->check)
        agent_keys_cancel(k->check);
    if (k->change)
        agent_change_abandon(k->change);
    end(k);
}

/* "keys":{"gemini":{"state":"valid"}} */
static void write_verdicts(struct buf *out, const struct keys *k)
{
    const char *comma = "";

    buf_str(out, "\"keys\":{");
    for (int i = 0; i < AGENT_KEY__COUNT; i++) {
        const struct agent_key_verdict *v = &k->verdicts[i];
        if (v->state == AGENT_KEY_NOT_GIVEN)
            continue;
        buf_printf(out, "%s\"%s\":{\"state\":\"%s\"", comma, agent_key_name((enum agent_key)i),
                   agent_key_state_text(v->state));
        if (v->why[0]) {
            buf_str(out, ",\"reason\":");
            json_text(out, v->why, strlen(v->why), false);
        }
        buf_char(out, '}');
        comma = ",";
    }
    buf_char(out, '}');
}

static void refuse(struct keys *k, const struct agent_key_verdict *why)
{
    struct buf body = BUF_INIT;
    struct err e;

    err_set(&e, ERR_KEY_INVALID, 0, "%s", why->why);
    api__log_error(k->req, &e);
    buf_str(&body, "{\"detail\":");
    json_text(&body, why->why, strlen(why->why), false);
    buf_printf(&body, ",\"code\":\"%s\",", err_code_text(e.code));
    write_verdicts(&body, k);
    buf_char(&body, '}');
    api__answer_buf(k->req, err_status(e.code), API_JSON, &body);
    buf_release(&body);
}

static int apply(void *ctx, struct session *s, struct err *e)
{
    const struct keys *k = ctx;

    return session_set_keys(
        s, (struct str){k->key[AGENT_KEY_GEMINI], k->len[AGENT_KEY_GEMINI]},
        (struct str){k->key[AGENT_KEY_CARTESIA], k->len[AGENT_KEY_CARTESIA]}, e);
}

static void on_changed(void *ctx, struct session *s, const struct err *e)
{
    struct keys *k = ctx;
    struct buf body = BUF_INIT;

    k->change = NULL;
    if (e) {
        api__error(k->req, e);
    } else {
        buf_printf(&body,
                   "{\"status\":\"success\",\"session_id\":\"%s\",\"has_valid_keys\":%s,",
                   s->id, session_has_keys(s) ? "true" : "false");
        write_verdicts(&body, k);
        buf_char(&body, '}');
        api__answer_text(k->req, k->id, &body);
        buf_release(&body);
    }
    end(k);
}

/* What came of the check, and the session may be changed. */
static void on_checked(void *ctx, const struct agent_key_verdict *v)
{
    struct keys *k = ctx;
    struct agent_change *change;
    bool was_inside = k->inside;

    k->check = NULL;
    memcpy(k->verdicts, v, sizeof(k->verdicts));
    for (int i = 0; i < AGENT_KEY__COUNT; i++)
        if (v[i].state == AGENT_KEY_INVALID) {
            refuse(k, &v[i]);
            end(k);
            return;
        }
    k->inside = true;
    agent_change_start(k->api->cfg.agent, k->id, AGENT_CHANGE_KEYS, apply, on_changed, k,
                       &change);
    k->inside = was_inside;
    if (!k->over)
        k->change = change;
    else if (!was_inside)
        free(k);
}

static struct str text_of(const json_t *v)
{
    if (!json_is_string(v))
        return (struct str){"", 0};
    return str_trim((struct str){json_string_value(v), json_string_length(v)});
}

/* Take a key out of the body. False: answered. */
static bool take(struct keys *k, enum agent_key key, const json_t *body, const char *member)
{
    const json_t *v = json_object_get(body, member);
    struct str text = text_of(v);
    char loc[48];

    if (v && !json_is_null(v) && !json_is_string(v)) {
        snprintf(loc, sizeof(loc), "\"%s\"", member);
        api__invalid(k->req, &(struct api_complaint){.type = "string_type",
                                                     .msg = "Input should be a valid string",
                                                     .loc = loc,
                                                     .input = v});
        return false;
    }
    if (text.len > AGENT_KEY_MAX) {
        snprintf(loc, sizeof(loc), "a key has at most %d characters", AGENT_KEY_MAX);
        api__error_code(k->req, ERR_INVALID, loc);
        return false;
    }
    memcpy(k->key[key], text.data, text.len);
    k->len[key] = text.len;
    return true;
}

/* False: answered. */
static bool read_body(struct keys *k)
{
    json_t *body = api__body_object(k->req);
    bool fine;

    if (!body)
        return false;
    fine = take(k, AGENT_KEY_GEMINI, body, "gemini_key") &&
           take(k, AGENT_KEY_CARTESIA, body, "cartesia_key");
    json_decref(body);
    if (fine && k->len[AGENT_KEY_GEMINI] == 0) {
        api__error_code(k->req, ERR_KEY_REQUIRED, NULL);
        return false;
    }
    return fine;
}

void api__keys(struct api *a, struct http_req *req)
{
    const struct api_call *call = http_req_ctx(req);
    struct keys *k = calloc(1, sizeof(*k));
    struct agent_key_check *check;

    if (!k) {
        api__error_code(req, ERR_NOMEM, NULL);
        return;
    }
    k->call = *call;
    k->api = a;
    k->req = req;
    if (!api__session_id(req, k->id) || !read_body(k)) {
        end(k);
        return;
    }
    const struct str given[AGENT_KEY__COUNT] = {
        [AGENT_KEY_GEMINI] = {k->key[AGENT_KEY_GEMINI], k->len[AGENT_KEY_GEMINI]},
        [AGENT_KEY_CARTESIA] = {k->key[AGENT_KEY_CARTESIA], k->len[AGENT_KEY_CARTESIA]},
    };
    http_req_set_ctx(req, k);
    http_req_on_gone(req, on_gone);
    k->inside = true;
    agent_keys_check(a->cfg.keys, given, on_checked, k, &check);
    k->inside = false;
    if (k->over)
        free(k);
    else
        k->check = check;
}

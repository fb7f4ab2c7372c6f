/*
 * Bearer tokens for Vertex, in the order in which Google's own clients look for them: one that
 * was given, the file of an account, the metadata server of the machine. A token is kept until
 * shortly before it ends; who asks meanwhile waits for the same answer.
 */
#include "mind/cloud_int.h"

#include "base/alloc.h"
#include "seal/seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_S 300
#define FILE_MAX ((size_t)64 * 1024)
#define ANSWER_MAX ((size_t)64 * 1024)
#define ASK_MS 10000
#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define GRANT "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"

struct gemini_auth {
    struct mind_cfg cfg;
    struct http_call *call;
    struct buf token, body, answer;
    int64_t until_s;
    bool refused; /* the token that was given */
    struct list waiting;
};

struct gemini_auth *gemini_auth__new(const struct mind_cloud_cfg *cfg)
{
    struct gemini_auth *a = xalloc(sizeof(*a));

    a->cfg = *cfg->all;
    a->answer.max = ANSWER_MAX;
    list_init(&a->waiting);
    return a;
}

void gemini_auth__free(struct gemini_auth **auth)
{
    struct gemini_auth *a = *auth;

    if (!a)
        return;
    if (a->call)
        http_call_cancel(a->call);
    buf_wipe(&a->token);
    buf_wipe(&a->body);
    buf_wipe(&a->answer);
    free(a);
    *auth = NULL;
}

static void tell(struct gemini_auth *a, const char *token, const struct err *e)
{
    struct list now;

    /* Whoever is told may ask again; that one waits for the next answer. */
    list_init(&now);
    while (!list_empty(&a->waiting)) {
        struct list *w = a->waiting.next;
        list_remove(w);
        list_append(&now, w);
    }
    while (!list_empty(&now)) {
        struct gemini_auth_wait *w = LIST_ITEM(now.next, struct gemini_auth_wait, link);
        list_remove(&w->link);
        w->ready(w, token, e);
    }
}

static void read_token(struct gemini_auth *a, struct err *e)
{
    json_t *root = json_loadb(buf_text(&a->answer), a->answer.len, 0, NULL);
    const char *token = json_string_value(json_object_get(root, "access_token"));
    json_int_t seconds = json_integer_value(json_object_get(root, "expires_in"));

    buf_wipe(&a->token);
    if (token && !strpbrk(token, "\r\n")) {
        buf_str(&a->token, token);
        a->until_s = loop_unix_s() + (seconds > EARLY_S ? seconds - EARLY_S : seconds / 2);
    } else {
        err_set(e, ERR_MIND, 0, "who gives out tokens for Vertex answered without one");
    }
    json_decref(root);
}

static void on_data(void *ctx, int status, const char *data, size_t len)
{
    struct gemini_auth *a = ctx;

    (void)status;
    buf_add(&a->answer, data, len);
}

static void on_end(void *ctx, int status, enum http_lost lost, const struct err *failed)
{
    struct gemini_auth *a = ctx;
    struct err e = {0};
    struct region *before = json_region_enter(NULL);

    a->call = NULL;
    if (lost != HTTP_LOST_NONE)
        err_set(&e, ERR_MIND, 0, "no token for Vertex: %.180s", failed->msg);
    else if (status != 200)
        err_set(&e, ERR_MIND, 0, "no token for Vertex: who gives them out answers %d", status);
    else
        read_token(a, &e);
    json_region_leave(before);
    buf_wipe(&a->answer);
    a->answer.max = ANSWER_MAX;
    buf_wipe(&a->body);
    tell(a, e.msg[0] ? NULL : buf_text(&a->token), e.msg[0] ? &e : NULL);
}

/* Asking. */

static int ask(struct gemini_auth *a, const char *url, const char *header, struct err *e)
{
    const char *const headers[] = {header, NULL};
    const struct http_ask ask = {
        .url = url,
        .headers = headers,
        .body = {a->body.data, a->body.len},
        .connect_ms = a->cfg.connect_ms,
        .whole_ms = ASK_MS,
        .on_data = on_data,
        .on_end = on_end,
        .ctx = a,
    };

    return http_call_start(a->cfg.http, &ask, &a->call, e);
}

static void form(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "&%s=", name);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (strchr("-._~", c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
            (c >= 'A' && c <= 'Z'))
            buf_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static int write_assertion(struct gemini_auth *a, const json_t *account, const char *url,
                           struct err *e)
{
    json_int_t now = loop_unix_s();
    json_t *header = json_pack("{s:s, s:s, s:s}", "alg", "RS256", "typ", "JWT", "kid",
                               text_of(account, "private_key_id"));
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", text_of(account, "client_email"), "scope",
                  SCOPE, "aud", url, "iat", now, "exp", now + 3600);
    struct buf h = BUF_INIT, c = BUF_INIT;
    int rc;

    json_region_dump(header, JSON_COMPACT, &h);
    json_region_dump(claims, JSON_COMPACT, &c);
    buf_str(&a->body, "grant_type=" GRANT "&assertion=");
    rc = seal_jwt(text_of(account, "private_key"), buf_text(&h), buf_text(&c), &a->body, e);
    json_decref(header);
    json_decref(claims);
    buf_release(&h);
    buf_release(&c);
    return rc;
}

static int ask_with_account(struct gemini_auth *a, const json_t *account, struct err *e)
{
    const char *type = text_of(account, "type"), *url = text_of(account, "token_uri");

    if (!*url)
        url = "https://oauth2.googleapis.com/token";
    if (strcmp(type, "authorized_user") == 0) {
        buf_str(&a->body, "grant_type=refresh_token");
        form(&a->body, "client_id", text_of(account, "client_id"));
        form(&a->body, "client_secret", text_of(account, "client_secret"));
        form(&a->body, "refresh_token", text_of(account, "refresh_token"));
    } else if (strcmp(type, "service_account") != 0) {
        return err_set(e, ERR_MIND, 0,
                       "the account file for Vertex has type '%.40s'; known are "
                       "service_account and authorized_user",
                       type);
    } else if (write_assertion(a, account, url, e) < 0) {
        return -1;
    }
    return ask(a, url, "Content-Type: application/x-www-form-urlencoded", e);
}

static int ask_with_file(struct gemini_auth *a, const char *path, struct err *e)
{
    char *text = calloc(1, FILE_MAX);
    FILE *f = text ? fopen(path, "re") : NULL;
    int rc;

    if (!text)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    if (!f) {
        rc = err_set(e, ERR_MIND, errno, "the account file for Vertex cannot be read");
    } else {
        size_t len = fread(text, 1, FILE_MAX, f);
        json_t *account = json_loadb(text, len, 0, NULL);
        if (json_is_object(account))
            rc = ask_with_account(a, account, e);
        else
            rc = err_set(e, ERR_MIND, 0, "the account file for Vertex is not a JSON object");
        json_decref(account);
        fclose(f);
    }
    explicit_bzero(text, FILE_MAX);
    free(text);
    return rc;
}

static int ask_metadata(struct gemini_auth *a, struct err *e)
{
    const char *host = a->cfg.metadata_host && *a->cfg.metadata_host
                           ? a->cfg.metadata_host
                           : "metadata.google.internal";
    char url[400];

    snprintf(url, sizeof(url),
             "http://%s/computeMetadata/v1/instance/service-accounts/default/token", host);
    return ask(a, url, "Metadata-Flavor: Google", e);
}

static int fetch(struct gemini_auth *a, struct err *e)
{
    const char *file = a->cfg.account_file;

    buf_wipe(&a->body);
    if (file && *file)
        return ask_with_file(a, file, e);
    return ask_metadata(a, e);
}

void gemini_auth__get(struct gemini_auth *a, struct gemini_auth_wait *w)
{
    const char *given = a->cfg.token;
    struct err e = {0};

    list_init(&w->link);
    if (given && *given && !a->refused) {
        w->ready(w, given, NULL);
        return;
    }
    if (a->token.len && loop_unix_s() < a->until_s) {
        w->ready(w, a->token.data, NULL);
        return;
    }
    list_append(&a->waiting, &w->link);
    if (a->call)
        return;
    struct region *before = json_region_enter(NULL);
    int rc = fetch(a, &e);
    json_region_leave(before);
    if (rc < 0)
        tell(a, NULL, &e);
}

void gemini_auth__cancel(struct gemini_auth_wait *w)
{
    list_remove(&w->link);
}

void gemini_auth__forget(struct gemini_auth *a)
{
    a->refused = true; /* the given one does not come back; another source may do */
    buf_wipe(&a->token);
}

void gemini_auth__set_token(struct gemini_auth *a, const char *token)
{
    const char *was = a->cfg.token ? a->cfg.token : "";

    if (token && strcmp(token, was) != 0)
        a->refused = false;
    a->cfg.token = token;
}

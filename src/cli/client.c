/* A client of Maya's API: JSON requests, and turns that survive a broken connection. */
#include "cli/cli_int.h"

#include "base/alloc.h"
#include "base/curl.h"
#include "base/strs.h"
#include "memory/memory.h"

#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define API "/api/v1"

static const int pauses_ms[] = {500, 1500, 4000};

bool cli__session_ok(const char *id)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:");

    return n > 0 && n <= CLI_SESSION_MAX && !id[n];
}

int cli__client_open(struct cli_client *c, const char *url, const volatile sig_atomic_t *stop,
                     struct err *e)
{
    struct buf shown = BUF_INIT;
    size_t n = strlen(url);

    *c = (struct cli_client){.stop = stop};
    cli__clean(&shown, url);
    c->shown = buf_detach(&shown);
    while (n && url[n - 1] == '/')
        n--;
    if (strncmp(url, "unix:", 5) == 0) {
        c->socket = xstrdup(url + 5);
        c->base = xstrdup("http://localhost");
    } else {
        c->base = xprintf("%s%.*s", strstr(url, "://") ? "" : "http://", (int)n, url);
    }
    if (curl_load(e) < 0)
        return -1;
    curl_lib.global_init(CURL_GLOBAL_DEFAULT);
    c->easy = curl_lib.easy_init();
    c->multi = curl_lib.multi_init();
    if (!c->easy || !c->multi)
        return err_set(e, ERR_NOMEM, 0, "libcurl cannot start");
    return 0;
}

void cli__client_close(struct cli_client *c)
{
    if (c->easy)
        curl_lib.easy_cleanup(c->easy);
    if (c->multi)
        curl_lib.multi_cleanup(c->multi);
    if (curl_lib.global_cleanup)
        curl_lib.global_cleanup();
    free(c->base);
    free(c->socket);
    free(c->shown);
    *c = (struct cli_client){0};
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

/* Without the path: it may hold an id. */
static int moved(const struct cli_client *c, const struct cli_request *r, struct err *e)
{
    const char *host = *r->location == '/' ? NULL : strstr(r->location, "://");
    size_t len = host ? (size_t)(host - r->location) + 3 : 0;
    struct buf clean = BUF_INIT, to = BUF_INIT;

    buf_add(&to, r->location, len + strcspn(r->location + len, "/?#"));
    cli__clean(&clean, buf_text(&to));
    err_set(e, ERR_IO, 0, "%s sends people to %s; give that address", c->shown,
            clean.len ? buf_text(&clean) : "another page");
    buf_release(&to);
    buf_release(&clean);
    return -1;
}

/* The answer was no: in the server's words, and when it may be yes. */
static int refused(const struct cli_client *c, const struct cli_request *r, struct err *e)
{
    json_t *root = json_loadb(buf_text(&r->body), r->body.len, 0, NULL);
    json_t *detail = json_object_get(root, "detail");
    const char *words = json_string_value(detail);
    struct buf clean = BUF_INIT;
    char later[40] = "";

    if (r->status >= 300 && r->status < 400) {
        json_decref(root);
        return moved(c, r, e);
    }
    if (!words)
        words = text_of(json_array_get(detail, 0), "msg");
    cli__clean(&clean, words);
    if (r->retry_after_s)
        snprintf(later, sizeof(later), " (try again in %d s)", r->retry_after_s);
    if (clean.len > 160)
        buf_clear(&clean); /* a page of a proxy, not a sentence */
    if (clean.len)
        err_set(e, ERR_IO, 0, "%s%s", buf_text(&clean), later);
    else
        err_set(e, ERR_IO, 0, "%s answers %ld%s", c->shown, r->status, later);
    if (e && r->status == 429)
        e->code = ERR_RATE_LIMITED;
    else if (e && r->status == 503)
        e->code = ERR_SESSION_LIMIT;
    buf_release(&clean);
    json_decref(root);
    return -1;
}

static int not_maya(const struct cli_client *c, const struct cli_request *r, struct err *e)
{
    struct buf type = BUF_INIT;

    cli__clean(&type, r->type);
    err_set(e, ERR_IO, 0, "%s answers, but not as Maya does (%s); is the address right?",
            c->shown, type.len ? buf_text(&type) : "no content type");
    buf_release(&type);
    return -1;
}

int cli__client_json(struct cli_client *c, const char *path, json_t *body, json_t **ret,
                     struct err *e)
{
    char *whole = xprintf("%s%s", API, path);
    struct buf out = BUF_INIT;
    struct cli_request r = {.path = whole, .timeout_s = 30};
    int rc;

    if (body) {
        json_region_dump(body, JSON_COMPACT, &out);
        r.json = &out;
    }
    rc = cli__request(c, &r, e);
    if (rc == 0 && r.status != 200)
        rc = refused(c, &r, e);
    if (rc == 0) {
        *ret = json_loadb(buf_text(&r.body), r.body.len, 0, NULL);
        if (!*ret)
            rc = not_maya(c, &r, e);
    }
    cli__request_release(&r);
    buf_release(&out);
    free(whole);
    return rc;
}

/* turns */

struct turn {
    struct cli_client *client;
    const struct cli_turn_sink *sink;
    struct buf json;
    char key[33];
    struct buf last_id;      /* of any event */
    char **seen;             /* ids of the pieces of text that were shown */
    size_t n_seen, n_before; /* before: in earlier tries */
    struct buf shown;        /* all text so far */
    size_t skip;             /* bytes that a repeated stream says once more */
    bool ended, failed;
    struct err *e;
};

/* Was this piece of text shown before the connection broke? An id of our own try is new. */
static bool seen_before(struct turn *t, const char *id)
{
    if (!*id || strlen(id) > 200)
        return false;
    for (size_t i = 0; i < t->n_before; i++)
        if (strcmp(t->seen[i], id) == 0)
            return true;
    t->seen = xrealloc(t->seen, (t->n_seen + 1) * sizeof(*t->seen));
    t->seen[t->n_seen++] = xstrdup(id);
    return false;
}

static void say(struct turn *t, const char *text)
{
    if (!*text)
        return;
    buf_str(&t->shown, text);
    t->sink->on_text(t->sink->self, text);
}

static void on_chunk(struct turn *t, const char *id, const char *text)
{
    if (seen_before(t, id)) {
        t->skip -= strlen(text) < t->skip ? strlen(text) : t->skip;
        return;
    }
    while (t->skip && *text && *text == t->shown.data[t->shown.len - t->skip]) {
        text++;
        t->skip--;
    }
    if (*text)
        t->skip = 0;
    say(t, text);
}

/* What was shown must be what was said in the end. */
static void on_complete(struct turn *t, json_t *event)
{
    const char *full = text_of(event, "full_response");
    struct str shown = str_trim((struct str){buf_text(&t->shown), t->shown.len});

    if (!*full)
        full = text_of(event, "content");
    struct str whole = str_trim(str_of(full));
    if (t->shown.len <= strlen(full) && memcmp(full, buf_text(&t->shown), t->shown.len) == 0) {
        say(t, full + t->shown.len);
    } else if (whole.len &&
               (shown.len != whole.len || memcmp(shown.data, whole.data, whole.len) != 0)) {
        say(t, "\n");
        say(t, full);
    }
    t->ended = true;
    t->sink->on_complete(t->sink->self, event);
}

static void on_error(struct turn *t, const json_t *event)
{
    struct buf clean = BUF_INIT;

    cli__clean(&clean, text_of(event, "content"));
    err_set(t->e, ERR_MIND, 0, "%s",
            clean.len ? buf_text(&clean) : "the answer ended in an error without words");
    /* Another time it may work: the exit code of a script tells. */
    for (int code = ERR_NONE + 1; code < ERR__COUNT; code++)
        if (err_retry_after_s((enum err_code)code) > 0 &&
            strcmp(err_code_text((enum err_code)code), text_of(event, "code")) == 0)
            t->e->code = (enum err_code)code;
    buf_release(&clean);
    t->ended = t->failed = true;
}

static void on_event(void *self, const char *id, const char *data)
{
    struct turn *t = self;
    json_t *event = json_loads(data, JSON_ALLOW_NUL, NULL);
    const char *type = text_of(event, "type");

    /* What cannot be read is asked for again, so it must not count as seen. */
    if (event && !t->ended) {
        if (*id && strlen(id) <= 200) {
            buf_clear(&t->last_id);
            buf_str(&t->last_id, id);
        }
        if (strcmp(type, "session") == 0) {
            const char *session = text_of(event, "session_id");
            if (cli__session_ok(session))
                str_copy(t->client->session, sizeof(t->client->session), session);
            t->skip = t->shown.len; /* from the beginning again */
        } else if (strcmp(type, "text_chunk") == 0) {
            on_chunk(t, id, text_of(event, "content"));
        } else if (strcmp(type, "complete") == 0) {
            on_complete(t, event);
        } else if (strcmp(type, "error") == 0) {
            on_error(t, event);
        }
    }
    json_decref(event);
}

enum attempt { ATTEMPT_ENDED, ATTEMPT_LOST, ATTEMPT_REFUSED };

static enum attempt attempt(struct turn *t, bool first, struct err *e)
{
    struct cli_sse sse;
    char last_id[201]; /* as it was when we asked */
    struct cli_request r = {.path = API "/chat/stream",
                            .json = &t->json,
                            .key = t->key,
                            .last_id = last_id,
                            .sse = &sse,
                            .enough = &t->ended};
    enum attempt result = ATTEMPT_LOST;

    t->n_before = t->n_seen;
    str_copy(last_id, sizeof(last_id), buf_text(&t->last_id));
    cli__sse_init(&sse, on_event, t);
    int rc = cli__request(t->client, &r, e);
    if (t->ended) {
        result = t->failed ? ATTEMPT_REFUSED : ATTEMPT_ENDED;
    } else if (rc < 0) {
        /* Nobody there at all: said at once. Nobody there any more: maybe it comes back. */
        if (!r.broke && (first || !r.absent))
            result = ATTEMPT_REFUSED;
    } else if (r.status == 200 && strncasecmp(r.type, "text/event-stream", 17) != 0) {
        not_maya(t->client, &r, e);
        result = ATTEMPT_REFUSED;
    } else if (r.status == 200) {
        err_set(e, ERR_IO, 0,
                "%s broke off in the middle of the answer; /tab shows what counts",
                t->client->shown);
    } else {
        refused(t->client, &r, e);
        /*
         * Our own first try may still be at work, or its container be on its way out; and a
         * gateway may find another one.
         */
        bool passes = r.status == 503 || strstr(buf_text(&r.body), "turn_in_progress") != NULL;
        if ((first || !passes) && r.status != 502 && r.status != 504)
            result = ATTEMPT_REFUSED;
    }
    cli__request_release(&r);
    cli__sse_release(&sse);
    return result;
}

static void pause_ms(const struct cli_client *c, int ms)
{
    for (; ms > 0 && !(c->stop && *c->stop); ms -= 100)
        poll(NULL, 0, 100);
}

static int make_key(struct turn *t, struct err *e)
{
    unsigned char random[16];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return err_set(e, ERR_IO, 0, "the system gives no random numbers");
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(t->key + 2 * i, 3, "%02x", random[i]);
    return 0;
}

int cli__client_turn(struct cli_client *c, const char *text, const struct cli_turn_sink *sink,
                     struct err *e)
{
    struct err local = {0};
    struct turn t = {.client = c, .sink = sink, .e = &local};
    struct buf clean = BUF_INIT;
    enum attempt result = ATTEMPT_REFUSED;

    t.shown.max = CLI_SSE_MAX;
    cli__clean(&clean, text);
    json_t *body = json_pack("{s:s%}", "message", buf_text(&clean), clean.len);
    json_region_dump(body, JSON_COMPACT, &t.json);
    json_decref(body);
    if (make_key(&t, &local) == 0) {
        for (size_t tries = 0;; tries++) {
            result = attempt(&t, tries == 0, &local);
            if (result != ATTEMPT_LOST || tries == ARRAY_LEN(pauses_ms))
                break;
            sink->on_lost(sink->self);
            pause_ms(c, pauses_ms[tries]);
        }
    }
    if (e)
        *e = local;
    for (size_t i = 0; i < t.n_seen; i++)
        free(t.seen[i]);
    free(t.seen);
    buf_release(&t.last_id);
    buf_release(&t.shown);
    buf_release(&t.json);
    buf_release(&clean);
    return result == ATTEMPT_ENDED ? 0 : -1;
}

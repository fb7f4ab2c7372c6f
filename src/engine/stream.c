/* Several answers at once, each read as it comes: logs of many containers. */
#include "engine/engine_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define COMPLAINT_MAX 4096

struct engine_stream {
    struct engine_streams *of;
    struct engine_stream *next;
    CURL *easy;
    char *url, *path;
    bool (*on_data)(void *ctx, const char *data, size_t len);
    void *ctx;
    struct engine_call call; /* the status, and the words of a refusal */
    bool full, paused, ended;
    CURLcode why;
};

struct engine_streams {
    struct engine *en;
    CURLM *multi;
    struct engine_stream *first;
};

struct engine_streams *engine_streams_new(struct engine *en)
{
    struct engine_streams *s = xalloc(sizeof(*s));

    s->en = en;
    s->multi = curl_lib.multi_init();
    if (!s->multi) {
        free(s);
        return NULL;
    }
    return s;
}

static void free_one(struct engine_stream *one)
{
    curl_lib.multi_remove_handle(one->of->multi, one->easy);
    curl_lib.easy_cleanup(one->easy);
    buf_release(&one->call.answer);
    free(one->url);
    free(one->path);
    free(one);
}

void engine_streams_free(struct engine_streams **ref)
{
    struct engine_streams *s = *ref;

    *ref = NULL;
    if (!s)
        return;
    while (s->first) {
        struct engine_stream *one = s->first;
        s->first = one->next;
        free_one(one);
    }
    curl_lib.multi_cleanup(s->multi);
    free(s);
}

static size_t on_body(char *data, size_t size, size_t n, void *self)
{
    struct engine_stream *one = self;

    n *= size;
    if (one->full) {
        one->paused = true;
        return CURL_WRITEFUNC_PAUSE; /* it comes again */
    }
    curl_lib.easy_getinfo(one->easy, CURLINFO_RESPONSE_CODE, &one->call.status);
    if (one->call.status >= 200 && one->call.status < 300)
        one->full = !one->on_data(one->ctx, data, n);
    else
        buf_add(&one->call.answer, data, n);
    return n;
}

int engine_stream_begin(struct engine_streams *s, const char *path,
                        bool (*on_data)(void *ctx, const char *data, size_t len), void *ctx,
                        struct engine_stream **ret, struct err *e)
{
    struct engine_stream *one;
    CURL *easy = curl_lib.easy_init();

    if (!easy)
        return err_set(e, ERR_NOMEM, 0, "libcurl cannot start");
    one = xalloc(sizeof(*one));
    one->of = s;
    one->easy = easy;
    one->on_data = on_data;
    one->ctx = ctx;
    one->path = xstrdup(path);
    one->url = engine__url(s->en, path);
    one->call.method = "GET";
    one->call.path = one->path;
    one->call.answer.max = COMPLAINT_MAX;
    engine__way(s->en, easy);
    curl_lib.easy_setopt(easy, CURLOPT_URL, one->url);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEDATA, one);
    curl_lib.multi_add_handle(s->multi, easy);
    one->next = s->first;
    s->first = one;
    *ret = one;
    return 0;
}

void engine_stream_resume(struct engine_stream *one)
{
    one->full = false;
    if (one->paused && !one->ended) {
        one->paused = false;
        curl_lib.easy_pause(one->easy, CURLPAUSE_CONT);
    }
}

bool engine_stream_ended(const struct engine_stream *one, int *ret_rc, struct err *e)
{
    if (one->ended)
        *ret_rc = engine__verdict(one->of->en, &one->call, one->why, e);
    return one->ended;
}

static void reap(struct engine_streams *s)
{
    CURLMsg *m;
    int left;

    while ((m = curl_lib.multi_info_read(s->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        for (struct engine_stream *one = s->first; one; one = one->next) {
            if (one->easy != m->easy_handle)
                continue;
            one->ended = true;
            one->why = m->data.result;
            curl_lib.easy_getinfo(one->easy, CURLINFO_RESPONSE_CODE, &one->call.status);
        }
    }
}

int engine_streams_wait(struct engine_streams *s, int timeout_ms, struct err *e)
{
    int running = 0;

    if (engine__stopped(s->en))
        return err_set(e, ERR_STOPPED, 0, "stopped");
    curl_lib.multi_perform(s->multi, &running);
    reap(s);
    curl_lib.multi_poll(s->multi, NULL, 0, timeout_ms, NULL);
    curl_lib.multi_perform(s->multi, &running);
    reap(s);
    return 0;
}

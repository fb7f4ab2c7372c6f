/* Asking containers over HTTP, with libcurl's multi interface. */
#include "fleet/scrape.h"

#include "base/alloc.h"
#include "base/curl.h"
#include "fleet/fleet_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t on_bytes(char *data, size_t size, size_t n, void *self)
{
    struct scrape_target *t = self;

    if (t->text.len + size * n > SCRAPE_BYTES_MAX)
        return size * n + 1; /* ends it */
    buf_add(&t->text, data, size * n);
    return size * n;
}

static CURL *ask(struct scrape_target *t, int within_ms)
{
    CURL *easy = curl_lib.easy_init();
    bool six = strchr(t->address, ':') != NULL;

    if (!easy)
        return NULL;
    char *url = xprintf("http://%s%s%s:%u%s", six ? "[" : "", t->address, six ? "]" : "",
                        t->port, t->path);
    curl_lib.easy_setopt(easy, CURLOPT_URL, url);
    curl_lib.easy_setopt(easy, CURLOPT_PROXY, "");
    curl_lib.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_lib.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_lib.easy_setopt(easy, CURLOPT_USERAGENT, "maya/" MAYA_VERSION);
    curl_lib.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)within_ms);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_lib.easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_lib.easy_setopt(easy, CURLOPT_PRIVATE, t);
    free(url); /* libcurl has a copy */
    return easy;
}

static void take_answers(CURLM *multi)
{
    CURLMsg *m;
    int left;

    while ((m = curl_lib.multi_info_read(multi, &left))) {
        char *target = NULL;
        long status = 0;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_lib.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &target);
        curl_lib.easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        struct scrape_target *t = (struct scrape_target *)(void *)target;
        t->answered = m->data.result == CURLE_OK && status == 200 && !t->text.full;
    }
}

int scrape__all(struct scrape_target *targets, size_t count, int within_ms, struct err *e)
{
    int64_t until = fleet__now_ms() + within_ms;
    int running = 1;

    for (size_t i = 0; i < count; i++) {
        targets[i].answered = false;
        targets[i].text = (struct buf)BUF_INIT;
    }
    if (count == 0)
        return 0;
    if (curl_load(e) < 0)
        return -1;
    CURLM *multi = curl_lib.multi_init();
    CURL **asked = xalloc(count * sizeof(CURL *));
    for (size_t i = 0; i < count; i++)
        if ((asked[i] = ask(&targets[i], within_ms)) && multi)
            curl_lib.multi_add_handle(multi, asked[i]);
    while (multi && running && fleet__now_ms() < until) {
        if (curl_lib.multi_perform(multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_lib.multi_poll(multi, NULL, 0, 50, NULL);
    }
    if (multi)
        take_answers(multi);
    for (size_t i = 0; i < count; i++) {
        if (multi && asked[i])
            curl_lib.multi_remove_handle(multi, asked[i]);
        if (asked[i])
            curl_lib.easy_cleanup(asked[i]);
    }
    free(asked);
    if (!multi)
        return err_set(e, ERR_NOMEM, 0, "libcurl does not start");
    curl_lib.multi_cleanup(multi);
    return 0;
}

void scrape__release(struct scrape_target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_release(&targets[i].text);
}

/* The value behind a sample's name and labels; a timestamp may follow it. */
static bool value_of(const char *at, const char *end, double *ret)
{
    char number[40], *rest;
    size_t len = 0;

    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (at + len < end && at[len] != ' ' && at[len] != '\t' && len < sizeof(number) - 1)
        len++;
    memcpy(number, at, len);
    number[len] = '\0';
    *ret = strtod(number, &rest);
    return len && !*rest && isfinite(*ret);
}

/* The end of the labels; a brace or a quote within a value does not end them. */
static const char *labels_end(const char *at, const char *end)
{
    bool quoted = false;

    for (; at < end; at++) {
        if (quoted && *at == '\\')
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == '}' && !quoted)
            return at;
    }
    return NULL;
}

bool scrape__metric(const struct buf *text, const char *name, const char *label, double *ret)
{
    size_t len = strlen(name), label_len = label ? strlen(label) : 0;
    const char *end = text->data + text->len, *line = text->data, *next;
    double sum = 0;
    bool found = false;

    for (; text->len && line < end; line = next) {
        const char *stop = memchr(line, '\n', (size_t)(end - line)), *at = line + len;
        double value;
        stop = stop ? stop : end;
        next = stop + 1;
        if ((size_t)(stop - line) <= len || memcmp(line, name, len) != 0 ||
            !memchr("{ \t", *at, 3))
            continue;
        if (*at == '{') {
            const char *close = labels_end(at, stop);
            if (!close || (label && !memmem(at, (size_t)(close - at), label, label_len)))
                continue;
            at = close + 1;
        } else if (label) {
            continue;
        }
        if (value_of(at, stop, &value)) {
            sum += value;
            found = true;
        }
    }
    if (found)
        *ret = sum;
    return found;
}

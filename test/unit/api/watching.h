/* Who watches sessions of the bar, and what it hears. */
#pragma once

#include "unit/api/fixture.h"

/* Open a stream of session `id`; `last` is its Last-Event-ID, or NULL. */
static inline void watch(const char *id, const char *last, struct answer *to)
{
    struct http_req *r = fake_request(HTTP_GET, "/api/v1/session/events", "", "", 0);

    fake_header(r, "x-session-id", id);
    if (last)
        fake_header(r, "last-event-id", last);
    fake_send(bar_api, r, to);
    if (to->status == 200)
        CHECK(strstr(buf_text(&to->body), "data: {\"type\": \"session\", \"session_id\": \""));
    buf_clear(&to->body);
}

static inline void quit(struct answer *a)
{
    fake_leave(a);
    answer_release(a);
}

static inline void request(const char *path, const char *id, const char *body, int status)
{
    struct answer a;

    ask(HTTP_POST, path, "", id, body, &a);
    CHECK_INT(a.status, status);
    answer_release(&a);
}

static inline void talk(const char *id, const char *text)
{
    char body[64];

    snprintf(body, sizeof(body), "{\"user_input\":\"%s\"}", text);
    request("/api/chat", id, body, 200);
}

/* The stream has told exactly this many events since it was asked, with `part` in them. */
static inline void heard(struct answer *a, int events, const char *part)
{
    int n = 0;

    for (const char *at = buf_text(&a->body); (at = strstr(at, "data: ")); at += 6)
        n++;
    CHECK_INT(n, events);
    CHECK(strstr(buf_text(&a->body), part));
    if (!strstr(buf_text(&a->body), part))
        printf("# '%s' is not in: %s\n", part, buf_text(&a->body));
    buf_clear(&a->body);
}

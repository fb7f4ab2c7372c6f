/*
 * Barge-in. Whoever speaks in a session (a turn, speech that goes on after its turn, a reply
 * that is read out) is known here by the session's id, so that a word of the person ends it.
 */
#include "api/api_int.h"

#include <stdlib.h>
#include <string.h>

struct talkers { /* of one session */
    struct list list;
    unsigned count;
    char id[];
};

static void find(struct api *a, const char *id, struct talkers **ret)
{
    *ret = map_get(&a->talkers, id, strlen(id));
}

bool api__talker_add(struct api *a, struct api_talker *t, const char *id)
{
    size_t len = strlen(id);

    find(a, id, &t->in);
    if (!t->in) {
        t->in = calloc(1, sizeof(*t->in) + len + 1);
        if (!t->in)
            return false;
        memcpy(t->in->id, id, len);
        list_init(&t->in->list);
        map_put(&a->talkers, t->in->id, len, t->in);
    }
    t->api = a;
    t->asked = 0;
    list_append(&t->in->list, &t->link);
    t->in->count++;
    return true;
}

void api__talker_remove(struct api_talker *t)
{
    struct talkers *in = t->in;

    if (!in)
        return;
    t->in = NULL;
    list_remove(&t->link);
    if (--in->count)
        return;
    map_remove(&t->api->talkers, in->id, strlen(in->id));
    free(in);
}

unsigned api__talker_count(struct api *a, const char *id)
{
    struct talkers *in;

    find(a, id, &in);
    return in ? in->count : 0;
}

/* The newest that was not asked in this round. */
static struct api_talker *newest(struct api *a, const char *id, unsigned round)
{
    struct talkers *in;

    find(a, id, &in);
    for (struct list *at = in ? in->list.prev : NULL; at && at != &in->list; at = at->prev) {
        struct api_talker *t = LIST_ITEM(at, struct api_talker, link);
        if (t->asked != round)
            return t;
    }
    return NULL;
}

/* From the newest on: those that wait for a session do not get it from the one before. */
struct api_hushed api__hush(struct api *a, const char *id)
{
    struct api_hushed did = {0};
    struct api_talker *t;
    unsigned round = ++a->hush_rounds;

    while ((t = newest(a, id, round))) {
        t->asked = round;
        t->hush(t, &did);
    }
    return did;
}

void api__chat_stop(struct api *a, struct http_req *req)
{
    char id[SESSION_ID_MAX + 1];
    struct str header = http_req_header(req, "x-session-id");
    struct buf param = BUF_INIT;
    bool named = (header.data && str_trim(header).len) ||
                 (http_req_param(req, "session_id", &param) && param.len);

    buf_release(&param);
    if (!named) {
        api__error_code(req, ERR_SESSION_ID,
                        "X-Session-ID or session_id must say which session is to be silent");
        return;
    }
    if (!api__stream_session_id(req, id))
        return;
    struct api_hushed did = api__hush(a, id);
    api__answer_json(req, id,
                     json_pack("{s:s, s:s, s:i, s:i}", "status", "success", "session_id", id,
                               "turns", (int)did.turns, "speeches", (int)did.speeches));
}

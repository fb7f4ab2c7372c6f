/* Bytes of a stream into an answer, without a net; for the tests and the fuzzing of codecs. */
#pragma once

#include "mind/cloud_int.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    struct budget budget;
    struct region room, parse;
    struct cloud_events events;
    struct cloud_answer answer;
    const struct cloud_codec *codec;
    struct buf said;
    bool fits;
};

static void reading_say(void *ctx, const char *text, size_t len)
{
    struct reading *r = ctx;

    buf_add(&r->said, text, len);
}

static void reading_event(void *ctx, const char *data, size_t len)
{
    struct reading *r = ctx;
    struct region *before = json_region_enter(&r->parse);

    r->codec->event(&r->answer, data, len);
    json_region_leave(before);
    region_release(&r->parse);
}

static void reading_begin(struct reading *r, const struct cloud_codec *codec, size_t budget)
{
    memset(r, 0, sizeof(*r));
    budget_init(&r->budget, budget, NULL);
    region_init(&r->room, &r->budget, 0);
    region_init(&r->parse, &r->budget, 0);
    r->codec = codec;
    r->fits = true;
    r->events = (struct cloud_events){.on_event = reading_event, .ctx = r};
    r->answer.say = reading_say;
    r->answer.ctx = r;
    cloud__answer_begin(&r->answer, &r->room);
}

/* Pieces of `step` bytes. */
static void reading_feed(struct reading *r, const char *bytes, size_t n, size_t step)
{
    for (size_t at = 0; at < n && r->fits; at += step)
        r->fits = cloud__events_feed(&r->events, bytes + at, n - at < step ? n - at : step);
    if (r->fits)
        r->fits = cloud__events_end(&r->events);
    cloud__answer_end(&r->answer);
}

static void reading_end(struct reading *r)
{
    buf_release(&r->said);
    buf_release(&r->events.line);
    buf_release(&r->events.data);
    region_release(&r->room);
    region_release(&r->parse);
    MUST(r->budget.used == 0);
}

/*
 * One container's log: frames become lines with a time. A frame is what was written at once:
 * the time, a blank, and a line or, of a long one, a piece of it (Docker Engine API, logs).
 */
#include "fleet/logs_int.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS 1000000000LL

bool logs__time(const char *text, size_t len, int64_t *ret_ns)
{
    char copy[64];
    struct tm utc = {0};
    int64_t fraction = 0, unit = NS;

    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    const char *at = strptime(copy, "%Y-%m-%dT%H:%M:%S", &utc);
    if (!at)
        return false;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++)
            if (unit > 1) {
                unit /= 10;
                fraction += (*at - '0') * unit;
            }
    int64_t offset = 0;
    int hours, minutes;
    char sign;
    if (sscanf(at, "%c%2d:%2d", &sign, &hours, &minutes) == 3 && (sign == '+' || sign == '-'))
        offset = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    else if (strcmp(at, "Z") != 0)
        return false;
    int64_t s = (int64_t)timegm(&utc) - offset;
    if (s < 0 || s > INT64_MAX / NS - 1)
        return false;
    *ret_ns = s * NS + fraction;
    return true;
}

struct source *logs__source_new(const char *id, const char *path, int version, const char *grep)
{
    struct source *s = xalloc(sizeof(*s));

    s->id = xstrdup(id);
    s->path = xstrdup(path);
    s->version = version;
    s->grep = grep;
    s->last = &s->first;
    s->frame.max = LOGS_LINE_MAX;
    return s;
}

void logs__source_free(struct source *s)
{
    while (s->first)
        free(logs__source_take(s));
    buf_release(&s->frame);
    buf_release(&s->part[0]);
    buf_release(&s->part[1]);
    free(s->id);
    free(s->path);
    free(s);
}

struct log_line *logs__source_take(struct source *s)
{
    struct log_line *line = s->first;

    s->first = line->next;
    if (!s->first)
        s->last = &s->first;
    s->queued -= line->len + sizeof(*line);
    return line;
}

static void flush(struct source *s, int stream)
{
    struct buf *part = &s->part[stream - 1];
    const char *text = buf_text(part);
    size_t len = part->len;

    if (len && text[len - 1] == '\r')
        len--;
    if (!s->grep || memmem(text, len, s->grep, strlen(s->grep))) {
        struct log_line *line = xalloc(sizeof(*line) + len + 1);
        *line = (struct log_line){.time_ns = s->part_ns[stream - 1],
                                  .came_ms = s->now_ms,
                                  .version = s->version,
                                  .stream = stream,
                                  .len = len,
                                  .container = s->id};
        memcpy(line->text, text, len);
        *s->last = line;
        s->last = &line->next;
        s->queued += len + sizeof(*line);
    }
    buf_clear(part);
}

/* A whole frame. The engine's own complaints (3) are shown as if the container had made them.
 */
static void end_frame(struct source *s)
{
    const char *text = buf_text(&s->frame), *blank = memchr(text, ' ', s->frame.len);
    size_t len = s->frame.len;
    int stream = s->frame_stream == 1 ? 1 : 2;
    struct buf *part = &s->part[stream - 1];
    int64_t ns;

    if (blank && logs__time(text, (size_t)(blank - text), &ns)) {
        len -= (size_t)(blank + 1 - text);
        text = blank + 1;
        if (part->len == 0)
            s->part_ns[stream - 1] = ns;
    }
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        buf_add(part, text, n);
        if (end || part->len >= LOGS_LINE_MAX)
            flush(s, stream);
        n += end != NULL;
        text += n;
        len -= n;
    }
    buf_clear(&s->frame);
}

static void on_bytes(void *ctx, int stream, const char *data, size_t len)
{
    struct source *s = ctx;

    if (s->frame_left == 0) {
        s->frame_left = s->frames.left;
        s->frame_stream = stream;
    }
    buf_add(&s->frame, data, len);
    s->frame_left -= (uint32_t)len;
    if (s->frame_left == 0)
        end_frame(s);
}

bool logs__source_feed(void *source, const char *data, size_t len)
{
    struct source *s = source;

    s->frames.on_bytes = on_bytes;
    s->frames.ctx = s;
    engine_frames_feed(&s->frames, data, len);
    return s->queued < LOGS_QUEUE_MAX;
}

void logs__source_end(struct source *s)
{
    s->ended = true;
    for (int stream = 1; stream <= 2; stream++)
        if (s->part[stream - 1].len)
            flush(s, stream);
}

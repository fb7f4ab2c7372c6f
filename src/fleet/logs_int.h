/* Private to fleet/logs*.c: one container that is heard. */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"
#include "fleet/logs.h"

#define LOGS_LINE_MAX ((size_t)1 << 20)    /* longer ones are cut in two */
#define LOGS_QUEUE_MAX ((size_t)256 << 10) /* of one container; then it waits */

struct log_line {
    struct log_line *next;
    int64_t time_ns, came_ms;
    int version, stream;
    size_t len;
    const char *container;
    char text[];
};

struct source {
    struct source *next;
    char *id, *path; /* of the container; of its log */
    int version;
    const char *grep;
    struct engine_stream *stream;
    struct engine_frames frames;
    uint32_t frame_left;
    struct buf frame;
    int frame_stream;
    struct buf part[2]; /* a line that came in part; stdout's and stderr's */
    int64_t part_ns[2];
    struct log_line *first, **last;
    size_t queued;
    int64_t now_ms; /* set before bytes come */
    bool ended;
};

struct source *logs__source_new(const char *id, const char *path, int version,
                                const char *grep);
void logs__source_free(struct source *s);
/* As engine_stream_begin() wants it. */
bool logs__source_feed(void *source, const char *data, size_t len);
/* The stream ended: what came in part is a line, too. */
void logs__source_end(struct source *s);
struct log_line *logs__source_take(struct source *s); /* its first line; free() it */
/* "2025-06-15T15:06:40.123456789Z"; false for what is none. */
bool logs__time(const char *text, size_t len, int64_t *ret_ns);

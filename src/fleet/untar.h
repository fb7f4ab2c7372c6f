/*
 * Private to fleet/: a tar that comes in pieces, as the engine sends it: ustar, pax records for
 * path, link, size and time (POSIX.1-2001, pax), and GNU's long names. It judges no path: who
 * gets them does. Bounded: what is kept of it is the longest name.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNTAR_BLOCK 512
#define UNTAR_RECORD_MAX ((size_t)64 * 1024) /* pax records, a long name */

struct untar_entry {
    const char *path, *link; /* as they stand there */
    char type;               /* '0' file, '5' folder, '2' link, '1' hard link, ... */
    unsigned mode;           /* 07777 */
    uint64_t size;           /* of a file; 0 of the others */
    int64_t time;
};

struct untar_sink {
    /* false ends it with what is in *e */
    bool (*on_entry)(void *ctx, const struct untar_entry *entry, struct err *e);
    bool (*on_data)(void *ctx, const char *data, size_t len, struct err *e);
    bool (*on_end)(void *ctx, struct err *e); /* of an entry of type '0' */
    void *ctx;
};

struct untar {
    const struct untar_sink *sink;
    char head[UNTAR_BLOCK];
    size_t have;        /* of the head */
    uint64_t left, pad; /* of what is behind it */
    char kind;          /* of that: 'x', 'L', 'K', 'g' or an entry's; 0: none */
    struct buf record, path, link;
    bool has_size, has_time;
    uint64_t size;
    int64_t time;
    unsigned zeros; /* blocks of nothing: two are the end */
};

void fleet__untar_init(struct untar *u, const struct untar_sink *sink);
void fleet__untar_release(struct untar *u);
int fleet__untar_feed(struct untar *u, const char *data, size_t len, struct err *e) MUST_USE;
/* ERR_IO unless it came to its end. */
int fleet__untar_finish(const struct untar *u, struct err *e) MUST_USE;

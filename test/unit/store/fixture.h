/*
 * What the tests of the store share: a folder, a store in it, and an owner that waits for
 * answers as a loop would, woken through a descriptor.
 */
#pragma once

#include "base/alloc.h"
#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/tap.h"

struct owner {
    char folder[512];
    char *path;
    struct store *store;
    int event;
    int wakes;
    struct err err; /* of the last open */
};

/* What a write was answered. */
struct answer {
    int count;
    uint64_t value;
    enum err_code code;
    char msg[240];
    int order; /* how many answers came before, over all */
};

static int answers_total;

static void on_wake(void *ctx)
{
    struct owner *o = ctx;
    uint64_t one = 1;

    __atomic_fetch_add(&o->wakes, 1, __ATOMIC_RELAXED);
    MUST(write(o->event, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void on_answer(void *ctx, uint64_t value, const struct err *e)
{
    struct answer *a = ctx;

    a->count++;
    a->value = value;
    a->code = e ? e->code : ERR_NONE;
    snprintf(a->msg, sizeof(a->msg), "%s", e ? e->msg : "");
    a->order = answers_total++;
}

static int owner_open(struct owner *o)
{
    const struct store_cfg cfg = {.path = o->path, .wake = on_wake, .wake_ctx = o};

    o->err = (struct err){0};
    return store_open_sqlite(&cfg, &o->store, &o->err);
}

/* A folder, and no store in it yet. */
static void owner_settle(struct owner *o, const char *under)
{
    *o = (struct owner){.event = -1};
    snprintf(o->folder, sizeof(o->folder), "%s/maya-store-XXXXXX", under);
    MUST(mkdtemp(o->folder));
    o->path = xprintf("%s/maya.db", o->folder);
    o->event = eventfd(0, EFD_CLOEXEC);
    MUST(o->event >= 0);
}

static inline void owner_init(struct owner *o)
{
    owner_settle(o, "/tmp");
    if (owner_open(o) < 0)
        printf("# open: %s\n", o->err.msg);
    MUST(o->store);
}

static void owner_release(struct owner *o)
{
    DIR *d;
    struct dirent *at;

    store_close(&o->store);
    d = opendir(o->folder);
    MUST(d);
    while ((at = readdir(d)) != NULL)
        if (at->d_name[0] != '.')
            unlinkat(dirfd(d), at->d_name, 0);
    closedir(d);
    rmdir(o->folder);
    close(o->event);
    free(o->path);
}

/* Sleep until the store's thread wakes us, then take the answers. */
static void owner_turn(struct owner *o)
{
    struct pollfd p = {.fd = o->event, .events = POLLIN};
    uint64_t n;

    if (poll(&p, 1, 120000) != 1) { /* a busy disk takes long to sync */
        printf("Bail out! the store did not wake its owner for two minutes\n");
        exit(1);
    }
    MUST(read(o->event, &n, sizeof(n)) == (ssize_t)sizeof(n));
    store_reap(o->store);
}

static void owner_wait(struct owner *o, const struct answer *a)
{
    while (!a->count)
        owner_turn(o);
}

static inline void owner_drain(struct owner *o)
{
    struct store_stats st;

    for (store_stats(o->store, &st); st.queued; store_stats(o->store, &st))
        owner_turn(o);
}

static inline struct answer put_now(struct owner *o, const char *id, uint64_t replaces,
                                    int64_t used_at_s, const char *text)
{
    struct answer a = {0};

    MUST(store_put(o->store, id, replaces, used_at_s, text, strlen(text), on_answer, &a,
                   NULL) == 0);
    owner_wait(o, &a);
    return a;
}

struct seen {
    int count;
    bool found;
    uint64_t version;
    int64_t used_at_s;
    size_t len;
    char text[4096]; /* the beginning */
    enum err_code code;
    char msg[240];
};

static inline void on_row(void *ctx, const struct store_row *row, const struct err *e)
{
    struct seen *s = ctx;

    *s = (struct seen){.count = s->count + 1};
    s->code = e ? e->code : ERR_NONE;
    snprintf(s->msg, sizeof(s->msg), "%s", e ? e->msg : "");
    if (!row)
        return;
    s->found = true;
    s->version = row->version;
    s->used_at_s = row->used_at_s;
    s->len = row->len;
    if (row->len)
        memcpy(s->text, row->data, row->len < sizeof(s->text) ? row->len : sizeof(s->text) - 1);
}

static inline struct seen get_now(struct owner *o, const char *id)
{
    struct seen s = {0};

    store_get(o->store, id, on_row, &s);
    MUST(s.count == 1);
    return s;
}

static inline struct store_stats stats_now(const struct owner *o)
{
    struct store_stats st;

    store_stats(o->store, &st);
    return st;
}

/* Private to the streams that watch sessions: watch.c, watch_tell.c, watch_beside.c. */
#pragma once

#include "api/api_int.h"

#define WATCH_TELL_MAX 131072 /* bytes said; who cannot take so much reads the history */

/* A session id that somebody watches. */
struct watched {
    struct session_seen seen;
    struct api *api;
    struct list link; /* api->watch.sessions */
    struct list watchers;
    unsigned watcher_count;
    bool asking;        /* `seen` is under way */
    int64_t used_s;     /* last use of the session that is known; -1: none is */
    bool known;         /* `version` is the row's that those who watch know of */
    uint64_t version;   /* 0: no row */
    struct list unsure; /* api->watch.unsure, or in no list */
    uint64_t newer;     /* unsure: the version that its row has */
    char id[];
};

/* A stream. */
struct watcher {
    struct api_call call;
    struct http_req *req;
    struct watched *on;
    struct list link; /* on->watchers */
    struct list beat; /* api->watch.streams */
    bool placed;      /* it knows a turn to come back behind */
};

/* watch.c */
struct watched *watch__find(struct api *a, const char *id); /* NULL: nobody watches it */
int64_t watch__now_s(const struct api *a);
/* The stream ends, and its reader comes back soon: to where the session is. `why` is a comment
 * in it. `w` is gone afterwards, and with the last of them who is watched. */
void watch__bid_farewell(struct watcher *w, const char *why);

/* watch_tell.c: events, to one stream or (only NULL) to all of a session */
void watch__send_turn(const struct watched *on, struct watcher *only,
                      const struct turn_done *d);
void watch__send_changed(const struct watched *on, struct watcher *only,
                         const struct session *s, const char *what);
void watch__send_bare(const struct watched *on, struct watcher *only, const char *type);
void watch__send_ended(const struct watched *on);
/* To a reader that has everything up to turn `last`; what is in memory may be older than the
 * row, so ask for that afterwards. */
void watch__catch_up(struct watched *on, struct watcher *w, uint32_t last);

/* watch_beside.c */
/* Its version is known from here on. */
void watch__knows(struct watched *on, uint64_t version);
/* What is written of it here made it this version: if that is more than one step, those who
 * watch are told to read again. */
void watch__written(struct watched *on, uint64_t version);
/* Its row was found to have this version: those who were told of an older one, which was in
 * memory here, are told to read again; not while it is held, for what is held may tell them. */
void watch__stored(struct watched *on, uint64_t version);
void watch__beside_tick(struct api *a);

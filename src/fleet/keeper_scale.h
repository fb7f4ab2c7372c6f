/*
 * Private to the keeper: how many containers an app is to have. A pure function over what is
 * seen: it knows no engine and no clock, so a day is replayed in milliseconds.
 *
 * What counts is what sessions have reserved (an app that is not Maya: requests under way) over
 * what a container has room for, and where that is heading: more come at once, fewer only when
 * fewer would have done for the whole of `window_ms`, one at a time, the cheapest to empty
 * first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCALE_FILL_PERCENT 80 /* of the room; the rest is for who comes while one starts */
#define SCALE_TREND_MS 30000  /* how far back the trend looks */
#define SCALE_AHEAD_MS 20000  /* how far ahead it counts: what a start takes at most */
#define SCALE_SAMPLES 32      /* of a trend, and of a window */

struct scale_rule {
    unsigned min, max, buffer;
    int64_t window_ms;
};

/* A container that answers. */
struct scale_container {
    uint64_t used, room; /* in one unit, whatever it is */
    uint64_t busy;       /* requests under way */
    bool known;          /* it told these numbers */
};

struct scale_seen {
    int64_t now_ms;
    bool rollout;      /* another version is coming or going */
    bool leaving;      /* a container is being emptied */
    bool waits;        /* a request waits for a container */
    uint64_t requests; /* ever, so that a change shows that somebody is there */
    unsigned wanted;   /* containers that are to be there now */
    const struct scale_container *at;
    size_t count;
};

/* What is remembered of an app; all zero at first. */
struct scale {
    struct {
        int64_t at_ms;
        uint64_t used;
    } trend[SCALE_SAMPLES];
    struct {
        int64_t at_ms;
        unsigned need; /* the most since then */
    } needs[SCALE_SAMPLES];
    unsigned trends, need_count;
    int64_t since_ms, active_ms; /* the first look; the last at which somebody was there */
    uint64_t requests, room;     /* room: of a container, as last told */
    bool begun;
};

enum scale_what { SCALE_STAY, SCALE_OUT, SCALE_IN };

struct scale_decision {
    enum scale_what what;
    unsigned to;   /* containers */
    size_t chosen; /* SCALE_IN: the one to empty, of seen.at; SIZE_MAX: there is none */
    const char *why;
    /* The numbers that it came from: */
    unsigned need, peak; /* now; the most in the window */
    uint64_t used, room, expected;
};
struct scale_decision keeper__scale(struct scale *s, const struct scale_rule *r,
                                    const struct scale_seen *seen);

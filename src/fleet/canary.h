/*
 * Private to fleet/: the judgement of a version that some people have come to, against the
 * stable one. Pure: what was seen goes in, what is to be done comes out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CANARY_BUCKETS 32

/* What was seen of all containers of a version since the step began. */
struct canary_seen {
    uint64_t requests, errors; /* of the gateway: tried; 5xx, broken connections and answers */
    uint64_t ended;            /* containers that ended by themselves */
    uint64_t killed;           /* of those, killed, as for memory */
    int64_t down_s;            /* since when none of them is up; 0: one is, or none is wanted */
    bool doubted;              /* none of them passed its last check: it is not well yet */
    /* What Maya's containers say of themselves; 0 where nobody says it. */
    uint64_t unreadable; /* stored sessions that could not be read, or were too new */
    uint64_t rejected;   /* sessions refused for room */
    uint64_t grew; /* bytes that one of them grew by most, beyond what its sessions hold */
    /* First word of an answer: not cumulative, over bounds in seconds; the last is +Inf. */
    uint64_t words[CANARY_BUCKETS];
    double bounds[CANARY_BUCKETS];
    unsigned buckets;
};

struct canary_rule {
    uint64_t sample;         /* requests to the canary before it is judged well */
    uint64_t ended;          /* so many containers that end are too many */
    int64_t down_s;          /* none may be up for so long; 0: that is not looked at */
    int64_t step_s, limit_s; /* the least and the most a step takes */
};

enum canary_verdict {
    CANARY_WAIT, /* too early to tell */
    CANARY_GOOD, /* on to the next step */
    CANARY_BAD   /* to be taken back; `why` says it in a sentence */
};
#define CANARY_WHY_MAX 160
enum canary_verdict canary__judge(const struct canary_rule *rule, const struct canary_seen *it,
                                  const struct canary_seen *stable, int64_t seconds,
                                  char why[CANARY_WHY_MAX]);

/* The share of new sessions after this one, in percent: 25, 50, 100. */
int canary__next_weight(int weight);
double canary__error_percent(const struct canary_seen *s);
/* The first word's upper bound for `share` of the answers, in seconds; -1: none were given. */
double canary__first_word_s(const struct canary_seen *s, double wanted);

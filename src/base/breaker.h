/*
 * breaker: whether a service that has been failing is worth asking, and how long to wait before
 * asking again. Pure: times (any milliseconds that only grow) and randomness are arguments.
 *
 * CLOSED asks. After so many failures in a row it is OPEN and nobody asks; after a while it is
 * HALF_OPEN: one asks, and what comes of it closes the breaker or opens it for twice as long.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN };

struct breaker {
    unsigned limit;            /* failures in a row that open it */
    int64_t first_ms, most_ms; /* how long it is open at first, and at most */
    unsigned failures;         /* in a row */
    int64_t wait_ms;           /* of the last time */
    int64_t until_ms;          /* when half open begins */
    bool open, trying;         /* trying: the one of HALF_OPEN is under way */
    int64_t rest_ms;           /* the service asked to be left alone until then */
    uint64_t opened;           /* how often it opened */
};

void breaker_init(struct breaker *b, unsigned limit, int64_t first_ms, int64_t most_ms);
/* May one ask now? Who got true tells what came of it: one of good, bad and dropped. */
bool breaker_try(struct breaker *b, int64_t now_ms);
void breaker_good(struct breaker *b);
void breaker_bad(struct breaker *b, int64_t now_ms);
void breaker_dropped(struct breaker *b); /* nothing was learnt */
/* Nobody asks before then, whatever else is known. */
void breaker_rest(struct breaker *b, int64_t until_ms);
enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms);
const char *breaker_text(enum breaker_state s);

/*
 * The pause before try number `tries` + 1: it doubles from first_ms up to most_ms, and between
 * half of that and all of it the seed decides, so that many do not come back at once.
 */
int64_t breaker_pause_ms(unsigned tries, int64_t first_ms, int64_t most_ms, uint64_t seed);

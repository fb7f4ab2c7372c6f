/* Private to agent/: one turn, as turn.c and fold.c share it. */
#pragma once

#include "agent/agent_int.h"
#include "memory/memory.h"

#define TURN_SCRATCH_FIRST 4096

enum turn_phase {
    TURN_OPENING,
    TURN_FOLDING,
    TURN_THINKING,
    TURN_COMMITTING,
    TURN_ENDING,
    TURN_ENDED
};

struct turn {
    struct agent *agent;
    struct turn_sink sink;
    enum turn_phase phase;
    struct session_wait wait;
    struct session *session; /* held while FOLDING, THINKING and COMMITTING */
    struct str text;
    size_t charge; /* bytes of the request, carried by the budget while the session is held */
    bool keyed;    /* has an Idempotency-Key */
    uint8_t key[16], body[16];
    uint64_t started_ns;
    bool first_word, dirty, ordered, over_budget;
    bool starting;         /* inside turn_start() or the mind's start(): not to be freed */
    bool inside;           /* inside the mind's start() or fold(): its memory must stay */
    bool silent;           /* stopped: nobody listens */
    struct region scratch; /* the mind's, until it is done */
    struct region words;   /* reply and tail */
    struct buf reply, tail;
    const struct session_message *before; /* the last one of the turns before this one */
    struct mind_turn mind_turn;
    struct mind_call *call;
    /* While FOLDING. */
    struct list folding; /* in the agent's list, the oldest first */
    int64_t fold_until_ms;
    struct mind_fold fold;
    struct buf folded; /* what the mind says, in the scratch region */
    bool fold_ended, fold_failed;
};

/* turn.c: tell the owner, undo when something was changed, and end. `t` may be freed. */
void turn__fail(struct turn *t, const struct err *why);
/* The mind's turn now; what was to be folded is. `t` may be freed. */
void turn__think(struct turn *t);

/* recall.c: what the documents have on the message, for the mind. Never fails the turn. */
void turn__recall(struct turn *t);

/* fold.c: fold when it is due, maybe later, then turn__think(). `t` may be freed. */
void turn__fold(struct turn *t);

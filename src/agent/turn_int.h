/* Private to agent/: one turn, as turn.c, scan.c and fold.c share it. */
#pragma once

#include "agent/agent_int.h"
#include "memory/memory.h"
#include "safety/safety.h"

#define TURN_SCRATCH_FIRST 4096

enum turn_phase {
    TURN_OPENING,
    TURN_SCANNING,
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
    struct session *session; /* held from SCANNING to COMMITTING */
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
    /* scan.c */
    struct safety_hit hit;            /* what was found that matters to the person */
    struct safety_question *question; /* while SCANNING: to the moderation endpoint */
    struct safety_stream *heard;      /* while THINKING, in `words` */
    struct buf own;                   /* the session's own key, in `words`; wiped */
    struct str own_key;
    /* While FOLDING. */
    struct list folding; /* in the agent's list, the oldest first */
    int64_t fold_until_ms;
    struct mind_fold fold;
    struct buf folded; /* what the mind says, in the scratch region */
    bool fold_ended, fold_failed;
};

/* turn.c: tell the owner, undo when something was changed, and end. `t` may be freed. */
void turn__fail(struct turn *t, const struct err *why);
void turn__over_budget(struct turn *t);
/* The mind's turn now; what was to be folded is. `t` may be freed. */
void turn__think(struct turn *t);
/* Tell the owner what is in the reply from there on; it may stop the turn: see `silent`. */
void turn__tell(struct turn *t, size_t from);
/* All is said: on to the store. `t` may be freed. */
void turn__said(void *ctx);

/*
 * scan.c: what the person says is scanned first, then turn__fold(); or it is answered with a
 * rule's sentence, and the mind never hears of it. `t` may be freed.
 */
void turn__scan(struct turn *t);
bool turn__listen(struct turn *t) MUST_USE; /* before the mind speaks; false: no memory */
void turn__hear(void *ctx, const char *data, size_t len); /* the mind speaks: ctx is the turn */
void turn__heard(struct turn *t);        /* the mind has ended: what was held is said */
void turn__scan_release(struct turn *t); /* stop and wipe */

/* recall.c: what the documents have on the message, for the mind. Never fails the turn. */
void turn__recall(struct turn *t);

/* fold.c: fold when it is due, maybe later, then turn__think(). `t` may be freed. */
void turn__fold(struct turn *t);

/*
 * replay: answers to turns that were asked for with a key, so that a repeat gets the same
 * answer. A part of session.h, which includes it. They are stored with the session.
 */
#pragma once

#include "base/must.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_REPLAYS 8

struct session;

struct session_replay {
    uint8_t key[16];   /* digest of the key */
    uint8_t body[16];  /* digest of the message */
    uint32_t turn;     /* its number; 0: empty slot */
    uint32_t messages; /* length of the history after it, folded ones counted */
    uint32_t tail_len;
    char *tail; /* opaque to session/: the rest of the answer, in the session's region */
};

/* replay.c */

/* The answer already given for `key`, or NULL. */
const struct session_replay *session_replay_find(const struct session *s,
                                                 const uint8_t key[16]);
/* Keep an answer, in place of the oldest. False when the budget refuses. */
bool session_replay_keep(struct session *s, const uint8_t key[16], const uint8_t body[16],
                         struct str tail) MUST_USE;
/*
 * Make this digest one whose answer is kept only until the next of its kind: the key of a
 * gateway, which repeats a request at once or never.
 */
void session_replay_once(uint8_t key[16]);

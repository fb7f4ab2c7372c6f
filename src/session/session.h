/*
 * session: who is talking to this container, and how much memory each may hold.
 *
 * Owns every `struct session`, its budget and its region; decides who becomes resident
 * (admit.c), keeps sessions durable through the store (codec.c, seal), and ends them for
 * idleness (expire.c). Knows no HTTP, no agent and no mind: what an agent keeps of a session
 * is `state`, made, encoded and decoded by the functions in `struct session_state_ops`.
 * Time comes in as an argument, now_s in unix seconds.
 *
 * Life of a session:    (none) -> LOADING -> BUSY <-> IDLE -> CLOSED
 *                                    ^- ENDING <-'
 * LOADING waits for the store, IDLE is resident and nobody uses it, BUSY is held by exactly one
 * holder (a turn or a look), ENDING has expired or was ended by hand and waits for its row to
 * be removed, CLOSED is freed at once. Only session__move() changes the state.
 */
#pragma once

#include "base/list.h"
#include "base/strs.h"
#include "memory/memory.h"
#include "session/lately.h"
#include "session/monitor.h"
#include "session/replay.h"
#include "session/rider.h"
#include "session/seen.h"

struct seal;
struct store;

#define SESSION_ID_MAX 128
#define SESSION_SECRET_MAX 512
#define SESSION_ASIDE 96
#define SESSION_SUMMARY_MAX 4096

enum session_policy { SESSION_RESERVED, SESSION_MEASURED };

/* Why a session leaves memory. SESSION_END(NAME, "text") in end.def. */
enum session_end {
#define SESSION_END(name, text) SESSION_END_##name,
#include "session/end.def"
#undef SESSION_END
    SESSION_END__COUNT
};

/* Reasons of a rejection, as in maya_sessions_rejected_total{reason=...}. */
enum session_reject {
    SESSION_REJECT_LIMIT,
    SESSION_REJECT_PRESSURE,
    SESSION_REJECT_INSUFFICIENT,
    SESSION_REJECT__COUNT
};
const char *session_reject_text(enum session_reject r);

/* A provider's key as seal_lock() left it: what lies in memory opens nothing. */
struct session_secret {
    uint32_t len;
    uint8_t data[];
};

struct session_message {
    struct session_message *next;
    uint32_t len;
    uint8_t from_person : 1, mark : 7; /* 0: assistant; the agent's mark on it, 0: none */
    char text[];                       /* NUL-terminated, valid UTF-8 */
};

struct session {
    uint32_t magic;
    uint8_t state;    /* enum session_state, private */
    bool ended;       /* by hand: it goes when its holder leaves */
    struct list link; /* in the table's list of its state */
    struct session_table *table;
    uint64_t version; /* of the row it was read from or last written as; 0: never stored */
    int64_t created_s, used_s;
    int64_t idle_since_s; /* of IDLE ones: when the last holder left */
    struct budget budget; /* region, scratch of the turn, request body */
    struct region region;
    struct session_message *first, *last;
    uint32_t message_count; /* in memory */
    uint32_t folded_count;  /* older messages that were let go to stay within the budget */
    uint32_t turns, summary_len;
    char *summary; /* what those said that matters, opaque to session/: UTF-8 in the region */
    struct session_secret *gemini, *cartesia; /* in the region, sealed; NULL: none */
    void *agent;                              /* the agent's state, in the region */
    /* The agent's too, zero at first; not stored, and no fold, revert or reset touches it. */
    _Alignas(8) unsigned char aside[SESSION_ASIDE];
    struct session_replay *replays; /* SESSION_REPLAYS of them, or NULL */
    struct list waiters;            /* struct session_wait, in order of arrival */
    uint32_t waiter_count;
    struct session_rider *riders; /* who else charges the budget */
    /* A commit in progress. */
    void (*committed)(void *ctx, const struct err *e);
    void *commit_ctx;
    int64_t used_before_s; /* while it is read: when that was asked for */
    char id[];             /* NUL-terminated */
};

/* The agent's part of a session. All memory from the session's region. */
struct session_state_ops {
    void *(*make)(struct region *r); /* a fresh state, NULL when refused */
    void (*encode)(const void *state, struct buf *out);
    void *(*decode)(struct region *r, const void *data, size_t len, struct err *e);
};

struct session_cfg {
    size_t budget;         /* bytes */
    uint32_t max_resident; /* MAYA_SESSIONS_PER_CONTAINER */
    uint64_t max_stored;   /* MAYA_MAX_SESSIONS, 0: no limit */
    int64_t expiry_s;      /* MAYA_SESSION_EXPIRY_SECONDS; a look is no use */
    int64_t hibernate_s;   /* MAYA_SESSION_HIBERNATE_SECONDS */
    uint32_t max_waiters;  /* messages waiting for one session */
    enum session_policy policy;
    double threshold;
    const struct session_state_ops *state_ops;
    struct store *store;
    struct seal *seal;
    uint64_t seed; /* of the id table */
};

struct session_stats {
    uint32_t resident, busy, loading, max_resident;
    uint64_t created, expired, woken, over_budget, conflicts, unreadable;
    uint64_t resealed, reseal_pending, reseal_unreadable; /* rows; see reseal.c */
    uint64_t rejected[SESSION_REJECT__COUNT];
    uint64_t ended[SESSION_END__COUNT];
    size_t budget;     /* of one session */
    uint64_t reserved; /* sum of budgets */
    uint64_t used;     /* bytes charged now, all sessions */
    uint64_t index;    /* bytes of the table of ids */
};

/* table.c */

int session_table_new(const struct session_cfg *cfg, struct session_table **ret,
                      struct err *e) MUST_USE;
/* Frees the sessions in memory (they are durable). Nobody may hold one. */
void session_table_free(struct session_table **t);
void session_stats(const struct session_table *t, struct session_stats *ret);

/* A request was refused because it would have passed its session's budget. */
void session_count_over_budget(struct session_table *t);

/* 1..128 characters of [A-Za-z0-9_-.:]: what we did not issue at least looks like an id. */
bool session_id_valid(const char *id, size_t len);
/* "sess_" + 16 random characters of [A-Za-z0-9_-]. */
void session_id_make(char ret[SESSION_ID_MAX + 1]);

/* The newest sample for admission. `footprint`: without sessions; `refuse`: nobody gets in. */
void session_table_memory(struct session_table *t, const struct memory_sample *sample,
                          uint64_t footprint, bool refuse);

/*
 * admit.c: how many percent of those who could be in memory could still come in, by what
 * admission itself would say now; 0: it refuses. Who could hibernate counts as being in.
 */
unsigned session_room(const struct session_table *t);

/* open.c: one holder at a time */

enum session_mode {
    SESSION_CREATE, /* make it when there is none */
    SESSION_RENEW,  /* the same, and one that cannot be read begins anew */
    SESSION_LOOK,   /* NULL session when there is none; nothing is created */
};

/*
 * A place in the queue for a session. `ready` is called once, perhaps inside session_open():
 * with the session, now held by the caller (BUSY) until session_leave(); or with NULL and an
 * error; or with NULL and no error in SESSION_LOOK when there is no such session.
 */
struct session_wait {
    struct list link;
    void (*ready)(struct session_wait *w, struct session *s, const struct err *e);
    enum session_mode mode;
    struct session *session; /* private: what it waits for */
};

void session_open(struct session_table *t, const char *id, enum session_mode mode,
                  int64_t now_s, struct session_wait *w);
/* Leave the queue (the client is gone). Only before `ready` was called. */
void session_wait_cancel(struct session_wait *w);
/* Give the session to the next in the queue, or to idleness; it may move, or go. */
void session_leave(struct session *s);

/* commit.c: durable before acknowledged. The holder keeps the session BUSY until `done`. */

typedef void session_commit_fn(void *ctx, const struct err *e);
/*
 * Encode, seal, hand to the store; used_s becomes now_s. -1 when that much more did not fit the
 * budget; then `done` is not called. Otherwise it is, later, never inside. After ERR_CONFLICT
 * the session in memory is stale: session_revert() it.
 */
int session_commit(struct session *s, int64_t now_s, session_commit_fn *done, void *ctx,
                   struct err *e) MUST_USE;
/*
 * Leave, and undo whatever the holder changed since the last commit: what is in memory is
 * replaced by what is stored (a newer version too, after ERR_CONFLICT). The session keeps its
 * place in memory; the next in the queue gets it when it has been read again.
 */
void session_revert(struct session *s, int64_t now_s);

/* history.c */

/* Both messages of a turn, or neither: false when the budget refuses. */
bool session_say(struct session *s, struct str person, struct str agent) MUST_USE;
/* The region has grown past a quarter of the budget (or 1 MiB): *ret_count of the oldest
 * messages are to go (maybe none: only what lies fallow), so that a turn always has room. */
bool session_fold_due(const struct session *s, uint32_t *ret_count);
size_t session_summary_max(const struct session *s); /* a sixteenth of the budget, at most */
/* Let them go and keep `summary` instead (UTF-8 within the maximum; it may be the old one). All
 * pointers into the region are new. When it fails the session must be reverted. */
int session_fold(struct session *s, uint32_t count, struct str summary, struct err *e) MUST_USE;
int session_reset(struct session *s, struct err *e) MUST_USE; /* all but the id, keys too */
/* An empty text clears. Both are replaced. */
int session_set_keys(struct session *s, struct str gemini, struct str cartesia,
                     struct err *e) MUST_USE;
bool session_has_keys(const struct session *s); /* a Gemini key was given */
int session_gemini_key(const struct session *s, struct buf *out, struct err *e) MUST_USE;
int session_cartesia_key(const struct session *s, struct buf *out, struct err *e) MUST_USE;

/* hibernate.c: who is idle is packed, and in time leaves memory; reseal.c. 4 times a second. */
void session_tick(struct session_table *t, int64_t now_s);
/* The coldest and largest, until so many bytes are free: those. `urgent`: even the newest. */
size_t session_hibernate(struct session_table *t, int64_t now_s, size_t bytes, bool urgent);
void session_shed(struct session_table *t); /* let go of what is only kept for speed */

/* expire.c: the janitor; call it every MAYA_CLEANUP_INTERVAL_SECONDS */
void session_cleanup(struct session_table *t, int64_t now_s);

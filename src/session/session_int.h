/* Private to session/: the table, and what its files share. */
#pragma once

#include "base/map.h"
#include "session/session.h"
#include "store/store.h"

#define SESSION_MAGIC 0x5e551044u

/* Grace before the store forgets a row on its own, longer than any turn may take. */
#define SESSION_EXPIRY_GRACE_S 600

enum session_state {
    SESSION_NEW,
    SESSION_LOADING,
    SESSION_IDLE,
    SESSION_BUSY,
    SESSION_ENDING, /* expired, or ended by hand; the store removes its row */
    SESSION__STATES
};

/* reseal.c: how far the sealing with another key has come */
enum session_reseal_state {
    SESSION_RESEAL_DONE,
    SESSION_RESEAL_DRAIN, /* what older keys sealed may still be on its way to the store */
    SESSION_RESEAL_PASS   /* looking at one row after the other */
};

struct session_reseal {
    enum session_reseal_state state;
    unsigned generation;               /* of the keys it works for */
    uint64_t cursor;                   /* of the store's scan */
    bool at_end, again;                /* again: an older key's row was met after the end */
    uint64_t seen, unreadable, failed; /* rows of this pass */
    uint64_t damaged;                  /* places of the store, since the last row */
    uint64_t rewritten;
    unsigned waiting; /* writes that the store has not answered */
    size_t bytes;     /* looked at in this tick */
    int64_t not_before_s;
    bool keys_failed;
};

struct session_table {
    struct session_cfg cfg;
    struct map by_id;
    struct list by_state[SESSION__STATES];
    uint32_t count[SESSION__STATES];
    uint32_t unstored;        /* resident, not yet in the store */
    struct session *unpacked; /* the first of the idle ones that pack.c has not seen */
    struct budget total;
    struct buf plain; /* of a row being read; reused */
    struct memory_sample sample;
    uint64_t footprint;
    int64_t now_s;   /* of the newest call that told the time */
    bool refuse;     /* nobody is admitted: the container is under pressure */
    int64_t swept_s; /* last look for expired ones at admission */
    int64_t expire_before_s;
    bool expiring;        /* the store is removing rows */
    struct list removals; /* struct session_removal: who waits for an end by hand */
    struct session_reseal reseal;
    struct session_stats stats;
};

/* table.c */
void session__move(struct session *s, enum session_state to);
struct session *session__new(struct session_table *t, const char *id);
/* Out of the table and of memory. Nobody may wait for it. */
void session__close(struct session *s, enum session_end why);
/*
 * Wipe an idle session and move it into a block of its own that has room for so many bytes of
 * its region, too. NULL, and nothing was changed, when there is no memory or budget for both.
 */
struct session *session__settle(struct session *s, size_t bytes) MUST_USE;
size_t session__block_size(const struct session *s, size_t bytes);
size_t session__own_bytes(const struct session *s); /* charged for its block and its region */
/* Empty the region: no history, no keys, no agent's state. */
void session__wipe(struct session *s);

/* rider.c: it leaves memory */
void session__put_off(struct session *s);

/* open.c: its queue is not empty, or it was ended */
void session__load(struct session *s, int64_t now_s);
/* Nobody who waits now gets this session: empty its queue, then tell them all. */
void session__turn_away(struct session *s, const struct err *e);

/* commit.c: after the use of table->plain, which one large session must not keep large */
void session__plain_done(struct session_table *t);

/* admit.c: 0, or -1 with the reason in *e and counted */
int session__admit(struct session_table *t, bool fresh, int64_t now_s, struct err *e) MUST_USE;

/* hibernate.c: let one idle session leave memory; false when none may */
bool session__make_room(struct session_table *t) MUST_USE;

/* pack.c: idle sessions into as few bytes as they need; soon: `s` may be gone afterwards */
void session__pack_soon(struct session *s);
void session__pack_tick(struct session_table *t);
void session__packed(struct session_table *t, const struct session *s); /* passed by */

/* remove.c: nobody holds it (any more): out of memory, and its row out of the store */
void session__remove(struct session *s);
/* It was ended while its row was read: true when that is taken care of. */
bool session__removed_unread(struct session *s, bool stored, const struct err *failed);

/* expire.c */
bool session__expired(const struct session_table *t, int64_t used_s, int64_t now_s);
void session__sweep(struct session_table *t, int64_t now_s);

/* reseal.c */
void session__reseal_tick(struct session_table *t, int64_t now_s);
uint64_t session__reseal_pending(const struct session_table *t);
/* Seal a provider's key with the current one, in its place: the length stays the same. */
void session__reseal_secret(struct session_table *t, const char *id, uint8_t *sealed,
                            size_t len);

/* codec.c: the same for all that are in a session's plain form */
int session__reseal_plain(struct session_table *t, const char *id, char *plain, size_t len,
                          struct err *e) MUST_USE;

/* history.c: link a message at the end; NULL when the budget refuses */
#define SESSION_MARK_MAX 0x7f
struct session_message *session__append(struct session *s, bool from_person, struct str text);
/* keys: a secret of this length, uninitialised */
struct session_secret *session__secret(struct session *s, const void *data, size_t len);

/* codec.c: the durable form (plain, before sealing); versioned, see the top of codec.c */
void session_encode(const struct session *s, struct buf *out);
int session_decode(struct session *s, const void *data, size_t len, struct err *e) MUST_USE;

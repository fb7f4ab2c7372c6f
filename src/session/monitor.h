/*
 * monitor: what an operator may see of sessions, and do to one by hand. A part of session.h,
 * which includes it; figures only, never a word of a conversation, an order or a key. Nothing
 * here wakes a session, and looking at one is no use of it.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct session_table;

/* monitor.c */

struct session_figures {
    const char *id;    /* borrowed: as long as the session lies in memory */
    const char *state; /* loading, idle, busy, ending */
    size_t used, peak; /* bytes; the most since it is in memory */
    size_t budget;
    uint64_t refused; /* charges that did not fit the budget, since it is in memory */
    uint64_t version; /* of its row; 0: not stored yet */
    uint32_t turns, messages, folded, waiters;
    int64_t created_s, used_s; /* unix time; 0: not known yet (loading) */
    int64_t age_s, idle_s;     /* since then; a busy one is not idle */
    int64_t expires_in_s;      /* when nobody uses it any more */
};

/* What lies in memory under this id, or NULL. To be read there and then, whoever holds it. */
const struct session *session_peek(const struct session_table *t, const char *id);
void session_figures(const struct session *s, int64_t now_s, struct session_figures *ret);

struct session_totals {
    uint32_t idle, busy, loading, ending;
    uint64_t resident;   /* idle and busy */
    uint64_t hibernated; /* in the store and not in memory here */
    uint64_t stored;     /* in the store, other containers' too */
    uint32_t max_resident;
    uint64_t used, reserved; /* bytes of all resident ones: charged now, and their budgets */
    size_t budget;           /* of one */
};

void session_totals(const struct session_table *t, struct session_totals *ret);

enum session_sort { SESSION_BY_MEMORY, SESSION_BY_IDLE, SESSION_BY_AGE, SESSION_SORT__COUNT };
const char *session_sort_text(enum session_sort by);
const char *session_state_text(unsigned i); /* the i-th that a session in memory can have */

struct session_query {
    enum session_sort by;
    bool ascending;       /* the smallest first, instead of the largest */
    const char *state;    /* only these; NULL: all */
    const char *after_id; /* go on behind this place in the order; NULL: from its beginning */
    int64_t after;        /* session_place() of that one, then */
    size_t most;          /* room in *ret */
};

/*
 * The first of those in memory, in order; equals in the order of their ids, so that a listing
 * can be paged. One pass, no allocation. Returns how many; *ret_matched is how many there are
 * in all, before the place and behind it.
 */
size_t session_list(const struct session_table *t, const struct session_query *q,
                    const struct session **ret, size_t *ret_matched);
/* Where a session stands in that order, but for its id. */
int64_t session_place(const struct session *s, enum session_sort by);

/* What the store knows of a session that is not in memory. */
struct session_stored {
    uint64_t version;
    size_t bytes; /* sealed */
    int64_t used_s, idle_s, expires_in_s;
};

/* `told` is called once, perhaps inside: NULL and no error when there is none. */
struct session_ask {
    void (*told)(struct session_ask *a, const struct session_stored *row, const struct err *e);
    const struct session_table *table; /* private, from here on */
    int64_t now_s;
};

void session_ask_store(struct session_table *t, const char *id, int64_t now_s,
                       struct session_ask *a);

/* hibernate.c: one by hand. ERR_NOT_FOUND: not in memory; ERR_IN_USE: somebody holds it. */
int session_hibernate_one(struct session_table *t, const char *id, struct err *e) MUST_USE;

/*
 * remove.c: end a session for good, in memory and in the store, whether it can be read or not.
 * A turn that holds it ends first, as it would have; whoever waits behind that turn is told
 * ERR_ENDED, and who comes later begins anew. `done` is called once, perhaps inside: without
 * an error when it is gone, ERR_NOT_FOUND when there was none.
 */
struct session_removal {
    struct list link;
    void (*done)(struct session_removal *r, const struct err *e);
    struct session *session; /* private: whose end it waits for */
};

void session_remove(struct session_table *t, const char *id, int64_t now_s,
                    struct session_removal *r);
/* Do not tell; the session ends all the same. Only before `done` was called. */
void session_removal_cancel(struct session_removal *r);

/*
 * Packing. A session that grew by a turn lies in chunks with room to spare and with what was
 * replaced left behind. When it becomes idle it is built anew from its own durable form, in one
 * block of just the right size with its record, and stays resident: a small one at once, so
 * that what it leaves behind serves the next session's turn; a larger one when nobody has used
 * it for a while. A very large one never: its chunks are full but for the last, and it would
 * take the loop's time.
 */
#include "session/session.h"

#include "session/session_int.h"

#include <string.h>

#define SMALL ((size_t)16 * 1024)
#define LARGE ((size_t)256 * 1024)
#define PACK_AFTER_S 10 /* idle for so long */
#define PACK_PER_TICK 256
#define WORTH 64 /* bytes; below, it stays as it is */
#define PACK_BYTES_PER_TICK ((size_t)4 << 20)

/* Bytes of a region that the plain form takes when it is read; 0: it cannot be. */
static size_t measure(struct session *s)
{
    const struct buf *plain = &s->table->plain;
    const struct session before = *s;
    struct budget uncounted;
    struct err e;

    budget_init(&uncounted, s->budget.limit, NULL);
    region_init(&s->region, &uncounted, plain->len);
    session__wipe(s);
    bool fine = session_decode(s, plain->data, plain->len, &e) == 0;
    size_t used = region_used(&s->region);
    region_release(&s->region);
    memcpy(s, &before, offsetof(struct session, id));
    return fine ? used : 0;
}

static void pack(struct session *s)
{
    struct session_table *t = s->table;
    uint32_t turns = s->turns;
    struct err e;

    if (s->region.held > LARGE || s->riders || session__own_bytes(s) != s->budget.used)
        return; /* or somebody else charges its budget, and knows where it is */
    buf_clear(&t->plain);
    session_encode(s, &t->plain);
    size_t need = t->plain.full ? 0 : measure(s);
    if (need == 0 || s->budget.used <= session__block_size(s, need) + WORTH)
        return;
    s = session__settle(s, need);
    if (!s)
        return;
    if (session_decode(s, t->plain.data, t->plain.len, &e) == 0)
        MUST(s->turns == turns);
    else
        session__close(s, SESSION_END_ROOM); /* memory was refused; the row is there */
}

void session__pack_soon(struct session *s)
{
    size_t held = s->region.held;

    if (held <= SMALL && held - region_used(&s->region) > held / 4)
        pack(s);
}

void session__pack_tick(struct session_table *t)
{
    size_t bytes = 0;

    for (unsigned n = 0; t->unpacked && n < PACK_PER_TICK && bytes < PACK_BYTES_PER_TICK; n++) {
        struct session *s = t->unpacked;
        if (t->now_s - s->idle_since_s < PACK_AFTER_S)
            break;
        session__packed(t, s);
        bytes += s->region.held;
        pack(s);
    }
    session__plain_done(t);
}

/* Those before `unpacked` in the list of idle ones are packed; new ones come at its end. */
void session__packed(struct session_table *t, const struct session *s)
{
    const struct list *idle = &t->by_state[SESSION_IDLE];

    if (t->unpacked != s)
        return;
    t->unpacked = s->link.next == idle ? NULL : LIST_ITEM(s->link.next, struct session, link);
}

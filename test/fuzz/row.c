/*
 * A stored row, all the way in: from the store through the seal and the codec to a session, or
 * to an error that says why not. The first byte of the input says what the rest is.
 */
#include "session/codec.c"

#include "agent/agent.h"
#include "seal/seal.h"
#include "session/session_int.h"
#include "unit/session/fake_store.h"

#include <stdio.h>

#define ID "sess_a-row-to-fuzz"
#define NOW_S 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum what {
    SEALED = 0,   /* the row itself */
    PLAIN = 1,    /* what is sealed in it */
    CHANGED = 2,  /* the same, and one bit of the row is another; two bytes say which */
    CUT = 3,      /* the same, and the row ends early; two bytes say where */
    ELSEWHERE = 4 /* what is sealed in the row of another session */
};
#define WHATS 5

struct asked {
    struct session_wait wait;
    struct session *s;
    struct err e;
    int calls;
};

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    struct asked *a = LIST_ITEM(w, struct asked, wait);

    a->calls++;
    a->s = s;
    if (e)
        a->e = *e;
}

static void on_commit(void *ctx, const struct err *e)
{
    MUST(!e);
    *(int *)ctx += 1;
}

static const struct seal *the_seal(void)
{
    static struct seal *seal;
    struct err e;

    if (!seal)
        MUST(seal_new("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "/", NULL, &seal, &e) ==
             0);
    return seal;
}

static struct session_table *table(void)
{
    const struct session_cfg cfg = {.budget = 65536,
                                    .max_resident = 2,
                                    .max_waiters = 2,
                                    .expiry_s = 60,
                                    .hibernate_s = 30,
                                    .threshold = 0.8,
                                    .state_ops = agent_state_ops(),
                                    .seal = (struct seal *)(uintptr_t)the_seal()};
    struct session_table *t;
    struct err e;

    MUST(session_table_new(&cfg, &t, &e) == 0);
    return t;
}

static void ask(struct session_table *t, enum session_mode mode, struct asked *a)
{
    *a = (struct asked){.wait = {.ready = on_ready}};
    session_open(t, ID, mode, NOW_S, &a->wait);
    MUST(a->calls == 1);
}

static void put_row(const void *data, size_t len)
{
    struct fake_row *r = fake_add(ID);

    r->version = 7;
    r->used_s = NOW_S - 1;
    r->len = len;
    r->data = malloc(len ? len : 1); /* of exactly this size, so that ASan sees each step */
    MUST(r->data);
    if (len)
        memcpy(r->data, data, len);
}

/* Returns whether the row is as we would have written it. */
static bool make_row(const uint8_t *data, size_t size)
{
    enum what what = size ? data[0] % WHATS : SEALED;
    struct buf row = BUF_INIT;
    size_t place = 0;

    data += size > 0;
    size -= size > 0;
    if ((what == CHANGED || what == CUT) && size >= 2) {
        place = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
    }
    if (what == SEALED)
        buf_add(&row, data, size);
    else
        seal_lock(the_seal(), what == ELSEWHERE ? "another" : ID, data, size, &row);
    if (what == CHANGED)
        row.data[place / 8 % row.len] ^= (char)(1 << place % 8);
    if (what == CUT)
        row.len = place % row.len;
    put_row(row.data, row.len);
    buf_release(&row);
    return what == PLAIN;
}

/* What was read is written, forgotten, read again, and is the same. */
static void survives(struct session *s)
{
    struct buf before = BUF_INIT, after = BUF_INIT;
    struct session_table *t = s->table;
    struct asked a;
    struct err e;
    int committed = 0;

    session_encode(s, &before);
    if (session_commit(s, NOW_S, on_commit, &committed, &e) < 0) {
        MUST(e.code == ERR_SESSION_MEMORY);
        session_leave(s);
        buf_release(&before);
        return;
    }
    fake_reap();
    MUST(committed == 1 && s->version == 8);
    session_leave(s); /* which may move it */
    session__close(LIST_ITEM(list_first(&t->by_state[SESSION_IDLE]), struct session, link),
                   SESSION_END_IDLE);
    ask(t, SESSION_CREATE, &a);
    MUST(a.s && a.s->version == 8);
    session_encode(a.s, &after);
    MUST(before.len == after.len && memcmp(before.data, after.data, after.len) == 0);
    session_leave(a.s);
    buf_release(&before);
    buf_release(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session_table *t = table();
    struct asked a;
    bool ours = make_row(data, size);

    ask(t, SESSION_CREATE, &a);
    if (a.s) {
        MUST(ours && a.s->version == 7 && a.s->budget.used <= a.s->budget.limit);
        survives(a.s);
    } else {
        MUST(a.e.code == ERR_CORRUPT || a.e.code == ERR_NEWER ||
             a.e.code == ERR_SESSION_MEMORY);
        MUST((a.e.code == ERR_CORRUPT || ours) && a.e.msg[0]);
        MUST(t->total.used == 0 && t->by_id.count == 0);
        /* Who asks for it begins anew, but not over what a newer program wrote. */
        enum err_code before = a.e.code;
        ask(t, SESSION_RENEW, &a);
        MUST((a.s != NULL) == (before != ERR_NEWER));
        if (a.s) {
            MUST(a.s->message_count == 0 && a.s->version == 7);
            survives(a.s);
        }
    }
    session_table_free(&t);
    fake_clear();
    return 0;
}

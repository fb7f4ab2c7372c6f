/*
 * The stored form of a session: any bytes decode, or are refused with a reason, within the
 * budget. What decoded can be folded by rule, and its summary is text within its bounds.
 */
#include "session/codec.c"

#include "agent/agent_int.h"
#include "seal/seal.h"
#include "session/session_int.h"
#include "unit/session/fake_store.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct session *held;

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    (void)w;
    (void)e;
    held = s;
}

static void fold(void)
{
    static struct fold_rules *rules;
    struct str before = {held->summary, held->summary_len};
    uint32_t count = held->message_count / 2, folded = held->folded_count;
    size_t max = session_summary_max(held);
    struct buf text = BUF_INIT, shown = BUF_INIT;
    struct err e = {.msg = ""};

    if (!rules)
        rules = fold__rules_new();
    MUST(fold__by_rule(rules, before, held->first, count, max, &text));
    MUST(text.len <= max && utf8_valid_prefix(text.data, text.len) == text.len);
    if (session_fold(held, count, (struct str){text.data, text.len}, &e) == 0) {
        MUST(held->folded_count == folded + count && held->summary_len == text.len);
        agent_summary(held, &shown);
        MUST(!shown.full && utf8_valid_prefix(shown.data, shown.len) == shown.len);
    } else {
        MUST(e.code == ERR_SESSION_MEMORY);
    }
    buf_release(&text);
    buf_release(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session_cfg cfg = {.budget = 65536,
                              .max_resident = 1,
                              .max_waiters = 1,
                              .expiry_s = 60,
                              .hibernate_s = 300,
                              .threshold = 0.8,
                              .state_ops = agent_state_ops()};
    struct session_wait w = {.ready = on_ready};
    struct session_table *t;
    struct buf again = BUF_INIT;
    struct err e;

    if (session_table_new(&cfg, &t, &e) < 0)
        abort();
    session_open(t, "fuzz", SESSION_CREATE, 1, &w);
    session__wipe(held);
    if (session_decode(held, data, size, &e) == 0) {
        session_encode(held, &again); /* what was read can be written, and read again */
        session__wipe(held);
        if (session_decode(held, again.data, again.len, &e) < 0)
            abort();
        fold();
    } else if (!e.msg[0]) {
        abort();
    }
    if (held->budget.used > held->budget.limit)
        abort();
    buf_release(&again);
    session_revert(held, 1);
    session_table_free(&t);
    return 0;
}

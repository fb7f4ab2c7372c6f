/* Versions of the stored form, and the summary that came with the second. */
#include "session/codec.c"

#include "unit/session/fake_store.h"
#include "unit/tap.h"

#include "base/log.h"
#include "seal/seal.h"

static struct seal *the_seal;
static int64_t now_s = 1000000;

/* The agent of these tests keeps one number. */
static void *state_make(struct region *r)
{
    return region_alloc(r, sizeof(uint64_t));
}

static void state_encode(const void *state, struct buf *out)
{
    wire_put_uint(out, *(const uint64_t *)state);
}

static void *state_decode(struct region *r, const void *data, size_t len, struct err *e)
{
    uint64_t *n = region_alloc(r, sizeof(*n));
    struct wire w = wire_read(data, len);

    if (n)
        *n = wire_uint(&w);
    if (!n || w.bad) {
        err_set(e, ERR_CORRUPT, 0, "not a number");
        return NULL;
    }
    return n;
}

static const struct session_state_ops state_ops = {state_make, state_encode, state_decode};

static struct session_table *table_with(size_t budget, uint32_t max)
{
    struct session_cfg cfg = {
        .budget = budget,
        .max_resident = max,
        .expiry_s = 3600,
        .hibernate_s = 300,
        .max_waiters = 4,
        .policy = SESSION_RESERVED,
        .threshold = 0.8,
        .state_ops = &state_ops,
        .seal = the_seal,
        .seed = 7,
    };
    struct session_table *t;
    struct err e;

    fake_clear();
    CHECK(session_table_new(&cfg, &t, &e) == 0);
    return t;
}

struct waiter {
    struct session_wait wait;
    struct session *s;
    int calls;
    enum err_code code;
};

static void on_test_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    struct waiter *me = LIST_ITEM(w, struct waiter, wait);

    me->calls++;
    me->s = s;
    me->code = e ? e->code : ERR_NONE;
}

static void ask(struct session_table *t, const char *id, enum session_mode mode,
                struct waiter *w)
{
    *w = (struct waiter){.wait = {.ready = on_test_ready}};
    session_open(t, id, mode, now_s, &w->wait);
}

struct commit_result {
    int calls;
    enum err_code code;
};

static void on_test_commit(void *ctx, const struct err *e)
{
    struct commit_result *r = ctx;

    r->calls++;
    r->code = e ? e->code : ERR_NONE;
}

/* Say something and commit it; the error code. The session stays held. */
static enum err_code turn(struct session *s, const char *person, const char *maya)
{
    struct commit_result r = {0};
    struct err e = {.code = ERR_NONE};

    if (!session_say(s, str_of(person), str_of(maya)))
        return ERR_SESSION_MEMORY;
    if (session_commit(s, now_s, on_test_commit, &r, &e) < 0)
        return e.code;
    CHECK_INT(r.calls, 0);
    fake_reap();
    CHECK_INT(r.calls, 1);
    return r.code;
}

static int decode_again(struct session *s, const struct buf *plain, struct err *e)
{
    session__wipe(s);
    return session_decode(s, plain->data, plain->len, e);
}

/* What a version does not know is corruption in it, and a summary has bounds of its own. */
static void test_versions(void)
{
    struct session_table *t = table_with(1 << 20, 4);
    struct buf plain = BUF_INIT;
    char text[SESSION_SUMMARY_MAX + 1];
    struct waiter w;
    struct err e;

    ask(t, "me", SESSION_CREATE, &w);
    CHECK_INT(turn(w.s, "hello", "there"), ERR_NONE);
    session_encode(w.s, &plain);
    size_t bare = plain.len;
    CHECK_INT(session_fold(w.s, 2, str_of("said hello"), &e), 0);
    CHECK(w.s->message_count == 0 && w.s->folded_count == 2 && !w.s->first && !w.s->last);
    CHECK(str_eq((struct str){w.s->summary, w.s->summary_len}, "said hello"));
    CHECK_INT(turn(w.s, "and", "so on"), ERR_NONE);
    buf_clear(&plain);
    session_encode(w.s, &plain);
    CHECK_INT(plain.data[2], 2);
    CHECK_INT(decode_again(w.s, &plain, &e), 0);
    CHECK(str_eq((struct str){w.s->summary, w.s->summary_len}, "said hello"));
    plain.data[2] = 1; /* this version had no summary */
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_CORRUPT);
    plain.data[2] = 3;
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_NEWER);
    plain.data[2] = 2;
    size_t whole = plain.len;
    wire_put_field(&plain, TAG_SUMMARY, "twice", 5);
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_CORRUPT);
    plain.len = whole;
    wire_put_field(&plain, TAG_SUMMARY + 1, "of a version to come", 20);
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_CORRUPT);
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 3; i++) {
        const size_t lens[] = {0, SESSION_SUMMARY_MAX, SESSION_SUMMARY_MAX + 1};
        session__wipe(w.s);
        CHECK(session_reset(w.s, &e) == 0);
        buf_clear(&plain);
        session_encode(w.s, &plain);
        CHECK(plain.len < bare); /* what was not folded has no summary, nor a byte for one */
        wire_put_field(&plain, TAG_SUMMARY, text, lens[i]);
        CHECK_INT(decode_again(w.s, &plain, &e), i == 1 ? 0 : -1);
    }
    plain.len -= sizeof(text) + 3;
    wire_put_field(&plain, TAG_SUMMARY, "caf\xc3", 4);
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_CORRUPT);
    buf_release(&plain);
    session_revert(w.s, now_s);
    session_table_free(&t);
}

/* A newer container wrote it: refused politely, whatever is asked for, and left as it is. */
static void test_a_newer_row(void)
{
    static const enum session_mode modes[] = {SESSION_CREATE, SESSION_RENEW, SESSION_LOOK};
    struct session_table *t = table_with(65536, 4);
    struct session_cfg cfg = t->cfg;
    struct buf plain = BUF_INIT, sealed = BUF_INIT;
    struct session_stats st;
    struct waiter w;
    struct err e;

    ask(t, "me", SESSION_CREATE, &w);
    CHECK_INT(turn(w.s, "hello", "there"), ERR_NONE);
    session_encode(w.s, &plain);
    session_leave(w.s);
    session_table_free(&t);
    plain.data[2] = 3;
    wire_put_field(&plain, 11, "of a version to come", 20);
    seal_lock(the_seal, "me", plain.data, plain.len, &sealed);
    struct fake_row *row = fake_find("me");
    free(row->data);
    row->len = sealed.len;
    row->data = buf_detach(&sealed);
    CHECK(session_table_new(&cfg, &t, &e) == 0);
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        ask(t, "me", modes[i], &w);
        CHECK(!w.s && w.code == ERR_NEWER);
    }
    CHECK(row == fake_find("me") && row->version == 1);
    CHECK_INT(fake.queued, 0);
    session_stats(t, &st);
    CHECK_INT(st.unreadable, 3);
    CHECK_INT(st.used, 0);
    buf_release(&plain);
    session_table_free(&t);
}

static void test_summary_is_bounded_by_the_budget(void)
{
    struct session_table *small = table_with(16384, 4), *large;
    struct session_cfg cfg = small->cfg;
    struct waiter w;
    struct err e;

    ask(small, "me", SESSION_CREATE, &w);
    CHECK_INT(session_summary_max(w.s), 1024);
    session_leave(w.s);
    session_table_free(&small);
    cfg.budget = 50 << 20;
    CHECK(session_table_new(&cfg, &large, &e) == 0);
    ask(large, "me", SESSION_CREATE, &w);
    CHECK_INT(session_summary_max(w.s), SESSION_SUMMARY_MAX);
    session_leave(w.s);
    session_table_free(&large);
}

static const struct tap_case cases[] = {
    {"versions of the stored form", test_versions},
    {"a row of a newer version", test_a_newer_row},
    {"a summary is bounded by the budget", test_summary_is_bounded_by_the_budget},
};

int main(void)
{
    struct err e;

    log_setup(LOG_ERROR, false);
    if (seal_new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "/nonexistent", NULL,
                 &the_seal, &e) < 0) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    int rc = tap_run(cases, (int)ARRAY_LEN(cases));
    fake_clear();
    seal_free(&the_seal);
    return rc;
}

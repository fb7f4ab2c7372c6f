/* Versions of the stored form, and the summary that came with the second. */
#include "session/codec.c"

#include "unit/session/life.h"

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
    CHECK_INT(plain.data[2], FORMAT_VERSION);
    CHECK_INT(decode_again(w.s, &plain, &e), 0);
    CHECK(str_eq((struct str){w.s->summary, w.s->summary_len}, "said hello"));
    plain.data[2] = 1; /* this version had no summary */
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_CORRUPT);
    plain.data[2] = FORMAT_VERSION + 1;
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_NEWER);
    plain.data[2] = FORMAT_VERSION;
    size_t whole = plain.len;
    wire_put_field(&plain, TAG_SUMMARY, "twice", 5);
    CHECK(decode_again(w.s, &plain, &e) < 0 && e.code == ERR_CORRUPT);
    plain.len = whole;
    wire_put_field(&plain, last_tag[FORMAT_VERSION] + 1, "of a version to come", 20);
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
    plain.data[2] = FORMAT_VERSION + 1;
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

SEALED_MAIN(cases)

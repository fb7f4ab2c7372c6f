/* What a change of the master key does to sessions, stored and in memory. */
#include "session/reseal.c"

#include "unit/session/fake_store.h"
#include "unit/tap.h"

#include "base/alloc.h"
#include "base/wire.h"

#include <stdio.h>
#include <unistd.h>

#define GEMINI "AIza-a-key-of-a-person"
#define CARTESIA "sk_car_another"

static char folder[64];
static struct seal *server, *person; /* one that runs, and `maya key` */
static struct session_table *table;
static int64_t now_s = 1000000;
static char logged[8192];

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

static void on_log(const char *line)
{
    size_t n = strlen(logged);

    snprintf(logged + n, sizeof(logged) - n, "%s\n", line);
}

static void begin_test(void)
{
    struct err e;

    snprintf(folder, sizeof(folder), "/tmp/maya-reseal-XXXXXX");
    MUST(mkdtemp(folder));
    MUST(seal_new(NULL, folder, NULL, &server, &e) == 0);
    MUST(seal_hold(server, &e) == 0);
    MUST(seal_new(NULL, folder, NULL, &person, &e) == 0);
    const struct session_cfg cfg = {.budget = 4 << 20,
                                    .max_resident = 300,
                                    .expiry_s = 3600,
                                    .hibernate_s = 300,
                                    .max_waiters = 4,
                                    .policy = SESSION_RESERVED,
                                    .threshold = 0.8,
                                    .state_ops = &state_ops,
                                    .seal = server,
                                    .seed = 7};
    MUST(session_table_new(&cfg, &table, &e) == 0);
    fake_clear();
    logged[0] = '\0';
    log_sink(on_log);
}

static void end_test(void)
{
    session_table_free(&table);
    fake_clear();
    for (unsigned i = 0; i < seal_key_count(person); i++) {
        struct seal_key_info k;
        seal_key_info(person, i, &k);
        char *path = xprintf("%s/%s", folder, k.file);
        unlink(path);
        free(path);
    }
    char *path = xprintf("%s/master.lock", folder);
    unlink(path);
    free(path);
    rmdir(folder);
    seal_free(&server);
    seal_free(&person);
    log_sink(NULL);
    CHECK(!strstr(logged, GEMINI) && !strstr(logged, CARTESIA));
}

struct waiter {
    struct session_wait wait;
    struct session *s;
    enum err_code code;
};

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    struct waiter *me = LIST_ITEM(w, struct waiter, wait);

    me->s = s;
    me->code = e ? e->code : ERR_NONE;
}

static struct session *open_one(const char *id)
{
    struct waiter w = {.wait = {.ready = on_ready}};

    session_open(table, id, SESSION_CREATE, now_s, &w.wait);
    CHECK_INT(w.code, ERR_NONE);
    MUST(w.s);
    return w.s;
}

static void on_commit(void *ctx, const struct err *e)
{
    enum err_code *code = ctx;

    *code = e ? e->code : ERR_NONE;
}

static enum err_code commit_code;

/* Say something and ask for its commit. */
static void speak(struct session *s, const char *text)
{
    struct err e;

    CHECK(session_say(s, str_of(text), str_of("certainly")));
    commit_code = ERR__COUNT;
    CHECK_INT(session_commit(s, now_s, on_commit, &commit_code, &e), 0);
}

static void turn(const char *id, const char *text)
{
    struct session *s = open_one(id);

    speak(s, text);
    fake_reap();
    CHECK_INT(commit_code, ERR_NONE);
    session_leave(s);
}

static void make_some(int n)
{
    char id[16];

    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        struct session *s = open_one(id);
        CHECK_INT(session_set_keys(s, str_of(GEMINI), str_of(CARTESIA), NULL), 0);
        speak(s, id);
        fake_reap();
        session_leave(s);
    }
}

/* All of them leave memory; what comes next is read from its row. */
static void hibernate_all(void)
{
    now_s += 301;
    session_tick(table, now_s);
    fake_reap();
    CHECK_INT(table->count[SESSION_IDLE], 0);
}

static void rotate_now(void)
{
    struct err e = {0};

    CHECK_INT(seal_rotate(person, &e), 0);
}

static void ticks(int n)
{
    while (n--) {
        session_tick(table, now_s);
        fake_reap();
    }
}

static bool current(const char *id)
{
    const struct fake_row *r = fake_find(id);

    return seal_current(person, r->data, r->len);
}

static bool secret_is(struct session *s, const struct session_secret *secret, const char *want)
{
    struct buf plain = BUF_INIT;
    struct err e;
    bool right = secret && seal_current(person, secret->data, secret->len) &&
                 seal_unlock(person, s->id, secret->data, secret->len, &plain, &e) == 0 &&
                 strcmp(buf_text(&plain), want) == 0;

    buf_release(&plain);
    return right;
}

static struct session_stats stats(void)
{
    struct session_stats st;

    session_stats(table, &st);
    return st;
}

static void test_every_row_gets_the_new_key(void)
{
    char id[16];

    begin_test();
    make_some(20);
    hibernate_all();
    rotate_now();
    CHECK(!current("s0"));
    ticks(4);
    CHECK_INT(stats().resealed, 20);
    CHECK_INT(stats().reseal_pending, 0);
    CHECK_INT(stats().reseal_unreadable, 0);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        CHECK(current(id));
        CHECK_INT(fake_find(id)->version, 1);
        CHECK_INT(fake_find(id)->used_s, now_s - 301);
        struct session *s = open_one(id);
        CHECK_STR(s->first->text, id);
        CHECK(secret_is(s, s->gemini, GEMINI));
        CHECK(secret_is(s, s->cartesia, CARTESIA));
        session_leave(s);
    }
    CHECK(strstr(logged, "session reseal key="));
    CHECK(strstr(logged, "older=1 sessions=20"));
    CHECK(strstr(logged, "sessions=20 sealed=20 unreadable=0"));
    ticks(3);
    CHECK_INT(stats().resealed, 20); /* done is done */
    rotate_now();
    ticks(4);
    CHECK_INT(stats().resealed, 40);
    end_test();
}

static void test_one_key_is_no_work(void)
{
    begin_test();
    make_some(3);
    session_tick(table, now_s);
    CHECK_INT(fake.queued, 0);
    CHECK_INT(stats().reseal_pending, 0);
    CHECK(!strstr(logged, "reseal"));
    end_test();
}

static void test_who_talks_does_not_notice(void)
{
    begin_test();
    turn("me", "one");
    rotate_now();
    ticks(4);
    CHECK(current("me"));
    CHECK_INT(stats().resealed, 1);
    turn("me", "two"); /* the session in memory still holds the row's version */
    CHECK_INT(fake_find("me")->version, 2);
    CHECK_INT(stats().conflicts, 0);
    hibernate_all();
    struct session *s = open_one("me");
    CHECK_INT(s->turns, 2);
    session_leave(s);
    end_test();
}

/* The turn was asked of the store first, but is not there yet when the rows are looked at. */
static void test_a_turn_on_its_way_wins(void)
{
    begin_test();
    turn("me", "one");
    struct session *s = open_one("me");
    rotate_now();
    ticks(1); /* what older keys sealed has come to the store */
    CHECK_INT(table->reseal.state, SESSION_RESEAL_PASS);
    speak(s, "two");
    session_tick(table, now_s);
    CHECK_INT(fake.queued, 2);
    fake_reap();
    CHECK_INT(commit_code, ERR_NONE);
    CHECK_INT(fake_find("me")->version, 2);
    CHECK_INT(stats().resealed, 0);
    CHECK(current("me"));
    session_leave(s);
    ticks(2);
    CHECK_INT(stats().reseal_pending, 0);
    hibernate_all();
    s = open_one("me");
    CHECK_STR(s->first->next->next->text, "two");
    session_leave(s);
    end_test();
}

/* The other way round: the row is sealed again while the turn is being answered. */
static void test_a_turn_after_it_is_no_conflict(void)
{
    begin_test();
    turn("me", "one");
    struct session *s = open_one("me");
    rotate_now();
    ticks(1);
    session_tick(table, now_s);
    speak(s, "two");
    fake_reap();
    CHECK_INT(commit_code, ERR_NONE);
    CHECK_INT(stats().resealed, 1);
    CHECK_INT(fake_find("me")->version, 2);
    session_leave(s);
    end_test();
}

static void test_a_commit_carries_the_new_key(void)
{
    begin_test();
    make_some(1);
    rotate_now();
    struct session *s = open_one("s0"); /* in memory since before */
    CHECK_INT(seal_refresh(server, NULL), 0);
    speak(s, "again");
    fake_reap();
    CHECK(secret_is(s, s->gemini, GEMINI));
    CHECK(secret_is(s, s->cartesia, CARTESIA));
    CHECK(current("s0"));
    session_leave(s);
    hibernate_all();
    s = open_one("s0");
    CHECK(secret_is(s, s->gemini, GEMINI)); /* and stored that way */
    session_leave(s);
    end_test();
}

static void test_what_cannot_be_opened_stays(void)
{
    struct seal *stranger;
    struct buf other = BUF_INIT, newer = BUF_INIT;
    struct err e;

    begin_test();
    make_some(6);
    hibernate_all();
    struct fake_row *damaged = fake_find("s1"), *foreign = fake_find("s2"),
                    *future = fake_find("s3"), *stub = fake_find("s4");
    ((uint8_t *)damaged->data)[60] ^= 1;
    MUST(seal_new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "/nonexistent", NULL,
                  &stranger, &e) == 0);
    seal_lock(stranger, "s2", "MS\1", 3, &other);
    seal_lock(server, "s3", "MS\377what is to come", 18, &newer);
    free(foreign->data);
    foreign->len = other.len;
    foreign->data = buf_detach(&other);
    free(future->data);
    future->len = newer.len;
    future->data = buf_detach(&newer);
    stub->len = 3;
    size_t size = damaged->len;
    void *before = memcpy(malloc(size), damaged->data, size);
    rotate_now();
    ticks(4);
    CHECK_INT(stats().resealed, 2);
    CHECK_INT(stats().reseal_unreadable, 4);
    CHECK_INT(stats().reseal_pending, 0);
    CHECK(memcmp(damaged->data, before, size) == 0);
    CHECK(!current("s1") && !current("s2") && !current("s3"));
    CHECK(current("s0") && current("s5"));
    CHECK(strstr(logged, "warning session resealed"));
    CHECK(strstr(logged, "sealed=2 unreadable=4"));
    free(before);
    seal_free(&stranger);
    end_test();
}

static void test_a_store_that_fails_is_tried_again(void)
{
    begin_test();
    make_some(5);
    hibernate_all();
    rotate_now();
    ticks(1);
    fake.fail_puts = ERR_STORE;
    ticks(3);
    CHECK_INT(stats().resealed, 0);
    CHECK(stats().reseal_pending >= 5);
    CHECK(!current("s0"));
    fake.fail_puts = ERR_NONE;
    fake.fail_gets = ERR_STORE;
    now_s += RETRY_S;
    ticks(3);
    CHECK(strstr(logged, "reseal_failed"));
    fake.fail_gets = ERR_NONE;
    now_s += RETRY_S;
    ticks(3);
    CHECK_INT(stats().resealed, 5);
    CHECK_INT(stats().reseal_pending, 0);
    end_test();
}

static void test_a_damaged_place_is_passed_over(void)
{
    begin_test();
    make_some(20);
    hibernate_all();
    fake.damaged_at = 5;
    fake.damaged_to = 15;
    rotate_now();
    ticks(4);
    CHECK_INT(stats().resealed, 10);
    CHECK_INT(stats().reseal_unreadable, 10);
    CHECK_INT(stats().reseal_pending, 0);
    fake.damaged_at = 3;
    fake.damaged_to = FAKE_ROWS + DAMAGED_MOST; /* it never ends */
    rotate_now();
    ticks(3 + DAMAGED_MOST / ROWS_PER_TICK);
    CHECK_INT(stats().resealed, 13);
    CHECK_INT(stats().reseal_pending, 0);
    end_test();
}

static void test_each_tick_is_bounded(void)
{
    size_t large = 100000;
    char *text = xalloc(large + 1);
    char id[16];
    unsigned most = 0, worked = 0;

    begin_test();
    memset(text, 'x', large);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        turn(id, text);
    }
    hibernate_all();
    rotate_now();
    ticks(1);
    for (int i = 0; i < 100 && stats().reseal_pending; i++) {
        session_tick(table, now_s);
        most = fake.queued > most ? fake.queued : most;
        worked += fake.queued > 0;
        session_tick(table, now_s); /* nothing more before the store has answered */
        CHECK(fake.queued <= most);
        fake_reap();
    }
    CHECK_INT(most, BYTES_PER_TICK / large + 1);
    CHECK_INT(worked, 14);
    CHECK_INT(stats().resealed, 40);
    CHECK_INT(stats().reseal_pending, 0);
    free(text);
    end_test();
}

static void test_under_pressure_it_waits(void)
{
    const struct memory_sample sample = {.known = true, .limit = 1000, .used = 900};

    begin_test();
    make_some(2);
    hibernate_all();
    rotate_now();
    session_table_memory(table, &sample, 0, true);
    ticks(5);
    CHECK_INT(stats().resealed, 0);
    CHECK(stats().reseal_pending > 0);
    session_table_memory(table, &sample, 0, false);
    ticks(3);
    CHECK_INT(stats().resealed, 2);
    end_test();
}

/* A container that did not know yet has written with the older key behind our back. */
static void test_a_late_row_starts_it_again(void)
{
    begin_test();
    make_some(2);
    hibernate_all();
    const struct fake_row *late = fake_find("s1");
    size_t len = late->len;
    void *old = memcpy(malloc(len), late->data, len);
    rotate_now();
    ticks(4);
    CHECK_INT(stats().resealed, 2);
    free(fake_find("s1")->data);
    fake_find("s1")->data = old;
    fake_find("s1")->len = len;
    ticks(3);
    CHECK(!current("s1"));
    session_leave(open_one("s1"));
    ticks(4);
    CHECK(current("s1"));
    CHECK_INT(stats().resealed, 3);
    end_test();
}

/* The older key is released only when nothing sealed with it is on its way any more. */
static void test_the_old_key_is_held_until_its_writes_are_done(void)
{
    begin_test();
    turn("me", "one");
    struct session *s = open_one("me");
    speak(s, "two"); /* sealed with the old key, not committed */
    rotate_now();
    session_tick(table, now_s);
    session_tick(table, now_s);
    CHECK(seal_in_use(person, 1));
    fake_reap();
    CHECK_INT(commit_code, ERR_NONE);
    CHECK(!current("me"));
    CHECK(!seal_in_use(person, 1));
    session_leave(s);
    ticks(3);
    CHECK(current("me"));
    end_test();
}

/* A start finds what an end left half done: it looks at all rows, and seals what is left. */
static void test_a_start_goes_on(void)
{
    struct err e;

    begin_test();
    make_some(4);
    hibernate_all();
    rotate_now();
    ticks(4);
    rotate_now();
    CHECK_INT(seal_refresh(server, NULL), 0);
    turn("s2", "with the newest already");
    struct session_cfg cfg = table->cfg;
    session_table_free(&table);
    seal_free(&server);
    MUST(seal_new(NULL, folder, NULL, &server, &e) == 0);
    cfg.seal = server;
    MUST(session_table_new(&cfg, &table, &e) == 0);
    logged[0] = '\0';
    ticks(4);
    CHECK_INT(stats().resealed, 3);
    CHECK(strstr(logged, "sessions=4 sealed=3 unreadable=0"));
    end_test();
}

static void test_a_bad_key_file_is_told_once(void)
{
    begin_test();
    char *path = xprintf("%s/master.key", folder), *away = xprintf("%s/away", folder);
    MUST(rename(path, away) == 0);
    ticks(5);
    char *first = strstr(logged, "keys_not_read");
    CHECK(first && !strstr(first + 1, "keys_not_read"));
    turn("me", "it goes on");
    MUST(rename(away, path) == 0);
    ticks(1);
    MUST(rename(path, away) == 0);
    ticks(2);
    CHECK(first && strstr(first + 1, "keys_not_read"));
    MUST(rename(away, path) == 0);
    free(path);
    free(away);
    end_test();
}

static const struct tap_case cases[] = {
    {"every row gets the new key", test_every_row_gets_the_new_key},
    {"one key is no work", test_one_key_is_no_work},
    {"who talks does not notice", test_who_talks_does_not_notice},
    {"a turn on its way wins", test_a_turn_on_its_way_wins},
    {"a turn after it is no conflict", test_a_turn_after_it_is_no_conflict},
    {"a commit carries the new key", test_a_commit_carries_the_new_key},
    {"what cannot be opened stays", test_what_cannot_be_opened_stays},
    {"a store that fails is tried again", test_a_store_that_fails_is_tried_again},
    {"a damaged place is passed over", test_a_damaged_place_is_passed_over},
    {"each tick is bounded", test_each_tick_is_bounded},
    {"under pressure it waits", test_under_pressure_it_waits},
    {"a late row starts it again", test_a_late_row_starts_it_again},
    {"the old key is held until its writes are done",
     test_the_old_key_is_held_until_its_writes_are_done},
    {"a start goes on", test_a_start_goes_on},
    {"a bad key file is told once", test_a_bad_key_file_is_told_once},
};

TAP_MAIN(cases)

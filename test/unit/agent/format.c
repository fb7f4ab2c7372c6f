/* Every form in which sessions were ever stored is still read: files in test/data/session. */
#include "agent/agent_int.h"

#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "base/buf.h"
#include "base/log.h"
#include "memory/memory.h"
#include "seal/seal.h"
#include "session/session_int.h"

#include <stdio.h>

static struct session_table *table;
static struct session *held;

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    (void)w;
    (void)e;
    held = s;
}

static void read_file(const char *name, struct buf *ret)
{
    char path[128];
    size_t n;

    snprintf(path, sizeof(path), "test/data/session/%s", name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        printf("Bail out! no %s (run from the project's root)\n", path);
        exit(1);
    }
    while ((n = fread(buf_reserve(ret, 4096), 1, 4096, f)) > 0)
        ret->len += n;
    fclose(f);
}

/* The session of that file, held. It was read, written in today's form, and read again. */
static struct session *open_file(const char *name)
{
    const struct session_cfg cfg = {.budget = 32768,
                                    .max_resident = 1,
                                    .expiry_s = 3600,
                                    .hibernate_s = 300,
                                    .max_waiters = 1,
                                    .threshold = 0.8,
                                    .state_ops = agent_state_ops(),
                                    .seal = the_seal};
    struct session_wait w = {.ready = on_ready};
    struct buf file = BUF_INIT, today = BUF_INIT, again = BUF_INIT;
    struct err e = {.msg = ""};

    fake_clear();
    CHECK_INT(session_table_new(&cfg, &table, &e), 0);
    session_open(table, "golden", SESSION_CREATE, 1767225600, &w);
    read_file(name, &file);
    session__wipe(held);
    CHECK_INT(session_decode(held, file.data, file.len, &e), 0);
    CHECK_STR(e.msg, "");
    session_encode(held, &today);
    session__wipe(held);
    CHECK_INT(session_decode(held, today.data, today.len, &e), 0);
    session_encode(held, &again);
    CHECK(today.len == again.len && memcmp(today.data, again.data, again.len) == 0);
    if (file.data[2] == today.data[2])
        CHECK(today.len == file.len && memcmp(today.data, file.data, file.len) == 0);
    CHECK(file.data[2] == 1 ? !held->summary_len : held->summary_len > 0);
    buf_release(&file);
    buf_release(&today);
    buf_release(&again);
    return held;
}

static void close_file(void)
{
    session_leave(held);
    fake_reap(); /* nothing was to be written */
    session_table_free(&table);
}

static const struct session_replay *replay_of(const struct session *s, uint32_t turn)
{
    for (int i = 0; s->replays && i < SESSION_REPLAYS; i++)
        if (s->replays[i].turn == turn)
            return &s->replays[i];
    return NULL;
}

static void test_v1_hello(void)
{
    const struct session *s = open_file("v1-hello");

    CHECK_INT(s->created_s, 1767225600);
    CHECK(s->turns == 1 && s->message_count == 2 && s->folded_count == 0);
    CHECK(s->first->from_person && !s->last->from_person);
    CHECK_STR(s->first->text, "hello there");
    CHECK(!s->gemini && !s->cartesia && !s->replays);
    CHECK_INT(agent_tab(s)->line_count, 0);
    CHECK_INT(agent__state(s)->memo.len, 177);
    close_file();
}

static void check_secret(const struct session_secret *secret, const char *is)
{
    struct buf plain = BUF_INIT;
    struct err e;

    CHECK(secret != NULL);
    if (secret && seal_unlock(the_seal, "golden", secret->data, secret->len, &plain, &e) == 0)
        CHECK(str_eq((struct str){plain.data, plain.len}, is));
    buf_release(&plain);
}

static void test_v1_evening(void)
{
    const struct session *s = open_file("v1-evening");
    const struct bar_tab *t = agent_tab(s);
    struct buf text = BUF_INIT;

    CHECK_INT(s->created_s, 1767225607);
    CHECK(s->turns == 4 && s->message_count == 8 && s->folded_count == 0);
    CHECK_STR(s->first->text, "hi, my name is Ana and I'm allergic to nuts");
    CHECK_STR(s->last->text, "An Old Fashioned (on the rocks). On it. We're at $12.00.");
    check_secret(s->gemini, "AIzaGolden");
    check_secret(s->cartesia, "sk_car_golden");
    CHECK_INT(t->line_count, 1);
    CHECK_STR(t->lines[0].name, "Old Fashioned");
    CHECK_STR(t->lines[0].modifiers, "on the rocks");
    CHECK(t->tip_kind == BAR_TIP_PERCENT && t->tip_value == 1500);
    CHECK_INT(t->paid_cents, 4025);
    CHECK_INT(t->last_tip_cents, 525);
    CHECK_INT(strlen(t->tx), 66);
    bar_ordered_text(t, &text);
    CHECK_STR(buf_text(&text),
              "Ordered so far: 1 Old Fashioned, some earlier ones. Paid $40.25.");
    const struct session_replay *r = replay_of(s, 2);
    CHECK(r && r->messages == 4);
    if (r)
        CHECK(strncmp(r->tail, "[{\"name\":\"Negroni\",\"price\":22.0,", 32) == 0);
    buf_release(&text);
    close_file();
}

static void test_v1_folded(void)
{
    const struct session *s = open_file("v1-folded");

    CHECK(s->turns == 40 && s->message_count == 40 && s->folded_count == 40);
    CHECK_STR(s->first->text, "two negronis");
    CHECK_STR(agent_tab(s)->lines[0].name, "IPA");
    CHECK_INT(agent_tab(s)->paid_cents, 2200);
    for (uint32_t turn = 33; turn <= 40; turn++) {
        const struct session_replay *r = replay_of(s, turn);
        CHECK(r && r->messages == turn * 2 && r->tail_len > 100);
    }
    close_file();
}

static void test_v2_folded(void)
{
    const struct session *s = open_file("v2-folded");
    struct buf text = BUF_INIT;

    CHECK(s->turns == 43 && s->message_count == 40 && s->folded_count == 46);
    CHECK(s->gemini && s->cartesia && replay_of(s, 36) && replay_of(s, 43));
    agent_summary(s, &text);
    CHECK_STR(buf_text(&text), "The guest said:\nhi, my name is Ana and I'm allergic to nuts\n"
                               "Ordered so far: 2 Negroni, 1 Martini, 1 IPA. Paid $35.00.\n"
                               "Turns folded: 23.");
    buf_release(&text);
    close_file();
}

/* Which mind gave a reply: of what an older build kept that is only known of the last one. */
static void test_v3_folded(void)
{
    const struct session *s = open_file("v3-folded");
    static const char *const by[] = {"house", "openai", "gemini"};
    unsigned n = 0;

    CHECK(s->turns == 43 && s->message_count == 40);
    for (const struct session_message *m = s->first; m; m = m->next) {
        if (m->from_person) {
            CHECK_INT(m->mark, 0);
            continue;
        }
        n++;
        CHECK_STR(n <= 2 ? "" : by[n % 3],
                  n <= 2 && !agent_answered_by(s, m) ? "" : agent_answered_by(s, m));
    }
    CHECK_INT(n, 20);
    close_file();
    s = open_file("v2-folded");
    CHECK(agent_answered_by(s, s->first->next) == NULL);
    CHECK_STR(agent_answered_by(s, s->last), "house");
    close_file();
}

/* A mark that is none, one of a mind that is not known yet, and no mark at all. */
static void test_marks(void)
{
    struct session *s = open_file("v3-folded");
    struct buf plain = BUF_INIT;
    struct err e = {.msg = ""};

    s->last->mark = MIND__COUNT + 1;
    CHECK(agent_answered_by(s, s->last) == NULL);
    session_encode(s, &plain);
    session__wipe(s);
    CHECK_INT(session_decode(s, plain.data, plain.len, &e), 0);
    CHECK_INT(s->last->mark, MIND__COUNT + 1);
    static const char *const wrong[] = {"MS\x03\x0b\x01", "MS\x03\x0b\x02\x00x",
                                        "MS\x03\x0b\x02\x80x", "MS\x02\x0b\x02\x01x",
                                        "MS\x03\x0b\x02\x01\xff"};
    static const size_t lens[] = {5, 7, 7, 7, 7};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char bytes[8] = "";
        memcpy(bytes, wrong[i], lens[i]);
        session__wipe(s);
        CHECK(session_decode(s, bytes, lens[i], &e) < 0);
        CHECK_INT(e.code, ERR_CORRUPT);
    }
    session__wipe(s);
    CHECK_INT(session_decode(s, plain.data, plain.len, &e), 0);
    buf_release(&plain);
    close_file();
}

static const struct tap_case cases[] = {
    {"format 1: one turn", test_v1_hello},
    {"format 1: keys, replays, an order", test_v1_evening},
    {"format 1: folded", test_v1_folded},
    {"format 2: folded, with a summary", test_v2_folded},
    {"format 3: who gave a reply", test_v3_folded},
    {"marks of replies", test_marks},
};

SEALED_MAIN(cases)

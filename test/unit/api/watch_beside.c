/* Watched sessions that go on in another container. */
#include "api/watch_beside.c"

#include "unit/api/watching.h"

/* As another container does. */
static void go_on_elsewhere(const char *id)
{
    struct fake_row *r = fake_find(id);

    r->version++;
    r->used_s = bar_s;
    fake.changed = true;
}

static void pass_a_look(void)
{
    for (int i = 0; i < 3; i++)
        api_tick(bar_api);
}

static void test_goes_on_elsewhere(void)
{
    struct answer a, b, fresh;

    open_bar(0);
    talk("a", "one");
    watch("a", "1", &a);
    watch("b", NULL, &b);
    CHECK(fake_find("a") && !fake_find("b"));
    buf_clear(&a.body);
    pass_a_look();
    talk("a", "two");
    heard(&a, 1, "\"user_input\": \"two\"");
    pass_a_look();
    CHECK(!a.whole && a.body.len == 0); /* it was our own turn */
    watch("a", NULL, &fresh);
    go_on_elsewhere("a");
    pass_a_look();
    CHECK(a.whole && fresh.whole && !b.whole);
    heard(&a, 0, ": the session goes on in another container\nretry: ");
    heard(&fresh, 1, "\"type\": \"reload\""); /* it could not say where to go on */
    CHECK_INT(bar_api->watch.stream_count, 1);
    answer_release(&a);
    watch("a", "2", &a); /* no better here: what was written is known by now */
    pass_a_look();
    CHECK(!a.whole);
    heard(&a, 0, "");
    quit(&a);
    quit(&b);
    answer_release(&fresh);
    close_bar();
}

/* What is in memory here is older than the row: nobody took a turn here since it went away. */
static void test_older_in_memory(void)
{
    struct answer a, b;

    open_bar(0);
    talk("a", "one");
    talk("a", "two");
    go_on_elsewhere("a");
    fake.changed = false; /* and that long ago */
    struct http_req *r = fake_request(HTTP_GET, "/api/v1/session/events", "", "", 0);
    fake_header(r, "x-session-id", "a");
    fake_header(r, "last-event-id", "1");
    fake_send(bar_api, r, &a);
    heard(&a, 4, "\"user_input\": \"two\"");
    CHECK_INT(watch__find(bar_api, "a")->version, 3);
    watch("a", "2", &b);
    pass_a_look();
    CHECK(!a.whole && !b.whole);
    quit(&a);
    quit(&b);
    close_bar();
}

/* What another container began. */
static void test_begins_elsewhere(void)
{
    struct answer a;

    open_bar(0);
    watch("a", NULL, &a);
    pass_a_look();
    struct fake_row *r = fake_add("a");
    r->version = 1;
    r->used_s = bar_s;
    fake.changed = true;
    pass_a_look();
    CHECK(a.whole);
    answer_release(&a);
    close_bar();
}

/* It went on there and goes on here, before anybody looked. */
static void test_comes_home(void)
{
    struct answer a;

    open_bar(0);
    talk("a", "one");
    watch("a", "1", &a);
    buf_clear(&a.body);
    go_on_elsewhere("a");
    talk("a", "three");
    heard(&a, 2, "data: {\"type\": \"reload\", \"session_id\": \"a\"}\n\n");
    pass_a_look();
    CHECK(!a.whole);
    quit(&a);
    close_bar();
}

/* While a turn is under way nobody can say whose the version is. */
static void test_held_meanwhile(void)
{
    static const char body[] = "{\"user_input\":\"two\"}";
    struct answer a, turn;

    open_bar(0);
    talk("a", "one");
    watch("a", "1", &a);
    buf_clear(&a.body);
    struct http_req *r = fake_request(HTTP_POST, "/api/chat", "", body, sizeof(body) - 1);
    fake_header(r, "x-session-id", "a");
    fake_send(bar_api, r, &turn);
    CHECK(!turn.whole); /* it waits for the store */
    fake_find("a")->version = 2;
    fake.changed = true;
    pass_a_look();
    CHECK(!a.whole);
    fake_find("a")->version = 1; /* it was the turn's own */
    fake_reap();
    CHECK(turn.whole && turn.status == 200);
    heard(&a, 1, "\"user_input\": \"two\"");
    pass_a_look();
    CHECK(!a.whole);
    answer_release(&turn);
    quit(&a);
    close_bar();
}

static const struct tap_case cases[] = {
    {"a session that goes on in another container", test_goes_on_elsewhere},
    {"one of which only the row knows", test_older_in_memory},
    {"one that begins in another container", test_begins_elsewhere},
    {"one that went on elsewhere, and comes home", test_comes_home},
    {"one that is held while it is looked for", test_held_meanwhile},
};

SEALED_MAIN(cases)

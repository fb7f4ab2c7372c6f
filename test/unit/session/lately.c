/* Which sessions were written lately. */
#define ROWS_MAX 100
#include "session/lately.c"

#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "base/strs.h"
#include "seal/seal.h"

#include <stdio.h>
#include <string.h>

static struct session_table table;
static struct session_lately lately;
static char told[400];
static unsigned told_count;

static void on_told(void *ctx, const char *id, uint64_t version)
{
    size_t len = strlen(told);

    CHECK(ctx == &table);
    told_count++;
    snprintf(told + len, sizeof(told) - len, "%s:%llu ", id, (unsigned long long)version);
}

static void begin_test(void)
{
    fake_clear();
    table = (struct session_table){0};
    lately = (struct session_lately){.told = on_told, .ctx = &table};
}

static void write_row(const char *id, int64_t used_s)
{
    struct fake_row *r = fake_find(id);

    r = r ? r : fake_add(id);
    r->version++;
    r->used_s = used_s;
    fake.changed = true;
}

static const char *look(int64_t now_s)
{
    told[0] = '\0';
    told_count = 0;
    CHECK(!session_lately(&table, now_s, &lately));
    return told;
}

static void test_told(void)
{
    begin_test();
    write_row("before", 996);
    write_row("just", 997);
    CHECK_STR(look(1000), "just:1 ");
    CHECK_STR(look(1001), "");
    write_row("a", 1001);
    CHECK_STR(look(1002), "just:1 a:1 "); /* once more is no harm */
    write_row("a", 1002);
    write_row("late", 999); /* on disk three seconds after its moment */
    CHECK_STR(look(1003), "late:1 a:2 ");
    CHECK_STR(look(5000), "");
    write_row("b", 5000);
    CHECK_STR(look(5001), "a:2 b:1 ");
    write_row("c", 4000); /* the clock was set back */
    CHECK_STR(look(4001), "c:1 b:1 ");
    lately = (struct session_lately){.told = on_told, .ctx = &table};
    CHECK_STR(look(9000), ""); /* begun anew */
}

/* Many are looked at in pieces, and none is passed by. */
static void test_pieces(void)
{
    char id[16];

    begin_test();
    look(1000);
    for (int i = 0; i < FAKE_ROWS; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        write_row(id, 1000 + i % 3);
    }
    unsigned calls = 1;
    told_count = 0;
    while (session_lately(&table, 1003, &lately))
        calls++;
    CHECK_INT(told_count, FAKE_ROWS);
    CHECK_INT(calls, FAKE_ROWS / ROWS_MAX + 1);
}

/* A store that cannot be read now is read later, from the same place. */
static void test_fails(void)
{
    begin_test();
    look(1000);
    write_row("a", 1001);
    fake.fail_gets = ERR_STORE;
    CHECK_STR(look(1001), "");
    CHECK_STR(look(1002), "");
    fake.fail_gets = ERR_NONE;
    CHECK_STR(look(1003), "a:1 ");
}

static const struct tap_case cases[] = {
    {"what was written since the last look, and shortly before", test_told},
    {"in pieces", test_pieces},
    {"from a store that fails", test_fails},
};

SEALED_MAIN(cases)

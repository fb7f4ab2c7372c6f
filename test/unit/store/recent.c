/* What was written lately, by whom ever. */
#include "store/store.c"

#include "unit/store/fixture.h"

struct met {
    char ids[400];
    unsigned stop_after;
    unsigned count;
};

static bool on_recent(void *ctx, const char *id, const struct store_row *row)
{
    struct met *m = ctx;
    size_t len = strlen(m->ids);

    CHECK(!row->data && row->len == 0);
    snprintf(m->ids + len, sizeof(m->ids) - len, "%s:%llu@%lld ", id,
             (unsigned long long)row->version, (long long)row->used_at_s);
    return ++m->count != m->stop_after;
}

static bool recent(struct owner *o, struct store_place *at, unsigned max, struct met *m)
{
    struct err e;
    bool more;

    *m = (struct met){.stop_after = m->stop_after};
    CHECK_INT(store_recent(o->store, at, max, on_recent, m, &more, &e), 0);
    return more;
}

static void in_the_order_of_use(void)
{
    struct store_place at = {5, 0}, again;
    struct met m = {0};
    struct owner o;

    owner_init(&o);
    CHECK(!recent(&o, &at, 9, &m));
    CHECK_STR(m.ids, "");
    put_now(&o, "d", 0, 7, "d");
    put_now(&o, "c", 0, 6, "c");
    put_now(&o, "old", 0, 4, "old");
    put_now(&o, "b", 0, 6, "b");
    put_now(&o, "a", 0, 5, "a");
    CHECK(recent(&o, &at, 2, &m));
    CHECK_STR(m.ids, "a:1@5 c:1@6 ");
    again = at;
    m.stop_after = 1;
    CHECK(recent(&o, &at, 9, &m)); /* one of two in the same second */
    CHECK_STR(m.ids, "b:1@6 ");
    m.stop_after = 0;
    CHECK(!recent(&o, &at, 9, &m));
    CHECK_STR(m.ids, "d:1@7 ");
    CHECK(!recent(&o, &at, 9, &m));
    CHECK_STR(m.ids, "");
    put_now(&o, "old", 1, 8, "old"); /* comes behind them all */
    CHECK(!recent(&o, &at, 9, &m));
    CHECK_STR(m.ids, "old:2@8 ");
    CHECK(!recent(&o, &again, 9, &m));
    CHECK_STR(m.ids, "b:1@6 d:1@7 old:2@8 ");
    owner_release(&o);
}

static void whoever_writes_is_noticed(void)
{
    struct owner a, b;

    owner_init(&a);
    b = a;
    b.store = NULL;
    b.event = eventfd(0, EFD_CLOEXEC);
    MUST(owner_open(&b) == 0);
    store_changed(a.store);
    CHECK(!store_changed(a.store));
    put_now(&a, "x", 0, 1, "x");
    CHECK(store_changed(a.store));
    CHECK(!store_changed(a.store));
    put_now(&b, "y", 0, 1, "y");
    CHECK(store_changed(a.store));
    CHECK(!store_changed(a.store));
    get_now(&b, "y");
    CHECK(!store_changed(a.store)); /* reading is no change */
    store_close(&b.store);
    close(b.event);
    owner_release(&a);
}

static const struct tap_case cases[] = {
    {"rows come in the order of their use, in pieces", in_the_order_of_use},
    {"whoever writes is noticed", whoever_writes_is_noticed},
};

TAP_MAIN(cases)

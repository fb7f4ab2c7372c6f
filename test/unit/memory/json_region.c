#include "memory/json_region.c"
#include "unit/tap.h"

static const char text[] =
    "{\"order\": [\"mojito\", \"gin fizz\"], \"tab\": 21, \"deep\": [[[[1.5]]]]}";

static void setup(struct budget *b, struct region *r, size_t limit)
{
    json_region_setup();
    budget_init(b, limit, NULL);
    region_init(r, b, 1024);
}

static void values_live_and_die_with_the_region(void)
{
    struct budget b;
    struct region r;

    setup(&b, &r, 0);
    struct region *before = json_region_enter(&r);
    json_t *v = json_loads(text, 0, NULL);
    CHECK(v != NULL);
    CHECK_INT(json_integer_value(json_object_get(v, "tab")), 21);
    CHECK(b.used > 200);
    json_region_leave(before);
    CHECK(before == NULL);
    region_release(&r); /* no decref; the leak checker would tell */
    CHECK_INT(b.used, 0);
}

static void decref_is_harmless_whatever_is_entered(void)
{
    struct budget b, b2;
    struct region r, r2;

    setup(&b, &r, 0);
    setup(&b2, &r2, 0);
    json_t *outside = json_loads(text, 0, NULL);
    struct region *before = json_region_enter(&r);
    json_t *inside = json_loads(text, 0, NULL);
    struct region *between = json_region_enter(&r2);
    CHECK(between == &r);
    json_t *other = json_loads(text, 0, NULL);
    json_decref(inside);  /* of r, while r2 is entered */
    json_decref(outside); /* malloc-ed */
    json_region_leave(between);
    json_decref(other);
    json_region_leave(before);
    inside = json_pack("{s:i}", "a", 1);
    CHECK(inside != NULL);
    json_decref(inside);
    region_release(&r);
    region_release(&r2);
    CHECK_INT(b.used + b2.used, 0);
}

static void a_refusal_is_null(void)
{
    unsigned made = 0;

    for (size_t limit = 64; limit < 6000; limit += 64) {
        struct budget b;
        struct region r;
        setup(&b, &r, limit);
        struct region *before = json_region_enter(&r);
        json_t *v = json_loads(text, 0, NULL);
        made += v != NULL;
        CHECK(b.used <= limit);
        json_region_leave(before);
        region_release(&r);
    }
    CHECK(made > 10 && made < 90);
}

static int append(const char *data, size_t n, void *ctx)
{
    buf_add(ctx, data, n);
    return 0;
}

static void many_values_are_freed_quickly_enough(void)
{
    struct budget b;
    struct region r;
    struct buf out = BUF_INIT;

    setup(&b, &r, 0);
    struct region *before = json_region_enter(&r);
    json_t *v = json_array();
    for (int i = 0; i < 20000; i++)
        CHECK(json_array_append_new(v, json_sprintf("number %d", i)) == 0);
    CHECK(json_dump_callback(v, append, &out, JSON_COMPACT) == 0);
    CHECK(out.len > 20000 * 9);
    json_decref(v);
    json_region_leave(before);
    region_release(&r);
    buf_release(&out);
    CHECK_INT(b.used, 0);
}

static const struct tap_case cases[] = {
    {"values live and die with the region", values_live_and_die_with_the_region},
    {"decref is harmless whatever is entered", decref_is_harmless_whatever_is_entered},
    {"a refusal is NULL", a_refusal_is_null},
    {"many values", many_values_are_freed_quickly_enough},
};

TAP_MAIN(cases)

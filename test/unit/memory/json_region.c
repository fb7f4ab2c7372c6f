#include <stddef.h>
#include <stdlib.h>

static long refuse_at; /* this malloc of json_region.c fails; 0: none */

static void *test_malloc(size_t n)
{
    return refuse_at && --refuse_at == 0 ? NULL : malloc(n);
}

#define malloc test_malloc
#include "memory/json_region.c"
#undef malloc

#include "unit/tap.h"

#include <string.h>

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
    json_t *loose = json_loads(text, 0, NULL);
    struct region *before = json_region_enter(&r);
    json_t *inside = json_loads(text, 0, NULL);
    struct region *between = json_region_enter(&r2);
    CHECK(between == &r);
    json_t *other = json_loads(text, 0, NULL);
    json_decref(inside); /* of r, while r2 is entered */
    json_decref(loose);  /* malloc-ed */
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

/* Tokens so long that jansson must grow its buffer in the middle of them, also at their end. */
static const char long_tokens[] =
    "{\"said\": \"two martinis p\", \"sixteen bytes !\": \"fifteen bytes !\", \"n\": "
    "[123456789012345, 1234567890123456, 1.2345678901234567, -1234567890123456789, true],"
    "\"a string of more than one doubling\": \"0123456789012345678901234567890123456789\"}";

static bool read_right(const json_t *v)
{
    json_t *right = json_loads(long_tokens, 0, NULL);
    bool same = json_equal(v, right) == 1;

    json_decref(right);
    return same;
}

/* jansson alone would go on with a byte missing, or read on behind its buffer. */
static void a_text_is_read_whole_or_not_at_all(void)
{
    size_t len = strlen(long_tokens);
    json_error_t e;
    long n = 0;

    json_region_setup();
    json_t *stays = json_loads(text, 0, NULL);
    for (bool refused = true; refused; n++) {
        refuse_at = n + 1;
        json_t *v = json_region_load(long_tokens, len, 0, &e);
        refused = refuse_at == 0;
        refuse_at = 0;
        CHECK((v == NULL) == refused);
        if (v)
            CHECK(read_right(v));
        else
            CHECK_INT(json_error_code(&e), json_error_out_of_memory);
        json_decref(v);
    }
    CHECK(n > 20);
    /* What was made before is untouched, and a text that is wrong is still called wrong. */
    CHECK_INT(json_integer_value(json_object_get(stays, "tab")), 21);
    CHECK(json_region_load("{\"a\": nothing}", 14, 0, &e) == NULL);
    CHECK_INT(json_error_code(&e), json_error_invalid_syntax);
    json_decref(stays);
    CHECK(list_empty(all_loose()));
}

static void the_same_in_a_region(void)
{
    unsigned made = 0, refused = 0;
    json_error_t e;

    for (size_t limit = 64; limit < 9000; limit += 16) {
        struct budget b;
        struct region r;
        setup(&b, &r, limit);
        struct region *before = json_region_enter(&r);
        json_t *v = json_region_load(long_tokens, strlen(long_tokens), 0, &e);
        json_region_leave(before);
        made += v != NULL;
        refused += v == NULL;
        CHECK(v ? read_right(v) : json_error_code(&e) == json_error_out_of_memory);
        CHECK(b.used <= limit);
        region_release(&r);
    }
    CHECK(made > 10 && refused > 10);
}

static const struct tap_case cases[] = {
    {"values live and die with the region", values_live_and_die_with_the_region},
    {"decref is harmless whatever is entered", decref_is_harmless_whatever_is_entered},
    {"a refusal is NULL", a_refusal_is_null},
    {"many values", many_values_are_freed_quickly_enough},
    {"a text is read whole or not at all", a_text_is_read_whole_or_not_at_all},
    {"the same in a region", the_same_in_a_region},
};

TAP_MAIN(cases)

#include "memory/budget.c"
#include "unit/tap.h"

static void a_refused_charge_changes_nothing(void)
{
    struct budget b;

    budget_init(&b, 100, NULL);
    CHECK(budget_charge(&b, 99));
    CHECK(!budget_charge(&b, 2));
    CHECK_INT(b.used, 99);
    CHECK_INT(b.peak, 99);
    CHECK_INT(b.refused, 1);
    CHECK(budget_charge(&b, 1));
    CHECK(!budget_charge(&b, 1));
    CHECK(!budget_charge(&b, SIZE_MAX));
    CHECK_INT(b.used, 100);
    budget_return(&b, 100);
    CHECK_INT(b.used, 0);
    CHECK_INT(b.peak, 100);
}

static void a_parent_is_charged_along(void)
{
    struct budget all, one, two;

    budget_init(&all, 150, NULL);
    budget_init(&one, 100, &all);
    budget_init(&two, 100, &all);
    CHECK(budget_charge(&one, 100));
    CHECK(!budget_charge(&two, 51));
    CHECK_INT(two.used, 0);
    CHECK_INT(two.refused, 0);
    CHECK_INT(all.refused, 1);
    CHECK_INT(all.used, 100);
    CHECK(budget_charge(&two, 50));
    CHECK_INT(all.used, 150);
    budget_return(&one, 100);
    CHECK_INT(all.used, 50);
    CHECK_INT(one.used, 0);
}

static void without_a_limit_it_counts(void)
{
    struct budget all, one;

    budget_init(&all, 0, NULL);
    budget_init(&one, 10, &all);
    CHECK(budget_charge(&all, (size_t)1 << 40));
    CHECK(!budget_charge(&all, SIZE_MAX));
    CHECK(budget_charge(&one, 10));
    CHECK(!budget_charge(&one, 1));
    CHECK_INT(all.used, ((long long)1 << 40) + 10);
}

static void fits_counts_nothing(void)
{
    struct budget all, one;

    budget_init(&all, 20, NULL);
    budget_init(&one, 30, &all);
    CHECK(budget_fits(&one, 20));
    CHECK(!budget_fits(&one, 21));
    CHECK_INT(one.used + all.used, 0);
    CHECK_INT(one.refused + all.refused, 0);
}

static const struct tap_case cases[] = {
    {"a refused charge changes nothing", a_refused_charge_changes_nothing},
    {"a parent is charged along", a_parent_is_charged_along},
    {"without a limit it counts", without_a_limit_it_counts},
    {"fits counts nothing", fits_counts_nothing},
};

TAP_MAIN(cases)

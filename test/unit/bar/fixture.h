/* The shipped menu, a region with a budget, and a guest: what most tests of bar/ start from. */
#pragma once

#include "bar/bar.h"
#include "base/alloc.h"
#include "memory/memory.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct bar_menu *menu;
    struct budget budget;
    struct region region;
    struct bar_tab tab;
};

static void fixture_init(struct fixture *f, size_t limit)
{
    struct err e;

    *f = (struct fixture){0};
    if (bar_menu_load("agents/maya", &f->menu, &e)) {
        printf("Bail out! %s (run from the project's root)\n", e.msg);
        exit(1);
    }
    budget_init(&f->budget, limit, NULL);
    region_init(&f->region, &f->budget, 0);
}

static void fixture_release(struct fixture *f)
{
    region_release(&f->region);
    bar_menu_free(&f->menu);
}

/* What the keeper takes of what HAProxy says of the containers in its slots. */
#include "fleet/keeper_compare.c"
#include "fleet/keeper_seats.c"
#include "unit/tap.h"

#define V 3

static struct seat seat;
static struct seats seats = {.app = (char *)(uintptr_t) "bar", .at = &seat, .count = 1};
static struct front front = {.apps = &seats, .count = 1};

/* A container of v3 that HAProxy has in s1; `proven`: it answered under the second name. */
static void sits(bool proven)
{
    front.current = true;
    seat = (struct seat){.task = "t",
                         .version = "v3",
                         .address = "10.0.0.1",
                         .proven = proven,
                         .put_down = !proven,
                         .ready = proven,
                         .server = {.version = "v3",
                                    .address = "10.0.0.1",
                                    .port = 1,
                                    .state = GATEWAY_READY,
                                    .down = !proven}};
}

/* One look: HAProxy finds it up or not, and that of its last check. */
static void look(bool up, const char *check)
{
    static const struct gateway_app app = {.name = "bar"};
    static const struct gateway_plan plan = {.apps = &app, .app_count = 1};
    struct asked x = {.f = &front, .p = &plan};
    const struct gateway_slot slot = {.backend = str_of("app-bar"),
                                      .server = str_of("s1"),
                                      .address = str_of("10.0.0.1"),
                                      .port = 1,
                                      .state = GATEWAY_READY,
                                      .up = up};
    const struct gateway_stat st = {
        .backend = str_of("app-bar"), .server = str_of("s1"), .check = str_of(check)};

    hear(&seat, &slot);
    on_stat(&x, &st);
}

static int ready(void)
{
    return front__up(&front, "bar", false, V);
}

static void asked_before_it_is_ready(void)
{
    sits(false);
    look(false, "L7STS");
    CHECK_INT(ready(), 0);
    CHECK(seat.server.down);
    look(true, "* L7OK");
    CHECK_INT(ready(), 1);
    CHECK(!seat.server.down);
    look(false, "L4CON");
    CHECK_INT(ready(), 0);
    CHECK(seat.server.down);
}

static void proven_where_it_was_before(void)
{
    sits(true);
    look(true, "INI");
    CHECK_INT(ready(), 1);
    CHECK(!seat.server.down);
}

/* Another process has asked nobody yet, and takes everybody to be up. */
static void a_haproxy_that_starts(void)
{
    sits(false);
    look(false, "L7STS");
    look(true, "INI");
    CHECK_INT(ready(), 0);
    look(true, "* INI");
    CHECK_INT(ready(), 0);
    look(true, "L7OK");
    CHECK_INT(ready(), 1);
    look(true, "INI");
    CHECK_INT(ready(), 1); /* it was, and nobody says otherwise */
}

static void asked_as_another_configuration_says(void)
{
    sits(false);
    front.current = false;
    look(true, "L7OK");
    CHECK_INT(ready(), 0);
    front.current = true;
    look(true, "L7STS");
    CHECK_INT(ready(), 0);
    look(true, "L7OK");
    CHECK_INT(ready(), 1);
    front.current = false;
    look(true, "L7OK");
    CHECK_INT(ready(), 1);
    look(false, "L7STS");
    CHECK_INT(ready(), 0);
}

static void one_that_hangs(void)
{
    sits(false);
    look(false, "L7STS");
    struct front_health is = front__health(&front, "bar", V);
    CHECK(!is.up && !is.well && !is.lost); /* it has only been started */
    look(true, "L7OK");
    is = front__health(&front, "bar", V);
    CHECK(is.up && is.well && !is.lost);
    look(true, "* L7TOUT"); /* three of them count */
    is = front__health(&front, "bar", V);
    CHECK(is.up && !is.well && !is.lost);
    look(false, "L7TOUT");
    is = front__health(&front, "bar", V);
    CHECK(!is.up && !is.well && is.lost);
    is = front__health(&front, "bar", V + 1);
    CHECK(!is.up && !is.well && !is.lost);
}

static const struct tap_case cases[] = {
    {"asked before it is ready", asked_before_it_is_ready},
    {"proven where it was before", proven_where_it_was_before},
    {"a HAProxy that starts", a_haproxy_that_starts},
    {"asked as another configuration says", asked_as_another_configuration_says},
    {"one that hangs", one_that_hangs},
};

TAP_MAIN(cases)

#include "ops/tell.c"
#include "unit/ops/stubs.h"

static const char *told(struct ops *o, const char *asked)
{
    static char line[TELL_LINE_MAX];

    ops_tell(o, str_of(asked), line);
    return line;
}

static void the_part_there_is_room_for(void)
{
    struct ops *o = stub_begin();

    stub_room = 100;
    CHECK_STR(told(o, "256%"), "up 256%\n");
    CHECK_STR(told(o, "50%"), "up 50%\n");
    stub_room = 40;
    CHECK_STR(told(o, "50%"), "up 20%\n");
    CHECK_STR(told(o, "0%"), "up 0%\n");
    stub_room = 0; /* the last to be asked, but asked */
    CHECK_STR(told(o, "50%"), "up 1%\n");
    stub_room = 100;
    CHECK_STR(told(o, ""), "up 100%\n");
    CHECK_STR(told(o, "50"), "up 100%\n");
    CHECK_STR(told(o, "%"), "up 100%\n");
    CHECK_STR(told(o, "GET / HTTP/1.1"), "up 100%\n");
    CHECK_STR(told(o, "99999999999999999999%"), "up 100%\n");
    CHECK_STR(told(o, "257%"), "up 256%\n");
    stub_end(o);
}

static void who_cannot_serve(void)
{
    struct ops *o = stub_begin();

    stub_store.healthy = false;
    ops_sample(o, 0, 0);
    CHECK_STR(told(o, "50%"), "down #store\n");
    stub_store.healthy = true;
    ops_sample(o, 250, 0);
    CHECK_STR(told(o, "50%"), "up 50%\n");
    stub_memory(950000); /* pressure is a matter of room */
    ops_sample(o, 500, 0);
    CHECK_STR(told(o, "50%"), "up 50%\n");
    stub_draining = true;
    CHECK_STR(told(o, "50%"), "drain\n");
    stub_draining = false;
    ops_set_http(o, NULL);
    CHECK_STR(told(o, "50%"), "drain\n");
    stub_end(o);
}

static const struct tap_case cases[] = {
    {"the part for which there is room", the_part_there_is_room_for},
    {"who cannot serve says so", who_cannot_serve},
};

TAP_MAIN(cases)

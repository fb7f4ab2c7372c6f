#include "gateway/read.c"

#include "unit/tap.h"

static struct {
    unsigned count;
    struct gateway_stat stat;
    struct gateway_slot slot;
} got;

static void on_stat(void *ctx, const struct gateway_stat *s)
{
    (void)ctx;
    got.count++;
    got.stat = *s;
}

static void on_slot(void *ctx, const struct gateway_slot *s)
{
    (void)ctx;
    got.count++;
    got.slot = *s;
}

static int stat_of(const char *text)
{
    struct err e;

    memset(&got, 0, sizeof(got));
    return gateway_read_stat(str_of(text), on_stat, NULL, &e);
}

static int slots_of(const char *text)
{
    struct err e;

    memset(&got, 0, sizeof(got));
    return gateway_read_slots(str_of(text), on_slot, NULL, &e);
}

#define HEAD                                                                                   \
    "# pxname,svname,status,check_status,agent_status,stot,req_tot,hrsp_2xx,hrsp_4xx,"         \
    "hrsp_5xx,econ,eresp,wretr,wredis,scur,qcur,weight,rtime,ttime,new_column,\n"

static void figures(void)
{
    CHECK_INT(stat_of(HEAD
                      "app-bar,s1,UP 1/2,L7OK,L7OK,12,,10,1,1,2,3,4,5,6,7,256,8,9,\"a,\"\"\",\n"
                      "\n"),
              0);
    CHECK_INT(got.count, 1);
    CHECK(str_eq(got.stat.backend, "app-bar") && str_eq(got.stat.server, "s1"));
    CHECK(str_eq(got.stat.status, "UP 1/2"));
    CHECK_INT(got.stat.requests, 12);
    CHECK_INT(got.stat.ok, 10);
    CHECK_INT(got.stat.server_errors, 1);
    CHECK_INT(got.stat.connect_errors, 2);
    CHECK_INT(got.stat.response_errors, 3);
    CHECK_INT(got.stat.retries, 4);
    CHECK_INT(got.stat.redispatches, 5);
    CHECK_INT(got.stat.current, 6);
    CHECK_INT(got.stat.queued, 7);
    CHECK_INT(got.stat.weight, 256);
    CHECK_INT(got.stat.first_byte_ms, 8);
    CHECK_INT(got.stat.total_ms, 9);
    CHECK_INT(stat_of(HEAD "p,FRONTEND,OPEN,,,12,99,,,,,,,,,,,,,,\n"), 0);
    CHECK_INT(got.stat.requests, 99);
}

static void what_is_no_answer(void)
{
    static const char *const wrong[] = {
        "",
        "\n",
        "Unknown command: 'show stat'\n",
        "# pxname,svname\na,b\n",                                     /* columns are missing */
        HEAD HEAD,                                                    /* twice */
        HEAD "app-bar,s1\n",                                          /* too few */
        HEAD "app-bar,s1,UP,,,12,,,,,,,,,,,,,,,,\n",                  /* too many */
        HEAD "app-bar,s1,UP,,,x,,,,,,,,,,,,,,,\n",                    /* no number */
        HEAD "app-bar,s1,UP,,,-1,,,,,,,,,,,,,,,\n",                   /* negative */
        HEAD "app-bar,s1,UP,,,99999999999999999999,,,,,,,,,,,,,,,\n", /* too large */
        HEAD ",s1,UP,,,1,,,,,,,,,,,,,,,\n",                           /* nobody */
        HEAD "app-bar,s1,UP,,,1,,,,,,,,,,,,,,\"x,\n",                 /* a quote without end */
        HEAD "app-bar,s1,UP,,,1,,,,,,,,,,,,,,\"x\"y,\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (stat_of(wrong[i]) == 0) {
            CHECK(false);
            printf("# %zu\n", i);
        }
}

#define SLOTS                                                                                  \
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "    \
    "srv_port srv_agent_port\n"

static void slots(void)
{
    static const struct {
        const char *admin;
        enum gateway_state state;
    } states[] = {{"0", GATEWAY_READY}, {"1", GATEWAY_MAINT},  {"4", GATEWAY_READY},
                  {"8", GATEWAY_DRAIN}, {"16", GATEWAY_DRAIN}, {"32", GATEWAY_MAINT}};
    char text[400];

    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        snprintf(text, sizeof(text), SLOTS "3 app-bar 1 s1 10.0.0.7 2 %s 13 8000 8001\n\n",
                 states[i].admin);
        CHECK_INT(slots_of(text), 0);
        CHECK_INT(got.slot.state, states[i].state);
    }
    CHECK(str_eq(got.slot.address, "10.0.0.7") && got.slot.up);
    CHECK_INT(got.slot.port, 8000);
    CHECK_INT(got.slot.agent_port, 8001);
    CHECK_INT(got.slot.weight, 13);
    CHECK_INT(slots_of(SLOTS "3 app-bar 1 s1 - 0 5 0 - -\n"), 0);
    CHECK(!got.slot.up);
    CHECK_INT(slots_of("2\n"), -1);
    CHECK_INT(slots_of(SLOTS "3 app-bar 1 s1 10.0.0.7 2 0 13 8000\n"), -1);
    CHECK_INT(slots_of(SLOTS "3 app-bar 1 s1 10.0.0.7  2 0 13 8000 1\n"), -1);
}

static const struct tap_case cases[] = {
    {"figures by the names of their columns", figures},
    {"what is no answer is refused", what_is_no_answer},
    {"slots and their states", slots},
};

TAP_MAIN(cases)

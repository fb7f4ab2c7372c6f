/*
 * `maya healthcheck`: for containers that have no curl, and for engines.
 *
 * An engine asks by starting a program in the container, which costs it a hundred times what
 * the question does, and it asks for the first time after one interval. So where it is an
 * engine that asks (--watch) the program stays: it tells at once what is new, and otherwise
 * goes on asking by itself for as long as the container has run. The engine may then start it
 * anew after a fraction of a second, sees a container ready as soon as it is, and starts a
 * dozen programs in its first hour and one an hour later on.
 *
 * `gateway` in place of a URL is for the gateway's own container: who asks there also sees to
 * it that the gateway is spoken to once it answers (gateway/door.c), so that it is not found
 * well, and the one before not stopped, any earlier.
 */
#include "cli/cli_int.h"

#include "cli/cli.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "fleet/fleet.h"
#include "gateway/gateway.h"
#include "image/image.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GATEWAY "gateway" /* no URL: the gateway of this container */
#define TIMEOUT_S 5
#define FIRST_MS 500 /* in these nothing is held back */
#define AGAIN_MS 100 /* between two questions while it is not well */

struct how {
    const char *url;
    int64_t timeout_s, watch_s; /* watch_s 0: one question */
};

/* "Container memory pressure detected, store" */
static void checks(const json_t *root, struct buf *out)
{
    const json_t *list = json_object_get(root, "checks");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = json_string_value(json_array_get(list, i));
        if (!one)
            continue;
        buf_str(out, out->len ? ", " : ": ");
        cli__clean(out, one);
    }
}

/* 0: it is well. */
static int judge(const struct cli_client *c, const struct cli_request *r, struct err *e)
{
    struct buf words = BUF_INIT;
    int rc = 0;

    json_t *root = json_loadb(buf_text(&r->body), r->body.len, 0, NULL);
    const char *status = json_string_value(json_object_get(root, "status"));
    checks(root, &words);
    if (!status)
        rc = err_set(e, ERR_IO, 0, "%s/healthz answers %ld, but not as Maya does", c->shown,
                     r->status);
    else if (r->status != 200 || strcmp(status, "healthy") != 0)
        rc = err_set(e, ERR_IO, 0, "unhealthy%s", buf_text(&words));
    json_decref(root);
    buf_release(&words);
    return rc;
}

static int ask_gateway(const struct how *h, struct err *e)
{
    const char *instance = getenv(FLEET_GATEWAY_INSTANCE);
    struct gateway_door d;

    if (gateway_door_init(&d, FLEET_GATEWAY_FOLDER, instance ? instance : "0", e) < 0)
        return -1;
    return gateway_door_ask(&d, (int)h->timeout_s * 1000, e);
}

/* On a connection of its own: nothing is kept between two questions. */
static int ask(const struct how *h, struct err *e)
{
    struct cli_request r = {.path = "/healthz", .timeout_s = (long)h->timeout_s};
    struct cli_client c;

    if (h->url && strcmp(h->url, GATEWAY) == 0)
        return ask_gateway(h, e);
    int rc = cli__client_open(&c, h->url, NULL, e);

    if (rc == 0)
        rc = cli__request(&c, &r, e);
    if (rc == 0)
        rc = judge(&c, &r, e);
    cli__request_release(&r);
    cli__client_close(&c);
    return rc;
}

/* --watch */

static int64_t now_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* How long the container's first process has run (proc(5): starttime); 0: nobody can say. */
static int64_t container_age_ms(void)
{
    char text[512], *at;
    int fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strrchr(text, ')'); /* of its name, which may hold anything; the state follows */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    return now_ms(CLOCK_BOOTTIME) - strtoll(at + 1, NULL, 10) * 1000 / sysconf(_SC_CLK_TCK);
}

/* What is so when it begins is held back as long as that has been so already, at the most. */
static int watch(const struct how *h, struct err *e)
{
    int64_t age_ms = container_age_ms(), now = now_ms(CLOCK_MONOTONIC), well_ms = now;
    int64_t most_ms = IMAGE_HEALTH_HOLD_S * INT64_C(1000), until = now;

    if (age_ms >= FIRST_MS)
        until += age_ms < most_ms ? age_ms : most_ms;
    for (bool first = true;; first = false) {
        int rc = ask(h, e);
        now = now_ms(CLOCK_MONOTONIC);
        int64_t left = until - now, pause = h->watch_s * 1000;
        if (rc == 0 && left <= 0)
            return 0;
        if (rc < 0 && now - well_ms >= pause)
            return -1;
        if (rc == 0)
            well_ms = now;
        else if (first)
            until = now; /* that it became well is news */
        pause = rc < 0 ? AGAIN_MS : left < pause ? left : pause;
        poll(NULL, 0, (int)pause);
    }
}

/* The command */

static bool seconds(const char *word, const char *flag, int64_t *ret)
{
    size_t len = strlen(flag);

    return strncmp(word, flag, len) == 0 && str_to_int(word + len, ret) && *ret >= 1 &&
           *ret <= IMAGE_HEALTH_HOLD_S;
}

static int read_words(int argc, char **argv, struct how *ret)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (seconds(word, "--watch=", &ret->watch_s) ||
            seconds(word, "--timeout=", &ret->timeout_s))
            continue;
        if (word[0] == '-')
            return cli_fail_with(
                CLI_USAGE,
                "healthcheck takes --watch=SECONDS and --timeout=SECONDS, each "
                "1 to %d, and not '%.60s'",
                IMAGE_HEALTH_HOLD_S, word);
        if (ret->url)
            return cli_fail_with(CLI_USAGE, "healthcheck takes one URL at most");
        ret->url = word;
    }
    return CLI_OK;
}

static const char more[] =
    "Exit code 0: healthy. 1: unhealthy, or no answer within 5 seconds (--timeout=S).\n"
    "Without a URL it asks where HOST and PORT say that Maya listens. `gateway` is the\n"
    "gateway, in its container.\n\n"
    "--watch=S is for an engine that asks over and over. In a container that is well it\n"
    "stays, and asks every S seconds. It ends with 0 when it stayed as long as the\n"
    "container had run, an hour at most, and with 1 when it was not well for S seconds.\n"
    "What becomes well is told at once.\n";

int cmd_healthcheck(int argc, char **argv)
{
    struct how h = {.timeout_s = TIMEOUT_S};
    struct err e = {0};

    if (cli_wants_help(argc, argv))
        return cli_usage("healthcheck", more);
    int code = read_words(argc, argv, &h);
    if (code != CLI_OK)
        return code;
    char *here = h.url ? NULL : cli__default_url();
    if (here)
        h.url = here;
    if ((h.watch_s ? watch(&h, &e) : ask(&h, &e)) < 0)
        code = cli_fail(&e);
    else
        code = puts("healthy") < 0 ? CLI_FAILED : CLI_OK;
    free(here);
    return code;
}

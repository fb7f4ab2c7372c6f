/* `maya gateway`: for tests, and for people who want to see what the gateway is told. */
#include "cli/cli.h"

#include "gateway/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 5000

static int read_file(const char *path, struct buf *out, struct err *e)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char part[4096];
    size_t n;

    if (!f)
        return err_set(e, ERR_IO, errno, "open '%s'", path);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(out, part, n);
    bool failed = ferror(f);
    if (f != stdin)
        fclose(f);
    return failed ? err_set(e, ERR_IO, EIO, "read '%s'", path) : 0;
}

static int read_plan(const char *path, struct gateway_file **ret, struct err *e)
{
    struct buf json = BUF_INIT;
    int rc = read_file(path, &json, e);

    if (rc == 0)
        rc = gateway_plan_read(buf_text(&json), json.len, ret, e);
    buf_release(&json);
    return rc;
}

static int print_config(const char *path, struct err *e)
{
    struct gateway_file *f = NULL;
    struct buf out = BUF_INIT;

    if (read_plan(path, &f, e) < 0)
        return -1;
    gateway_config(gateway_plan_of(f), &out);
    fwrite(buf_text(&out), 1, out.len, stdout);
    buf_release(&out);
    gateway_plan_free(&f);
    return 0;
}

static int set_all(const char *path, struct err *e)
{
    const struct gateway_plan *p;
    struct gateway_file *f = NULL;
    int rc = 0;

    if (read_plan(path, &f, e) < 0)
        return -1;
    p = gateway_plan_of(f);
    for (size_t i = 0; i < p->app_count && rc == 0; i++)
        rc = gateway_sync(p->runtime, &p->apps[i], TIMEOUT_MS, e);
    gateway_plan_free(&f);
    return rc;
}

static void show_slot(void *ctx, const struct gateway_slot *s)
{
    (void)ctx;
    if (s->port > 1)
        printf("slot %.*s/%.*s %.*s:%llu %s %s weight=%llu\n", STR_FMT(s->backend),
               STR_FMT(s->server), STR_FMT(s->address), (unsigned long long)s->port,
               gateway_state_text(s->state), s->up ? "up" : "down",
               (unsigned long long)s->weight);
}

static void show_stat(void *ctx, const struct gateway_stat *s)
{
    (void)ctx;
    if (s->requests)
        printf("stat %.*s/%.*s requests=%llu ok=%llu client_errors=%llu server_errors=%llu "
               "retries=%llu redispatches=%llu current=%llu queued=%llu first_byte_ms=%llu\n",
               STR_FMT(s->backend), STR_FMT(s->server), (unsigned long long)s->requests,
               (unsigned long long)s->ok, (unsigned long long)s->client_errors,
               (unsigned long long)s->server_errors, (unsigned long long)s->retries,
               (unsigned long long)s->redispatches, (unsigned long long)s->current,
               (unsigned long long)s->queued, (unsigned long long)s->first_byte_ms);
}

static int show(const char *runtime, struct err *e)
{
    struct buf out = BUF_INIT;
    int rc = gateway_ask(runtime, "show servers state", TIMEOUT_MS, &out, e);

    if (rc == 0)
        rc = gateway_read_slots((struct str){buf_text(&out), out.len}, show_slot, NULL, e);
    buf_clear(&out);
    if (rc == 0)
        rc = gateway_ask(runtime, "show stat", TIMEOUT_MS, &out, e);
    if (rc == 0)
        rc = gateway_read_stat((struct str){buf_text(&out), out.len}, show_stat, NULL, e);
    buf_release(&out);
    return rc;
}

int cmd_gateway(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const char *arg, struct err *e);
    } verbs[] = {{"config", print_config}, {"show", show}, {"set", set_all}};
    struct err e;

    if (cli_wants_help(argc, argv))
        return cli_usage("gateway", "FILE is a plan in JSON (docs/gateway.md), - for stdin. "
                                    "RUNTIME is a socket's path or ADDRESS:PORT.\n");
    for (size_t i = 0; argc == 3 && i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argv[2], &e) < 0 ? cli_fail(&e) : CLI_OK;
    return cli_fail_with(CLI_USAGE,
                         "gateway takes 'config FILE', 'show RUNTIME' or 'set FILE'");
}

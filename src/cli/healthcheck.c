/* `maya healthcheck`: for containers that have no curl. */
#include "cli/cli_int.h"

#include "cli/cli.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define MOST_S 5

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

static int ask(struct cli_client *c, struct err *e)
{
    struct cli_request r = {.path = "/healthz", .timeout_s = MOST_S};
    struct buf words = BUF_INIT;
    int code;

    if (cli__request(c, &r, e) < 0) {
        cli__request_release(&r);
        return cli_fail(e);
    }
    json_t *root = json_loadb(buf_text(&r.body), r.body.len, 0, NULL);
    const char *status = json_string_value(json_object_get(root, "status"));
    checks(root, &words);
    if (!status)
        code = cli_fail_with(CLI_FAILED, "%s/healthz answers %ld, but not as Maya does",
                             c->shown, r.status);
    else if (r.status == 200 && strcmp(status, "healthy") == 0)
        code = puts("healthy") < 0 ? CLI_FAILED : CLI_OK;
    else
        code = cli_fail_with(CLI_FAILED, "unhealthy%s", buf_text(&words));
    json_decref(root);
    buf_release(&words);
    cli__request_release(&r);
    return code;
}

int cmd_healthcheck(int argc, char **argv)
{
    struct cli_client c;
    struct err e = {0};

    if (cli_wants_help(argc, argv))
        return cli_usage("healthcheck",
                         "Exit code 0: healthy. 1: unhealthy, or no answer within 5 seconds.\n"
                         "Without a URL it asks where HOST and PORT say that Maya listens.\n");
    if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
        return cli_fail_with(CLI_USAGE, "healthcheck takes one URL at most");
    char *url = argc == 2 ? xstrdup(argv[1]) : cli__default_url();
    int code = cli__client_open(&c, url, NULL, &e) < 0 ? cli_fail(&e) : ask(&c, &e);
    cli__client_close(&c);
    free(url);
    return code;
}

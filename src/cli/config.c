/* `maya config`: every option and where its value came from; `check`: can it work. */
#include "cli/cli.h"

#include "config/config.h"

#include <stdio.h>
#include <string.h>

static int show(const struct config *c)
{
    struct buf out = BUF_INIT;

    for (int id = 0; id < CONFIG__COUNT; id++) {
        config_describe(c, (enum config_id)id, &out);
        buf_char(&out, '\n');
    }
    fputs(buf_text(&out), stdout);
    buf_release(&out);
    return CLI_OK;
}

int cmd_config(int argc, char **argv)
{
    struct config *c = config_new();
    bool check = argc > 1 && strcmp(argv[1], "check") == 0;
    int code = CLI_OK;

    if (cli_options("config", c, argc - check, argv + check, &code))
        code = show(c);
    config_free(&c);
    return code;
}

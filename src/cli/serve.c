/* `maya serve`. */
#include "cli/cli.h"

#include "config/config.h"

int cmd_serve(int argc, char **argv)
{
    struct config *c = config_new();
    int code = CLI_OK;

    if (cli_options("serve", c, argc, argv, &code))
        code = cli_fail_with(CLI_FAILED, "serving is not part of this build yet");
    config_free(&c);
    return code;
}

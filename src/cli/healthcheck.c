#include "cli/cli.h"

int cmd_healthcheck(int argc, char **argv)
{
    if (cli_wants_help(argc, argv))
        return cli_usage("healthcheck", NULL);
    return cli_fail_with(CLI_FAILED, "healthcheck is not part of this build yet");
}

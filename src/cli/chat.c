#include "cli/cli.h"

int cmd_chat(int argc, char **argv)
{
    if (cli_wants_help(argc, argv))
        return cli_usage("chat", NULL);
    return cli_fail_with(CLI_FAILED, "chat is not part of this build yet");
}

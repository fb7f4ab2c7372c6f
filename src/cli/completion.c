/* `maya completion SHELL`: the scripts are files of their own (cli/shell/), built in by
 * shell.S. */
#include "cli/cli.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

extern const char cli_shell_bash[], cli_shell_bash_end[], cli_shell_zsh[], cli_shell_zsh_end[],
    cli_shell_fish[], cli_shell_fish_end[];

static const struct {
    const char *name, *begin, *end;
} shells[] = {{"bash", cli_shell_bash, cli_shell_bash_end},
              {"zsh", cli_shell_zsh, cli_shell_zsh_end},
              {"fish", cli_shell_fish, cli_shell_fish_end}};

int cmd_completion(int argc, char **argv)
{
    if (cli_wants_help(argc, argv))
        return cli_usage(
            "completion",
            "bash, in ~/.bashrc:                 source <(maya completion bash)\n"
            "zsh, in ~/.zshrc behind compinit:   source <(maya completion zsh)\n"
            "fish, once:  maya completion fish > ~/.config/fish/completions/maya.fish\n");
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(shells); i++) {
        if (strcmp(argv[1], shells[i].name) != 0)
            continue;
        size_t n = (size_t)((uintptr_t)shells[i].end - (uintptr_t)shells[i].begin);
        fwrite(shells[i].begin, 1, n, stdout);
        return CLI_OK;
    }
    return cli_fail_with(CLI_USAGE, "completion needs the name of a shell: bash, zsh or fish");
}

/* `maya app dashboard`: how an app is, in a browser. */
#include "cli/verb.h"

#include "cli/cli.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool screen_there(void)
{
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");

    return (x && *x) || (wayland && *wayland);
}

/* xdg-open comes back at once; what it has to say is not for here. */
static int open_in_browser(const char *address)
{
    char program[] = "xdg-open", *copy = strdup(address);
    char *argv[] = {program, copy, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0, rc = -1;

    if (!copy)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&child, program, &actions, NULL, argv, environ) == 0) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        rc = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    free(copy);
    return rc;
}

int verb_app_dashboard(const struct cli_args *a)
{
    struct engine *en = NULL;
    struct err e = {0};
    char *address = NULL;
    int code = CLI_OK;

    if (cli__engine(a, &en, &e) < 0 || fleet_app_dashboard(en, a->word[0], &address, &e) < 0) {
        code = cli_fail(&e);
    } else {
        puts(address);
        fflush(stdout);
        if (screen_there() && open_in_browser(address) < 0)
            fputs("maya: no browser could be opened; open that address yourself\n", stderr);
    }
    free(address);
    engine_close(&en);
    return code;
}

/* `maya files`: what `maya volume` runs within the container that has the volume. */
#include "cli/cli.h"

#include "base/strs.h"
#include "fleet/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int run(int root, int argc, char **argv, struct err *e)
{
    const char *verb = argv[1];
    int64_t owner;

    for (int i = 2; i < argc; i++)
        fleet_files_unquote(argv[i]);
    if (argc == 3 && strcmp(verb, "list") == 0)
        return fleet_files_list(root, argv[2], false, stdout, e);
    if (argc == 3 && strcmp(verb, "list-all") == 0)
        return fleet_files_list(root, argv[2], true, stdout, e);
    if (argc == 3 && strcmp(verb, "remove") == 0)
        return fleet_files_remove(root, argv[2], false, e);
    if (argc == 3 && strcmp(verb, "remove-all") == 0)
        return fleet_files_remove(root, argv[2], true, e);
    if (argc == 5 && strncmp(verb, "move", 4) == 0 && str_to_int(argv[4], &owner)) {
        int rc = fleet_files_move(root, argv[2], argv[3], (unsigned)owner,
                                  strcmp(verb, "move-over") == 0, e);
        struct err ignored;
        /* What did not find its place goes: the next one begins anew. */
        char *rest = strchr(argv[2], '/');
        if (rest)
            *rest = '\0';
        if (fleet_files_remove(root, argv[2], true, &ignored) < 0 && rc == 0)
            rc = err_set(e, ERR_IO, 0, "%s", ignored.msg);
        return rc;
    }
    return err_set(e, ERR_INVALID, 0, "`maya help files` tells how this is used");
}

int cmd_files(int argc, char **argv)
{
    struct err e = {0};
    int root;

    if (cli_wants_help(argc, argv))
        return cli_usage("files", "Paths are percent-encoded. It works on " FLEET_FILES_ROOT
                                  ", and only in a container that has it.\n");
    if (argc < 2)
        return cli_fail_with(CLI_USAGE, "`maya help files` tells how this is used");
    root = open(FLEET_FILES_ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return cli_fail_with(CLI_FAILED, "there is no " FLEET_FILES_ROOT " here: %s",
                             strerror(errno));
    int rc = run(root, argc, argv, &e);
    close(root);
    return rc < 0 ? cli_fail(&e) : CLI_OK;
}

/* `maya receive`: how the keeper puts a file into the memory of a container of Maya. */
#include "cli/cli.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All that comes in, which must be so much. It may be secret: nothing of it stays here. */
static int copy(int to, int64_t size, struct err *e)
{
    char piece[4096];
    ssize_t n;
    int rc = 0;

    while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0 && rc == 0) {
        size -= n;
        if (write(to, piece, (size_t)n) != n)
            rc = err_set(e, ERR_IO, errno, "write what comes");
    }
    explicit_bzero(piece, sizeof(piece));
    if (rc == 0 && (n < 0 || size != 0))
        rc = err_set(e, ERR_IO, 0, "what came is not as long as it was to be");
    return rc;
}

/* Whoever reads the folder sees the old file or the new one; a name with a dot is not looked
 * at. */
static int receive(const char *folder, const char *name, int64_t size, struct err *e)
{
    char *fresh = xprintf(".%s.new", name);
    int at, fd = -1, rc = 0;

    mkdir(folder, 0700);
    at = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at >= 0) {
        unlinkat(at, fresh, 0);
        fd = openat(at, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (fd < 0)
        rc = err_set(e, ERR_IO, errno, "make a file in '%s'", folder);
    else if (copy(fd, size, e) < 0)
        rc = -1;
    else if (renameat(at, fresh, at, name) < 0)
        rc = err_set(e, ERR_IO, errno, "name the file '%s'", name);
    if (rc < 0 && fd >= 0)
        unlinkat(at, fresh, 0);
    if (fd >= 0)
        close(fd);
    if (at >= 0)
        close(at);
    free(fresh);
    return rc;
}

int cmd_receive(int argc, char **argv)
{
    struct err e = {0};
    int64_t size;

    if (cli_wants_help(argc, argv))
        return cli_usage("receive", "The file is the owner's alone, and there when all of it "
                                    "is. Its folder is made.\n");
    char *slash = argc == 3 ? strrchr(argv[1], '/') : NULL;
    if (!slash || slash == argv[1] || !slash[1] || !str_to_int(argv[2], &size) || size < 0)
        return cli_fail_with(CLI_USAGE, "receive takes FOLDER/FILE and its size");
    *slash = '\0';
    return receive(argv[1], slash + 1, size, &e) < 0 ? cli_fail(&e) : CLI_OK;
}

/* What a `maya serve` was handed by whoever started it, and what it says to that one. */
#include "cli/reload_int.h"

#include "base/strs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3

void reload__handed(struct reload_handed *ret)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    int64_t whose = 0, n = 0;

    *ret = (struct reload_handed){-1, -1};
    if (pid && count && str_to_int(pid, &whose) && whose == getpid() && str_to_int(count, &n)) {
        if (n >= 1)
            ret->listener = FIRST_FD;
        if (n == 2 && names && strcmp(names, RELOAD_NAMES) == 0)
            ret->parent = FIRST_FD + 1;
        for (int fd = FIRST_FD; fd < FIRST_FD + n && fd < 256; fd++)
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

void reload__say(const struct reload_handed *h, enum reload_word word)
{
    char c = (char)word;

    if (h->parent >= 0)
        (void)!send(h->parent, &c, 1, MSG_NOSIGNAL); /* who is gone hears nothing */
}

bool reload__wait(const struct reload_handed *h)
{
    char c;
    ssize_t n;

    if (h->parent < 0)
        return true;
    reload__say(h, RELOAD_PREPARED);
    do
        n = read(h->parent, &c, 1);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

/* An engine on another host, through ssh: one process a connection, as the docker command does.
 */
#include "engine/engine_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "ssh://user@host:22" in its parts; a part that is not there is NULL. */
struct target {
    char *text, *user, *host, *port;
};

static void split(const char *address, struct target *t)
{
    char *at, *colon;

    t->text = xstrdup(address + strlen("ssh://"));
    t->text[strcspn(t->text, "/")] = '\0';
    t->host = t->text;
    if ((at = strrchr(t->text, '@'))) {
        *at = '\0';
        t->user = t->text;
        t->host = at + 1;
    }
    if (*t->host == '[') { /* an IPv6 address */
        t->host++;
        colon = strchr(t->host, ']');
        if (colon)
            *colon++ = '\0';
        colon = colon && *colon == ':' ? colon : NULL;
    } else {
        colon = strchr(t->host, ':');
    }
    if (colon) {
        *colon = '\0';
        t->port = colon + 1;
    }
}

static int spawn_ssh(const struct target *t, int fd)
{
    char *argv[16];
    int n = 0;
    pid_t pid;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;

    static char ssh[] = "ssh", option[] = "-o", timeout[] = "ConnectTimeout=30", tty[] = "-T",
                user[] = "-l", port[] = "-p", dashes[] = "--", docker[] = "docker",
                system_word[] = "system", dial[] = "dial-stdio";
    argv[n++] = ssh;
    argv[n++] = option;
    argv[n++] = timeout;
    argv[n++] = tty;
    if (t->user) {
        argv[n++] = user;
        argv[n++] = t->user;
    }
    if (t->port) {
        argv[n++] = port;
        argv[n++] = t->port;
    }
    argv[n++] = dashes;
    argv[n++] = t->host;
    argv[n++] = docker;
    argv[n++] = system_word;
    argv[n++] = dial;
    argv[n] = NULL;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, fd, STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    /* Ctrl-C is for us: we end what is under way, and ssh with its socket. */
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawnp(&pid, ssh, &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

int engine__ssh(const char *host)
{
    struct target t = {0};
    int pair[2], rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return CURL_SOCKET_BAD;
    signal(SIGCHLD, SIG_IGN); /* nobody waits for it: it ends when its socket does */
    split(host, &t);
    rc = spawn_ssh(&t, pair[1]);
    free(t.text);
    close(pair[1]);
    if (rc != 0) {
        close(pair[0]);
        errno = rc;
        return CURL_SOCKET_BAD;
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return pair[0];
}

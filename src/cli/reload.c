/*
 * `maya serve --reload`: a small parent that holds the listening socket, watches files, and
 * starts a `maya serve` anew when one of them changed. The new one first makes all its parts,
 * so what cannot start changes nothing. Then the old one is told to end; when it is deaf the
 * new one listens, and who came in between waited in the socket's queue. At no time do two of
 * them hear new people, so no session is changed behind the back of one that holds it; what the
 * old one has begun it ends, and the store's versions decide should a turn be begun in both.
 */
#include "cli/reload_int.h"

#include "base/alloc.h"
#include "base/files.h"
#include "base/log.h"
#include "base/strs.h"
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "cli/serve_int.h"
#include "config/config.h"
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 200   /* between two looks at the files */
#define SETTLE_MS 300 /* with no change: then it is whole */
#define SETTLE_MOST 5000
#define DEAF_MS 5000 /* an old one that does not become deaf is hung */
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 10000
#define GOOD_MS 30000 /* one that served so long did not crash from the start */
#define WORKERS 16
#define WATCHED 3

enum worker_state {
    WORKER_NONE,
    WORKER_MAKING,
    WORKER_PREPARED,
    WORKER_SERVING,
    WORKER_ENDING
};

struct worker {
    enum worker_state state;
    pid_t pid;
    int fd;
    bool deaf, busy; /* busy: the program was being written */
    int64_t since_ms;
};

struct reload {
    struct config *config;
    char **argv;
    char program[PATH_MAX];
    char *watched[WATCHED]; /* program, agent folder, .env */
    int listener, signals;
    struct worker workers[WORKERS];
    struct files *seen;
    int64_t look_ms, changed_ms, first_change_ms; /* 0: nothing changed */
    int64_t start_ms;                             /* when one is started of itself; 0: never */
    unsigned crashes;
    bool served, stopping;
    int code;
};

static int64_t now_ms(void)
{
    return (int64_t)(loop_hrtime_ns() / 1000000);
}

static struct worker *in_state(struct reload *r, enum worker_state state)
{
    for (size_t i = 0; i < WORKERS; i++)
        if (r->workers[i].state == state)
            return &r->workers[i];
    return NULL;
}

static struct worker *coming(struct reload *r)
{
    struct worker *w = in_state(r, WORKER_MAKING);

    return w ? w : in_state(r, WORKER_PREPARED);
}

/* The files. */

/* Where things are may have changed with .env; what cannot be read now stays as it was. */
static void find_watched(struct reload *r, int argc)
{
    struct config *c = config_new();
    char agent[PATH_MAX];
    const char *now[WATCHED] = {r->program};

    if (config_read(c, argc, r->argv, environ, NULL) == 0) {
        now[1] = cli__find_agent(c, agent, NULL) == 0 ? agent : NULL;
        now[2] = config_text(c, C_ENV_FILE);
    }
    for (size_t i = 0; i < WATCHED; i++) {
        if (!now[i])
            continue;
        free(r->watched[i]);
        r->watched[i] = xstrdup(now[i]);
    }
    config_free(&c);
}

/* NULL: no memory, another time. */
static struct files *see(const struct reload *r)
{
    const char *paths[WATCHED];
    size_t n = 0;

    for (size_t i = 0; i < WATCHED; i++)
        if (r->watched[i])
            paths[n++] = r->watched[i];
    return files_look(paths, n, false);
}

static void look(struct reload *r, int64_t now)
{
    if (now - r->look_ms < LOOK_MS)
        return;
    r->look_ms = now;
    struct files *f = see(r);
    if (!f)
        return;
    const char *which = r->seen ? files_changed(r->seen, f) : NULL;
    if (which) {
        if (!r->changed_ms) {
            r->first_change_ms = now;
            log_info("reload", "changed", "file=\"%s\"", which);
        }
        r->changed_ms = now;
    }
    files_free(&r->seen);
    r->seen = f;
}

/* Nobody has written for a while, or somebody never stops; and the program is there. */
static bool settled(const struct reload *r, int64_t now)
{
    return r->changed_ms &&
           (now - r->changed_ms >= SETTLE_MS || now - r->first_change_ms >= SETTLE_MOST) &&
           access(r->program, X_OK) == 0;
}

/* The children. */

/* In the child: never returns. */
static void become(const struct reload *r, pid_t parent, int fd)
{
    char pid[24], exe[] = "maya";
    sigset_t none;
    size_t n = 0;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* Ctrl-C is for the parent: it tells us */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(CLI_FAILED);
    /* First out of the way of each other. */
    int listener = fcntl(r->listener, F_DUPFD_CLOEXEC, 10);
    int boss = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (listener < 0 || boss < 0 || dup2(listener, 3) < 0 || dup2(boss, 4) < 0)
        _exit(CLI_FAILED);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", RELOAD_NAMES, 1);
    while (r->argv[n])
        n++;
    char **argv = xalloc((n + 2) * sizeof(*argv));
    argv[0] = exe;
    memcpy(argv + 1, r->argv, n * sizeof(*argv));
    execv(r->program, argv);
    const struct reload_handed h = {.parent = 4};
    if (errno == ETXTBSY)
        reload__say(&h, RELOAD_BUSY);
    else
        cli_fail_with(CLI_FAILED, "cannot start '%s': %s", r->program, strerror(errno));
    _exit(CLI_FAILED);
}

static void start(struct reload *r, int argc, int64_t now)
{
    struct worker *w = in_state(r, WORKER_NONE);
    int pair[2];

    if (!w || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return; /* too many still end: another time */
    find_watched(r, argc);
    files_free(&r->seen);
    r->seen = see(r); /* before the child reads them: what changes now is seen again */
    r->start_ms = r->changed_ms = 0;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(r, parent, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        log_error("reload", "no_process", "error=\"%s\"", strerror(errno));
        close(pair[0]);
        r->start_ms = now + PAUSE_MOST_MS;
        return;
    }
    *w = (struct worker){WORKER_MAKING, pid, pair[0], false, false, now};
}

static void tell_end(struct worker *w, int64_t now)
{
    kill(w->pid, SIGTERM);
    w->state = WORKER_ENDING;
    w->since_ms = now;
}

/* The new one may listen when no old one hears new people. */
static void let_listen(struct reload *r, int64_t now)
{
    struct worker *next = in_state(r, WORKER_PREPARED), *old = in_state(r, WORKER_SERVING);
    char go = RELOAD_GO;

    if (!next || r->stopping)
        return;
    if (old)
        tell_end(old, now);
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *w = &r->workers[i];
        if (w->state != WORKER_ENDING || w->deaf)
            continue;
        if (now - w->since_ms < DEAF_MS)
            return;
        kill(w->pid, SIGKILL);
        w->deaf = true;
    }
    (void)!send(next->fd, &go, 1, MSG_NOSIGNAL); /* if it is gone we hear of that, too */
    next->state = WORKER_SERVING;
    next->since_ms = now;
    r->start_ms = 0;
}

static void say_listening(struct reload *r, const struct worker *w, int64_t now)
{
    if (!r->served)
        serve__say_address(config_text(r->config, C_HOST), net_listen_port(r->listener));
    else
        log_info("reload", "took_over", "pid=%d ms=%lld", (int)w->pid,
                 (long long)(now - w->since_ms));
    r->served = true;
}

/* One word; false when there is none just now. */
static bool hear(struct reload *r, struct worker *w, int64_t now)
{
    char word;
    ssize_t n = recv(w->fd, &word, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n <= 0) { /* it ends; why, its exit tells */
        close(w->fd);
        w->fd = -1;
        w->deaf = true;
        return false;
    }
    if (word == RELOAD_PREPARED && w->state == WORKER_MAKING)
        w->state = WORKER_PREPARED;
    else if (word == RELOAD_LISTENING)
        say_listening(r, w, now);
    else if (word == RELOAD_DEAF)
        w->deaf = true;
    else if (word == RELOAD_BUSY)
        w->busy = true;
    return true;
}

/* One that nobody told to end has ended. */
static void lost(struct reload *r, const struct worker *w, int status, int64_t now)
{
    bool serving = w->state == WORKER_SERVING, other = in_state(r, WORKER_SERVING) != NULL;
    char how[40];

    if (w->busy) { /* whoever writes it will end */
        r->changed_ms = r->first_change_ms = now;
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "signal=%d", WTERMSIG(status));
    else
        snprintf(how, sizeof(how), "code=%d", WEXITSTATUS(status));
    if (!serving && other) {
        log_error("reload", "kept",
                  "%s note=\"what changed cannot start, as said above; the "
                  "one before goes on until the next change\"",
                  how);
        return;
    }
    if (!serving && !r->served) {
        log_error("reload", "waits",
                  "%s note=\"it cannot start, as said above; it is tried "
                  "again at the next change\"",
                  how);
        return;
    }
    if (serving && now - w->since_ms > GOOD_MS)
        r->crashes = 0;
    int64_t pause = (int64_t)PAUSE_FIRST_MS << (r->crashes < 10 ? r->crashes : 10);
    pause = pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS;
    r->crashes++;
    r->start_ms = now + pause;
    log_error("reload", "ended", "%s again_in_ms=%lld", how, (long long)pause);
}

static void reap(struct reload *r, int64_t now)
{
    int status;

    for (size_t i = 0; i < WORKERS; i++) {
        struct worker w = r->workers[i];
        if (w.state == WORKER_NONE || waitpid(w.pid, &status, WNOHANG) != w.pid)
            continue;
        while (r->workers[i].fd >= 0 && hear(r, &r->workers[i], now))
            ; /* its last words */
        w = r->workers[i];
        if (w.fd >= 0)
            close(w.fd);
        r->workers[i] = (struct worker){.fd = -1};
        if (r->stopping)
            r->code = WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
        else if (w.state != WORKER_ENDING)
            lost(r, &w, status, now);
    }
}

/* Signals. */

/* The first asks them to end, the second does not ask. */
static void end_all(struct reload *r, int64_t now)
{
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *w = &r->workers[i];
        if (w->state == WORKER_NONE || (w->state == WORKER_ENDING && !r->stopping))
            continue;
        tell_end(w, now);
    }
    r->stopping = true;
}

static void hear_signals(struct reload *r, int64_t now)
{
    struct signalfd_siginfo info;

    while (read(r->signals, &info, sizeof(info)) == sizeof(info)) {
        struct worker *w = in_state(r, WORKER_SERVING);
        if (info.ssi_signo == SIGUSR1 && w)
            kill(w->pid, SIGUSR1);
        else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGUSR1)
            end_all(r, now);
    }
}

static int open_signals(struct reload *r, struct err *e)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};
    struct sigaction given;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        /* What was ignored when we began (nohup) stays ignored. */
        if (all[i] == SIGCHLD ||
            (sigaction(all[i], NULL, &given) == 0 && given.sa_handler != SIG_IGN))
            sigaddset(&set, all[i]);
    signal(SIGCHLD, SIG_DFL);
    r->signals = sigprocmask(SIG_BLOCK, &set, NULL) < 0
                     ? -1
                     : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r->signals < 0)
        return err_set(e, ERR_IO, errno, "watch for signals");
    return 0;
}

/* It was made from what is old now. */
static void abandon(struct worker *w)
{
    w->state = WORKER_ENDING;
    w->deaf = true; /* it never heard */
    kill(w->pid, SIGKILL);
}

/* One turn: wait for news of signals, children and files. */
static void turn(struct reload *r, int argc)
{
    struct pollfd polled[WORKERS + 1] = {{.fd = r->signals, .events = POLLIN}};

    for (size_t i = 0; i < WORKERS; i++)
        polled[i + 1] = (struct pollfd){
            .fd = r->workers[i].state == WORKER_NONE ? -1 : r->workers[i].fd, .events = POLLIN};
    int64_t now = now_ms();
    (void)poll(polled, ARRAY_LEN(polled), r->start_ms && now >= r->start_ms ? 0 : LOOK_MS);
    now = now_ms();
    hear_signals(r, now);
    for (size_t i = 0; i < WORKERS; i++)
        if (polled[i + 1].revents && r->workers[i].fd == polled[i + 1].fd)
            (void)hear(r, &r->workers[i], now);
    reap(r, now);
    if (r->stopping)
        return;
    look(r, now);
    struct worker *next = coming(r);
    if (settled(r, now) && next && next->state == WORKER_MAKING)
        abandon(next);
    else if (!next && (settled(r, now) || (r->start_ms && now >= r->start_ms)))
        start(r, argc, now);
    let_listen(r, now);
}

static int prepare(struct reload *r, int argc, struct err *e)
{
    const struct config *c = r->config;
    ssize_t n = readlink("/proc/self/exe", r->program, sizeof(r->program) - 1);

    if (n <= 0)
        return err_set(e, ERR_IO, errno, "find the program itself in /proc");
    if (r->listener < 0 && net_listen_open(config_text(c, C_HOST), (int)config_int(c, C_PORT),
                                           &r->listener, e) < 0)
        return -1;
    if (open_signals(r, e) < 0)
        return -1;
    find_watched(r, argc);
    log_info("reload", "watch", "program=\"%s\" agent=\"%s\" env=\"%s\"", r->program,
             r->watched[1] ? r->watched[1] : "", r->watched[2] ? r->watched[2] : "");
    r->start_ms = now_ms();
    return 0;
}

int reload__run(struct config *c, int listener, int argc, char **argv)
{
    struct reload r = {.config = c, .argv = argv, .listener = listener, .signals = -1};
    const char *host = config_text(c, C_HOST);
    struct err e = {0};

    for (size_t i = 0; i < WORKERS; i++)
        r.workers[i].fd = -1;
    if (prepare(&r, argc, &e) < 0) {
        r.code = cli_fail(&e);
    } else {
        bool left = true;
        while (!r.stopping || left) {
            turn(&r, argc);
            left = false;
            for (size_t i = 0; i < WORKERS; i++)
                left |= r.workers[i].state != WORKER_NONE;
        }
        if (strncmp(host, "unix:", 5) == 0)
            unlink(host + 5);
    }
    for (size_t i = 0; i < WATCHED; i++)
        free(r.watched[i]);
    files_free(&r.seen);
    if (r.signals >= 0)
        close(r.signals);
    if (r.listener >= 0)
        close(r.listener);
    return r.code;
}

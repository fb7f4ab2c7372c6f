/* `maya keeper`: what runs behind `maya deploy`, in containers of its own. */
#include "cli/verb.h"

#include "base/log.h"
#include "base/strs.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "gateway/gateway.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CONFIG FLEET_GATEWAY_FOLDER "/haproxy.cfg"
#define HAPROXY "/usr/sbin/haproxy"
#define LOOK_MS 200

int cmd_keeper(int argc, char **argv)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* nor does HAProxy become more than it is */
    return cli__run_verb(argc, argv);
}

int verb_keeper_run(const struct cli_args *a)
{
    struct fleet_keeper_cfg cfg = {.folder = FLEET_GATEWAY_FOLDER, .stop = &cli__stop};
    struct engine *en = NULL;
    struct err e = {0};
    int rc = 0;

    log_setup(LOG_INFO, true);
    if (cli__port(a, CLI_FLAG_HTTP, &cfg.http_port, &e) < 0 ||
        cli__port(a, CLI_FLAG_HTTPS, &cfg.https_port, &e) < 0 || cli__engine(a, &en, &e) < 0 ||
        fleet_keeper(en, &cfg, &e) < 0)
        rc = cli_fail(&e);
    engine_close(&en);
    return rc;
}

/* HAProxy is told by it to end when nothing is left to it; until it is there we are. */
static void on_leave(int signum)
{
    (void)signum;
    cli__stop = 1;
}

/* With the listening sockets of the one that runs, and with them all who wait there. */
static int start(struct gateway_door *d, bool running)
{
    static char program[] = "haproxy", workers[] = "-W", fore[] = "-db", master[] = "-S",
                file[] = "-f", config[] = CONFIG, from[] = "-x";
    /* What is behind the NULL is not seen. */
    char *const argv[] = {program,       workers, fore,   master,
                          d->own_master, file,    config, running ? from : NULL,
                          d->runtime,    NULL};

    execv(HAPROXY, argv);
    return cli_fail_with(CLI_FAILED, "start " HAPROXY ": %s", strerror(errno));
}

/* HAProxy in this very place, as soon as the keeper has written what it is to be. */
int verb_keeper_gateway(const struct cli_args *a)
{
    struct sigaction act = {.sa_handler = on_leave};
    struct gateway_door d;
    struct err e;
    bool running;

    (void)a;
    sigaction(SIGUSR1, &act, NULL);
    setenv(FLEET_GATEWAY_INSTANCE, "0", 0);
    if (gateway_door_init(&d, FLEET_GATEWAY_FOLDER, getenv(FLEET_GATEWAY_INSTANCE), &e) < 0)
        return cli_fail(&e);
    while (access(CONFIG, R_OK) < 0) {
        if (cli__stop)
            return CLI_OK;
        poll(NULL, 0, LOOK_MS);
    }
    if (gateway_door_come(&d, &running, &e) < 0)
        return cli_fail(&e);
    return cli__stop ? CLI_OK : start(&d, running);
}

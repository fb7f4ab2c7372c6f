/* `maya keeper`: what runs behind `maya deploy`, in containers of its own. */
#include "cli/verb.h"

#include "base/log.h"
#include "base/strs.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/run/maya"
#define CONFIG FOLDER "/haproxy.cfg"
#define HAPROXY "/usr/sbin/haproxy"
#define LOOK_MS 200

int cmd_keeper(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

int verb_keeper_run(const struct cli_args *a)
{
    struct fleet_keeper_cfg cfg = {.folder = FOLDER, .stop = &cli__stop};
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

/* HAProxy in this very place, as soon as the keeper has written what it is to be. */
int verb_keeper_gateway(const struct cli_args *a)
{
    static char program[] = "haproxy", workers[] = "-W", fore[] = "-db", master[] = "-S",
                socket[] = FOLDER "/master.sock", file[] = "-f", config[] = CONFIG;
    char *const argv[] = {program, workers, fore, master, socket, file, config, NULL};

    (void)a;
    while (access(CONFIG, R_OK) < 0) {
        if (cli__stop)
            return CLI_OK;
        poll(NULL, 0, LOOK_MS);
    }
    execv(HAPROXY, argv);
    return cli_fail_with(CLI_FAILED, "start " HAPROXY ": %s", strerror(errno));
}

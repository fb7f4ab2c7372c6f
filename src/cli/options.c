/* What serve and config share: reading the options, and whether they can work. */
#include "cli/cli.h"

#include "config/config.h"
#include "seal/seal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cli_options(const char *command, struct config *c, int argc, char **argv, int *ret_exit)
{
    struct err e = {0};
    const char *warning;
    int rc = config_read(c, argc, argv, environ, &e);

    for (unsigned i = 0; (warning = config_warning(c, i)); i++)
        fprintf(stderr, "maya: warning: %s\n", warning);
    if (rc < 0) {
        *ret_exit = cli_fail(&e);
        return false;
    }
    if (config_wants_help(c)) {
        struct buf text = BUF_INIT;
        config_help(&text);
        *ret_exit = cli_usage(command, buf_text(&text));
        buf_release(&text);
        return false;
    }
    return true;
}

int cli_seal(const struct config *c, struct seal **ret, struct err *e)
{
    struct seal *s;

    if (seal_new(config_text(c, C_MASTER_KEY), config_text(c, C_DATA_DIR),
                 config_text(c, C_SALT_FILE), &s, e) < 0)
        return -1;
    if (seal_add_older(s, config_text(c, C_MASTER_KEY_OLD), e) < 0) {
        seal_free(&s);
        return -1;
    }
    *ret = s;
    return 0;
}

int cli_plan(const struct config *c, uint64_t limit, uint64_t footprint, uint64_t *ret_sessions,
             struct err *e)
{
    const struct config_plan plan = {
        .sessions = (uint64_t)config_int(c, C_SESSIONS),
        .budget = (uint64_t)(config_number(c, C_BUDGET_MB) * 1048576.0),
        .threshold = config_number(c, C_THRESHOLD),
        .limit = limit,
        .footprint = footprint,
        .chosen = config_given(c, C_SESSIONS) || config_given(c, C_BUDGET_MB),
    };

    if (strcmp(config_text(c, C_POLICY), "measured") == 0) {
        *ret_sessions = plan.sessions;
        return 0;
    }
    return config_plan(&plan, ret_sessions, e);
}

uint64_t cli_footprint(void)
{
    unsigned long long total, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f && fscanf(f, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

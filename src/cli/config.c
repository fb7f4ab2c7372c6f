/* `maya config`: every option and where its value came from; `check`: can it work. */
#include "cli/cli.h"
#include "cli/plan.h"

#include "agent/agent.h"
#include "cli/cli_int.h"
#include "config/config.h"
#include "memory/memory.h"
#include "safety/safety.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int show(const struct config *c)
{
    struct buf out = BUF_INIT;

    for (int id = 0; id < CONFIG__COUNT; id++) {
        config_describe(c, (enum config_id)id, &out);
        buf_char(&out, '\n');
    }
    fputs(buf_text(&out), stdout);
    buf_release(&out);
    return CLI_OK;
}

/* The agent folder: every file of it is read. */
static int check_agent(const struct config *c, struct err *e)
{
    char folder[PATH_MAX];
    const struct agent_cfg cfg = {.folder = folder};
    struct agent *a = NULL;

    if (cli__find_agent(c, folder, e) < 0 || agent_load(&cfg, &a, e) < 0)
        return -1;
    printf("agent     %s, in %s: %zu safety rules\n", agent_name(a), folder,
           safety_rule_count(agent_safety(a)));
    agent_free(&a);
    return 0;
}

/* The same questions that serve asks before it starts. */
static int check(const struct config *c)
{
    struct cgroup *cg = cgroup_new("", (uint64_t)config_int(c, C_MEMORY_MB) * 1048576);
    uint64_t footprint = cli_footprint(), sessions = 0;
    struct memory_sample memory;
    struct err e;

    cgroup_sample(cg, &memory);
    cgroup_free(&cg);
    printf("memory    %llu MiB (%s)\n", (unsigned long long)(memory.limit >> 20),
           memory_source_text(memory.limit_from));
    printf("sessions  %lld of %.15g MiB each, %s\n", (long long)config_int(c, C_SESSIONS),
           config_number(c, C_BUDGET_MB), config_text(c, C_POLICY));
    if (strcmp(config_text(c, C_VOICE), "cartesia") == 0 && !config_text(c, C_CARTESIA_KEY))
        puts(
            "voice     cartesia without CARTESIA_API_KEY: Cartesia speaks to who brings a key, "
            "eSpeak NG to the others");
    fflush(stdout);
    if (check_agent(c, &e) < 0)
        return cli_fail(&e);
    fflush(stdout);
    if (cli_plan(c, memory.limit, footprint, &sessions, &e) < 0)
        return cli_fail(&e);
    if (sessions != (uint64_t)config_int(c, C_SESSIONS))
        printf("They do not all fit; since nobody chose their number, %llu will be admitted.\n",
               (unsigned long long)sessions);
    else if (strcmp(config_text(c, C_POLICY), "measured") == 0)
        puts("Each is admitted when there is room for one more just then.");
    else
        puts("They fit.");
    return CLI_OK;
}

/* The numbers of a deploy.yaml: the one asked for, or the one that lies here. */
static int check_deploy(const char *file)
{
    const struct spec_how how = {.environment = environ};
    struct spec *s = NULL;
    struct err e = {0};
    int rc = spec_load(file, &how, &s, &e);

    if (rc == 0)
        rc = spec_files(s, &e);
    if (rc == 0) {
        printf("%s: %s, %lld to %lld containers of %lld MiB\n", file, spec_text(s, SPEC_NAME),
               (long long)spec_int(s, SPEC_MIN_CONTAINERS),
               (long long)spec_int(s, SPEC_MAX_CONTAINERS),
               (long long)spec_int(s, SPEC_MEMORY));
        fflush(stdout);
        rc = cli__prove(s, &e);
    }
    spec_free(&s);
    return rc < 0 ? cli_fail(&e) : CLI_OK;
}

/* `maya config check -f FILE`; NULL when it is not that. */
static const char *deploy_file(int argc, char **argv)
{
    if (argc == 4 && (strcmp(argv[2], "-f") == 0 || strcmp(argv[2], "--file") == 0))
        return argv[3];
    if (argc == 3 && strncmp(argv[2], "--file=", 7) == 0)
        return argv[2] + 7;
    return NULL;
}

int cmd_config(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "check") == 0 && deploy_file(argc, argv))
        return check_deploy(deploy_file(argc, argv));
    struct config *c = config_new();
    bool only_check = argc > 1 && strcmp(argv[1], "check") == 0;
    int code = CLI_OK;

    if (cli_options("config", c, argc - only_check, argv + only_check, &code))
        code = only_check ? check(c) : show(c);
    if (code == CLI_OK && argc == 2 && only_check && access(SPEC_FILE, F_OK) == 0)
        code = check_deploy(SPEC_FILE);
    config_free(&c);
    return code;
}

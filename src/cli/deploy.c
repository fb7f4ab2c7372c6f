/* `maya deploy`, as far as it is a plan, and `maya image`. */
#include "cli/plan.h"

#include "base/strs.h"
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "config/config.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB 1048576.0
#define WAIT_LINE_S 5

int cli__spec(const struct cli_args *a, struct spec **ret, struct err *e)
{
    const char *file = a->flag[CLI_FLAG_FILE], *tag = a->flag[CLI_FLAG_TAG];
    const struct spec_how how = {.name = a->flag[CLI_FLAG_NAME],
                                 .strategy = a->flag[CLI_FLAG_STRATEGY],
                                 .environment = environ};

    if (tag && !spec_name_ok(tag, SPEC_TAG_MAX))
        return err_set(e, ERR_INVALID, 0,
                       "--tag is '%.60s'; it may be letters, digits, '-', '.' and '_', at most "
                       "%d, the first and last a letter or digit",
                       tag, SPEC_TAG_MAX);
    if (!file && access(SPEC_FILE, F_OK) < 0)
        return err_set(e, ERR_INVALID, 0,
                       "there is no " SPEC_FILE " here; name one with -f, or write one that "
                       "says name: my-app");
    return spec_load(file ? file : SPEC_FILE, &how, ret, e);
}

const char *cli__agent_here(void)
{
    static char folder[PATH_MAX];
    struct config *c = config_new();
    struct err e;
    int rc = cli__find_agent(c, folder, &e);

    config_free(&c);
    return rc < 0 ? NULL : folder;
}

static void print_field(const struct spec *s, enum spec_id id, const char *title)
{
    struct buf text = BUF_INIT;

    spec_describe(s, id, &text);
    if (text.len)
        printf("%-11s %s\n", title, buf_text(&text));
    buf_release(&text);
}

int cli__prove(const struct spec *s, struct err *e)
{
    double memory = spec_number(s, SPEC_MEMORY), share = spec_number(s, SPEC_THRESHOLD);
    double footprint = (double)cli_footprint() / MIB;
    double wanted = spec_number(s, SPEC_SESSIONS) * spec_number(s, SPEC_SESSION_MEMORY);

    if (spec_prove(s, cli_footprint(), e) < 0)
        return -1;
    if (!spec_is_maya(s)) {
        printf("sessions    %lld in each container\n", (long long)spec_int(s, SPEC_SESSIONS));
        return 0;
    }
    printf(
        "sessions    %lld x %.15g MiB = %.15g MiB; %.15g x %.15g - %.1f (the process) = %.1f: "
        "%s\n",
        (long long)spec_int(s, SPEC_SESSIONS), spec_number(s, SPEC_SESSION_MEMORY), wanted,
        share, memory, footprint, share * memory - footprint,
        wanted <= share * memory - footprint ? "they fit"
                                             : "admitted while there is room (measured)");
    return 0;
}

static const char *kind_words(enum image_kind kind)
{
    switch (kind) {
    case IMAGE_OWN:
        return "this program and what it needs";
    case IMAGE_BASE:
        return "a base with things put into it";
    case IMAGE_RECIPE:
        return "built from a Dockerfile";
    case IMAGE_READY:
        break;
    }
    return "as it is";
}

static void print_image(const struct spec *s, const struct image_made *made)
{
    enum image_kind kind = spec_image_kind(s);

    printf("image       %s", made->ref ? made->ref : spec_text(s, SPEC_IMAGE_READY));
    if (made->size)
        printf(", %.1f MiB", (double)made->size / MIB);
    printf(": %s\n", kind_words(kind));
    print_field(s, SPEC_IMAGE_BASE, "  from");
    print_field(s, SPEC_IMAGE_PACKAGES, "  packages");
    print_field(s, SPEC_IMAGE_PIP, "  pip");
    print_field(s, SPEC_IMAGE_REQUIREMENTS, "  pip -r");
    print_field(s, SPEC_IMAGE_FILES, "  files");
    print_field(s, SPEC_IMAGE_COMMANDS, "  commands");
    print_field(s, SPEC_IMAGE_DOCKERFILE, "  from");
}

static void print_variable(void *ctx, const char *name, const char *value)
{
    bool *first = ctx;

    printf("%-11s %s=%s\n", *first ? "env" : "", name, value);
    *first = false;
}

static int print_plan(const struct spec *s, const char *tag, const struct image_made *made,
                      struct err *e)
{
    bool first = true;

    printf("app         %s%s%s, %s\n", spec_text(s, SPEC_NAME), tag ? ", tag " : "",
           tag ? tag : "", spec_text(s, SPEC_STRATEGY));
    print_image(s, made);
    if (spec_list(s, SPEC_COMMAND).count)
        print_field(s, SPEC_COMMAND, "command");
    else
        printf("command     %s\n", spec_is_maya(s) ? "maya serve" : "what the image says");
    printf("port        %lld, as user %s\n", (long long)spec_int(s, SPEC_PORT),
           spec_text(s, SPEC_USER));
    printf("containers  %lld to %lld, %lld in reserve; one too many goes after %lld s\n",
           (long long)spec_int(s, SPEC_MIN_CONTAINERS),
           (long long)spec_int(s, SPEC_MAX_CONTAINERS),
           (long long)spec_int(s, SPEC_BUFFER_CONTAINERS),
           (long long)spec_int(s, SPEC_SCALEDOWN));
    /* A Swarm's services can say nothing of swap, and the engine's own default is this. */
    printf("memory      %lld MiB each, and as much swap again where the machine has some; ",
           (long long)spec_int(s, SPEC_MEMORY));
    if (spec_number(s, SPEC_CPU) > 0)
        printf("%.15g cores\n", spec_number(s, SPEC_CPU));
    else
        puts("as many cores as there are");
    fflush(stdout);
    if (cli__prove(s, e) < 0)
        return -1;
    printf("in all      %lld sessions, %lld MiB when all containers run\n",
           (long long)spec_int(s, SPEC_SESSIONS) * spec_int(s, SPEC_MAX_CONTAINERS),
           (long long)spec_int(s, SPEC_MEMORY) * spec_int(s, SPEC_MAX_CONTAINERS));
    printf("health      %s every %lld s, %lld s for an answer, %lld bad ones in a row\n",
           spec_text(s, SPEC_HEALTH_PATH), (long long)spec_int(s, SPEC_HEALTH_INTERVAL),
           (long long)spec_int(s, SPEC_HEALTH_TIMEOUT),
           (long long)spec_int(s, SPEC_HEALTH_RETRIES));
    printf("rollout     ready (%s) within %lld s, %lld s to drain, ended after %d s\n",
           spec_text(s, SPEC_READY_PATH), (long long)spec_int(s, SPEC_READY_WITHIN),
           (long long)spec_int(s, SPEC_DRAIN), spec_stop_grace_s(s));
    spec_environment(s, print_variable, &first);
    print_field(s, SPEC_SECRETS, "secrets");
    print_field(s, SPEC_VOLUMES, "volumes");
    print_field(s, SPEC_HOSTNAMES, "hostnames");
    print_field(s, SPEC_TLS_CERTIFICATE, "tls");
    return 0;
}

static int print_json(const struct spec *s, const char *tag, const struct image_made *made,
                      struct err *e)
{
    char *stored = spec_stored(s);
    json_t *root = json_loads(stored, 0, NULL);

    free(stored);
    MUST(root);
    if (spec_prove(s, cli_footprint(), e) < 0) {
        json_decref(root);
        return -1;
    }
    json_object_set_new(
        root, "image",
        json_pack("{s:s*, s:I}", "ref", made->ref, "size", (json_int_t)made->size));
    if (tag)
        json_object_set_new(root, "tag", json_string(tag));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    MUST(text);
    puts(text);
    free(text);
    json_decref(root);
    return 0;
}

/* On a terminal one line that changes; else a line now and then, for a log. */
void cli__on_wait(void *ctx, const char *line)
{
    static time_t told;
    static bool shown;
    bool terminal = isatty(STDERR_FILENO);
    time_t now = time(NULL);

    (void)ctx;
    if (terminal && (line || shown))
        fprintf(stderr, "\r\033[K%s", line ? line : "");
    shown = terminal && line;
    if (terminal || !line) {
        told = now;
    } else if (now - told >= WAIT_LINE_S) {
        fprintf(stderr, "%s\n", line);
        told = now;
    }
}

void cli__on_line(void *ctx, const char *line)
{
    struct buf clean = BUF_INIT;

    cli__on_wait(ctx, NULL);
    cli__clean(&clean, line);
    fprintf(stderr, "%s\n", buf_text(&clean));
    buf_release(&clean);
}

int cmd_deploy(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

const char *cli__who(void)
{
    static char text[160];
    char host[64] = "";
    const char *user = getenv("USER");

    gethostname(host, sizeof(host) - 1);
    snprintf(text, sizeof(text), "%.60s@%s", user && *user ? user : "somebody", host);
    return text;
}

int cli__port(const struct cli_args *a, enum cli_flag flag, int *ret, struct err *e)
{
    int64_t n = 0;

    if (!a->flag[flag])
        return 0;
    if (!str_to_int(a->flag[flag], &n) || n < 0 || n > 65535)
        return err_set(e, ERR_INVALID, 0, "--%s is '%.20s'; a port is 0 to 65535",
                       cli__flag_at(flag)->name, a->flag[flag]);
    *ret = (int)n;
    return 0;
}

/* A Swarm keeps the apps; this engine is made one when it may be. */
static int see_to_swarm(const struct cli_args *a, struct engine *en, struct err *e)
{
    enum engine_swarm is;

    if (engine_is_podman(en))
        return engine_need_swarm(en, e);
    if (engine_swarm(en, &is, e) < 0)
        return -1;
    if (is != ENGINE_SWARM_NONE)
        return engine_need_swarm(en, e);
    if (!a->flag[CLI_FLAG_YES] && !isatty(STDIN_FILENO))
        return err_set(e, ERR_CONFIG, 0,
                       "the engine at %s is not a Swarm yet, and Maya keeps apps in one; --yes "
                       "(-y) makes it one, that listens on this machine alone",
                       engine_shown(en));
    if (!cli__confirm(a,
                      "The engine at %s is not a Swarm yet. Make it a Swarm of one node, that "
                      "listens on this machine alone?",
                      engine_shown(en)))
        return err_set(e, ERR_CONFIG, 0,
                       "an app needs a Swarm; `docker swarm init` makes one, too");
    return engine_swarm_init(en, e);
}

static void tell_end(const struct cli_args *a, const char *app,
                     const struct fleet_deployed *done, const char *address)
{
    if (a->flag[CLI_FLAG_JSON])
        printf("{\"version\": %d, \"unchanged\": %s, \"waits\": %s, \"address\": \"%s\"}\n",
               done->version, done->unchanged ? "true" : "false",
               done->waits ? "true" : "false", address);
    else if (done->unchanged)
        printf("%s is at v%d already: nothing changed.\n%s\n", app, done->version, address);
    else if (done->waits)
        printf(
            "v%d is ready, after %.1f s, and nobody comes to it but by this name:\n%s\n"
            "`maya app promote %s` lets it take over, `maya app discard %s` takes it back.\n",
            done->version, (double)done->took_ms / 1000, address, app, app);
    else
        printf("%s is at v%d, after %.1f s.\n%s\n", app, done->version,
               (double)done->took_ms / 1000, address);
}

static int read_weight(const struct cli_args *a, const struct spec *s, int *ret, struct err *e)
{
    const char *said = a->flag[CLI_FLAG_WEIGHT];
    int64_t n = spec_int(s, SPEC_CANARY_WEIGHT);

    if (said && strcmp(spec_text(s, SPEC_STRATEGY), "canary") != 0)
        return err_set(e, ERR_INVALID, 0, "--weight belongs to --strategy canary");
    if (said && (!str_to_int(said, &n) || n < 1 || n > 99))
        return err_set(e, ERR_INVALID, 0, "--weight is '%.20s'; a share is 1 to 99 percent",
                       said);
    *ret = (int)n;
    return 0;
}

static int deploy(const struct cli_args *a, const struct spec *s, struct err *e)
{
    bool anyway = a->flag[CLI_FLAG_ANYWAY] != NULL;
    struct fleet_deploy how = {
        .spec = s,
        .agent = cli__agent_here(),
        .tag = a->flag[CLI_FLAG_TAG],
        .who = cli__who(),
        .commit = cli__commit(),
        .http_port = -1,
        .https_port = -1,
        .force = anyway,
        .discard = anyway,
        .unchecked = anyway,
        .on_line = cli__on_line,
        .on_wait = cli__on_wait,
    };
    struct fleet_deployed done;
    struct engine *en = NULL;
    char *address = NULL;
    int rc = spec_prove(s, cli_footprint(), e);

    if (rc < 0 || cli__port(a, CLI_FLAG_HTTP, &how.http_port, e) < 0 ||
        cli__port(a, CLI_FLAG_HTTPS, &how.https_port, e) < 0 || cli__engine(a, &en, e) < 0)
        return -1;
    rc = read_weight(a, s, &how.canary_weight, e);
    if (rc == 0)
        rc = see_to_swarm(a, en, e);
    if (rc == 0)
        rc = fleet_deploy(en, &how, &done, e);
    if (rc == 0)
        rc = fleet_app_address(en, spec_text(s, SPEC_NAME), done.waits, &address, e);
    if (rc == 0)
        tell_end(a, spec_text(s, SPEC_NAME), &done, address);
    free(address);
    engine_close(&en);
    return rc;
}

int verb_deploy_deploy(const struct cli_args *a)
{
    const char *tag = a->flag[CLI_FLAG_TAG];
    struct image_made made = {0};
    struct spec *s = NULL;
    struct err e = {0};
    int rc = cli__spec(a, &s, &e);

    if (rc == 0 && !a->flag[CLI_FLAG_DRY_RUN])
        rc = deploy(a, s, &e);
    else if (rc == 0 && (rc = spec_files(s, &e)) == 0)
        rc = spec_image(s, NULL, cli__agent_here(), cli__on_line, NULL, &made, &e);
    if (rc == 0 && a->flag[CLI_FLAG_DRY_RUN])
        rc = a->flag[CLI_FLAG_JSON] ? print_json(s, tag, &made, &e)
                                    : print_plan(s, tag, &made, &e);
    image_made_release(&made);
    spec_free(&s);
    return rc < 0 ? cli_fail(&e) : CLI_OK;
}

int cmd_image(int argc, char **argv)
{
    return cli__run_verb(argc, argv);
}

int verb_image_build(const struct cli_args *a)
{
    struct image_made made = {0};
    struct engine *en = NULL;
    struct spec *s = NULL;
    struct err e = {0};
    int rc = cli__spec(a, &s, &e);

    if (rc == 0)
        rc = cli__engine(a, &en, &e);
    if (rc == 0)
        rc = spec_image(s, en, cli__agent_here(), cli__on_line, NULL, &made, &e);
    if (rc == 0 && a->flag[CLI_FLAG_JSON])
        printf("{\"ref\": \"%s\", \"size\": %llu, \"sent\": %llu}\n", made.ref,
               (unsigned long long)made.size, (unsigned long long)made.sent);
    else if (rc == 0)
        printf("%s, %.1f MiB, %s\n", made.ref, (double)made.size / MIB,
               made.sent ? "new" : "was there already");
    image_made_release(&made);
    engine_close(&en);
    spec_free(&s);
    return rc < 0 ? cli_fail(&e) : CLI_OK;
}

/* `maya app logs`: what the containers of an app said. */
#include "cli/verb.h"

#include "base/buf.h"
#include "base/strs.h"
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL
#define SHORT_ID 12
#define TAIL_DEFAULT 100
#define TAIL_MAX 1000000

struct logs {
    const char *app;
    bool person, json, timestamps;
    struct buf line;
};

/* "2025-06-15 15:06:40.123" here, or in UTC for programs. */
static void add_time(struct buf *out, int64_t ns, bool person)
{
    time_t s = (time_t)(ns / NS);
    struct tm tm;
    char text[40];

    if (person)
        localtime_r(&s, &tm);
    else
        gmtime_r(&s, &tm);
    strftime(text, sizeof(text), person ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(out, "%s.%03lld%s", text, (long long)(ns % NS / 1000000), person ? "" : "Z");
}

static void add_value(struct buf *out, const json_t *value)
{
    const char *text = json_string_value(value);

    if (text && *text && !strpbrk(text, " \"=")) {
        buf_str(out, text);
        return;
    }
    char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_str(out, dump ? dump : "?");
    free(dump);
}

/* A line of Maya's log: "info  net  listening  port=8000". False: it is none. */
static bool add_event(struct buf *out, const char *text, size_t len)
{
    json_t *root = *text == '{' ? json_loadb(text, len, 0, NULL) : NULL, *value;
    const char *level = json_string_value(json_object_get(root, "level")), *key;
    const char *part = json_string_value(json_object_get(root, "part"));
    const char *event = json_string_value(json_object_get(root, "event"));
    bool ours = level && event;

    if (ours) {
        buf_printf(out, "%-7s %s%s%s", level, part ? part : "", part ? " " : "", event);
        json_object_foreach(root, key, value)
        {
            if (strcmp(key, "ts") == 0 || strcmp(key, "level") == 0 ||
                strcmp(key, "part") == 0 || strcmp(key, "event") == 0)
                continue;
            buf_printf(out, " %s=", key);
            add_value(out, value);
        }
    }
    json_decref(root);
    return ours;
}

/* Something that is not JSON by itself, made so. */
static void add_json(struct buf *out, const struct fleet_log_line *l)
{
    struct buf time = BUF_INIT, clean = BUF_INIT;

    add_time(&time, l->time_ns, false);
    cli__clean(&clean, l->text);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:o, s:s}", "ts", buf_text(&time), "container", l->container,
                  "stream", l->stream == 1 ? "stdout" : "stderr", "version",
                  json_sprintf("v%d", l->version), "text", buf_text(&clean));
    char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    buf_str(out, text ? text : "{}");
    free(text);
    json_decref(root);
    buf_release(&clean);
    buf_release(&time);
}

static bool is_object(const char *text, size_t len)
{
    json_t *root = *text == '{' ? json_loadb(text, len, 0, NULL) : NULL;
    bool is = json_is_object(root);

    json_decref(root);
    return is;
}

static void for_people(struct logs *g, const struct fleet_log_line *l)
{
    struct buf words = BUF_INIT;

    if (!add_event(&words, l->text, l->len))
        buf_add(&words, l->text, l->len);
    cli__clean(&g->line, buf_text(&words));
    buf_release(&words);
}

static bool on_line(void *ctx, const struct fleet_log_line *l)
{
    struct logs *g = ctx;

    buf_clear(&g->line);
    if (g->person)
        buf_printf(&g->line, "v%d %.*s | ", l->version, SHORT_ID, l->container);
    if (g->timestamps && !g->json) {
        add_time(&g->line, l->time_ns, g->person);
        buf_char(&g->line, ' ');
    }
    if (g->json && !is_object(l->text, l->len))
        add_json(&g->line, l);
    else if (g->person)
        for_people(g, l);
    else
        buf_add(&g->line, l->text, l->len);
    buf_char(&g->line, '\n');
    return fwrite(buf_text(&g->line), 1, g->line.len, stdout) == g->line.len;
}

static void on_none(void *ctx)
{
    const struct logs *g = ctx;

    fprintf(stderr, "maya: no containers of %s are left to hear; what begins is waited for\n",
            g->app);
}

/* Whoever read us has gone: it is over, although there is nothing more to write. */
static bool alive(void *ctx)
{
    struct pollfd p = {.fd = STDOUT_FILENO};

    (void)ctx;
    if (fflush(stdout) != 0)
        return false;
    return poll(&p, 1, 0) <= 0 || !(p.revents & (POLLERR | POLLHUP | POLLNVAL));
}

/* "2h" back from now, or a moment. */
static int read_time(const char *flag, const char *said, int64_t *ret_ns, struct err *e)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    long long n = strtoll(said, &end, 10);

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (isdigit((unsigned char)*said) && end[0] == units[i].unit && !end[1] && n > 0 &&
            n < 100 * 366 * 86400LL / units[i].s) {
            *ret_ns = ((int64_t)time(NULL) - n * units[i].s) * NS;
            return *ret_ns > 0 ? 0 : err_set(e, ERR_INVALID, 0, "--%s is too long ago", flag);
        }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *rest = strptime(said, forms[i], &tm);
        if (!rest || (*rest && strcmp(rest, "Z") != 0))
            continue;
        time_t s = *rest ? timegm(&tm) : mktime(&tm);
        if (s > 0 && s < INT64_MAX / NS) {
            *ret_ns = (int64_t)s * NS;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, 0,
                   "--%s is '%.40s'; it may be 15s, 30m, 2h, 1d, or a time as "
                   "2025-06-15T10:00:00Z, without the Z in the time here",
                   flag, said);
}

static int read_tail(const struct cli_args *a, struct fleet_logs *want, struct err *e)
{
    const char *said = a->flag[CLI_FLAG_TAIL];
    int64_t n;

    want->tail = want->since_ns || want->until_ns ? -1 : TAIL_DEFAULT;
    if (!said)
        return 0;
    if (!str_to_int(said, &n) || n < 0 || n > TAIL_MAX)
        return err_set(e, ERR_INVALID, 0, "--tail is '%.20s'; it may be 0 to %d", said,
                       TAIL_MAX);
    want->tail = (long)n;
    return 0;
}

static int read_want(const struct cli_args *a, struct fleet_logs *want, struct err *e)
{
    const char *since = a->flag[CLI_FLAG_SINCE], *until = a->flag[CLI_FLAG_UNTIL];
    const char *id = a->flag[CLI_FLAG_CONTAINER];

    want->app = a->word[0];
    want->container = id;
    want->grep = a->flag[CLI_FLAG_GREP];
    want->follow = a->flag[CLI_FLAG_FOLLOW] != NULL;
    if (want->follow && until)
        return err_set(e, ERR_INVALID, 0,
                       "--follow goes on with what comes, and --until ends before; give one");
    if (id && strspn(id, "0123456789abcdef") != strlen(id))
        return err_set(e, ERR_INVALID, 0,
                       "'%.40s' is no container's id; `maya container list` shows them", id);
    if ((since && read_time("since", since, &want->since_ns, e) < 0) ||
        (until && read_time("until", until, &want->until_ns, e) < 0))
        return -1;
    return read_tail(a, want, e);
}

int verb_app_logs(const struct cli_args *a)
{
    struct logs g = {.app = a->word[0],
                     .json = a->flag[CLI_FLAG_JSON] != NULL,
                     .timestamps = a->flag[CLI_FLAG_TIMESTAMPS] != NULL};
    struct fleet_logs want = {
        .on_line = on_line, .on_none = on_none, .alive = alive, .ctx = &g};
    struct engine *en = NULL;
    struct err e = {0};
    size_t containers = 0;
    int code = CLI_OK;

    g.person = !g.json && isatty(STDOUT_FILENO);
    signal(SIGPIPE, SIG_IGN);
    if (read_want(a, &want, &e) < 0 || cli__engine(a, &en, &e) < 0)
        code = cli_fail(&e);
    else if (fleet_app_logs(en, &want, &containers, &e) < 0)
        /* Ctrl-C is how following ends. */
        code = want.follow && e.code == ERR_STOPPED ? CLI_OK : cli_fail(&e);
    else if (containers == 0 && !want.follow)
        fprintf(stderr, "maya: no containers of %s are left to hear\n", a->word[0]);
    buf_release(&g.line);
    engine_close(&en);
    return code;
}

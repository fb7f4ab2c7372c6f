/* Commands with verbs: their arguments, their help, their questions. */
#include "cli/verb.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"
#include "cli/cli.h"
#include "engine/engine.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile sig_atomic_t cli__stop;

static const struct cli_flag_row flags[] = {
#define FLAG(id, name, letter, value, sentence) {name, value, sentence, letter},
#include "cli/flag.def"
#undef FLAG
};

_Static_assert(CLI_FLAG__COUNT < 64, "a flag is a bit, and the last bit is COMMAND");
#define F(id) (UINT64_C(1) << CLI_FLAG_##id)
#define COMMAND (UINT64_C(1) << 63) /* its last word needed is a program's name */
static const struct cli_verb verbs[] = {
#define VERB(command, verb, usage, least, most, mask, sentence)                                \
    {#command,                                                                                 \
     #verb,                                                                                    \
     usage,                                                                                    \
     sentence,                                                                                 \
     least,                                                                                    \
     most,                                                                                     \
     (mask) | F(ENGINE),                                                                       \
     verb_##command##_##verb},
#include "cli/verb.def"
#undef VERB
};

const struct cli_verb *cli__verb_at(size_t i)
{
    return i < ARRAY_LEN(verbs) ? &verbs[i] : NULL;
}

const struct cli_flag_row *cli__flag_at(enum cli_flag id)
{
    return &flags[id];
}

/* A command that does one thing is its own verb: "deploy", and not "deploy deploy". */
static bool alone(const struct cli_verb *v)
{
    return strcmp(v->command, v->verb) == 0;
}

/* "secret create" */
static const char *spoken(const struct cli_verb *v)
{
    static char text[60];

    snprintf(text, sizeof(text), "%s%s%s", v->command, alone(v) ? "" : " ",
             alone(v) ? "" : v->verb);
    return text;
}

bool cli__takes(const struct cli_verb *v, size_t flag)
{
    return v->flags & UINT64_C(1) << flag;
}

static void list_verbs(const char *command)
{
    printf("Usage: maya %s VERB ...\n\n", command);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].command, command) == 0)
            printf("  %-10s %s\n", verbs[i].verb, verbs[i].sentence);
    printf("\n`maya %s VERB --help` tells more.\n", command);
}

/* How a flag is written: "-y, --yes", "--app NAME". */
static void write_flag(struct buf *out, const struct cli_flag_row *f)
{
    if (f->letter)
        buf_printf(out, "-%c, ", f->letter);
    buf_printf(out, "--%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
}

void cli__verbs_markdown(struct buf *out)
{
    buf_str(out, "\n## Verbs\n\n| verb | flags | what it does |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        const char *comma = "";
        buf_printf(out, "| `maya %s%s%s` | ", spoken(&verbs[i]), *verbs[i].usage ? " " : "",
                   verbs[i].usage);
        for (size_t f = 0; f < ARRAY_LEN(flags); f++) {
            if (!cli__takes(&verbs[i], f) || f == CLI_FLAG_ENGINE)
                continue;
            buf_printf(out, "%s`", comma);
            write_flag(out, &flags[f]);
            buf_char(out, '`');
            comma = " ";
        }
        buf_printf(out, " | %s |\n", verbs[i].sentence);
    }
    buf_str(out, "\n| flag | what it means |\n|---|---|\n");
    for (size_t f = 0; f < ARRAY_LEN(flags); f++) {
        buf_str(out, "| `");
        write_flag(out, &flags[f]);
        buf_printf(out, "` | %s |\n", flags[f].sentence);
    }
}

/* Words from that column on, as wide as a page. */
static void print_wrapped(const char *text, int column)
{
    enum { WIDTH = 96 };
    int at = column;

    while (*text) {
        int len = (int)strcspn(text, " ");
        if (at > column && at + 1 + len > WIDTH) {
            printf("\n%*s", column, "");
            at = column;
        }
        at += printf("%s%.*s", at > column ? " " : "", len, text);
        text += len;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static int help_verb(const struct cli_verb *v)
{
    printf("Usage: maya %s%s%s\n\n%s\n\n", spoken(v), *v->usage ? " " : "", v->usage,
           v->sentence);
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct buf left = BUF_INIT;
        if (!cli__takes(v, i))
            continue;
        if (!flags[i].letter)
            buf_str(&left, "    ");
        write_flag(&left, &flags[i]);
        printf("  %-24s  ", buf_text(&left));
        print_wrapped(flags[i].sentence, 28);
        buf_release(&left);
    }
    return CLI_OK;
}

static const struct cli_verb *find(const char *command, const char *verb)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].command, command) == 0 && strcmp(verbs[i].verb, verb) == 0)
            return &verbs[i];
    return NULL;
}

static int unknown_verb(const char *command, const char *verb)
{
    const char *near = NULL;
    int best = 4;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        int d = str_distance(verbs[i].verb, verb, best);
        if (strcmp(verbs[i].command, command) == 0 && d < best &&
            d < (int)strlen(verbs[i].verb)) {
            best = d;
            near = verbs[i].verb;
        }
    }
    if (near)
        return cli_fail_with(CLI_USAGE, "'maya %s' has no verb '%.40s'; did you mean '%s'?",
                             command, verb, near);
    return cli_fail_with(CLI_USAGE, "'maya %s' has no verb '%.40s'; `maya %s` lists them",
                         command, verb, command);
}

/* The flag that `text` names, or -1 with a complaint. */
static int which(const struct cli_verb *v, const char *text, size_t len, bool letter)
{
    const char *near = NULL;
    char name[40];
    int best = 4;

    snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1),
             text);
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (!cli__takes(v, i))
            continue;
        if (letter ? flags[i].letter == *name && len == 1 : strcmp(flags[i].name, name) == 0)
            return (int)i;
        int d = letter ? best : str_distance(flags[i].name, name, best);
        if (d < best) {
            best = d;
            near = flags[i].name;
        }
    }
    if (near)
        cli_fail_with(CLI_USAGE, "'maya %s' has no flag '--%s'; did you mean '--%s'?",
                      spoken(v), name, near);
    else
        cli_fail_with(CLI_USAGE, "'maya %s' has no flag '%s%s'; `maya %s --help` lists them",
                      spoken(v), letter ? "-" : "--", name, spoken(v));
    return -1;
}

/* One argument that begins with a dash; *at moves on over its value. */
static bool take_flag(const struct cli_verb *v, int argc, char **argv, int *at,
                      struct cli_args *a)
{
    const char *text = argv[*at];
    bool letter = text[1] != '-';
    const char *name = text + (letter ? 1 : 2), *equals = strchr(name, '=');
    int id = which(v, name, equals ? (size_t)(equals - name) : strlen(name), letter);

    if (id < 0)
        return false;
    if (!flags[id].value) {
        if (equals) {
            cli_fail_with(CLI_USAGE, "--%s takes no value", flags[id].name);
            return false;
        }
        a->flag[id] = "";
        return true;
    }
    if (equals) {
        a->flag[id] = equals + 1;
    } else if (*at + 1 < argc) {
        a->flag[id] = argv[++*at];
    } else {
        cli_fail_with(CLI_USAGE, "--%s takes a value: %s", flags[id].name, flags[id].value);
        return false;
    }
    if (!*a->flag[id]) {
        cli_fail_with(CLI_USAGE, "--%s is empty; it takes %s", flags[id].name, flags[id].value);
        return false;
    }
    return true;
}

/* "--engine X": the next argument is this one's. */
static bool value_follows(const struct cli_verb *v, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (cli__takes(v, i) && flags[i].value &&
            (strcmp(text + 1 + (text[1] == '-'), flags[i].name) == 0 ||
             (flags[i].letter && text[1] == flags[i].letter && !text[2])))
            return true;
    return false;
}

int cli__own_args(const struct cli_verb *v, int argc, char **argv)
{
    int words = 0;

    if (!(v->flags & COMMAND))
        return INT_MAX;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (argv[i][0] != '-' || !argv[i][1])
            words++;
        else if (value_follows(v, argv[i]))
            i++;
        if (words == v->least)
            return i + 1;
    }
    return INT_MAX;
}

int cli__words(const struct cli_verb *v, int argc, char **argv, const char **ret_engine)
{
    static const char engine[] = "--engine";
    int words = 0;

    for (int i = alone(v) ? 1 : 2; i < argc; i++) {
        const char *text = argv[i];
        size_t n = sizeof(engine) - 1;
        bool ours = strncmp(text, engine, n) == 0;
        if (ours && text[n] == '=')
            *ret_engine = text + n + 1;
        if (text[0] != '-' || !text[1]) {
            words++;
        } else if (value_follows(v, text)) {
            i++;
            if (ours && i < argc)
                *ret_engine = argv[i];
        }
    }
    return words;
}

static bool read_args(const struct cli_verb *v, int argc, char **argv, struct cli_args *a)
{
    int own = cli__own_args(v, argc, argv);
    bool only_words = false;

    for (int i = alone(v) ? 1 : 2; i < argc; i++) {
        only_words |= i >= own;
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (only_words || argv[i][0] != '-' || !argv[i][1])
            a->word[a->words++] = argv[i];
        else if (!take_flag(v, argc, argv, &i, a))
            return false;
    }
    if (a->words >= v->least && (v->most < 0 || a->words <= v->most))
        return true;
    if (v->most == 0 && a->words == 1 && cli__takes(v, CLI_FLAG_FILE)) {
        cli_fail_with(CLI_USAGE, "a file is named with -f: maya %s -f %.80s", spoken(v),
                      a->word[0]);
        return false;
    }
    cli_fail_with(CLI_USAGE, "usage: maya %s%s%s", spoken(v), *v->usage ? " " : "", v->usage);
    return false;
}

static void on_interrupt(int signum)
{
    (void)signum;
    cli__stop = 1;
}

int cli__run_verb(int argc, char **argv)
{
    struct cli_args a = {0};
    int code = CLI_USAGE;
    const struct cli_verb *v = find(argv[0], argv[0]);

    if (!v && (argc < 2 || (cli_wants_help(argc, argv) && argv[1][0] == '-'))) {
        list_verbs(argv[0]);
        return CLI_OK;
    }
    if (!v)
        v = find(argv[0], argv[1]);
    if (!v)
        return unknown_verb(argv[0], argv[1]);
    int own = cli__own_args(v, argc, argv);
    if (cli_wants_help(own < argc ? own : argc, argv))
        return help_verb(v);
    a.word = xalloc((size_t)argc * sizeof(*a.word));
    if (read_args(v, argc, argv, &a)) {
        struct sigaction act = {.sa_handler = on_interrupt};
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
        code = v->run(&a);
    }
    free(a.word);
    return code;
}

bool cli__confirm(const struct cli_args *a, const char *fmt, ...)
{
    char line[16] = "";
    va_list ap;

    if (a->flag[CLI_FLAG_YES])
        return true;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs(" [y/N]: ", stderr);
    if (!isatty(STDIN_FILENO)) {
        fputs("\n", stderr);
        cli_fail_with(CLI_FAILED,
                      "nobody can be asked here; --yes (-y) does it without asking");
        return false;
    }
    if (fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y'))
        return true;
    fputs("maya: nothing was done\n", stderr);
    return false;
}

int cli__engine(const struct cli_args *a, struct engine **ret, struct err *e)
{
    const struct engine_cfg cfg = {.host = a->flag[CLI_FLAG_ENGINE], .stop = &cli__stop};

    return engine_open(&cfg, ret, e);
}

/*
 * `maya complete -- WORD...`: what the last word may become, for the scripts of `maya
 * completion`. A line is a candidate, a tab and what it means; ":files" and ":folders" ask the
 * shell for its own. All of it comes from the tables and the engine, so no script knows a
 * command, a flag or a choice.
 */
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "cli/verb.h"

#include "base/strs.h"
#include "config/config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind { KIND_FIRST, KIND_VALUED, KIND_OPTIONS, KIND_COMMANDS, KIND_PAGES };

static const struct takes {
    const char *command;
    enum kind kind;
    const char *words;
} takes[] = {
#define TAKES(command, kind, words) {#command, KIND_##kind, words},
#include "cli/complete.def"
#undef TAKES
};

struct typed {
    char **words; /* the command first */
    int count;
    const char *last; /* to be completed */
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void offer(const struct typed *t, const char *before, struct str word, const char *what)
{
    char text[200];

    snprintf(text, sizeof(text), "%s%.*s", before, STR_FMT(word));
    if (begins(text, t->last))
        printf("%s\t%s\n", text, what);
}

/* Of "a|b,bee|c" those that are first of their spellings. */
static void offer_choices(const struct typed *t, const char *before, const char *choices)
{
    while (*choices) {
        size_t n = strcspn(choices, "|");
        offer(t, before, (struct str){choices, strcspn(choices, "|,")}, "");
        choices += n + (choices[n] == '|');
    }
}

static void offer_flag(const struct typed *t, const char *name, const char *what)
{
    offer(t, "--", str_of(name), what);
}

/* What a value is: a file, a folder, one of a few words; by the word that help shows for it. */
static void offer_value(const struct typed *t, const char *before, const char *unit,
                        const char *choices)
{
    if (*choices)
        offer_choices(t, before, choices);
    else if (str_eq_nocase(str_of("file"), unit))
        puts(":files");
    else if (strncasecmp(unit, "folder", 6) == 0)
        puts(":folders");
    else if (str_eq_nocase(str_of("strategy"), unit))
        offer_choices(t, before, "rolling|blue-green|canary|recreate");
}

/* Options of config.def. */

static bool option_named(const char *flag, size_t len, struct config_about *ret)
{
    for (int id = 0; id < CONFIG__COUNT; id++) {
        config_about((enum config_id)id, ret);
        if (*ret->flag && str_eq((struct str){flag, len}, ret->flag))
            return true;
    }
    return false;
}

static void offer_options(const struct typed *t)
{
    struct config_about o;

    for (int id = 0; id < CONFIG__COUNT; id++) {
        config_about((enum config_id)id, &o);
        if (*o.flag)
            offer_flag(t, o.flag, o.help);
    }
    offer_flag(t, "help", "List the options.");
}

/* True when the last word is a value of this flag, of which what is known was offered. */
static bool option_value(const struct typed *t, const char *flag, size_t len,
                         const char *before)
{
    struct config_about o;

    if (!option_named(flag, len, &o) || (o.type == CONFIG_BOOL && !*before))
        return false;
    offer_value(t, before, o.unit, o.type == CONFIG_BOOL ? "true|false" : o.choices);
    return true;
}

static bool has(const char *command, enum kind kind, const char **ret_words)
{
    for (size_t i = 0; i < ARRAY_LEN(takes); i++)
        if (strcmp(takes[i].command, command) == 0 && takes[i].kind == kind) {
            *ret_words = takes[i].words;
            return true;
        }
    return false;
}

static void offer_commands(const struct typed *t)
{
    struct cli_command c;

    for (size_t i = 0; cli__command_at(i, &c); i++)
        if (c.shown)
            offer(t, "", str_of(c.name), c.sentence);
}

/* Commands without verbs. */

static bool known_value(const struct typed *t, const char *flag, size_t len, const char *before)
{
    const char *words;

    if (has(t->words[0], KIND_OPTIONS, &words) && option_value(t, flag, len, before))
        return true;
    return has(t->words[0], KIND_VALUED, &words) && str_eq((struct str){flag, len}, words);
}

/* "--name value" and "--name=value" */
static bool value_of_flag(const struct typed *t,
                          bool (*known)(const struct typed *t, const char *flag, size_t len,
                                        const char *before))
{
    const char *prev = t->count > 1 ? t->words[t->count - 2] : "";
    const char *eq = strchr(t->last, '=');
    char before[100];

    if (begins(t->last, "--") && eq) {
        size_t n = (size_t)(eq - t->last);
        if (n + 2 > sizeof(before))
            return true;
        memcpy(before, t->last, n + 1);
        before[n + 1] = '\0';
        known(t, t->last + 2, n - 2, before);
        return true;
    }
    return begins(prev, "--") && !strchr(prev, '=') && known(t, prev + 2, strlen(prev) - 2, "");
}

static void complete_plain(const struct typed *t)
{
    const char *words, *command = t->words[0];
    bool first = t->count == 2, flag = *t->last == '-';

    if (value_of_flag(t, known_value))
        return;
    if (first && has(command, KIND_FIRST, &words))
        offer_choices(t, "", words);
    if (first && has(command, KIND_PAGES, &words))
        for (unsigned i = 0; cli__page_name(i); i++)
            offer(t, "", str_of(cli__page_name(i)), "");
    if (first && has(command, KIND_COMMANDS, &words))
        offer_commands(t);
    if ((flag || !first) && has(command, KIND_VALUED, &words))
        offer_flag(t, words, "");
    if (has(command, KIND_OPTIONS, &words))
        offer_options(t);
    else if (flag)
        offer_flag(t, "help", "Tell about it.");
}

/* Commands with verbs: verb.def and flag.def. */

static const struct cli_verb *verb_of(const struct typed *t, const char *name)
{
    const struct cli_verb *v;

    for (size_t i = 0; (v = cli__verb_at(i)); i++)
        if (strcmp(v->command, t->words[0]) == 0 && strcmp(v->verb, name) == 0)
            return v;
    return NULL;
}

/* A command that does one thing is its own verb. */
static const struct cli_verb *verb_typed(const struct typed *t)
{
    const struct cli_verb *v = verb_of(t, t->words[0]);

    return v ? v : t->count > 2 ? verb_of(t, t->words[1]) : NULL;
}

static bool verb_value(const struct typed *t, const char *flag, size_t len, const char *before)
{
    const struct cli_verb *v = verb_typed(t);

    for (size_t i = 0; v && i < CLI_FLAG__COUNT; i++) {
        const struct cli_flag_row *f = cli__flag_at((enum cli_flag)i);
        if (!cli__takes(v, i) || !str_eq((struct str){flag, len}, f->name))
            continue;
        if (f->value)
            offer_value(t, before, f->value, "");
        return f->value != NULL;
    }
    return false;
}

static void on_name(void *ctx, const char *name, const char *what)
{
    offer(ctx, "", str_of(name), what);
}

/* "NAME PATH [LOCAL]": what the n-th of them is. */
static struct str nth_of(const char *usage, int n)
{
    for (; *usage; n--) {
        size_t len = strcspn(usage, " ");
        if (n == 0)
            return (struct str){usage, len};
        usage += len + (usage[len] == ' ');
    }
    return str_of("");
}

/* What is no flag: a name that the engine knows, or a file here. */
static void offer_word(struct typed *t, const struct cli_verb *v)
{
    const char *engine = NULL;
    int n = cli__words(v, t->count - 1, t->words, &engine);
    struct str word = nth_of(v->usage, n);

    if (str_eq(word, "LOCAL") || str_eq(word, "[LOCAL]"))
        puts(":files");
    else if (n == 0)
        cli__names(v, engine, on_name, t);
}

static bool complete_verb(struct typed *t)
{
    const struct cli_verb *v = verb_typed(t), *one;
    bool any = false;

    for (size_t i = 0; (one = cli__verb_at(i)); i++) {
        bool ours = strcmp(one->command, t->words[0]) == 0;
        any |= ours;
        if (ours && !v && t->count == 2)
            offer(t, "", str_of(one->verb), one->sentence);
    }
    if (v && cli__own_args(v, t->count - 1, t->words) < t->count) {
        puts(":files");
        return true;
    }
    if (!v || value_of_flag(t, verb_value))
        return any;
    const char *prev = t->words[t->count - 2];
    for (size_t i = 0; i < CLI_FLAG__COUNT; i++) {
        const struct cli_flag_row *f = cli__flag_at((enum cli_flag)i);
        if (cli__takes(v, i) && f->value && prev[0] == '-' && prev[1] == f->letter &&
            !prev[2]) {
            offer_value(t, "", f->value, ""); /* "-f FILE" */
            return true;
        }
    }
    if (*t->last == '-' || v->most == 0) {
        for (size_t i = 0; i < CLI_FLAG__COUNT; i++)
            if (cli__takes(v, i))
                offer_flag(t, cli__flag_at((enum cli_flag)i)->name,
                           cli__flag_at((enum cli_flag)i)->sentence);
        offer_flag(t, "help", "Tell about it.");
    } else {
        offer_word(t, v);
    }
    return true;
}

int cmd_complete(int argc, char **argv)
{
    struct typed t = {argv + 2, argc - 2, argc > 2 ? argv[argc - 1] : ""};

    if (cli_wants_help(argc < 2 ? argc : 2, argv))
        return cli_usage("complete", NULL);
    if (argc < 3 || strcmp(argv[1], "--") != 0)
        return cli_fail_with(CLI_USAGE, "complete needs -- and the words behind `maya`");
    if (t.count > 1) {
        if (!complete_verb(&t))
            complete_plain(&t);
        return CLI_OK;
    }
    offer_commands(&t);
    if (*t.last == '-') {
        offer_flag(&t, "help", "List the commands.");
        offer_flag(&t, "version", "Tell the version.");
    }
    return CLI_OK;
}

/*
 * <agent folder>/safety.yaml: the rules, and what is said. Read once at the start; every
 * complaint has file and line.
 */
#include "safety/safety_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RULES_MAX 200
#define SAY_MAX 500
#define REPLACED "[redacted]"

static const char *const kinds[] = {
#define SAFETY_KIND(name, label) label,
#include "safety/kind.def"
#undef SAFETY_KIND
};
static const char *const actions[] = {
#define SAFETY_ACTION(name, label) label,
#include "safety/kind.def"
#undef SAFETY_ACTION
};
static const char *const wheres[] = {
#define SAFETY_WHERE(name, label) label,
#include "safety/kind.def"
#undef SAFETY_WHERE
    "both",
};

const char *safety_kind_label(enum safety_kind k)
{
    return kinds[k];
}

const char *safety_action_label(enum safety_action a)
{
    return actions[a];
}

const char *safety_where_label(enum safety_where w)
{
    return wheres[w];
}

/* What is said where a rule or the file says nothing. */
struct says {
    const char *injection, *toxicity, *output, *moderation, *self_harm;
};
static const struct says presets = {
    .injection = "I can't process that request. Could you rephrase?",
    .toxicity = "Let's keep things friendly! How can I help with drinks?",
    .output = "I'm not sure how to respond to that. What drink can I get you?",
    .self_harm = "I'm really sorry you're carrying that. Please talk to someone you trust, or "
                 "call your local emergency number; you don't have to be alone with it.",
};

static const char *text_of(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = yaml_get(map, key);

    return n ? yaml_text(n) : NULL;
}

/* One of `words`; -1: a complaint. */
static int one_of(const struct yaml_node *map, const char *key, const char *const *words,
                  size_t count, struct err *e)
{
    const struct yaml_node *n = yaml_get(map, key);
    const char *text = n ? yaml_text(n) : NULL;
    struct buf all = BUF_INIT;

    for (size_t i = 0; text && i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return (int)i;
    for (size_t i = 0; i < count; i++)
        buf_printf(&all, "%s%s", i ? (i + 1 == count ? " or " : ", ") : "", words[i]);
    if (text)
        yaml_err(n, e, "%s: '%.40s' is not known; it may be %s", key, text, buf_text(&all));
    else
        yaml_err(n ? n : map, e, "a rule needs %s: %s", key, buf_text(&all));
    buf_release(&all);
    return -1;
}

static int check_say(const struct yaml_node *map, const char *key, const char **ret,
                     struct err *e)
{
    const struct yaml_node *n = yaml_get(map, key);
    const char *text = n ? yaml_text(n) : NULL;

    if (!n)
        return 0;
    if (!text || !*text || strlen(text) > SAY_MAX)
        return yaml_err(n, e, "%s: wanted a sentence of 1 to %d bytes", key, SAY_MAX);
    *ret = text;
    return 0;
}

static int read_says(const struct yaml_node *root, struct says *ret, struct err *e)
{
    static const char *const known[] = {"injection",  "toxicity",  "output",
                                        "moderation", "self_harm", NULL};
    const struct yaml_node *say = yaml_get(root, "say");

    *ret = presets;
    if (!say)
        return 0;
    if (yaml_kind(say) != YAML_MAP)
        return yaml_err(say, e,
                        "say: wanted injection:, toxicity:, output:, moderation: or "
                        "self_harm:, each with a sentence");
    if (yaml_only_keys(say, known, e) < 0 ||
        check_say(say, "injection", &ret->injection, e) < 0 ||
        check_say(say, "toxicity", &ret->toxicity, e) < 0 ||
        check_say(say, "output", &ret->output, e) < 0 ||
        check_say(say, "moderation", &ret->moderation, e) < 0 ||
        check_say(say, "self_harm", &ret->self_harm, e) < 0)
        return -1;
    return 0;
}

/* Whole words, with any space between those of a phrase. */
static int join_words(const struct yaml_node *list, struct buf *out, struct err *e)
{
    buf_str(out, "(?<!\\w)(?:");
    for (size_t i = 0; i < yaml_count(list); i++) {
        const char *word = yaml_text(yaml_at(list, i));
        if (!word || !*word || strlen(word) > 200)
            return yaml_err(yaml_at(list, i), e, "words: wanted words of 1 to 200 bytes");
        buf_str(out, i ? "|" : "");
        for (; *word; word++) {
            if (*word == ' ')
                buf_str(out, "\\s");
            else if (strchr("\\^$.[]|()?*+{}#-", *word))
                buf_printf(out, "\\%c", *word);
            else
                buf_char(out, *word);
        }
    }
    buf_str(out, ")(?!\\w)");
    return 0;
}

static int read_pattern(struct safety *s, const struct yaml_node *n, struct rule *r,
                        struct err *e)
{
    const struct yaml_node *words = yaml_get(n, "words"), *given = yaml_get(n, "pattern");
    const char *pattern = given ? yaml_text(given) : NULL;
    struct buf made = BUF_INIT;
    char why[160];
    size_t at;

    if (words && given)
        return yaml_err(given, e, "a rule has words: or pattern:, not both");
    if (!words && !given && r->kind == SAFETY_SECRET)
        return 0;
    if (words && (yaml_kind(words) != YAML_LIST || yaml_count(words) == 0))
        return yaml_err(words, e, "words: wanted a list");
    if (!words && (!pattern || !*pattern))
        return yaml_err(given ? given : n, e, "a rule needs words: or pattern:");
    if (words && join_words(words, &made, e) < 0) {
        buf_release(&made);
        return -1;
    }
    r->pattern =
        pattern__new(s->patterns, words ? buf_text(&made) : pattern, why, sizeof(why), &at);
    buf_release(&made);
    if (r->pattern)
        return 0;
    return words ? yaml_err(words, e, "words: %s", why)
                 : yaml_err(given, e, "pattern: %s (at byte %zu of it)", why, at);
}

static int read_rule(struct safety *s, const struct yaml_node *n, const struct says *says,
                     struct err *e)
{
    static const char *const known[] = {"name",   "kind", "where", "pattern", "words",
                                        "action", "say",  "with",  NULL};
    struct rule *r = &s->rules[s->count];
    const char *name, *say = NULL, *with = text_of(n, "with");
    int kind, where, action;

    if (yaml_kind(n) != YAML_MAP)
        return yaml_err(n, e,
                        "wanted a rule: name:, kind:, where:, pattern: or words:, action:");
    if (yaml_only_keys(n, known, e) < 0 || yaml_need_text(n, "name", &name, e) < 0 ||
        (kind = one_of(n, "kind", kinds, ARRAY_LEN(kinds), e)) < 0 ||
        (where = one_of(n, "where", wheres, ARRAY_LEN(wheres), e)) < 0 ||
        (action = one_of(n, "action", actions, ARRAY_LEN(actions), e)) < 0 ||
        check_say(n, "say", &say, e) < 0)
        return -1;
    if (!*name || strlen(name) > 64 ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return yaml_err(yaml_get(n, "name"), e,
                        "name: wanted 1 to 64 small letters, digits and hyphens");
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->rules[i].name, name) == 0)
            return yaml_err(yaml_get(n, "name"), e, "there is a rule '%s' already", name);
    if (yaml_get(n, "with") && (action != SAFETY_REPLACE || !with || strlen(with) > SAY_MAX))
        return yaml_err(yaml_get(n, "with"), e,
                        "with: what stands in place of a match, for action: replace");
    if (say && action != SAFETY_REFUSE)
        return yaml_err(yaml_get(n, "say"), e, "say: is for action: refuse");
    r->kind = (enum safety_kind)kind;
    r->action = (enum safety_action)action;
    r->where[SAFETY_INPUT] = where != SAFETY_OUTPUT;
    r->where[SAFETY_OUTPUT] = where != SAFETY_INPUT;
    const char *refusal = kind == SAFETY_TOXICITY ? says->toxicity : says->injection;
    r->name = xstrdup(name);
    r->say[SAFETY_INPUT] = xstrdup(say ? say : refusal);
    r->say[SAFETY_OUTPUT] = xstrdup(say ? say : says->output);
    r->with = xstrdup(with ? with : REPLACED);
    s->count++;
    return read_pattern(s, n, r, e);
}

static int read_rules(struct safety *s, const struct yaml *y, const char *file, struct err *e)
{
    static const char *const known[] = {"say", "rules", NULL};
    const struct yaml_node *root = yaml_root(y), *list;
    struct says says;

    if (!root || yaml_kind(root) != YAML_MAP)
        return err_set(e, ERR_AGENT, 0, "%s:1: wanted say: and rules:", file);
    if (yaml_only_keys(root, known, e) < 0 || read_says(root, &says, e) < 0 ||
        yaml_need_list(root, "rules", &list, e) < 0)
        return -1;
    if (yaml_count(list) > RULES_MAX)
        return yaml_err(list, e, "rules: at most %d", RULES_MAX);
    s->say_moderated = xstrdup(says.moderation ? says.moderation : says.toxicity);
    s->say_self_harm = xstrdup(says.self_harm);
    for (size_t i = 0; i < yaml_count(list); i++)
        if (read_rule(s, yaml_at(list, i), &says, e) < 0)
            return -1;
    return 0;
}

static struct safety *make(void)
{
    struct safety *s = xalloc(sizeof(*s));

    s->patterns = patterns__new();
    s->rules = xalloc(RULES_MAX * sizeof(*s->rules));
    breaker_init(&s->breaker, 5, 5000, 120000);
    return s;
}

static int read_yaml(const struct yaml *y, const char *file, struct safety **ret, struct err *e)
{
    struct safety *s = make();

    if (read_rules(s, y, file, e) < 0) {
        safety_free(&s);
        return -1;
    }
    patterns__ready(s->patterns);
    *ret = s;
    return 0;
}

int safety__parse(const char *name, const char *text, size_t len, struct safety **ret,
                  struct err *e)
{
    struct yaml *y = NULL;

    if (yaml_parse(name, text, len, &y, e) < 0)
        return -1;
    int rc = read_yaml(y, name, ret, e);
    yaml_close(&y);
    return rc;
}

int safety_load(const char *folder, struct safety **ret, struct err *e)
{
    static const char preset[] =
        "rules: [{name: secrets, kind: secret, where: output, action: replace}]";
    char *path = xprintf("%s/safety.yaml", folder);
    struct yaml *y = NULL;
    int rc = -1;

    if (access(path, F_OK) != 0) {
        rc = safety__parse(path, preset, sizeof(preset) - 1, ret, e);
    } else if (yaml_load(path, &y, e) == 0) {
        rc = read_yaml(y, path, ret, e);
        yaml_close(&y);
    }
    free(path);
    return rc;
}

bool safety_own_secret(struct safety *s, const char *value)
{
    size_t n = value ? strlen(value) : 0;

    if (n < SAFETY_OWN_MIN)
        return true;
    for (size_t i = 0; i < s->own_count; i++)
        if (str_eq(s->own[i], value))
            return true;
    struct str *own = realloc(s->own, (s->own_count + 1) * sizeof(*own));
    if (!own)
        return false;
    s->own = own;
    char *copy = strdup(value);
    if (copy)
        s->own[s->own_count++] = (struct str){copy, n};
    return copy != NULL;
}

static void release(struct safety *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->rules[i].name);
        free(s->rules[i].say[SAFETY_INPUT]);
        free(s->rules[i].say[SAFETY_OUTPUT]);
        free(s->rules[i].with);
        pattern__free(&s->rules[i].pattern);
    }
    free(s->rules);
    patterns__free(&s->patterns);
    for (size_t i = 0; i < s->own_count; i++) {
        char *own = (char *)(uintptr_t)s->own[i].data;
        explicit_bzero(own, s->own[i].len);
        free(own);
    }
    free(s->own);
    free(s->say_moderated);
    free(s->say_self_harm);
    free(s);
}

void safety_free(struct safety **s)
{
    if (*s)
        release(*s);
    *s = NULL;
}

size_t safety_rule_count(const struct safety *s)
{
    return s->count;
}

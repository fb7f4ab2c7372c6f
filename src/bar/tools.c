/*
 * The tools as one table: their JSON Schema is made from it, and arguments are checked against
 * it. Numbers may come as text ("2"), because models write them so.
 */
#include "bar/tool_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 80
#define LIST_MAX 8

enum kind {
    KIND_NONE,
    KIND_TEXT,
    KIND_LIST,
    KIND_QUANTITY,
    KIND_TIP,
    KIND_PERCENT,
    KIND_DOLLARS
};

enum { OPTIONAL, NEEDED };

static const struct {
    const char *type; /* JSON Schema's */
    const char *words;
    int min, max; /* length of a text, members of a list, value of a number */
} kinds[] = {
    [KIND_NONE] = {"null", "nothing", 0, 0},
    [KIND_TEXT] = {"string", "a text", 1, TEXT_MAX},
    [KIND_LIST] = {"array", "a list of texts", 0, LIST_MAX},
    [KIND_QUANTITY] = {"integer", "a whole number", 1, BAR_QUANTITY_MAX},
    [KIND_TIP] = {"integer", "a whole number", 0, 0}, /* see tips */
    [KIND_PERCENT] = {"number", "a number", 0, 100},
    [KIND_DOLLARS] = {"number", "a number", 0, BAR_START_CENTS / 100},
};

static const int tips[] = {10, 15, 20};

struct param {
    const char *name;
    enum kind kind;
    int needed;
    const char *text;
};

#define PARAMS(...)                                                                            \
    {                                                                                          \
        __VA_ARGS__                                                                            \
    }
#define NO_PARAMS PARAMS({NULL, KIND_NONE, OPTIONAL, NULL})

static const struct tool {
    const char *name;
    bar__tool_fn *run;
    bool changes;
    const char *text;
    struct param params[BAR__PARAMS_MAX + 1];
} tools[] = {
#define BAR_TOOL(name, function, changes, text, params) {name, function, changes, text, params},
#include "bar/tool.def"
#undef BAR_TOOL
};

/* What bar_tools() shows; the schemas are made at the first call. */
static struct bar_tool shown[ARRAY_LEN(tools)];

static void param_schema(const struct param *p, struct buf *out)
{
    int min = kinds[p->kind].min, max = kinds[p->kind].max;

    buf_printf(out, "\"%s\":{\"type\":\"%s\",", p->name, kinds[p->kind].type);
    switch (p->kind) {
    case KIND_TEXT:
        buf_printf(out, "\"minLength\":%d,\"maxLength\":%d,", min, max);
        break;
    case KIND_LIST:
        buf_printf(out, "\"items\":{\"type\":\"string\",\"maxLength\":%d},\"maxItems\":%d,",
                   BAR_MODIFIERS_MAX - 1, max);
        break;
    case KIND_TIP:
        buf_str(out, "\"enum\":[");
        for (size_t i = 0; i < ARRAY_LEN(tips); i++)
            buf_printf(out, "%s%d", i ? "," : "", tips[i]);
        buf_str(out, "],");
        break;
    default:
        buf_printf(out, "\"minimum\":%d,\"maximum\":%d,", min, max);
        break;
    }
    buf_printf(out, "\"description\":\"%s\"}", p->text);
}

static char *schema(const struct tool *t)
{
    struct buf b = BUF_INIT;
    int needed = 0;

    buf_str(&b, "{\"type\":\"object\",\"properties\":{");
    for (const struct param *p = t->params; p->name; p++) {
        buf_str(&b, p == t->params ? "" : ",");
        param_schema(p, &b);
    }
    buf_str(&b, "},\"required\":[");
    for (const struct param *p = t->params; p->name; p++)
        if (p->needed)
            buf_printf(&b, "%s\"%s\"", needed++ ? "," : "", p->name);
    buf_str(&b, "],\"additionalProperties\":false}");
    MUST(!b.full);
    return buf_detach(&b);
}

const struct bar_tool *bar_tools(size_t *ret_count)
{
    for (size_t i = 0; !shown[ARRAY_LEN(tools) - 1].schema && i < ARRAY_LEN(tools); i++)
        shown[i] = (struct bar_tool){tools[i].name, tools[i].text, schema(&tools[i]),
                                     tools[i].changes};
    *ret_count = ARRAY_LEN(tools);
    return shown;
}

const struct bar__arg *bar__arg(const struct bar__call *c, const char *name)
{
    int i = 0;

    while (i < BAR__PARAMS_MAX && c->args[i].name && strcmp(c->args[i].name, name) != 0)
        i++;
    MUST(i < BAR__PARAMS_MAX && c->args[i].name);
    return &c->args[i];
}

static void refuse_kind(struct bar__call *c, const struct param *p)
{
    bar__refuse_text(c, BAR_INVALID_ARGUMENT, "'%s' must be %s: %s", p->name,
                     kinds[p->kind].words, p->text);
}

/* A JSON number, or a text that is one. Infinity cannot come: JSON has none. */
static bool number_of(const json_t *value, double *ret)
{
    if (json_is_string(value))
        return str_to_double(json_string_value(value), ret);
    if (!json_is_number(value))
        return false;
    *ret = json_number_value(value);
    return true;
}

static void read_quantity(struct bar__call *c, struct bar__arg *arg, double v)
{
    if (v < kinds[KIND_QUANTITY].min)
        bar__refuse(c, BAR_INVALID_QUANTITY, NULL);
    else if (v > kinds[KIND_QUANTITY].max)
        bar__refuse(c, BAR_QUANTITY_LIMIT, NULL);
    else
        arg->number = (int64_t)v;
}

static void read_tip(struct bar__call *c, struct bar__arg *arg, double v)
{
    for (size_t i = 0; i < ARRAY_LEN(tips); i++)
        if (v == tips[i])
            arg->number = tips[i] * 100;
    if (!arg->number)
        bar__refuse_text(c, BAR_INVALID_TIP_PERCENTAGE,
                         "Invalid tip percentage: %.10g. Please choose 10%%, 15%%, or 20%%.",
                         v);
}

static void read_number(struct bar__call *c, const struct param *p, const json_t *value,
                        struct bar__arg *arg)
{
    bool whole = p->kind == KIND_QUANTITY || p->kind == KIND_TIP;
    double v;

    if (!number_of(value, &v) || (whole && v != floor(v)))
        refuse_kind(c, p);
    else if (p->kind == KIND_QUANTITY)
        read_quantity(c, arg, v);
    else if (p->kind == KIND_TIP)
        read_tip(c, arg, v);
    else if (p->kind == KIND_PERCENT && (v < kinds[p->kind].min || v > kinds[p->kind].max))
        bar__refuse_text(c, BAR_INVALID_TIP_PERCENTAGE,
                         "Invalid tip percentage: %.10g. Please choose 0%% to 100%%.", v);
    else if (p->kind == KIND_DOLLARS && v < kinds[p->kind].min)
        bar__refuse(c, BAR_INVALID_TIP_AMOUNT, NULL);
    else if (p->kind == KIND_DOLLARS && v > kinds[p->kind].max)
        bar__refuse_text(c, BAR_INSUFFICIENT_FUNDS,
                         "Insufficient funds: a tip is at most %d dollars.",
                         kinds[p->kind].max);
    else
        arg->number = (int64_t)llround(v * 100);
}

/* Texts only; one text instead of a list is taken as well. */
static bool list_ok(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) == strlen(json_string_value(value));
    if (!json_is_array(value) || json_array_size(value) > LIST_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *text = json_array_get(value, i);
        if (!json_is_string(text) ||
            json_string_length(text) != strlen(json_string_value(text)))
            return false;
    }
    return true;
}

static void read_arg(struct bar__call *c, const struct param *p, const json_t *value,
                     struct bar__arg *arg)
{
    arg->name = p->name;
    arg->given = value && !json_is_null(value);
    if (!arg->given && p->needed) {
        bar__refuse_text(c, BAR_INVALID_ARGUMENT, "'%s' is missing: %s", p->name, p->text);
    } else if (!arg->given) {
        return;
    } else if (p->kind == KIND_TEXT) {
        size_t len = json_string_length(value);
        arg->text = json_string_value(value);
        if (!arg->text || strlen(arg->text) != len)
            refuse_kind(c, p);
        else if (!str_trim(str_of(arg->text)).len || len > TEXT_MAX)
            bar__refuse_text(c, BAR_INVALID_ARGUMENT, "'%s' must have 1 to %d characters",
                             p->name, TEXT_MAX);
    } else if (p->kind == KIND_LIST) {
        arg->list = value;
        if (!list_ok(value))
            bar__refuse_text(c, BAR_INVALID_ARGUMENT, "'%s' must be a list of at most %d texts",
                             p->name, LIST_MAX);
    } else {
        read_number(c, p, value, arg);
    }
}

/* A misspelt argument must not be passed over: it would order the wrong number of drinks. */
static void check_names(struct bar__call *c, const struct tool *t, json_t *args)
{
    const char *key;
    json_t *value;

    json_object_foreach(args, key, value)
    {
        const char *like = NULL;
        int best = 5;
        bool known = false;
        for (const struct param *p = t->params; p->name && !known; p++) {
            int d = str_distance(key, p->name, best);
            known = d == 0;
            if (d < best) {
                best = d;
                like = p->name;
            }
        }
        if (!known)
            bar__refuse_text(c, BAR_INVALID_ARGUMENT, "%s has no argument '%.40s'%s%s%s",
                             t->name, key, like ? "; did you mean '" : "", like ? like : "",
                             like ? "'?" : "");
    }
}

static const struct tool *find_tool(struct bar__call *c, const char *name)
{
    const char *like = NULL;
    int best = 6;

    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        int d = str_distance(name, tools[i].name, best);
        if (d == 0)
            return &tools[i];
        if (d < best) {
            best = d;
            like = tools[i].name;
        }
    }
    bar__refuse_text(c, BAR_UNKNOWN_TOOL, "There is no tool '%.40s'%s%s%s", name,
                     like ? "; did you mean '" : ".", like ? like : "", like ? "'?" : "");
    return NULL;
}

static json_t *finish(struct bar__call *c)
{
    json_t *answer = NULL;

    if (c->full) {
        json_decref(c->error);
    } else if (c->error) {
        answer = c->error;
    } else {
        answer = json_object();
        if (answer && (json_object_set_new(answer, "status", json_string("ok")) ||
                       json_object_set(answer, "result", c->result))) {
            json_decref(answer);
            answer = NULL;
        }
    }
    json_decref(c->result);
    return answer;
}

json_t *bar_tool_call(const struct bar_guest *g, const char *name, const json_t *args,
                      int *ret_index)
{
    struct bar__call c = {.g = g, .seed = g->seed, .result = json_object()};
    const struct tool *t = find_tool(&c, name);
    json_t *empty = args && !json_is_null(args) ? NULL : json_object();
    /* json_object_foreach() wants it writable and does not write. */
    json_t *given = empty ? empty : (json_t *)(uintptr_t)args;

    if (ret_index)
        *ret_index = t ? (int)(t - tools) : -1;
    c.full |= !c.result || !given;
    if (t && !c.full && !json_is_object(given))
        bar__refuse_text(&c, BAR_INVALID_ARGUMENT, "the arguments must be an object");
    if (t && !c.full && !c.error)
        check_names(&c, t, given);
    for (int i = 0; t && !c.full && !c.error && t->params[i].name; i++)
        read_arg(&c, &t->params[i], json_object_get(given, t->params[i].name), &c.args[i]);
    if (t && !c.full && !c.error)
        t->run(&c);
    json_decref(empty);
    return finish(&c);
}

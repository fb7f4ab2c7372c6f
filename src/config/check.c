/* Is a value what its row allows; and the sentence that says so to a person. */
#include "config/config_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 4096

void config__shown(char *dst, size_t size, const char *value)
{
    size_t n = strlen(value), keep = n < size ? n : size - 4;

    keep = n < size ? n : utf8_valid_prefix(value, keep);
    for (size_t i = 0; i < keep; i++)
        dst[i] = (unsigned char)value[i] < 0x20 || value[i] == 0x7f ? '?' : value[i];
    memcpy(dst + keep, keep < n ? "\xe2\x80\xa6" : "", keep < n ? 4 : 1);
}

void config__path_shown(char dst[CONFIG__PATH_SHOWN], const char *path)
{
    size_t n = strlen(path), keep = CONFIG__PATH_SHOWN - 8;

    if (n <= keep) {
        config__shown(dst, CONFIG__PATH_SHOWN, path);
        return;
    }
    path += n - keep;
    while (((unsigned char)*path & 0xc0) == 0x80) /* not into a character */
        path++;
    memcpy(dst, "\xe2\x80\xa6", 3);
    config__shown(dst + 3, CONFIG__PATH_SHOWN - 3, path);
}

const char *config__place(const struct config *c, enum config_id id, char *room, size_t size)
{
    const struct config_value *v = &c->values[id];
    char file[CONFIG__PATH_SHOWN];

    switch (v->from) {
    case CONFIG_FLAG:
        snprintf(room, size, "--%s", config__rows[id].flag);
        return room;
    case CONFIG_ENVIRONMENT:
        return "the environment";
    case CONFIG_ENV_FILE:
        config__path_shown(file, c->env_path);
        snprintf(room, size, "%s line %d", file, v->line);
        return room;
    case CONFIG_SECRET_FILE:
        config__path_shown(file, v->file);
        if (v->line)
            snprintf(room, size, "%s line %d", file, v->line);
        else
            snprintf(room, size, "%s", file);
        return room;
    case CONFIG_DEFAULT:
        break;
    }
    return "the default";
}

bool config__has_range(const struct config_row *r)
{
    return r->min <= r->max && (r->type == CONFIG_INT || r->type == CONFIG_NUMBER);
}

/* Choice number i as the table's first spelling; false after the last. */
static bool choice_at(const char *choices, int i, struct str *ret)
{
    for (; *choices; i--) {
        size_t n = strcspn(choices, "|");
        if (i == 0) {
            *ret = (struct str){choices, strcspn(choices, "|,")};
            return true;
        }
        choices += n + (choices[n] == '|');
    }
    return false;
}

void config__may_be(const struct config_row *r, struct buf *out)
{
    struct str one, next;

    if (config__has_range(r))
        buf_printf(out, "%.15g to %.15g%s%s", r->min, r->max, *r->unit ? " " : "", r->unit);
    else if (r->type == CONFIG_BOOL)
        buf_str(out, "true or false");
    for (int i = 0; r->type == CONFIG_CHOICE && choice_at(r->choices, i, &one); i++) {
        bool last = !choice_at(r->choices, i + 1, &next);
        buf_printf(out, "%s%.*s", i == 0 ? "" : last ? " or " : ", ", STR_FMT(one));
    }
}

static int refuse(const struct config *c, enum config_id id, const char *may_be, struct err *e)
{
    const struct config_value *v = &c->values[id];
    const struct config_row *r = &config__rows[id];
    enum err_code code = v->from == CONFIG_FLAG ? ERR_INVALID : ERR_CONFIG;
    char room[CONFIG__PLACE], shown[48];
    const char *place = config__place(c, id, room, sizeof(room));

    if (r->type == CONFIG_SECRET)
        return err_set(e, code, 0, "%s (from %s) must be %s", r->env, place, may_be);
    config__shown(shown, sizeof(shown), v->text);
    return err_set(e, code, 0, "%s is '%s' (from %s), but must be %s", r->env, shown, place,
                   may_be);
}

static int check_number(struct config *c, enum config_id id, struct err *e)
{
    const struct config_row *r = &config__rows[id];
    struct config_value *v = &c->values[id];
    bool whole = r->type == CONFIG_INT;
    struct buf may_be = BUF_INIT;
    bool ok = whole ? str_to_int(v->text, &v->whole) : str_to_double(v->text, &v->number);
    int rc = 0;

    if (whole)
        v->number = (double)v->whole;
    else
        v->whole = (int64_t)v->number;
    /* C reads 0x10 and 1e3 as numbers; a person who writes them here is mistaken. */
    if (ok && strspn(v->text, "0123456789.+-") != strlen(v->text))
        ok = false;
    if (!ok || (config__has_range(r) && (v->number < r->min || v->number > r->max))) {
        buf_str(&may_be, whole ? "a whole number" : "a number");
        if (config__has_range(r)) {
            buf_str(&may_be, " from ");
            config__may_be(r, &may_be);
        }
        rc = refuse(c, id, buf_text(&may_be), e);
    }
    buf_release(&may_be);
    return rc;
}

static int check_bool(struct config *c, enum config_id id, struct err *e)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    struct config_value *v = &c->values[id];

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        bool is_yes = strcasecmp(v->text, yes[i]) == 0;
        if (is_yes || strcasecmp(v->text, no[i]) == 0) {
            v->on = is_yes;
            return 0;
        }
    }
    return refuse(c, id, "true or false (1, 0, yes, no, on, off will do)", e);
}

/* The row's spelling of a value, or "" with the nearest in `near`. */
static struct str find_choice(const char *choices, const char *value, struct str *near)
{
    int best = 4;

    for (const char *at = choices, *first = choices; *at;) {
        struct str name = {at, strcspn(at, "|,")};
        struct str main_name = {first, strcspn(first, "|,")};
        char copy[40], low[40];
        if (str_eq_nocase(name, value))
            return main_name;
        snprintf(copy, sizeof(copy), "%.*s", STR_FMT(name));
        snprintf(low, sizeof(low), "%s", value);
        for (char *p = low; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        int d = str_distance(copy, low, best);
        if (d < best && d < (int)name.len) {
            best = d;
            *near = main_name;
        }
        at += name.len;
        if (*at == '|')
            first = at + 1;
        at += *at != '\0';
    }
    return (struct str){"", 0};
}

static int check_choice(struct config *c, enum config_id id, struct err *e)
{
    struct config_value *v = &c->values[id];
    struct buf may_be = BUF_INIT;
    struct str near = {"", 0};
    struct str found = find_choice(config__rows[id].choices, v->text, &near);
    int rc = 0;

    if (found.len) {
        free(v->text);
        v->text = xstrndup(found.data, found.len);
    } else {
        config__may_be(&config__rows[id], &may_be);
        if (near.len)
            buf_printf(&may_be, "; did you mean '%.*s'?", STR_FMT(near));
        rc = refuse(c, id, buf_text(&may_be), e);
    }
    buf_release(&may_be);
    return rc;
}

/* One that has bounds is sent in a header, so it is a word of one. */
static int check_secret(const struct config *c, enum config_id id, struct err *e)
{
    const struct config_row *r = &config__rows[id];
    const char *text = c->values[id].text;
    size_t n = strlen(text);
    char may_be[120];

    if (r->min > r->max)
        return 0;
    for (const char *p = text; *p; p++)
        if (*p <= 0x20 || *p >= 0x7f)
            return refuse(c, id, "of visible ASCII characters, without spaces", e);
    if ((double)n >= r->min && (double)n <= r->max)
        return 0;
    snprintf(may_be, sizeof(may_be), "%.15g to %.15g characters long (it has %zu)", r->min,
             r->max, n);
    return refuse(c, id, may_be, e);
}

static int check_text(struct config *c, enum config_id id, struct err *e)
{
    const char *text = c->values[id].text;

    if (strlen(text) > TEXT_MAX)
        return refuse(c, id, "at most 4096 bytes long", e);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return refuse(c, id, "one line of text without control characters", e);
    if (utf8_valid_prefix(text, strlen(text)) != strlen(text))
        return refuse(c, id, "text in UTF-8", e);
    return 0;
}

int config__check(struct config *c, enum config_id id, struct err *e)
{
    if (!c->values[id].text)
        return 0;
    switch (config__rows[id].type) {
    case CONFIG_INT:
    case CONFIG_NUMBER:
        return check_number(c, id, e);
    case CONFIG_BOOL:
        return check_bool(c, id, e);
    case CONFIG_CHOICE:
        return check_choice(c, id, e);
    case CONFIG_SECRET:
        if (check_text(c, id, e) < 0)
            return -1;
        return check_secret(c, id, e);
    case CONFIG_TEXT:
        break;
    }
    return check_text(c, id, e);
}

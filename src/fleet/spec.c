/* The table, the values, and who asks for them. */
#include "fleet/spec_int.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "seal/seal.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct spec_row spec__rows[SPEC__COUNT] = {
#define FIELD(id, path, type, preset, min, max, unit, choices, help)                           \
    [SPEC_##id] = {path, SPEC_##type##_TYPE, preset, min, max, unit, choices, help},
#include "fleet/spec.def"
#undef FIELD
};

const struct spec_size spec__sizes[] = {
#define SIZE(name, sessions, session_memory, threshold, memory, max_containers)                \
    {name, sessions, session_memory, threshold, memory, max_containers},
#include "fleet/size.def"
#undef SIZE
};
const size_t spec__sizes_count = ARRAY_LEN(spec__sizes);

struct spec *spec__new(const char *file)
{
    struct spec *s = xalloc(sizeof(*s));
    const char *slash = strrchr(file, '/');

    s->file = xstrdup(file);
    if (slash == file)
        s->folder = xstrdup("/");
    else
        s->folder = slash ? xstrndup(file, (size_t)(slash - file)) : xstrdup(".");
    return s;
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

void spec__clear(struct spec_value *v)
{
    free(v->text);
    for (size_t i = 0; i < v->count; i++) {
        free_text(v->pairs[i].key);
        free_text(v->pairs[i].value);
    }
    free(v->pairs);
    free(v->lines);
    *v = (struct spec_value){0};
}

void spec_free(struct spec **s)
{
    if (!*s)
        return;
    for (int id = 0; id < SPEC__COUNT; id++)
        spec__clear(&(*s)->values[id]);
    free((*s)->file);
    free((*s)->folder);
    free(*s);
    *s = NULL;
}

int spec__err(const struct spec *s, int line, struct err *e, const char *fmt, ...)
{
    char msg[sizeof(e->msg)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (line)
        return err_set(e, ERR_CONFIG, 0, "%s:%d: %s", s->file, line, msg);
    return err_set(e, ERR_CONFIG, 0, "%s: %s", s->file, msg);
}

void spec__push(struct spec_value *v, const char *key, const char *value, int line)
{
    v->pairs = xrealloc(v->pairs, (v->count + 1) * sizeof(*v->pairs));
    v->lines = xrealloc(v->lines, (v->count + 1) * sizeof(*v->lines));
    v->lines[v->count] = line;
    v->pairs[v->count++] = (struct image_pair){xstrdup(key), value ? xstrdup(value) : NULL};
}

void spec__insert(struct spec_value *v, const char *key, const char *value, int line)
{
    spec__push(v, key, value, line);
    struct image_pair pair = v->pairs[v->count - 1];
    size_t i = v->count - 1;
    for (; i > 0 && strcmp(v->pairs[i - 1].key, key) > 0; i--) {
        v->pairs[i] = v->pairs[i - 1];
        v->lines[i] = v->lines[i - 1];
    }
    v->pairs[i] = pair;
    v->lines[i] = line;
}

bool spec__has_bounds(const struct spec_row *r)
{
    return r->min <= r->max;
}

static void choices_as_words(const char *choices, struct buf *out)
{
    for (const char *at = choices; *at;) {
        size_t len = strcspn(at, "|");
        bool last = !at[len];
        if (at != choices)
            buf_str(out, last ? " or " : ", ");
        buf_add(out, at, len);
        at += len + !last;
    }
}

void spec__may_be(const struct spec_row *r, struct buf *out)
{
    if (r->type == SPEC_CHOICE_TYPE)
        choices_as_words(r->choices, out);
    else if (spec__has_bounds(r))
        buf_printf(out, "%s%.15g to %.15g%s%s",
                   r->type == SPEC_INT_TYPE ? "a whole number from " : "", r->min, r->max,
                   *r->unit ? " " : "", r->unit);
    else if (r->type == SPEC_NAME_TYPE)
        buf_printf(out,
                   "letters, digits, '-', '.' and '_', at most %d, the first and last a "
                   "letter or digit",
                   SPEC_NAME_MAX);
    else if (*r->unit)
        buf_printf(out, "%s", r->unit);
}

static bool chosen(const char *choices, const char *text)
{
    size_t n = strlen(text);

    for (const char *at = choices; *at; at += strcspn(at, "|"), at += *at == '|')
        if (n == strcspn(at, "|") && strncmp(at, text, n) == 0)
            return true;
    return false;
}

/* 1.1 and 1.2 of YAML read it differently, and so do programs. */
static bool zero_in_front(const struct spec_row *r, const char *text)
{
    text += *text == '+' || *text == '-';
    return (r->type == SPEC_INT_TYPE || r->type == SPEC_NUMBER_TYPE) && text[0] == '0' &&
           isdigit((unsigned char)text[1]);
}

static bool fits(const struct spec_row *r, const char *text, double *ret)
{
    int64_t whole;
    double number = 0;

    switch (r->type) {
    case SPEC_INT_TYPE:
        if (!str_to_int(text, &whole))
            return false;
        number = (double)whole;
        break;
    case SPEC_NUMBER_TYPE:
        if (!str_to_double(text, &number) || !isfinite(number))
            return false;
        break;
    case SPEC_CHOICE_TYPE:
        return chosen(r->choices, text);
    case SPEC_NAME_TYPE:
        return spec_name_ok(text, SPEC_NAME_MAX);
    default:
        return true;
    }
    *ret = number;
    return number >= r->min && number <= r->max;
}

int spec__set(struct spec *s, enum spec_id id, const char *text, int line, const char *whose,
              struct err *e)
{
    const struct spec_row *r = &spec__rows[id];
    double number = 0;

    if (zero_in_front(r, text)) {
        const char *right = text + strspn(text, "+-0");
        right -= !isdigit((unsigned char)*right); /* "00" is 0 */
        if (line)
            return spec__err(s, line, e,
                             "'%s' is '%.40s'; write it without a 0 in front, as %.40s", whose,
                             text, right);
        return err_set(e, ERR_CONFIG, 0,
                       "%s is '%.40s'; write it without a 0 in front, as %.40s", whose, text,
                       right);
    }
    if (!fits(r, text, &number)) {
        struct buf may = BUF_INIT;
        spec__may_be(r, &may);
        if (line)
            spec__err(s, line, e, "'%s' is '%.40s'; it may be %s", whose, text, buf_text(&may));
        else
            err_set(e, ERR_CONFIG, 0, "%s is '%.40s'; it may be %s", whose, text,
                    buf_text(&may));
        buf_release(&may);
        return -1;
    }
    spec__clear(&s->values[id]);
    s->values[id] = (struct spec_value){
        .text = xstrdup(text), .number = number, .line = line, .given = true};
    return 0;
}

const char *spec_text(const struct spec *s, enum spec_id id)
{
    return s->values[id].text ? s->values[id].text : "";
}

int64_t spec_int(const struct spec *s, enum spec_id id)
{
    MUST(spec__rows[id].type == SPEC_INT_TYPE);
    return (int64_t)s->values[id].number;
}

double spec_number(const struct spec *s, enum spec_id id)
{
    MUST(spec__rows[id].type == SPEC_NUMBER_TYPE || spec__rows[id].type == SPEC_INT_TYPE);
    return s->values[id].number;
}

struct image_list spec_list(const struct spec *s, enum spec_id id)
{
    return (struct image_list){s->values[id].pairs, s->values[id].count};
}

bool spec_given(const struct spec *s, enum spec_id id)
{
    return s->values[id].given;
}

enum image_kind spec_image_kind(const struct spec *s)
{
    if (*spec_text(s, SPEC_IMAGE_BASE))
        return IMAGE_BASE;
    if (*spec_text(s, SPEC_IMAGE_DOCKERFILE))
        return IMAGE_RECIPE;
    return *spec_text(s, SPEC_IMAGE_READY) ? IMAGE_READY : IMAGE_OWN;
}

/* By what runs: "maya", "/usr/bin/maya"; its own image holds nothing else. */
bool spec_is_maya(const struct spec *s)
{
    const struct image_list command = spec_list(s, SPEC_COMMAND);
    const char *slash;

    if (command.count == 0)
        return spec_image_kind(s) == IMAGE_OWN;
    slash = strrchr(command.at[0].key, '/');
    return strcmp(slash ? slash + 1 : command.at[0].key, "maya") == 0;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool spec_name_ok(const char *text, size_t most)
{
    size_t len = strlen(text);

    if (len == 0 || len > most || !letter(text[0]) || !letter(text[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!letter(text[i]) && !strchr("-._", text[i]))
            return false;
    return true;
}

/* What Swarm takes for a service: runs of letters and digits, with - and _ within. */
void spec_object_name(const char *app, const char *suffix, char ret[SPEC_OBJECT_MAX + 1])
{
    enum { HASH = 6 };
    uint8_t sum[16];
    size_t room = SPEC_OBJECT_MAX - strlen(suffix), len = strlen(app);

    MUST(strlen(suffix) + HASH + 2 < SPEC_OBJECT_MAX);
    if (len <= room && !strchr(app, '.')) {
        snprintf(ret, SPEC_OBJECT_MAX + 1, "%s%s", app, suffix);
        return;
    }
    seal_digest(app, len, sum);
    room -= HASH + 1;
    snprintf(ret, SPEC_OBJECT_MAX + 1, "%.*s-%02x%02x%02x%s", (int)room, app, sum[0], sum[1],
             sum[2], suffix);
    for (char *c = ret; *c; c++)
        if (*c == '.')
            *c = '-';
}

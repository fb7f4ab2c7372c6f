/* A spec as it is kept beside its version, back from there, and beside another. */
#include "fleet/spec_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1

static json_t *pairs_json(const struct spec_row *r, const struct spec_value *v)
{
    json_t *all = r->type == SPEC_MAP_TYPE ? json_object() : json_array();

    for (size_t i = 0; i < v->count; i++) {
        const struct image_pair *p = &v->pairs[i];
        if (r->type == SPEC_MAP_TYPE)
            json_object_set_new(all, p->key, json_string(p->value));
        else
            json_array_append_new(all, json_string(p->key));
    }
    return all;
}

/* NULL: there is nothing to say. */
static json_t *value_json(const struct spec_row *r, const struct spec_value *v)
{
    switch (r->type) {
    case SPEC_LIST_TYPE:
    case SPEC_MAP_TYPE:
    case SPEC_WORDS_TYPE:
        return v->count ? pairs_json(r, v) : NULL;
    case SPEC_INT_TYPE:
        return json_integer((json_int_t)v->number);
    case SPEC_NUMBER_TYPE:
        return json_real(v->number);
    default:
        return v->text ? json_string(v->text) : NULL;
    }
}

char *spec_stored(const struct spec *s)
{
    json_t *root = json_pack("{s:i}", "format", FORMAT), *fields = json_object();

    for (int id = 0; id < SPEC__COUNT; id++) {
        json_t *value = value_json(&spec__rows[id], &s->values[id]);
        if (value)
            json_object_set_new(fields, spec__rows[id].path, value);
    }
    json_object_set_new(root, "spec", fields);
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    MUST(text);
    json_decref(root);
    return text;
}

static int not_one(struct err *e, const char *path)
{
    return err_set(e, ERR_CONFIG, 0, "the stored spec of this version cannot be read: '%.60s'",
                   path);
}

static int take_pairs(struct spec_value *v, const struct spec_row *r, json_t *value,
                      struct err *e)
{
    const char *key;
    json_t *one;

    if (r->type == SPEC_MAP_TYPE && json_is_object(value)) {
        json_object_foreach(value, key, one)
        {
            if (!json_is_string(one))
                return not_one(e, r->path);
            spec__insert(v, key, json_string_value(one), 0);
        }
        return 0;
    }
    if (r->type == SPEC_MAP_TYPE || !json_is_array(value))
        return not_one(e, r->path);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (!text)
            return not_one(e, r->path);
        spec__push(v, text, NULL, 0);
    }
    return 0;
}

static int take_value(struct spec *s, int id, json_t *value, struct err *e)
{
    const struct spec_row *r = &spec__rows[id];
    struct spec_value *v = &s->values[id];
    char number[40];

    if (r->type == SPEC_LIST_TYPE || r->type == SPEC_MAP_TYPE || r->type == SPEC_WORDS_TYPE) {
        if (take_pairs(v, r, value, e) < 0)
            return -1;
        v->given = v->count > 0;
        return 0;
    }
    if (json_is_number(value) && (r->type == SPEC_INT_TYPE || r->type == SPEC_NUMBER_TYPE)) {
        snprintf(number, sizeof(number), "%.15g", json_number_value(value));
        return spec__set(s, (enum spec_id)id, number, 0, r->path, e);
    }
    if (!json_is_string(value))
        return not_one(e, r->path);
    if (spec__set(s, (enum spec_id)id, json_string_value(value), 0, r->path, e) < 0)
        return -1;
    /* What spec__fill() has another preset for is as it was. */
    v->given = strcmp(r->preset, json_string_value(value)) != 0 || id == SPEC_HEALTH_PATH ||
               id == SPEC_READY_PATH;
    return 0;
}

static int find(const char *path)
{
    for (int id = 0; id < SPEC__COUNT; id++)
        if (strcmp(spec__rows[id].path, path) == 0)
            return id;
    return -1;
}

static int take_fields(struct spec *s, json_t *root, struct err *e)
{
    const char *path;
    json_t *value;

    if (json_integer_value(json_object_get(root, "format")) > FORMAT)
        return err_set(e, ERR_NEWER, 0, "this version was deployed by a newer Maya; use that");
    if (json_integer_value(json_object_get(root, "format")) != FORMAT ||
        !json_is_object(json_object_get(root, "spec")))
        return not_one(e, "format");
    json_object_foreach(json_object_get(root, "spec"), path, value)
    {
        int id = find(path);
        if (id < 0)
            return err_set(e, ERR_NEWER, 0,
                           "this version was deployed by a newer Maya: '%.60s' is not known "
                           "here",
                           path);
        if (take_value(s, id, value, e) < 0)
            return -1;
    }
    spec__fill(s);
    return spec__check(s, e);
}

int spec_restore(const char *text, size_t len, struct spec **ret, struct err *e)
{
    json_error_t why;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    struct spec *s;
    int rc;

    if (!root)
        return not_one(e, why.text);
    s = spec__new("the stored spec");
    rc = take_fields(s, root, e);
    json_decref(root);
    if (rc < 0)
        spec_free(&s);
    else
        *ret = s;
    return rc;
}

void spec_describe(const struct spec *s, enum spec_id id, struct buf *out)
{
    const struct spec_value *v = &s->values[id];
    const struct spec_row *r = &spec__rows[id];

    for (size_t i = 0; i < v->count; i++) {
        buf_str(out, i == 0 ? "" : r->type == SPEC_WORDS_TYPE ? " " : ", ");
        buf_str(out, v->pairs[i].key);
        if (v->pairs[i].value)
            buf_printf(out, "=%s", v->pairs[i].value);
    }
    if (v->text)
        buf_str(out, v->text);
}

void spec_compare(const struct spec *from, const struct spec *to,
                  void (*on_change)(void *ctx, const char *path, const char *was,
                                    const char *is),
                  void *ctx)
{
    for (int id = 0; id < SPEC__COUNT; id++) {
        json_t *was = value_json(&spec__rows[id], &from->values[id]);
        json_t *is = value_json(&spec__rows[id], &to->values[id]);
        bool same = (!was && !is) || (was && is && json_equal(was, is));
        struct buf old = BUF_INIT, new = BUF_INIT;
        json_decref(was);
        json_decref(is);
        if (same)
            continue;
        spec_describe(from, (enum spec_id)id, &old);
        spec_describe(to, (enum spec_id)id, &new);
        on_change(ctx, spec__rows[id].path, buf_text(&old), buf_text(&new));
        buf_release(&old);
        buf_release(&new);
    }
}

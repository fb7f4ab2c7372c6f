/* The page about deploy.yaml and the schema for editors, out of the table. */
#include "fleet/spec_int.h"

#include "base/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_words(const struct spec_row *r)
{
    switch (r->type) {
    case SPEC_NAME_TYPE:
        return "name";
    case SPEC_INT_TYPE:
        return "whole number";
    case SPEC_NUMBER_TYPE:
        return "number";
    case SPEC_CHOICE_TYPE:
        return "";
    case SPEC_LIST_TYPE:
        return "list";
    case SPEC_MAP_TYPE:
        return "names with values";
    case SPEC_WORDS_TYPE:
        return "list, or a line";
    case SPEC_TEXT_TYPE:
        break;
    }
    return *r->unit ? r->unit : "text";
}

static void row_markdown(const struct spec_row *r, struct buf *out)
{
    struct buf may = BUF_INIT;

    spec__may_be(r, &may);
    buf_printf(out, "| `%s` | ", r->path);
    if (r->type == SPEC_CHOICE_TYPE || spec__has_bounds(r))
        buf_str(out, buf_text(&may));
    else
        buf_str(out, type_words(r));
    if (!*r->preset)
        buf_str(out, " | ");
    else if (strcmp(r->preset, "size") == 0)
        buf_str(out, " | of the size");
    else
        buf_printf(out, " | `%s`", r->preset);
    buf_printf(out, " | %s |\n", r->help);
    buf_release(&may);
}

static void sizes_markdown(struct buf *out)
{
    buf_str(out, "\n## Sizes\n\n| size | `sessions` | `session_memory` | `memory_threshold` | "
                 "`memory` | `max_containers` |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < spec__sizes_count; i++)
        buf_printf(out, "| `%s` | %.15g | %.15g | %.15g | %.15g | %.15g |\n",
                   spec__sizes[i].name, spec__sizes[i].sessions, spec__sizes[i].session_memory,
                   spec__sizes[i].threshold, spec__sizes[i].memory,
                   spec__sizes[i].max_containers);
    buf_str(out,
            "\nSessions times their budget, and the process itself, fit under the threshold's "
            "share of the memory:\n`maya config check -f deploy.yaml` proves it for any "
            "numbers.\n");
}

void spec_markdown(struct buf *out)
{
    buf_str(out,
            "# deploy.yaml\n\n<!-- Made from src/fleet/spec.def; do not edit. -->\n\n"
            "What an app is to be. Only `name` is needed; relative paths begin at the file's "
            "folder. `maya deploy\n--dry-run` shows what would come of it, `maya docs "
            "deploy-schema` prints a JSON Schema for editors. A dot in\na key is a level: "
            "`health.path` is `path` below `health`.\n");
#define SECTION(title)                                                                         \
    buf_str(out, "\n## " title "\n\n| key | value | default | |\n|---|---|---|---|\n");
#define FIELD(id, path, type, preset, min, max, unit, choices, help)                           \
    row_markdown(&spec__rows[SPEC_##id], out);
#include "fleet/spec.def"
#undef FIELD
    sizes_markdown(out);
}

static json_t *text_type(void)
{
    return json_pack("{s:s}", "type", "string");
}

static json_t *row_schema(const struct spec_row *r)
{
    json_t *one;

    switch (r->type) {
    case SPEC_INT_TYPE:
        one = json_pack("{s:s}", "type", "integer");
        break;
    case SPEC_NUMBER_TYPE:
        one = json_pack("{s:s}", "type", "number");
        break;
    case SPEC_LIST_TYPE:
        one = json_pack("{s:s, s:o}", "type", "array", "items", text_type());
        break;
    case SPEC_MAP_TYPE:
        one = json_pack("{s:s, s:{s:[s, s, s]}}", "type", "object", "additionalProperties",
                        "type", "string", "number", "boolean");
        break;
    case SPEC_WORDS_TYPE:
        one = json_pack("{s:[o, {s:s, s:o}]}", "anyOf", text_type(), "type", "array", "items",
                        text_type());
        break;
    default:
        one = text_type();
        break;
    }
    if (spec__has_bounds(r) && (r->type == SPEC_INT_TYPE || r->type == SPEC_NUMBER_TYPE)) {
        json_object_set_new(one, "minimum", json_real(r->min));
        json_object_set_new(one, "maximum", json_real(r->max));
    }
    if (r->type == SPEC_NAME_TYPE)
        json_object_set_new(one, "pattern",
                            json_string("^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"));
    if (r->type == SPEC_CHOICE_TYPE) {
        json_t *all = json_array();
        for (const char *at = r->choices; *at; at += strcspn(at, "|"), at += *at == '|')
            json_array_append_new(all, json_stringn(at, strcspn(at, "|")));
        json_object_set_new(one, "enum", all);
    }
    json_object_set_new(one, "description", json_string(r->help));
    return one;
}

void spec_schema(struct buf *out)
{
    json_t *top = json_object(), *root;

    for (int id = 0; id < SPEC__COUNT; id++) {
        const char *path = spec__rows[id].path, *dot = strchr(path, '.');
        json_t *level = top;
        if (dot) {
            char group[40];
            snprintf(group, sizeof(group), "%.*s", (int)(dot - path), path);
            if (!json_object_get(top, group))
                json_object_set_new(top, group,
                                    json_pack("{s:s, s:b, s:{}}", "type", "object",
                                              "additionalProperties", 0, "properties"));
            level = json_object_get(json_object_get(top, group), "properties");
        }
        json_object_set_new(level, dot ? dot + 1 : path, row_schema(&spec__rows[id]));
    }
    root =
        json_pack("{s:s, s:s, s:s, s:b, s:o}", "$schema",
                  "https://json-schema.org/draft/2020-12/schema", "title", "Maya's deploy.yaml",
                  "type", "object", "additionalProperties", 0, "properties", top);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    MUST(text);
    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

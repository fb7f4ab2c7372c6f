/* An answer as it comes: what is said, what is called, what it cost. */
#include "mind/cloud_int.h"

#include <string.h>

void cloud__answer_begin(struct cloud_answer *a, struct region *room)
{
    void (*say)(void *, const char *, size_t) = a->say;
    void *ctx = a->ctx;

    *a = (struct cloud_answer){.room = room, .say = say, .ctx = ctx};
    buf_init(&a->text, &room->mem);
    buf_init(&a->parts, &room->mem);
}

static void heard(struct cloud_answer *a, const char *text, size_t len)
{
    /* What stands in front of the first word is the template's. */
    while (len && !a->think.begun && memchr(" \t\r\n", *text, 4)) {
        text++;
        len--;
    }
    if (!len)
        return;
    a->think.begun = true;
    buf_add(&a->text, text, len);
    a->full |= a->text.full;
    a->say(a->ctx, text, len);
}

/* How many characters at the end of the text may be the beginning of `tag`. */
static size_t beginning(const char *text, size_t len, const char *tag)
{
    size_t n = strlen(tag) - 1;

    if (n > len)
        n = len;
    while (n && memcmp(text + len - n, tag, n) != 0)
        n--;
    return n;
}

static void filter(struct cloud_answer *a, const char *text, size_t len)
{
    while (len) {
        const char *tag = a->think.inside ? "</think>" : "<think>";
        const char *at = memmem(text, len, tag, strlen(tag));
        size_t before = at ? (size_t)(at - text) : len - beginning(text, len, tag);

        if (!a->think.inside)
            heard(a, text, before);
        if (!at) {
            a->think.held_len = len - before;
            memcpy(a->think.held, text + before, a->think.held_len);
            return;
        }
        a->think.inside = !a->think.inside;
        len -= before + strlen(tag);
        text = at + strlen(tag);
    }
}

void cloud__answer_text(struct cloud_answer *a, const char *text, size_t len)
{
    size_t held = a->think.held_len;

    /* One character at a time until the held ones are a tag, or are none. */
    while (held && len) {
        char both[sizeof(a->think.held) + 1];
        memcpy(both, a->think.held, held);
        both[held] = *text;
        a->think.held_len = 0;
        filter(a, both, held + 1);
        held = a->think.held_len;
        text++;
        len--;
    }
    if (len)
        filter(a, text, len);
}

void cloud__answer_end(struct cloud_answer *a)
{
    if (!a->think.inside)
        heard(a, a->think.held, a->think.held_len);
    a->think.held_len = 0;
}

struct cloud_tool *cloud__answer_tool(struct cloud_answer *a, size_t index)
{
    if (index >= CLOUD_CALLS_MAX) {
        a->too_many = true;
        return NULL;
    }
    if (!a->tools && !(a->tools = region_alloc(a->room, CLOUD_CALLS_MAX * sizeof(*a->tools)))) {
        a->full = true;
        return NULL;
    }
    while (a->tool_count <= index) {
        struct cloud_tool *t = &a->tools[a->tool_count++];
        buf_init(&t->id, &a->room->mem);
        buf_init(&t->name, &a->room->mem);
        buf_init(&t->args, &a->room->mem);
    }
    return &a->tools[index];
}

void cloud__code(char *ret, size_t size, const char *text)
{
    size_t n = 0;

    for (; text && text[n] && n < size - 1; n++) {
        char c = text[n];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || strchr("_.-", c);
        ret[n] = c;
        if (!fine)
            break;
    }
    ret[text && !text[n] ? n : 0] = '\0';
}

void cloud__answer_error(struct cloud_answer *a, int status, const char *code)
{
    if (a->failed)
        return;
    a->failed = true;
    a->fault = status;
    cloud__code(a->note, sizeof(a->note), code);
}

json_t *cloud__json(const char *text, size_t len, bool *ret_full)
{
    json_error_t error;
    json_t *root = json_region_load(text, len, 0, &error);

    if (!root && json_error_code(&error) == json_error_out_of_memory)
        *ret_full = true;
    return root;
}

uint64_t cloud__count_of(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));

    return n > 0 ? (uint64_t)n : 0;
}

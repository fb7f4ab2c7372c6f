/*
 * Folding by rule: whatever is said, by whomever, and whatever the summary was before, the new
 * one is text within its bound, and folding nothing into it makes it no longer. The input: a
 * byte for the bound, then the old summary and messages, with a NUL between.
 */
#include "agent/agent_int.h"

#include "base/buf.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str next(const char **at, size_t *left)
{
    const char *stop = *left ? memchr(*at, '\0', *left) : NULL;
    struct str s = {*at, stop ? (size_t)(stop - *at) : *left};

    *at += s.len + (stop != NULL);
    *left -= s.len + (stop != NULL);
    s.len = utf8_valid_prefix(s.data, s.len);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fold_rules *rules;
    struct session_message *m[MESSAGES_MAX];
    struct buf once = BUF_INIT, twice = BUF_INIT;
    const char *at = (const char *)data + 1;
    uint32_t count = 0;

    if (size < 1)
        return 0;
    if (!rules)
        rules = fold__rules_new();
    size_t max = 16 + (size_t)data[0] * 16, left = size - 1;
    struct str before = next(&at, &left);
    while (left && count < MESSAGES_MAX) {
        struct str text = next(&at, &left);
        struct session_message *new = malloc(sizeof(*new) + text.len + 1);
        MUST(new);
        *new =
            (struct session_message){.from_person = count % 3 < 2, .len = (uint32_t)text.len};
        memcpy(new->text, text.data, text.len);
        new->text[text.len] = '\0';
        if (count)
            m[count - 1]->next = new;
        m[count++] = new;
    }
    MUST(fold__by_rule(rules, before, count ? m[0] : NULL, count, max, &once));
    MUST(once.len <= max && utf8_valid_prefix(once.data, once.len) == once.len);
    MUST(!once.len || !memchr(once.data, '\0', once.len));
    MUST(fold__by_rule(rules, (struct str){once.data, once.len}, NULL, 0, max, &twice));
    MUST(twice.len <= once.len);
    while (count)
        free(m[--count]);
    buf_release(&once);
    buf_release(&twice);
    return 0;
}

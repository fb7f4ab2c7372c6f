/*
 * The house mind with arbitrary text: lines are turns of one guest, the bytes before the first
 * newline are notes of earlier turns, as a damaged store might give them back. Whatever comes,
 * each turn ends exactly once, with an answer of valid UTF-8, and the money adds up.
 */
#include "unit/mind/evening.h"

#include "base/must.h"
#include "base/strs.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void turn(struct evening *v, const char *text, size_t len)
{
    int64_t sum = 0;

    len = utf8_valid_prefix(text, len);
    if (len == 0)
        return;
    /* What the guest says stands in the documents as well. */
    const struct knowledge_passage passage = {"a.md", 1, "A", "B", {text, len}, 0, 1};
    v->passage = v->turn % 2 ? &passage : NULL;
    evening_say(v, text, len);
    MUST(v->dones + v->fails == 1);
    MUST(v->fails == 0);
    MUST(v->reply.len > 0);
    MUST(utf8_valid_prefix(v->reply.data, v->reply.len) == v->reply.len);
    for (int i = 0; i < v->tab.line_count; i++) {
        MUST(v->tab.lines[i].quantity > 0 && v->tab.lines[i].quantity <= BAR_QUANTITY_MAX);
        sum += v->tab.lines[i].unit_cents * v->tab.lines[i].quantity;
    }
    MUST(sum == bar_tab_cents(&v->tab));
    MUST(bar_balance_cents(&v->tab) >= -100000 && bar_tip_cents(&v->tab) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct evening v;
    const char *p = (const char *)data, *end = p + size, *line;
    size_t n;

    if (!v.mind && evening_open(&v, 1) < 0)
        abort();
    evening_next_guest(&v);
    v.seed = 1;
    line = size ? memchr(p, '\n', size) : NULL;
    if (line && *p == 1) {
        v.memo.len = (uint8_t)(line - p < MIND_MEMO_MAX ? line - p : MIND_MEMO_MAX);
        memcpy(v.memo.data, p, v.memo.len);
        p = line + 1;
    }
    for (int turns = 0; p < end && turns < 30; turns++) {
        line = memchr(p, '\n', (size_t)(end - p));
        n = line ? (size_t)(line - p) : (size_t)(end - p);
        turn(&v, p, n);
        p += n + 1;
    }
    return 0;
}

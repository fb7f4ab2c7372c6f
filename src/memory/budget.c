#include "memory/memory.h"

void budget_init(struct budget *b, size_t limit, struct budget *parent)
{
    *b = (struct budget){.limit = limit, .parent = parent};
}

static bool fits(const struct budget *b, size_t n)
{
    return b->limit ? b->used <= b->limit && n <= b->limit - b->used : n <= SIZE_MAX - b->used;
}

bool budget_fits(const struct budget *b, size_t n)
{
    for (; b; b = b->parent)
        if (!fits(b, n))
            return false;
    return true;
}

bool budget_charge(struct budget *b, size_t n)
{
    /* Ask everybody before anybody is charged, so that a refusal leaves no trace but its count.
     */
    for (struct budget *at = b; at; at = at->parent) {
        if (!fits(at, n)) {
            at->refused++;
            return false;
        }
    }
    for (; b; b = b->parent) {
        b->used += n;
        if (b->used > b->peak)
            b->peak = b->used;
    }
    return true;
}

void budget_blame(const struct budget *b, struct err *e)
{
    if (e->code == ERR_SESSION_MEMORY && b->starved)
        err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
}

void budget_return(struct budget *b, size_t n)
{
    for (; b; b = b->parent) {
        MUST(n <= b->used);
        b->used -= n;
    }
}

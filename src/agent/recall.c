/* What the agent's documents have on a message, handed to the mind within a budget of bytes. */
#include "agent/turn_int.h"

/* What the person said before this message; nothing when it is their first. */
static struct str said_before(const struct mind_turn *m)
{
    for (size_t i = m->past_count; i > 0; i--)
        if (m->past[i - 1].role == MIND_USER)
            return m->past[i - 1].text;
    return (struct str){0};
}

void turn__recall(struct turn *t)
{
    struct agent *a = t->agent;
    struct mind_turn *m = &t->mind_turn;
    const struct knowledge_question q = {
        .text = m->text, .before = said_before(m), .name = a->name};

    if (!a->cfg.knowledge_bytes)
        return;
    uint64_t began_ns = a->cfg.now_ns();
    enum knowledge_outcome o =
        knowledge_search(a->knowledge, &q, a->cfg.knowledge_bytes, &t->scratch, &m->knowledge,
                         &m->knowledge_count);
    a->stats.searches[o]++;
    histogram_add(&a->stats.search_seconds, (double)(a->cfg.now_ns() - began_ns) / 1e9);
}

/* Folding: before the oldest messages of a long conversation go. */
#include "agent/agent_int.h"

#include "memory/memory.h"

/* With the summary by rule, in a region of its own, which the budget carries. */
int agent__fold(const struct agent *a, struct session *s, struct err *e)
{
    struct str before = {s->summary, s->summary_len};
    struct region room;
    struct buf text;
    uint32_t count;
    int rc;

    if (!session_fold_due(s, &count))
        return 0;
    if (count == 0)
        return session_fold(s, 0, before, e);
    region_init(&room, &s->budget, 0);
    buf_init(&text, &room.mem);
    if (fold__by_rule(a->fold_rules, before, s->first, count, session_summary_max(s), &text))
        rc = session_fold(s, count, (struct str){text.data, text.len}, e);
    else
        rc = err_set(e, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
    region_release(&room);
    return rc;
}

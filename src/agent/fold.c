/* Folding: before the oldest messages of a long conversation go. */
#include "agent/agent_int.h"

int agent__fold(struct session *s, struct err *e)
{
    uint32_t count;

    if (!session_fold_due(s, &count))
        return 0;
    return session_fold(s, count, (struct str){s->summary, s->summary_len}, e);
}

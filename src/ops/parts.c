/*
 * The process's memory by part. What is charged or counted has a name; the rest of the heap is
 * what malloc says is in use less that, and the rest of the pages is what the kernel says.
 */
#include "ops/ops_int.h"

#include <malloc.h>
#include <unistd.h>

const char *ops__part_label(enum ops_part p)
{
    static const char *const labels[] = {
#define PART(name, label) label,
#include "ops/part.def"
#undef PART
    };

    return labels[p];
}

static uint64_t less(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

void ops__parts(const struct ops *o, uint64_t ret[OPS_PART__COUNT])
{
    struct mallinfo2 heap = mallinfo2();
    uint64_t in_use = heap.uordblks + heap.hblkhd, own = process__own_bytes(), named = 0;
    struct session_stats sessions;
    struct store_stats store;
    struct knowledge_stats knowledge;
    struct http_stats http = {0};

    if (o->http)
        http_server_stats(o->http, &http);
    session_stats(o->cfg.sessions, &sessions);
    store_stats(o->cfg.store, &store);
    knowledge_stats(agent_knowledge(o->cfg.agent), &knowledge);
    ret[OPS_PART_SESSIONS] = sessions.used;
    ret[OPS_PART_INDEX] = sessions.index;
    /* SQLite counts for the whole process. */
    ret[OPS_PART_STORE] = less(store.memory, knowledge.in_sqlite) + store.queued_bytes;
    ret[OPS_PART_KNOWLEDGE] = knowledge.bytes;
    ret[OPS_PART_CONNECTIONS] = http.bytes_conns;
    ret[OPS_PART_BODIES] = http.bytes_bodies;
    ret[OPS_PART_QUEUED] = http.bytes_queued;
    for (int i = 0; i < OPS_PART_HEAP_OTHER; i++)
        named += ret[i];
    if (in_use < named)
        in_use = named; /* another allocator, which tells malloc's figures as zero */
    if (in_use > own)
        in_use = own; /* what was never touched is in use for malloc, not for the kernel */
    ret[OPS_PART_HEAP_OTHER] = less(in_use, named);
    uint64_t left = less(own, in_use);
    ret[OPS_PART_HEAP_FREE] = left < heap.fordblks ? left : heap.fordblks;
    ret[OPS_PART_STATIC] = left - ret[OPS_PART_HEAP_FREE];
}

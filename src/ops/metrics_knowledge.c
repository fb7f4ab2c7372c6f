/* What there is of the agent folder's documents, and how the searches in them go. */
#include "ops/ops_int.h"

#define FULL_TEXT 3 /* the predecessor had memvid=1 and faiss=2 */

void ops__knowledge_metrics(struct ops *o, struct metric_writer *w)
{
    const struct agent_stats *s = agent_stats(o->cfg.agent);
    struct buf labels = BUF_INIT;
    struct knowledge_stats k;

    knowledge_stats(agent_knowledge(o->cfg.agent), &k);
    metric_one(w, M_RAG_AVAILABLE, k.available);
    metric_one(w, M_RAG_DOCUMENTS, (double)k.documents);
    metric_one(w, M_RAG_TYPE, k.available ? FULL_TEXT : 0);
    metric_one(w, M_KNOWLEDGE_PASSAGES, (double)k.passages);
    metric_begin(w, M_KNOWLEDGE_SEARCHES);
    for (unsigned i = 0; i < KNOWLEDGE_OUTCOME__COUNT; i++) {
        metric_label(&labels, "outcome", knowledge_outcome_label((enum knowledge_outcome)i));
        metric_sample(w, metric_labels_text(w, &labels), (double)s->searches[i]);
        buf_clear(&labels);
    }
    metric_begin(w, M_KNOWLEDGE_SECONDS);
    metric_sample_histogram(w, "", &s->search_seconds);
    buf_release(&labels);
}

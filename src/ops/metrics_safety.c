/* Safety: what the rules found, and what came of asking the moderation endpoint. */
#include "ops/ops_int.h"

#include "safety/safety.h"

static void hit_metrics(const struct safety_stats *s, struct metric_writer *w,
                        struct buf *labels)
{
    metric_begin(w, M_SAFETY_HITS);
    for (int i = 0; i < SAFETY_KIND__COUNT * SAFETY_WHERE__COUNT * SAFETY_ACTION__COUNT; i++) {
        enum safety_action a = (enum safety_action)(i % SAFETY_ACTION__COUNT);
        enum safety_where p =
            (enum safety_where)(i / SAFETY_ACTION__COUNT % SAFETY_WHERE__COUNT);
        enum safety_kind k = (enum safety_kind)(i / SAFETY_ACTION__COUNT / SAFETY_WHERE__COUNT);
        buf_clear(labels);
        metric_label(labels, "kind", safety_kind_label(k));
        metric_label(labels, "where", safety_where_label(p));
        metric_label(labels, "action", safety_action_label(a));
        metric_sample(w, metric_labels_text(w, labels), (double)s->hits[k][p][a]);
    }
}

void ops__safety_metrics(struct ops *o, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;
    struct safety_stats s;

    safety_stats(agent_safety(o->cfg.agent), &s);
    hit_metrics(&s, w, &labels);
    metric_one(w, M_SAFETY_UNDECIDED, (double)s.undecided);
    metric_begin(w, M_MODERATION_REQUESTS);
    for (int m = 0; m < SAFETY_MODERATED__COUNT; m++) {
        buf_clear(&labels);
        metric_label(&labels, "outcome", safety_moderated_label((enum safety_moderated)m));
        metric_sample(w, metric_labels_text(w, &labels), (double)s.moderated[m]);
    }
    metric_one(w, M_MODERATION_BREAKER, (double)s.breaker);
    buf_release(&labels);
}

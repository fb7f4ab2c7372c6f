#include "ops/ops_int.h"
#include "voice/voice.h"

void ops__ears_metrics(struct ops *o, struct metric_writer *w)
{
    struct ears_stats s = {0};
    struct buf labels = BUF_INIT;

    if (o->cfg.ears)
        ears_stats(o->cfg.ears, &s);
    metric_one(w, M_EARS_HEARINGS, s.hearings);
    metric_one(w, M_EARS_SECONDS, s.seconds);
    metric_begin(w, M_EARS_TRANSCRIPTS);
    metric_sample(w, "kind=\"partial\"", (double)s.partial);
    metric_sample(w, "kind=\"final\"", (double)s.final);
    metric_one(w, M_EARS_INTERRUPTIONS, (double)o->interruptions);
    metric_begin(w, M_EARS_STREAMS);
    for (unsigned id = 0; id < EARS__COUNT; id++)
        for (unsigned i = 0; i < EARS_OUTCOME__COUNT; i++) {
            buf_clear(&labels);
            metric_label(&labels, "ears", ears_text((enum ears_id)id));
            metric_label(&labels, "outcome", ears_outcome_text((enum ears_outcome)i));
            metric_sample(w, buf_text(&labels), (double)s.outcomes[id][i]);
        }
    metric_one(w, M_EARS_RESUMED, (double)s.cuts);
    metric_one(w, M_EARS_BREAKER, s.breaker);
    buf_release(&labels);
}

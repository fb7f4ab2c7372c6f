/* The minds: who answered, what came of asking providers, and of the keys people bring. */
#include "ops/ops_int.h"

#define FIRST (MIND_HOUSE + 1) /* of those that are asked */

static const char *label(struct buf *labels, int id)
{
    buf_clear(labels);
    metric_label(labels, "mind", mind_name((enum mind_id)id));
    return buf_text(labels);
}

static void request_metrics(const struct mind_provider_stats *s, struct metric_writer *w,
                            struct buf *labels)
{
    metric_begin(w, M_MIND_REQUESTS);
    for (int id = FIRST; id < MIND__COUNT; id++) {
        for (int o = 0; o < MIND_OUTCOME__COUNT; o++) {
            label(labels, id);
            metric_label(labels, "outcome", mind_outcome_label((enum mind_outcome)o));
            metric_sample(w, buf_text(labels), (double)s[id].outcomes[o]);
        }
    }
    metric_begin(w, M_MIND_TOKENS);
    for (int id = FIRST; id < MIND__COUNT; id++) {
        for (int t = 0; t < MIND_TOKEN__COUNT; t++) {
            label(labels, id);
            metric_label(labels, "kind", mind_token_label((enum mind_token)t));
            metric_sample(w, buf_text(labels), (double)s[id].tokens[t]);
        }
    }
}

static void key_metrics(const struct agent_keys *k, struct metric_writer *w, struct buf *labels)
{
    static const struct agent_keys_stats none;
    const struct agent_keys_stats *s = k ? agent_keys_stats(k) : &none;

    metric_begin(w, M_KEY_CHECKS);
    for (int key = 0; key < AGENT_KEY__COUNT; key++)
        for (int state = AGENT_KEY_VALID; state < AGENT_KEY_STATE__COUNT; state++) {
            buf_clear(labels);
            metric_label(labels, "provider", agent_key_name((enum agent_key)key));
            metric_label(labels, "state", agent_key_state_text((enum agent_key_state)state));
            metric_sample(w, buf_text(labels), (double)s->verdicts[key][state]);
        }
}

void ops__mind_metrics(struct ops *o, struct metric_writer *w)
{
    struct mind_provider_stats s[MIND__COUNT];
    struct buf labels = BUF_INIT;

    agent_mind_stats(o->cfg.agent, s);
    metric_begin(w, M_MIND_ANSWERS);
    for (int id = 0; id < MIND__COUNT; id++)
        metric_sample(w, label(&labels, id), (double)s[id].answers);
    metric_one(w, M_MIND_FALLBACKS, (double)s[MIND_HOUSE].fallbacks);
    request_metrics(s, w, &labels);
    metric_begin(w, M_MIND_RETRIES);
    for (int id = FIRST; id < MIND__COUNT; id++)
        metric_sample(w, label(&labels, id), (double)s[id].retries);
    metric_begin(w, M_MIND_FIRST_WORD);
    for (int id = FIRST; id < MIND__COUNT; id++)
        metric_sample_histogram(w, label(&labels, id), &s[id].first_word_seconds);
    metric_begin(w, M_MIND_BREAKER);
    for (int id = FIRST; id < MIND__COUNT; id++)
        metric_sample(w, label(&labels, id), s[id].breaker);
    metric_begin(w, M_MIND_BREAKER_OPENED);
    for (int id = FIRST; id < MIND__COUNT; id++)
        metric_sample(w, label(&labels, id), (double)s[id].opened);
    key_metrics(o->cfg.keys, w, &labels);
    buf_release(&labels);
}

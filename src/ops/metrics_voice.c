#include "ops/ops_int.h"
#include "voice/voice.h"

static const char *const voices[VOICE__COUNT] = {
#define VOICE(name, text, ops) text,
#include "voice/provider.def"
#undef VOICE
};

static void sample(struct metric_writer *w, struct buf *labels, unsigned voice, double value)
{
    struct buf all = BUF_INIT;

    metric_label(&all, "voice", voices[voice]);
    if (labels && labels->len)
        buf_printf(&all, ",%s", buf_text(labels));
    metric_sample(w, buf_text(&all), value);
    buf_release(&all);
}

static void sentence_metrics(const struct voice_stats *s, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;

    metric_begin(w, M_VOICE_SENTENCES);
    for (unsigned v = 0; v < VOICE__COUNT; v++)
        for (unsigned o = 0; o < VOICE_OUTCOME__COUNT; o++) {
            buf_clear(&labels);
            metric_label(&labels, "outcome", voice_outcome_text((enum voice_outcome)o));
            sample(w, &labels, v, (double)s->sentences[v][o]);
        }
    buf_release(&labels);
}

/* Of a voice that is asked over the network. */
static void network_metrics(const struct voice_stats *s, struct metric_writer *w)
{
    static const char *const wires[VOICE_WIRE__COUNT] = {"http", "websocket"};
    const struct voice_asks *a = &s->asks[VOICE_CARTESIA];
    struct buf labels = BUF_INIT;

    metric_begin(w, M_VOICE_REQUESTS);
    for (unsigned i = 0; i < VOICE_WIRE__COUNT; i++)
        for (unsigned o = 0; o < VOICE_ASKED__COUNT; o++) {
            buf_clear(&labels);
            metric_label(&labels, "over", wires[i]);
            metric_label(&labels, "outcome", voice_asked_text((enum voice_asked)o));
            sample(w, &labels, VOICE_CARTESIA, (double)a->outcomes[i][o]);
        }
    metric_begin(w, M_VOICE_RETRIES);
    sample(w, NULL, VOICE_CARTESIA, (double)a->retries);
    metric_begin(w, M_VOICE_SOCKETS);
    sample(w, NULL, VOICE_CARTESIA, a->sockets);
    metric_begin(w, M_VOICE_BREAKER);
    sample(w, NULL, VOICE_CARTESIA, a->breaker);
    buf_release(&labels);
}

void ops__voice_metrics(struct ops *o, struct metric_writer *w)
{
    struct voice_stats none = {0};
    const struct voice_stats *s = o->cfg.voice ? voice_stats(o->cfg.voice) : &none;

    histogram_init(&none.first_seconds, histogram_seconds, histogram_seconds_count);
    metric_begin(w, M_VOICE_AVAILABLE);
    for (unsigned v = 0; v < VOICE__COUNT; v++)
        sample(w, NULL, v, s->loaded[v]);
    sentence_metrics(s, w);
    metric_begin(w, M_VOICE_SECONDS);
    for (unsigned v = 0; v < VOICE__COUNT; v++)
        sample(w, NULL, v, s->seconds[v]);
    metric_begin(w, M_VOICE_FIRST_SECONDS);
    metric_sample_histogram(w, "", &s->first_seconds);
    metric_begin(w, M_VOICE_FALLBACKS);
    for (unsigned v = 0; v < VOICE__COUNT; v++)
        sample(w, NULL, v, (double)s->fallbacks[v]);
    network_metrics(s, w);
    metric_one(w, M_VOICE_SPEECHES, s->speeches);
    metric_one(w, M_VOICE_BYTES, (double)s->own_bytes);
}

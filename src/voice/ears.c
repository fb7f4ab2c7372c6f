/* Who hears, and one hearing: its audio, its words, and a stream that breaks. */
#include "voice/ears_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEARING_BYTES ((size_t)40 * 1024) /* its words, and about a connection of libcurl */
#define BREAKER_FAILURES 5
#define BREAKER_FIRST_MS 5000
#define BREAKER_MOST_MS 120000
#define CARRIED_MS 2500 /* words of a turn that was cut off wait so long for more */

static const struct ears_ops *const providers[EARS__COUNT] = {
#define EARS(name, text, ops) &ops,
#include "voice/ears.def"
#undef EARS
};

static const struct {
    const char *text, *what;
} encodings[EARS_ENCODING__COUNT] = {
#define ENCODING(name, text, what) {text, what},
#include "voice/ears_encoding.def"
#undef ENCODING
};

static const struct {
    const char *label, *sentence;
} outcomes[EARS_OUTCOME__COUNT] = {
#define EARS_OUTCOME(name, label, text) {label, text},
#include "voice/ears_outcome.def"
#undef EARS_OUTCOME
};

struct hearing {
    struct ears *ears;
    struct hearing_want want;
    struct hearing_sink sink;
    struct ears_stream *stream; /* NULL: opened again when there is audio */
    struct ears_opus *opus;
    struct loop_timer *later; /* the carried words are all there is */
    struct buf carried;       /* the words of this turn from streams before */
    struct buf words;         /* of this stream, in this turn */
    bool listens, in_turn;
    bool cut; /* the last stream was, and nothing was heard since */
    unsigned inside;
    bool stopped;
    char *key;
};

const char *ears_encoding_text(enum ears_encoding c)
{
    return encodings[c].text;
}

const char *ears_encoding_what(enum ears_encoding c)
{
    return encodings[c].what;
}

bool ears_encoding_parse(struct str text, enum ears_encoding *ret)
{
    for (unsigned i = 0; i < EARS_ENCODING__COUNT; i++)
        if (str_eq(text, encodings[i].text)) {
            *ret = (enum ears_encoding)i;
            return true;
        }
    return false;
}

const char *ears_outcome_text(enum ears_outcome o)
{
    return o < EARS_OUTCOME__COUNT ? outcomes[o].label : "unknown";
}

const char *ears_text(enum ears_id id)
{
    return id < EARS__COUNT ? providers[id]->name : "";
}

/* The ears. */

struct ears *ears_new(const struct ears_cfg *cfg)
{
    struct ears *n = xalloc(sizeof(*n));

    n->cfg = *cfg;
    n->id = strcmp(cfg->choice, "off") == 0 ? EARS__COUNT : (enum ears_id)0;
    for (unsigned i = 0; i < EARS__COUNT; i++)
        if (strcmp(cfg->choice, providers[i]->name) == 0)
            n->id = (enum ears_id)i;
    if (n->id != EARS__COUNT)
        n->ops = providers[n->id];
    breaker_init(&n->breaker, BREAKER_FAILURES, BREAKER_FIRST_MS, BREAKER_MOST_MS);
    return n;
}

void ears_free(struct ears **n)
{
    MUST(!*n || (*n)->stats.hearings == 0);
    free(*n);
    *n = NULL;
}

bool ears_off(const struct ears *n)
{
    return n->id == EARS__COUNT;
}

void ears_set_cartesia_key(struct ears *n, const char *key)
{
    n->cfg.cartesia_key = key;
}

bool ears_have_key(const struct ears *n)
{
    return !ears_off(n) && n->cfg.cartesia_key && *n->cfg.cartesia_key;
}

void ears_stats(const struct ears *n, struct ears_stats *ret)
{
    *ret = n->stats;
    ret->breaker = breaker_state(&n->breaker, loop_now(n->cfg.loop));
}

/* One hearing's life. */

static void hearing_free(struct hearing *h)
{
    h->ears->stats.hearings--;
    loop_timer_free(&h->later);
    ears__opus_free(&h->opus);
    if (h->want.budget)
        budget_return(h->want.budget, HEARING_BYTES);
    buf_release(&h->carried);
    buf_release(&h->words);
    if (h->key)
        explicit_bzero(h->key, h->want.key.len);
    free(h->key);
    free(h);
}

static void enter(struct hearing *h)
{
    h->inside++;
}

/* False: it was stopped inside, and is dead. */
static bool leave(struct hearing *h)
{
    if (--h->inside || !h->stopped)
        return true;
    hearing_free(h);
    return false;
}

void hearing_stop(struct hearing **ref)
{
    struct hearing *h = *ref;

    *ref = NULL;
    if (!h || h->stopped)
        return;
    h->stopped = true;
    if (h->stream) {
        h->ears->ops->close(h->stream);
        h->ears->stats.outcomes[h->ears->id][EARS_DONE]++;
        if (!h->listens && !h->key)
            breaker_dropped(&h->ears->breaker);
    }
    h->stream = NULL;
    if (!h->inside)
        hearing_free(h);
}

static void explain(const struct hearing *h, enum ears_outcome o, struct err *e)
{
    const char *whose = h->key ? "that this session was given" : "of this server";
    char name[32];

    str_copy(name, sizeof(name), h->ears->ops->name);
    name[0] = (char)(name[0] - 'a' + 'A');
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the table's, with one or two texts */
    err_set(e, o == EARS_NO_MEMORY ? ERR_NOMEM : ERR_EARS_FAILED, 0, outcomes[o].sentence, name,
            whose);
#pragma GCC diagnostic pop
}

static int open_stream(struct hearing *h, struct err *e)
{
    struct ears *n = h->ears;
    const struct ears_ask ask = {
        .url = n->cfg.cartesia_url,
        .key = h->key ? h->want.key : str_of(n->cfg.cartesia_key),
        .rate = h->opus ? EARS_OPUS_RATE : h->want.rate,
        .connect_ms = n->cfg.connect_ms,
        .budget = h->want.budget,
    };

    if (!h->key && !breaker_try(&n->breaker, loop_now(n->cfg.loop))) {
        n->stats.outcomes[n->id][EARS_SKIPPED]++;
        explain(h, EARS_SKIPPED, e);
        return -1;
    }
    h->listens = false;
    h->stream = n->ops->open(n, h, &ask, e);
    if (h->stream)
        return 0;
    if (!h->key)
        breaker_dropped(&n->breaker);
    return -1;
}

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
}

int hearing_start(struct ears *n, const struct hearing_want *want,
                  const struct hearing_sink *sink, struct hearing **ret, struct err *e)
{
    struct hearing *h;

    if (ears_off(n) || (!want->key.len && !ears_have_key(n)))
        return err_set(e, ERR_EARS, 0, "%s", err_sentence(ERR_EARS));
    if (want->budget && !budget_charge(want->budget, HEARING_BYTES))
        return err_set(e, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
    h = calloc(1, sizeof(*h));
    if (!h) {
        if (want->budget)
            budget_return(want->budget, HEARING_BYTES);
        return no_memory(e);
    }
    *h = (struct hearing){.ears = n, .want = *want, .sink = *sink};
    h->carried.max = h->words.max = EARS_TURN_MAX;
    n->stats.hearings++;
    int rc = 0;
    if (want->key.len) {
        h->key = malloc(want->key.len);
        if (h->key)
            memcpy(h->key, want->key.data, want->key.len);
        else
            rc = no_memory(e);
        h->want.key.data = h->key;
    }
    if (rc == 0 && want->encoding == EARS_OPUS)
        rc = ears__opus_new(&h->opus, e);
    if (rc < 0 || open_stream(h, e) < 0) {
        hearing_free(h);
        return -1;
    }
    *ret = h;
    return 0;
}

bool hearing_charge(struct hearing *h, struct budget *b)
{
    struct budget *before = h->want.budget;

    if (b == before)
        return true;
    if (b && !budget_charge(b, HEARING_BYTES))
        return false;
    if (h->stream && !h->ears->ops->charge(h->stream, b)) {
        budget_return(b, HEARING_BYTES);
        return false;
    }
    if (before)
        budget_return(before, HEARING_BYTES);
    h->want.budget = b;
    return true;
}

/* Audio. */

static void end(struct hearing *h, const struct err *e)
{
    enter(h);
    h->sink.ended(h->sink.ctx, e);
    h->stopped = true;
    leave(h);
}

/* On the loop, soon: the stream could not be opened again when there was audio for it. */
static void on_lost(void *ctx)
{
    struct hearing *h = ctx;
    struct err e;

    loop_timer_free(&h->later);
    explain(h, EARS_CUT, &e);
    end(h, &e);
}

static bool has_stream(struct hearing *h)
{
    struct err e;

    if (h->stream || open_stream(h, &e) == 0)
        return true;
    loop_timer_free(&h->later);
    h->later = loop_try_after(h->ears->cfg.loop, 0, on_lost, h);
    return false;
}

int hearing_give(struct hearing *h, struct str audio, struct err *e)
{
    int16_t samples[EARS_OPUS_MOST];
    int count;

    if (h->opus) {
        count = ears__opus_decode(h->opus, audio, samples);
        if (count < 0)
            return err_set(e, ERR_INVALID, 0, "This is no Opus packet (%zu bytes)", audio.len);
        h->ears->stats.seconds += (double)count / EARS_OPUS_RATE;
        if (has_stream(h))
            h->ears->ops->give(h->stream, samples, (size_t)count);
        return 0;
    }
    if (audio.len % 2)
        return err_set(e, ERR_INVALID, 0,
                       "Audio as pcm_s16le has two bytes a sample; this has %zu bytes",
                       audio.len);
    h->ears->stats.seconds += (double)audio.len / 2 / h->want.rate;
    for (size_t at = 0; at < audio.len && has_stream(h); at += sizeof(samples)) {
        size_t n = audio.len - at < sizeof(samples) ? audio.len - at : sizeof(samples);
        memcpy(samples, audio.data + at, n);
        h->ears->ops->give(h->stream, samples, n / 2);
    }
    return 0;
}

bool hearing_full(const struct hearing *h)
{
    return h->stream && h->ears->ops->full(h->stream);
}

void hearing_finalize(struct hearing *h)
{
    if (h->stream)
        h->ears->ops->finalize(h->stream);
}

/* What a provider tells. */

void hearing__listening(struct hearing *h)
{
    if (!h->key)
        breaker_good(&h->ears->breaker);
    h->listens = true;
    if (h->cut || h->stopped)
        return; /* it was said before */
    enter(h);
    h->sink.listening(h->sink.ctx);
    leave(h);
}

void hearing__began(struct hearing *h)
{
    if (h->carried.len == 0)
        loop_timer_free(&h->later);
    buf_clear(&h->words);
    if (h->in_turn || h->stopped) /* it goes on, on another stream */
        return;
    h->in_turn = true;
    enter(h);
    h->sink.began(h->sink.ctx);
    leave(h);
}

/* All of a turn, with what was heard before the stream was cut off. */
static void tell(struct hearing *h, bool final)
{
    struct buf all = BUF_INIT;
    struct str text = {buf_text(&h->words), h->words.len};

    if (h->carried.len) {
        buf_add(&all, h->carried.data, h->carried.len);
        if (text.len && text.data[0] != ' ')
            buf_char(&all, ' ');
        buf_add(&all, text.data, text.len);
        text = all.full ? (struct str){h->carried.data, h->carried.len}
                        : (struct str){all.data, all.len};
    }
    h->in_turn = !final;
    *(final ? &h->ears->stats.final : &h->ears->stats.partial) += 1;
    enter(h);
    h->sink.words(h->sink.ctx, str_trim(text), final);
    if (final) {
        buf_clear(&h->carried);
        buf_clear(&h->words);
    }
    buf_release(&all);
    leave(h);
}

void hearing__words(struct hearing *h, struct str text, bool final)
{
    if (h->stopped)
        return;
    enter(h);
    loop_timer_free(&h->later);
    if (!h->in_turn)
        hearing__began(h);
    if (!h->stopped) {
        h->cut = false;
        buf_clear(&h->words);
        buf_add(&h->words, text.data, text.len);
        if (h->words.full) { /* longer than anybody speaks at once: its beginning */
            buf_clear(&h->words);
            size_t room = EARS_TURN_MAX - 16;
            if (text.len > room)
                text.len = utf8_valid_prefix(text.data, room);
            buf_add(&h->words, text.data, text.len);
        }
        tell(h, final);
    }
    leave(h);
}

void hearing__room(struct hearing *h)
{
    if (h->stopped)
        return;
    enter(h);
    h->sink.room(h->sink.ctx);
    leave(h);
}

static void on_carried(void *ctx)
{
    struct hearing *h = ctx;

    loop_timer_free(&h->later);
    buf_clear(&h->words);
    tell(h, true);
}

static void judge(struct hearing *h, enum ears_outcome o, int64_t retry_after_s)
{
    struct ears *n = h->ears;
    int64_t now = loop_now(n->cfg.loop);

    n->stats.outcomes[n->id][o]++;
    if (h->key) /* what becomes of somebody's own key says nothing to others */
        return;
    if (o == EARS_UNREACHABLE || o == EARS_CUT || o == EARS_MALFORMED || o == EARS_KEY ||
        o == EARS_CREDIT)
        breaker_bad(&n->breaker, now);
    else if (!h->listens)
        breaker_dropped(&n->breaker);
    if (o == EARS_BUSY && retry_after_s)
        breaker_rest(&n->breaker, now + retry_after_s * 1000);
}

/* The words so far are kept, and wait a little for those that come over the next stream. */
static void carry(struct hearing *h)
{
    if (!h->in_turn)
        return;
    if (h->words.len) {
        if (h->carried.len && h->words.data[0] != ' ')
            buf_char(&h->carried, ' ');
        buf_add(&h->carried, h->words.data, h->words.len);
    }
    buf_clear(&h->words);
    loop_timer_free(&h->later);
    h->later = loop_try_after(h->ears->cfg.loop, CARRIED_MS, on_carried, h);
}

void hearing__over(struct hearing *h, enum ears_outcome o, bool again, int64_t retry_after_s)
{
    struct err e;

    judge(h, o, retry_after_s);
    h->stream = NULL;
    log_debug("ears", "stream_over", "ears=%s outcome=%s again=%d", h->ears->ops->name,
              ears_outcome_text(o), again && !h->cut);
    if (again && !h->cut) {
        h->cut = true;
        h->ears->stats.cuts++;
        carry(h);
        hearing__room(h);
        return;
    }
    explain(h, again ? EARS_CUT : o, &e);
    log_warn("ears", "lost", "ears=%s outcome=%s error=\"%s\"", h->ears->ops->name,
             ears_outcome_text(o), e.msg);
    end(h, &e);
}

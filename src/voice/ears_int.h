/* Private to voice/: the ears, their providers, and the decoder of Opus. */
#pragma once

#include "base/breaker.h"
#include "base/buf.h"
#include "base/list.h"
#include "memory/memory.h"
#include "net/net.h"
#include "voice/ears.h"

#define EARS_TURN_MAX ((size_t)8 * 1024) /* bytes of one turn's words that are kept */

struct ears_stream; /* a provider's */

/* What is asked of a provider. */
struct ears_ask {
    const char *url;
    struct str key;
    uint32_t rate;
    int64_t connect_ms;
    struct budget *budget;
};

/* One that hears. Tells its hearing by hearing__...(), never inside a call from above. */
struct ears_ops {
    const char *name;
    struct ears_stream *(*open)(struct ears *n, struct hearing *h, const struct ears_ask *ask,
                                struct err *e);
    /* False: no memory; hearing__over() follows. */
    void (*give)(struct ears_stream *s, const int16_t *samples, size_t count);
    bool (*full)(const struct ears_stream *s);
    void (*finalize)(struct ears_stream *s);
    bool (*charge)(struct ears_stream *s, struct budget *b);
    void (*close)(struct ears_stream *s); /* at once; it is dead */
};
#define EARS(name, text, ops) extern const struct ears_ops ops;
#include "voice/ears.def"
#undef EARS

struct ears {
    struct ears_cfg cfg;
    enum ears_id id; /* EARS__COUNT: nobody hears */
    const struct ears_ops *ops;
    struct breaker breaker;
    struct ears_stats stats;
};

void hearing__listening(struct hearing *h);
void hearing__began(struct hearing *h);
void hearing__words(struct hearing *h, struct str text, bool final);
void hearing__room(struct hearing *h);
/* The stream is dead. `again`: it had worked, and may do so again. */
void hearing__over(struct hearing *h, enum ears_outcome o, bool again, int64_t retry_after_s);

/* ears_opus.c: packets to samples, on any thread, one at a time */
#define EARS_OPUS_RATE 16000
#define EARS_OPUS_MOST (EARS_OPUS_RATE / 1000 * 120) /* samples of one packet */
struct ears_opus;
int ears__opus_new(struct ears_opus **ret, struct err *e) MUST_USE;
void ears__opus_free(struct ears_opus **o);
/* How many samples, or -1: it is no packet. */
int ears__opus_decode(struct ears_opus *o, struct str packet, int16_t samples[EARS_OPUS_MOST]);

/*
 * Private to voice/: the providers, the encoders, and what the files know of each other.
 */
#pragma once

#include "base/buf.h"
#include "base/library.h"
#include "base/list.h"
#include "memory/memory.h"
#include "net/net.h"
#include "voice/voice.h"

#define VOICE_NUMBER_MAX 999999999999u
#define VOICE_RATE_MAX 48000u
#define VOICE_SECONDS_MAX 60 /* of one sentence; what is longer is cut */

/* What a provider is asked to speak. */
struct voice_line {
    struct str text; /* clean; borrowed for the call */
    uint64_t speech; /* the same for all lines of one speech */
    struct str key;  /* the person's own, or empty; borrowed until the speech is over there */
    bool first;      /* of its speech: somebody hears nothing yet */
};

/* Where it is heard. All on the loop, never inside start(); nothing after stop(). */
struct voice_ear {
    void *ctx;
    /* Any number of times, in order. Borrowed for the call; times since the line's beginning.
     * A voice that streams may be told to stop inside it. */
    void (*heard)(void *ctx, const int16_t *samples, size_t count,
                  const struct voice_viseme *visemes, size_t viseme_count);
    /* Once. `failed`: NULL, or why it is not whole; ERR_NOMEM: not for the voice's fault. */
    void (*said)(void *ctx, const struct err *failed);
};

struct voice_provider;
struct voice_task;

struct voice_ops {
    const char *name;
    bool streams;   /* what is heard may be given out before the line is said */
    unsigned ahead; /* lines of one speech that it may have at once; 0: one */
    size_t bytes;   /* what a speech costs there, besides audio */
    /* Blocking, maybe on the pool, once, before anything else. Sets *ret_rate. */
    int (*load)(struct voice_provider *p, uint32_t *ret_rate, struct err *e);
    struct voice_provider *(*make)(const struct voice_cfg *cfg, struct voice_asks *asks);
    /* NULL: no memory. Any number of speeches. */
    struct voice_task *(*start)(struct voice_provider *p, const struct voice_line *line,
                                const struct voice_ear *ear);
    void (*stop)(struct voice_task *t);
    /* Optional. The listener has enough for now, or may have more. It may be heard inside. */
    void (*hold)(struct voice_task *t, bool held);
    /* Optional. No line of that speech comes any more; those that it has go on. Once for each
     * speech of which there was a line; when these have ended too, the speech is over. */
    void (*over)(struct voice_provider *p, uint64_t speech);
    void (*look)(struct voice_provider *p); /* optional: its figures, as they are now */
    void (*free)(struct voice_provider *p); /* all tasks ended or stopped, all speeches over */
};
#define VOICE(name, text, ops) extern const struct voice_ops ops;
#include "voice/provider.def"
#undef VOICE

struct encoder;

/* Samples to a file. `add` and `finish` run on any thread, one at a time. */
struct encoder_ops {
    bool quick;                             /* not worth another thread */
    int (*load)(struct err *e);             /* its library; may be called again */
    struct encoder *(*open)(uint32_t rate); /* NULL: it could not */
    size_t (*most)(size_t samples);         /* bytes that add and finish write at most */
    bool (*add)(struct encoder *n, const int16_t *samples, size_t count, struct buf *out);
    bool (*finish)(struct encoder *n, struct buf *out);
    void (*free)(struct encoder *n);
};
#define FORMAT(name, text, type, encoder) extern const struct encoder_ops encoder;
#include "voice/format.def"
#undef FORMAT
const struct encoder_ops *voice__encoder(enum voice_format f);

enum voice_seat_state {
    SEAT_EMPTY,   /* not wanted */
    SEAT_PENDING, /* not known yet whether it speaks */
    SEAT_READY,
    SEAT_ABSENT
};
struct voice_seat {
    enum voice_seat_state state;
    struct voice *voice;
    const struct voice_ops *ops;
    struct voice_provider *provider;
    struct loop_job *loading;
    uint32_t rate;
    bool own_only;     /* there is no key but those that people bring */
    struct err failed; /* why it does not speak */
};

struct voice {
    struct voice_cfg cfg;
    struct voice_seat seats[VOICE__COUNT];
    struct loop_timer *later; /* until it begins to load what is pending */
    bool freed;
    struct list speeches;
    uint64_t speech_count;
    struct budget own;
    struct voice_stats stats;
};

/* number.c: n <= VOICE_NUMBER_MAX in English words */
void voice__number(struct buf *out, uint64_t n);

/* mouth.c: of a phoneme in IPA; false: it moves no mouth. Empty: silence. */
bool voice__mouth(const char *ipa, size_t len, enum voice_mouth *ret) MUST_USE;

/* library.c: a shared library, its functions by a table. Once loaded it stays. */
struct voice_symbol {
    const char *name;
    void *at; /* a pointer to a function */
};
int voice__library(enum library_id id, const struct voice_symbol *symbols, size_t count,
                   struct err *e) MUST_USE;

/* voice.c: there is something to say, so load it now */
void voice__hurry(struct voice *v, enum voice_id id);
/* The first voice from `from` on that would speak, to somebody with a key or without. */
enum voice_id voice__next(const struct voice *v, unsigned from, bool own);
void voice__why_silent(const struct voice *v, struct err *e); /* when there is none */

/* speech.c: a provider was loaded, or was not */
void speech__loaded(struct voice *v);

/* cartesia_ask.c: there is another key in the configuration. */
void cartesia__key_changed(struct voice_provider *p);

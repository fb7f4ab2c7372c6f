/*
 * Private to a speech:
 *
 *   speech.c        the sentences that wait, what is given out, and what its owner does
 *   speech_hear.c   what a provider tells of the lines it was asked for, and who pays for it
 *   speech_file.c   from samples to the file that is given out
 *   speech_voice.c  which voice speaks, and another one when it cannot
 */
#pragma once

#include "voice/voice_int.h"

#define SPEECH_BLOCK 32 /* what an allocation costs besides its bytes, at most */

/* A sentence, or a part of one: it waits, then it is asked for, then its audio is given out. */
struct line {
    struct list link; /* speech->lines, then speech->asked */
    struct speech *speech;
    size_t sentence;
    size_t cost; /* of this struct */
    struct voice_task *task;
    bool said;                    /* nothing more is heard of it */
    bool bad;                     /* it is given up, for this reason: */
    enum voice_outcome why;       /* of which only FAILED is the voice's fault */
    size_t count;                 /* samples heard, at the rate of its file */
    double at;                    /* where between two samples, when rates differ */
    int16_t edge;                 /* the last sample before */
    int16_t *samples;             /* heard, but not encoded yet */
    size_t kept;                  /* of them */
    struct voice_viseme *visemes; /* not given out yet */
    size_t viseme_count;
    size_t held; /* charged for samples and visemes */
    size_t len;
    char text[];
};

/* An encoding on the pool. It owns what it works on until its end. */
struct encode {
    struct speech *speech; /* NULL: stopped meanwhile */
    const struct encoder_ops *ops;
    struct encoder *encoder;
    int16_t *samples;
    size_t count;
    size_t cost; /* charged for samples and out */
    struct buf out;
    bool last; /* of its file */
    bool fine;
};

struct speech {
    struct list link; /* voice->speeches */
    struct voice *voice;
    struct speech_want want;
    struct speech_sink sink;
    uint64_t number;
    size_t carried; /* on want.budget, or the voice's own */

    enum voice_id by;    /* who is asked; VOICE__COUNT: nobody (any more) */
    enum voice_id spoke; /* who was heard last */
    char failed[160];    /* what a provider said last of why it could not */
    char why[160];       /* not another voice, or "" */
    char *key;           /* want.key, wiped in the end */
    bool known, told;    /* the provider has seen a line of it; and that none comes any more */
    size_t known_cost;   /* charged for what it is to the provider */

    struct list lines; /* wait */
    struct list asked; /* with the provider, in order; the first is the one given out */
    unsigned asked_count;
    size_t sentence_count;

    const struct encoder_ops *ops;
    struct encode *encoding;
    struct encoder *encoder;
    uint32_t rate; /* of the file */
    struct buf file;
    size_t sent, file_cost;
    size_t chunk_count; /* of the file that were given out */
    bool sized;         /* its length was told */
    bool closed;        /* the whole of it is in `file` */

    enum voice_outcome why_not; /* of the last line that was not spoken */
    uint64_t first_ns;
    bool heard, any, paused, finished, stepping, dead;
};

static inline struct line *speech__front(const struct speech *s)
{
    return list_empty(&s->asked) ? NULL : LIST_ITEM(s->asked.next, struct line, link);
}

/* speech_hear.c */
void speech__put_down(struct speech *s, size_t n); /* of what was carried */
void speech__give_up(struct line *l, enum voice_outcome why);
void speech__hush(struct line *l);       /* the provider need not go on with it */
void speech__drop_audio(struct line *l); /* of it; as if nothing had been heard */
void speech__drop_line(struct line *l);
/* What the provider tells; ctx is the line. */
void speech__on_heard(void *ctx, const int16_t *samples, size_t count,
                      const struct voice_viseme *visemes, size_t viseme_count);
void speech__on_said(void *ctx, const struct err *failed);

/* speech_file.c */
/* Now, of the first line; only encoders that are quick. */
void speech__encode_now(struct line *l, const int16_t *samples, size_t count);
bool speech__encode(struct line *l); /* what is due of the first line; false: nothing */
bool speech__tail(struct speech *s); /* of a file that all sentences share; false: none */
void speech__drop_file(struct speech *s);
void speech__drop_encoder(struct speech *s);

/* speech_voice.c */
const struct voice_ops *speech__ops(const struct speech *s);
bool speech__begin_line(struct speech *s); /* ask for one more; false: not now */
bool speech__last(struct speech *s);       /* tell it that no more come; false: it knows */
void speech__over(struct speech *s);       /* the same, and no line of ours is with it */
bool speech__switch(struct speech *s);     /* to the next voice; false: there is none */

/* speech.c: do what can be done now */
void speech__pump(struct speech *s);

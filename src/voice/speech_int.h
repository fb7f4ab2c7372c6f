/*
 * Private to a speech: speech.c (the sentences that wait, and what is given out) and
 * speech_audio.c (the audio of the one that is spoken).
 */
#pragma once

#include "voice/voice_int.h"

#define SPEECH_BLOCK 32 /* what an allocation costs besides its bytes, at most */

struct line {
    struct list link;
    size_t sentence;
    size_t cost;
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
    struct buf out;
    bool last; /* of its file */
    bool fine;
};

struct speech {
    struct list link; /* voice->speeches */
    struct voice *voice;
    struct speech_want want;
    struct speech_sink sink;
    const struct encoder_ops *ops;
    uint64_t number;
    struct list lines;
    size_t sentence_count;
    size_t carried;   /* on want.budget, or the voice's own */
    size_t line_cost; /* of it: for the audio of the line that is spoken */

    struct line *now; /* what is spoken */
    struct voice_task *task;
    struct encode *encoding;
    struct encoder *encoder;
    int16_t *samples; /* for an encoder that works on the pool */
    size_t count;     /* samples of the line */
    struct voice_viseme *visemes;
    size_t viseme_count;
    struct buf file;
    size_t sent, chunk_count;
    bool whole; /* the line's audio is in `file` */
    bool bad;   /* it is given up */
    enum voice_outcome why;

    uint64_t first_ns;
    bool heard, any, paused, finished, stepping, dead;
};

/* speech_audio.c */
void speech__put_down(struct speech *s, size_t n); /* of what was carried */
void speech__give_up(struct speech *s, enum voice_outcome why);
/* What the encoder may write is charged before it does. False: over budget, or no memory. */
bool speech__reserve(struct speech *s, struct buf *out, size_t samples) MUST_USE;
void speech__drop_encoder(struct speech *s);
void speech__drop_audio(struct speech *s);
void speech__drop_line(struct speech *s);
void speech__line_over(struct speech *s, enum voice_outcome o);
/* What the provider tells; ctx is the speech. */
void speech__on_heard(void *ctx, const int16_t *samples, size_t count,
                      const struct voice_viseme *visemes, size_t viseme_count);
void speech__on_said(void *ctx, const struct err *failed);

/* speech.c: do what can be done now */
void speech__pump(struct speech *s);

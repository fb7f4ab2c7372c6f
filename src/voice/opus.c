/* Opus in Ogg by libopusenc, which also resamples. Tuned for speech that is heard at once. */
#include "voice/voice_int.h"

#include <opusenc.h>

#include <stdlib.h>

#define BITRATE 32000
#define COMPLEXITY 5
#define MUX_DELAY 9600 /* samples of 48 kHz that may wait for an Ogg page: 0.2 s */

static struct {
    bool loaded;
#define FUNCTION(member, function) __typeof__(function) *member;
#include "voice/opus.def"
#undef FUNCTION
} lib;

struct encoder {
    OggOpusEnc *ope;
    OggOpusComments *comments;
    struct buf *out; /* for the time of one call */
};

static int load(struct err *e)
{
    const struct voice_symbol symbols[] = {
#define FUNCTION(member, function) {#function, &lib.member},
#include "voice/opus.def"
#undef FUNCTION
    };

    if (!lib.loaded && voice__library(LIBRARY_OPUSENC, symbols, ARRAY_LEN(symbols), e) < 0)
        return -1;
    lib.loaded = true;
    return 0;
}

static int on_bytes(void *ctx, const unsigned char *data, opus_int32 len)
{
    struct encoder *n = ctx;

    buf_add(n->out, data, (size_t)len);
    return n->out->full;
}

static int on_close(void *ctx)
{
    (void)ctx;
    return 0;
}

static void encoder_free(struct encoder *n)
{
    if (n->ope)
        lib.destroy(n->ope);
    if (n->comments)
        lib.comments_destroy(n->comments);
    free(n);
}

static struct encoder *open_opus(uint32_t rate)
{
    static const OpusEncCallbacks callbacks = {on_bytes, on_close};
    struct encoder *n = calloc(1, sizeof(*n));
    int error = 0;

    if (!n)
        return NULL;
    n->comments = lib.comments_create();
    if (n->comments)
        n->ope = lib.create(&callbacks, n, n->comments, (opus_int32)rate, 1, 0, &error);
    if (!n->ope || lib.ctl(n->ope, OPUS_SET_BITRATE(BITRATE)) != OPE_OK ||
        lib.ctl(n->ope, OPUS_SET_COMPLEXITY(COMPLEXITY)) != OPE_OK ||
        lib.ctl(n->ope, OPE_SET_MUXING_DELAY(MUX_DELAY)) != OPE_OK) {
        encoder_free(n);
        return NULL;
    }
    return n;
}

/* 32 kbit/s is a tenth of the samples; the rest is for headers and pages. */
static size_t most(size_t samples)
{
    return samples + 8192;
}

static bool add(struct encoder *n, const int16_t *samples, size_t count, struct buf *out)
{
    n->out = out;
    return lib.write(n->ope, samples, (int)count) == OPE_OK && !out->full;
}

static bool finish(struct encoder *n, struct buf *out)
{
    n->out = out;
    return lib.drain(n->ope) == OPE_OK && !out->full;
}

const struct encoder_ops voice__opus = {
    .load = load,
    .open = open_opus,
    .most = most,
    .add = add,
    .finish = finish,
    .free = encoder_free,
};

/* MP3 by libmp3lame, 64 kbit/s mono: plain for speech, and played by everything. */
#include "voice/voice_int.h"

#include <lame/lame.h>

#include <stdlib.h>

#define KBITS 64
#define QUALITY 7      /* 0 best, 9 fastest */
#define TAIL_MOST 7200 /* lame.h: a flush writes no more */

static struct {
    bool loaded;
#define FUNCTION(member, function) __typeof__(function) *member;
#include "voice/mp3.def"
#undef FUNCTION
} lib;

static int load(struct err *e)
{
    const struct voice_symbol symbols[] = {
#define FUNCTION(member, function) {#function, &lib.member},
#include "voice/mp3.def"
#undef FUNCTION
    };

    if (!lib.loaded && voice__library(LIBRARY_MP3LAME, symbols, ARRAY_LEN(symbols), e) < 0)
        return -1;
    lib.loaded = true;
    return 0;
}

/* struct encoder is lame's own. */
static struct encoder *open_mp3(uint32_t rate)
{
    lame_t l = lib.init();

    if (!l)
        return NULL;
    lib.set_channels(l, 1);
    lib.set_in_rate(l, (int)rate);
    lib.set_mode(l, MONO);
    lib.set_brate(l, KBITS);
    lib.set_quality(l, QUALITY);
    lib.set_vbr_tag(l, 0);
    if (lib.init_params(l) < 0) {
        lib.close(l);
        return NULL;
    }
    return (struct encoder *)l;
}

static size_t most(size_t samples)
{
    return samples + samples / 4 + 2 * TAIL_MOST;
}

static bool add(struct encoder *n, const int16_t *samples, size_t count, struct buf *out)
{
    size_t room = count + count / 4 + TAIL_MOST;
    unsigned char *p = (unsigned char *)buf_reserve(out, room);
    int len = p ? lib.encode((lame_t)n, samples, samples, (int)count, p, (int)room) : -1;

    if (len < 0)
        return false;
    out->len += (size_t)len;
    return true;
}

static bool finish(struct encoder *n, struct buf *out)
{
    unsigned char *p = (unsigned char *)buf_reserve(out, TAIL_MOST);
    int len = p ? lib.flush((lame_t)n, p, TAIL_MOST) : -1;

    if (len < 0)
        return false;
    out->len += (size_t)len;
    return true;
}

static void encoder_free(struct encoder *n)
{
    lib.close((lame_t)n);
}

const struct encoder_ops voice__mp3 = {
    .load = load,
    .open = open_mp3,
    .most = most,
    .add = add,
    .finish = finish,
    .free = encoder_free,
};

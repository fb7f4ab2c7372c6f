/* Opus packets to samples by libopus, which is loaded when the first one wants to be heard. */
#include "voice/ears_int.h"
#include "voice/voice_int.h"

#include <opus.h>

static struct {
    bool loaded;
#define FUNCTION(member, function) __typeof__(function) *member;
#include "voice/ears_opus.def"
#undef FUNCTION
} lib;

int ears__opus_new(struct ears_opus **ret, struct err *e)
{
    const struct voice_symbol symbols[] = {
#define FUNCTION(member, function) {#function, &lib.member},
#include "voice/ears_opus.def"
#undef FUNCTION
    };
    int error = 0;

    if (!lib.loaded && voice__library(LIBRARY_OPUS, symbols, ARRAY_LEN(symbols), e) < 0) {
        e->code = ERR_EARS;
        return -1;
    }
    lib.loaded = true;
    OpusDecoder *d = lib.create(EARS_OPUS_RATE, 1, &error);
    if (!d)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    *ret = (struct ears_opus *)d;
    return 0;
}

void ears__opus_free(struct ears_opus **o)
{
    if (*o)
        lib.destroy((OpusDecoder *)*o);
    *o = NULL;
}

int ears__opus_decode(struct ears_opus *o, struct str packet, int16_t samples[EARS_OPUS_MOST])
{
    if (packet.len == 0 || packet.len > 8000) /* an empty one would mean one that was lost */
        return -1;
    int n = lib.decode((OpusDecoder *)o, (const unsigned char *)packet.data,
                       (opus_int32)packet.len, samples, EARS_OPUS_MOST, 0);
    return n < 0 ? -1 : n;
}

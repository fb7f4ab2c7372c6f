/* What is sent: the table of formats, and the two that need no library. */
#include "voice/voice_int.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 44
#define UNKNOWN 0xffffffffu /* a length that is not known yet; readers go on to the end */

static const struct {
    const char *text, *type;
    const struct encoder_ops *ops;
} formats[VOICE_FORMAT__COUNT] = {
#define FORMAT(name, text, type, encoder) [VOICE_##name] = {text, type, &encoder},
#include "voice/format.def"
#undef FORMAT
};

const char *voice_format_text(enum voice_format f)
{
    return formats[f].text;
}

const char *voice_format_type(enum voice_format f)
{
    return formats[f].type;
}

const struct encoder_ops *voice__encoder(enum voice_format f)
{
    return formats[f].ops;
}

bool voice_format_parse(struct str text, enum voice_format *ret)
{
    for (unsigned i = 0; i < VOICE_FORMAT__COUNT; i++)
        if (str_eq_nocase(text, formats[i].text)) {
            *ret = (enum voice_format)i;
            return true;
        }
    return false;
}

struct encoder {
    uint32_t rate;
    bool headed; /* the header is written, or there is none */
};

static void put32(unsigned char *p, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(n >> 8 * i);
}

/* RIFF, one channel of 16 bits (Microsoft and IBM, 1991). */
static void add_head(struct buf *out, uint32_t rate)
{
    unsigned char h[HEAD] = "RIFF....WAVEfmt ....\1\0\1\0........\2\0\20\0data";

    put32(h + 4, UNKNOWN);
    put32(h + 16, 16);
    put32(h + 24, rate);
    put32(h + 28, rate * 2);
    put32(h + 40, UNKNOWN);
    buf_add(out, h, sizeof(h));
}

void voice_wav_finish(void *file, size_t len)
{
    unsigned char *h = file;

    if (len < HEAD || len - 8 >= UNKNOWN)
        return;
    put32(h + 4, (uint32_t)(len - 8));
    put32(h + 40, (uint32_t)(len - HEAD));
}

static int load_nothing(struct err *e)
{
    (void)e;
    return 0;
}

static struct encoder *open_pcm(uint32_t rate)
{
    struct encoder *n = calloc(1, sizeof(*n));

    if (n)
        *n = (struct encoder){rate, true};
    return n;
}

static struct encoder *open_wav(uint32_t rate)
{
    struct encoder *n = open_pcm(rate);

    if (n)
        n->headed = false;
    return n;
}

static size_t most(size_t samples)
{
    return HEAD + samples * 2;
}

static bool add(struct encoder *n, const int16_t *samples, size_t count, struct buf *out)
{
    if (!n->headed)
        add_head(out, n->rate);
    n->headed = true;
    char *p = buf_reserve(out, count * 2);
    if (!p)
        return false;
    for (size_t i = 0; i < count; i++) { /* little end first, whatever we run on */
        p[2 * i] = (char)(samples[i] & 0xff);
        p[2 * i + 1] = (char)((uint16_t)samples[i] >> 8);
    }
    out->len += count * 2;
    p[count * 2] = '\0';
    return true;
}

static bool finish(struct encoder *n, struct buf *out)
{
    (void)n;
    return !out->full;
}

static void encoder_free(struct encoder *n)
{
    free(n);
}

const struct encoder_ops voice__pcm = {
    .quick = true,
    .load = load_nothing,
    .open = open_pcm,
    .most = most,
    .add = add,
    .finish = finish,
    .free = encoder_free,
};

const struct encoder_ops voice__wav = {
    .quick = true,
    .load = load_nothing,
    .open = open_wav,
    .most = most,
    .add = add,
    .finish = finish,
    .free = encoder_free,
};

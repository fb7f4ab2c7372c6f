/* Phonemes to mouths. */
#include "voice/voice_int.h"

#include <string.h>

const char *voice_mouth_text(enum voice_mouth m)
{
    static const char *const texts[VOICE_MOUTH__COUNT] = {
#define MOUTH(name, text) text,
#include "voice/mouth.def"
    };

    return m < VOICE_MOUTH__COUNT ? texts[m] : texts[VOICE_MOUTH_A];
}

static const struct {
    const char *letters;
    enum voice_mouth mouth;
} shapes[] = {
#define SHAPE(letters, name) {letters, VOICE_MOUTH_##name},
#include "voice/mouth.def"
};

/* Bytes of the character at p, of UTF-8 that may be cut. */
static size_t character(const char *p, size_t left)
{
    size_t n = 1;

    while (n < left && ((unsigned char)p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

bool voice__mouth(const char *ipa, size_t len, enum voice_mouth *ret)
{
    if (len == 0) {
        *ret = VOICE_MOUTH_CLOSED;
        return true;
    }
    for (size_t at = 0, n; at < len; at += n) {
        n = character(ipa + at, len - at);
        for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
            const char *p = shapes[i].letters;
            for (size_t k; *p; p += k) {
                k = character(p, strlen(p));
                if (k == n && memcmp(p, ipa + at, n) == 0) {
                    *ret = shapes[i].mouth;
                    return true;
                }
            }
        }
    }
    return false;
}

/*
 * What Cartesia sends: any bytes are a message or none; audio and mouths are within their
 * bounds, times never go back, and what is passed on of an error is a word.
 */
#include "voice/cartesia_wire.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const char *text)
{
    for (; *text; text++)
        MUST(isalnum((unsigned char)*text) || strchr("_.-", *text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct cartesia_message m;
    char code[48];

    if (!ready)
        json_region_setup();
    ready = true;
    cartesia__read((const char *)data, size, &m);
    MUST(m.audio.len <= size && m.viseme_count <= PHONEMES_MAX && m.viseme_count <= size);
    for (size_t i = 0; i < m.viseme_count; i++) {
        MUST(m.visemes[i].mouth < VOICE_MOUTH__COUNT);
        MUST(i == 0 || m.visemes[i].at_ms > m.visemes[i - 1].at_ms);
    }
    MUST(m.status == 0 || (m.status >= 400 && m.status < 600));
    check_word(m.code);
    cartesia__message_release(&m);
    cartesia__code((const char *)data, size, code, sizeof(code));
    check_word(code);
    return 0;
}

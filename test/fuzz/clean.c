/*
 * Text to be spoken: the first byte chooses the language. Whatever comes, what is said is valid
 * UTF-8 without control characters or the marks of markdown, and not much longer than it was.
 * The sentences that go there are cut from the same text, and put together give it again.
 */
#include "base/buf.h"
#include "base/must.h"
#include "base/strs.h"
#include "mind/mind.h"
#include "voice/voice.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void speak(const struct voice_how *how, struct str text)
{
    struct buf out = BUF_INIT;

    voice_clean(how, text, &out);
    MUST(!out.full);
    MUST(out.len <= 40 * text.len + 64); /* "$9.99" has thirty letters */
    MUST(utf8_valid_prefix(buf_text(&out), out.len) == out.len);
    for (size_t i = 0; i < out.len; i++)
        MUST((unsigned char)out.data[i] >= ' ' && !strchr("*`_~|^\\{}[]<>", out.data[i]));
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct voice_word words[] = {{"MOK 5-ha", "Moksha"}};
    const struct voice_how how = {
        .language = size && data[0] % 2 ? "de" : "en", .words = words, .word_count = 1};
    const char *text = (const char *)data + (size > 0);
    size_t len = utf8_valid_prefix(text, size ? size - 1 : 0), at = 0, n;

    while (at < len && (n = sentence_next(text + at, len - at, true)) > 0) {
        MUST(n <= len - at);
        speak(&how, (struct str){text + at, n});
        at += n;
    }
    MUST(at == len);
    speak(&how, (struct str){text, len});
    return 0;
}

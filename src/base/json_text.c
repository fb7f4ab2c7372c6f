#include "base/json_text.h"

#include "base/strs.h"

#include <stdint.h>

/* The code point at s, whose sequence is known to be valid, and its length. */
static uint32_t decode(const unsigned char *s, size_t *ret_len)
{
    if (s[0] < 0x80) {
        *ret_len = 1;
        return s[0];
    }
    size_t n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    uint32_t c = s[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3Fu);
    *ret_len = n;
    return c;
}

static void escape(struct buf *b, uint32_t c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
        if ((unsigned char)shorts[i] == c) {
            buf_char(b, '\\');
            buf_char(b, shorts[i + 1]);
            return;
        }
    }
    if (c > 0xFFFF) {
        c -= 0x10000;
        buf_printf(b, "\\u%04x\\u%04x", 0xD800 + (c >> 10), 0xDC00 + (c & 0x3FF));
    } else {
        buf_printf(b, "\\u%04x", c);
    }
}

void json_text(struct buf *b, const char *text, size_t len, bool ascii)
{
    size_t at = 0, plain = 0, valid = utf8_valid_prefix(text, len);

    buf_char(b, '"');
    while (at < len) {
        size_t n;
        if (at >= valid) { /* a byte that is not UTF-8 */
            buf_add(b, text + plain, at - plain);
            buf_str(b, ascii ? "\\ufffd" : "\xEF\xBF\xBD");
            plain = ++at;
            valid = at + utf8_valid_prefix(text + at, len - at);
            continue;
        }
        uint32_t c = decode((const unsigned char *)text + at, &n);
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f || (ascii && c > 0x7f)) {
            buf_add(b, text + plain, at - plain);
            escape(b, c);
            plain = at + n;
        }
        at += n;
    }
    buf_add(b, text + plain, len - plain);
    buf_char(b, '"');
}

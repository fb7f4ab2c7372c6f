#include "base/base64.h"

#include "base/buf.h"

#include <sodium.h>

#include <stdint.h>

void base64_add(struct buf *out, const void *data, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = data;
    size_t len = (n + 2) / 3 * 4;
    char *p = buf_reserve(out, len);

    if (!p)
        return;
    for (; n; n -= n < 3 ? n : 3, b += 3, p += 4) {
        uint32_t three = (uint32_t)b[0] << 16 | (n > 1 ? (uint32_t)b[1] << 8 : 0) |
                         (n > 2 ? (uint32_t)b[2] : 0);
        p[0] = digits[three >> 18];
        p[1] = digits[three >> 12 & 63];
        p[2] = n > 1 ? digits[three >> 6 & 63] : '=';
        p[3] = n > 2 ? digits[three & 63] : '=';
    }
    out->len += len;
    *p = '\0';
}

bool base64_read(struct buf *out, struct str text)
{
    size_t most = text.len / 4 * 3 + 3, len = 0;
    char *at = buf_reserve(out, most);

    if (!at || sodium_base642bin((unsigned char *)at, most, text.data, text.len, NULL, &len,
                                 NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    out->len += len;
    at[len] = '\0';
    return true;
}

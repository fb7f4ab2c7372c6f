#include "base/redact.h"

#include "base/secret.h"

#include <string.h>

void redact(char *text, size_t len)
{
    struct secret_hit hit;
    size_t at = 0;
    bool over;

    while (at < len && secret_next(text, len, at, true, &hit)) {
        at = hit.end + secret_rest(hit.form, text + hit.end, len - hit.end, true, &over);
        if (hit.form != SECRET_CARD) {
            memset(text + hit.keep, '*', at - hit.keep);
            continue;
        }
        for (size_t i = hit.keep; i < at; i++)
            if (text[i] >= '0' && text[i] <= '9')
                text[i] = '*';
    }
}

/*
 * Any text as a line of the log: redaction keeps its length, finds nothing in its own work, and
 * a reader that sees the text grow byte by byte waits for little.
 */
#include "base/secret.h"
#include "base/must.h"
#include "base/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct secret_hit hit;
    size_t done = 0;

    MUST(text);
    memcpy(text, data, size);
    text[size] = 0;
    for (size_t have = 1; have <= size && size <= 2000; have++) {
        if (!secret_next(text, have, done, false, &hit))
            done = have;
        else if (hit.partial)
            done = hit.start;
        else
            done = hit.end;
        MUST(done <= have && have - done <= SECRET_KNOWN_MAX);
    }
    redact(text, size);
    for (size_t i = 0; i < size; i++)
        MUST(text[i] == (char)data[i] || text[i] == '*');
    free(text);
    return 0;
}

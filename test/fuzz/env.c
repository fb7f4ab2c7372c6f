/*
 * The .env reader on any bytes: it never reads outside of them, every error names a line that
 * exists, and every pair has a name that is one.
 */
#include "config/env.c"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    int lines, last;
};

static void on_pair(void *self, const char *name, const char *value, int line)
{
    struct seen *seen = self;

    MUST(*name && name_char((unsigned char)*name, true));
    MUST(strlen(value) <= CONFIG__ENV_MAX);
    MUST(line >= 1 && line <= seen->lines && line > seen->last); /* one pair a line */
    seen->last = line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {.lines = 1};
    const struct config_sink sink = {on_pair, &seen};
    struct err e = {0};
    char *text =
        malloc(size ? size : 1); /* of exactly this size, so that ASan sees each step */

    if (!text)
        return 0;
    memcpy(text, data, size);
    for (size_t i = 0; i < size; i++)
        seen.lines += text[i] == '\n';
    if (config__env_parse(text, size, ".env", &sink, &e) < 0) {
        int line = 0;
        MUST(e.code == ERR_CONFIG && sscanf(e.msg, ".env:%d: ", &line) == 1);
        MUST(line >= 1 && line <= seen.lines);
    }
    free(text);
    return 0;
}

/*
 * The .env reader on any bytes: it never reads outside of them, every error names a line that
 * exists, and every pair has a name that is one. And the same bytes as a file, all the way to
 * the options: each has a value it may have, or there is one line that says what is wrong.
 */
#include "config/env.c"

#include <stdio.h>
#include <sys/mman.h>

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

static void one_line(const char *text)
{
    MUST(*text && strlen(text) < sizeof(((struct err *)0)->msg));
    for (; *text; text++)
        MUST((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_values(const struct config *c)
{
    for (int id = 0; id < CONFIG__COUNT; id++) {
        const struct config_row *row = &config__rows[id];
        const struct config_value *v = &c->values[id];
        if (config__has_range(row) && v->text)
            MUST(v->number >= row->min && v->number <= row->max);
        MUST(v->from == CONFIG_DEFAULT || v->from == CONFIG_ENV_FILE || id == C_ENV_FILE ||
             id == C_SECRETS_DIR);
    }
    for (unsigned i = 0; i < c->n_warnings; i++)
        MUST(*c->warnings[i] && !strpbrk(c->warnings[i], "\r\n"));
}

static void read_as_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("env", MFD_CLOEXEC);
    char flag[64], program[] = "fuzz", secrets[] = "--secrets-dir=/proc/self/fdinfo/none";
    char *argv[] = {program, flag, secrets};
    struct config *c = config_new();
    struct err e = {0};

    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(flag, sizeof(flag), "--env-file=/proc/self/fd/%d", fd);
    if (config_read(c, 3, argv, NULL, &e) == 0) {
        check_values(c);
    } else {
        MUST(e.code == ERR_CONFIG || e.code == ERR_INVALID);
        one_line(e.msg);
    }
    config_free(&c);
    close(fd);
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
    read_as_file(data, size);
    return 0;
}

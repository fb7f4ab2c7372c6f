/*
 * deploy.yaml of any bytes: a complaint that begins with file and line, or a spec whose stored
 * form is read back as the same. The same bytes as a stored form, and as a .dockerignore.
 */
#include "fleet/fleet.h"
#include "image/image_int.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_it(const char *text)
{
    struct image_ignore g;

    image__ignore_parse(text, &g);
    image__ignored(&g, "src/main.c");
    image__ignored(&g, "a");
    image__ignore_release(&g);
}

static void again(struct spec *s)
{
    char *text = spec_stored(s), *second;
    struct spec *back = NULL;
    struct err e = {0};

    /* jansson takes no NUL and no broken UTF-8; neither does the file. */
    MUST(spec_restore(text, strlen(text), &back, &e) == 0);
    second = spec_stored(back);
    MUST(strcmp(text, second) == 0);
    free(second);
    free(text);
    spec_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct spec *s = NULL;
    struct err e = {0};

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (spec_parse("f", text, size, NULL, &s, &e) == 0) {
        (void)!spec_prove(s, 0, NULL);
        again(s);
        spec_free(&s);
    } else {
        MUST(strncmp(e.msg, "f:", 2) == 0);
        MUST(e.code == ERR_CONFIG);
    }
    if (spec_restore(text, size, &s, &e) == 0)
        spec_free(&s);
    ignore_it(text);
    free(text);
    return 0;
}

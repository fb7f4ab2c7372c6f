/*
 * The ELF reader on any bytes: a sentence, or texts and a length that lie within them.
 */
#include "image/elf.c"

#include "base/must.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(const char *text, const char *data, size_t size)
{
    if (text)
        MUST(text >= data && text < data + size &&
             memchr(text, '\0', size - (size_t)(text - data)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy =
        malloc(size ? size : 1); /* of exactly this size, so that ASan sees each step */
    struct image_elf elf;
    struct err e = {0};

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (image__elf_read("f", copy, size, &elf, &e) < 0) {
        MUST(e.code == ERR_INVALID && *e.msg);
    } else {
        unsigned char head[IMAGE_HEAD_MAX];
        MUST(elf.loaded <= size && elf.needed_count <= IMAGE_NEEDED_MAX);
        within(elf.loader, copy, size);
        within(elf.name, copy, size);
        within(elf.run_path, copy, size);
        for (size_t i = 0; i < elf.needed_count; i++)
            within(elf.needed[i], copy, size);
        image__elf_head(copy, head);
    }
    free(copy);
    return 0;
}

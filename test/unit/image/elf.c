#include "image/elf.c"

#include "base/alloc.h"
#include "unit/tap.h"

#include <stdio.h>
#include <stdlib.h>

/* Our own bytes: a program with a loader, libraries and debug sections. */
static void *self(size_t *ret_len)
{
    FILE *f = fopen("/proc/self/exe", "rb");
    char *data = NULL;
    size_t cap = 0, len = 0, n;

    do {
        cap += 1 << 20;
        data = xrealloc(data, cap);
        n = fread(data + len, 1, cap - len, f);
        len += n;
    } while (n);
    fclose(f);
    *ret_len = len;
    return data;
}

static void test_reads_a_program(void)
{
    size_t len;
    unsigned char *data = self(&len), head[IMAGE_HEAD_MAX];
    struct image_elf elf;
    struct err e = {0};
    bool libc = false;

    CHECK_INT(image__elf_read("self", data, len, &elf, &e), 0);
    CHECK(elf.loader && strstr(elf.loader, "ld-"));
    CHECK(elf.loaded > sizeof(head) && elf.loaded < len);
    for (size_t i = 0; i < elf.needed_count; i++)
        libc = libc || strcmp(elf.needed[i], "libc.so.6") == 0;
    CHECK(libc);
    image__elf_head(data, head);
    CHECK_INT(head[0x3c], 0); /* e_shnum */
    /* What is left when the rest goes is read the same. */
    memcpy(data, head, sizeof(head));
    struct image_elf cut;
    CHECK_INT(image__elf_read("self", data, (size_t)elf.loaded, &cut, &e), 0);
    CHECK_INT(cut.needed_count, elf.needed_count);
    CHECK_INT(cut.loaded, elf.loaded);
    CHECK_INT(image__elf_read("self", data, (size_t)elf.loaded - 1, &cut, &e), -1);
    CHECK_STR(e.msg, "'self' is no program this can read: it is cut off");
    free(data);
}

static const char *refused(const void *data, size_t len)
{
    static struct err e;
    struct image_elf elf;

    e = (struct err){0};
    CHECK_INT(image__elf_read("f", data, len, &elf, &e), -1);
    CHECK_INT(e.code, ERR_INVALID);
    return e.msg;
}

static void test_refuses(void)
{
    size_t len;
    unsigned char *data = self(&len);
    Elf64_Ehdr *h = (void *)data;

    CHECK(strstr(refused("", 0), "not an ELF file"));
    CHECK(strstr(refused("#!/bin/sh\n", 10), "not an ELF file"));
    CHECK(strstr(refused(data, sizeof(*h) - 1), "not an ELF file"));
    h->e_ident[EI_CLASS] = ELFCLASS32;
    CHECK(strstr(refused(data, len), "not 64-bit"));
    h->e_ident[EI_CLASS] = ELFCLASS64;
    h->e_type = ET_REL;
    CHECK(strstr(refused(data, len), "neither a program nor"));
    h->e_type = ET_DYN;
    uint64_t at = h->e_phoff;
    h->e_phoff = UINT64_MAX - 8;
    CHECK(strstr(refused(data, len), "outside of it"));
    h->e_phoff = at;
    h->e_phnum = 0;
    CHECK(strstr(refused(data, len), "no program headers"));
    free(data);
}

/* Every field that is a number, made huge: a complaint or an answer, and no fault. */
static void test_any_number(void)
{
    size_t len;
    unsigned char *data = self(&len);
    uint64_t was, huge = UINT64_MAX - 4;
    struct image_elf elf;
    int refusals = 0;

    for (size_t at = 0; at + 8 < 64 + 56 * 14; at += 4) {
        memcpy(&was, data + at, 8);
        memcpy(data + at, &huge, 8);
        refusals += image__elf_read("self", data, len, &elf, NULL) < 0;
        memcpy(data + at, &was, 8);
    }
    CHECK(refusals > 10);
    CHECK_INT(image__elf_read("self", data, len, &elf, NULL), 0);
    free(data);
}

static const struct tap_case cases[] = {
    {"a program's needs are read, and the same without its sections", test_reads_a_program},
    {"what is no program is refused with a sentence", test_refuses},
    {"any number in a header is survived", test_any_number},
};
TAP_MAIN(cases)

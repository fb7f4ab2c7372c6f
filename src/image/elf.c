/*
 * The little of an ELF file that the loader reads: which libraries it wants, where it looks for
 * them, and where what it maps ends (System V ABI, chapters 4 and 5; x86-64 and AArch64 agree).
 * Sections are not looked at. Every offset of the file is checked before it is followed.
 */
#include "image/image_int.h"

#include <elf.h>
#include <string.h>

struct file {
    const char *name;
    const unsigned char *data;
    size_t len;
    Elf64_Ehdr head;
};

static int wrong(const struct file *f, struct err *e, const char *what)
{
    return err_set(e, ERR_INVALID, 0, "'%s' is no program this can read: %s", f->name, what);
}

static bool inside(const struct file *f, uint64_t at, uint64_t size)
{
    return at <= f->len && size <= f->len - at;
}

/* Copied out: nothing in a file is promised to be aligned. */
static Elf64_Phdr segment(const struct file *f, size_t i)
{
    Elf64_Phdr p;

    memcpy(&p, f->data + f->head.e_phoff + i * sizeof(p), sizeof(p));
    return p;
}

static int read_head(struct file *f, struct err *e)
{
    const Elf64_Ehdr *h = &f->head;

    if (f->len < sizeof(*h) || memcmp(f->data, ELFMAG, SELFMAG) != 0)
        return wrong(f, e, "it is not an ELF file");
    memcpy(&f->head, f->data, sizeof(f->head));
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
        return wrong(f, e, "it is not 64-bit little-endian");
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return wrong(f, e, "it is neither a program nor a shared library");
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0)
        return wrong(f, e, "it has no program headers");
    if (!inside(f, h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr)))
        return wrong(f, e, "its program headers lie outside of it");
    return 0;
}

/* The offset of `size` bytes at an address, or false when they are not in the file. */
static bool offset_of(const struct file *f, uint64_t address, uint64_t size, uint64_t *ret)
{
    for (size_t i = 0; i < f->head.e_phnum; i++) {
        Elf64_Phdr p = segment(f, i);
        if (p.p_type != PT_LOAD || address < p.p_vaddr || address - p.p_vaddr > p.p_filesz ||
            size > p.p_filesz - (address - p.p_vaddr))
            continue;
        *ret = p.p_offset + (address - p.p_vaddr);
        return true;
    }
    return false;
}

/* A text that ends within [at, at + size). */
static const char *text_at(const struct file *f, uint64_t at, uint64_t size)
{
    const char *text = (const char *)f->data + at;

    return size && memchr(text, '\0', size) ? text : NULL;
}

struct dynamic {
    uint64_t strings, strings_size;
    uint64_t needed[IMAGE_NEEDED_MAX];
    size_t count;
    uint64_t name, run_path, r_path;
    bool has_name, has_run_path, has_r_path;
};

static int read_dynamic(const struct file *f, const Elf64_Phdr *p, struct dynamic *d,
                        struct err *e)
{
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= p->p_filesz; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn dyn;
        memcpy(&dyn, f->data + p->p_offset + at, sizeof(dyn));
        switch (dyn.d_tag) {
        case DT_NULL:
            return 0;
        case DT_STRTAB:
            d->strings = dyn.d_un.d_ptr;
            break;
        case DT_STRSZ:
            d->strings_size = dyn.d_un.d_val;
            break;
        case DT_NEEDED:
            if (d->count == IMAGE_NEEDED_MAX)
                return wrong(f, e, "it wants more libraries than anybody does");
            d->needed[d->count++] = dyn.d_un.d_val;
            break;
        case DT_SONAME:
            d->name = dyn.d_un.d_val;
            d->has_name = true;
            break;
        case DT_RUNPATH:
            d->run_path = dyn.d_un.d_val;
            d->has_run_path = true;
            break;
        case DT_RPATH:
            d->r_path = dyn.d_un.d_val;
            d->has_r_path = true;
            break;
        default:
            break;
        }
    }
    return 0;
}

static const char *string(const struct file *f, const struct dynamic *d, uint64_t table,
                          uint64_t at)
{
    return at < d->strings_size ? text_at(f, table + at, d->strings_size - at) : NULL;
}

static int take_strings(const struct file *f, const struct dynamic *d, struct image_elf *ret,
                        struct err *e)
{
    uint64_t table = 0;

    if (d->strings_size && !offset_of(f, d->strings, d->strings_size, &table))
        return wrong(f, e, "its names lie outside of it");
    for (size_t i = 0; i < d->count; i++) {
        ret->needed[i] = string(f, d, table, d->needed[i]);
        if (!ret->needed[i] || !*ret->needed[i])
            return wrong(f, e, "a library's name lies outside of it");
    }
    ret->needed_count = d->count;
    if (d->has_name)
        ret->name = string(f, d, table, d->name);
    if (d->has_run_path)
        ret->run_path = string(f, d, table, d->run_path);
    else if (d->has_r_path)
        ret->run_path = string(f, d, table, d->r_path);
    if ((d->has_name && !ret->name) || ((d->has_run_path || d->has_r_path) && !ret->run_path))
        return wrong(f, e, "a name lies outside of it");
    return 0;
}

int image__elf_read(const char *name, const void *data, size_t len, struct image_elf *ret,
                    struct err *e)
{
    struct file f = {.name = name, .data = data, .len = len};
    struct image_elf found = {0};
    struct dynamic d = {0};

    if (read_head(&f, e) < 0)
        return -1;
    found.machine = f.head.e_machine;
    found.loaded = f.head.e_phoff + (uint64_t)f.head.e_phnum * sizeof(Elf64_Phdr);
    for (size_t i = 0; i < f.head.e_phnum; i++) {
        Elf64_Phdr p = segment(&f, i);
        if (!inside(&f, p.p_offset, p.p_filesz))
            return wrong(&f, e, "it is cut off");
        if (p.p_offset + p.p_filesz > found.loaded)
            found.loaded = p.p_offset + p.p_filesz;
        if (p.p_type == PT_INTERP && !(found.loader = text_at(&f, p.p_offset, p.p_filesz)))
            return wrong(&f, e, "the loader's name does not end");
        if (p.p_type == PT_DYNAMIC && read_dynamic(&f, &p, &d, e) < 0)
            return -1;
    }
    if (take_strings(&f, &d, &found, e) < 0)
        return -1;
    *ret = found;
    return 0;
}

void image__elf_head(const void *data, unsigned char ret[IMAGE_HEAD_MAX])
{
    Elf64_Ehdr h;

    _Static_assert(sizeof(h) == IMAGE_HEAD_MAX, "a head is as long as the file's own");
    memcpy(&h, data, sizeof(h));
    h.e_shoff = 0;
    h.e_shnum = 0;
    h.e_shstrndx = 0;
    memcpy(ret, &h, sizeof(h));
}

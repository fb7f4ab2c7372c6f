/*
 * A tree as a tar that is read from, so that an image is never in memory as a whole. Ustar
 * headers (POSIX.1-1988, pax 10.1.1); a path, link or size that does not fit there goes into a
 * pax record of its own in front. Times are 0 unless they were kept, and owners numbers: the
 * same tree, the same bytes.
 */
#include "image/image_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 512
#define END_BLOCKS 2
#define SIZE_MAX_USTAR 077777777777ull

struct ustar {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100],
        magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8], prefix[155],
        pad[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "a header is one block");

struct image_tar {
    const struct image_tree *tree;
    size_t next; /* entry */
    const struct image_entry *now;
    struct buf head; /* headers waiting to go out */
    size_t head_at;
    uint64_t at, pad; /* within the body; zeros behind it */
    int fd;
    struct image_tar *inner;
    bool ended;
    struct err error;
};

struct image_tar *image__tar_new(const struct image_tree *t)
{
    struct image_tar *tar = xalloc(sizeof(*tar));

    tar->tree = t;
    tar->fd = -1;
    return tar;
}

static void close_body(struct image_tar *tar)
{
    if (tar->fd >= 0)
        close(tar->fd);
    tar->fd = -1;
    image__tar_free(&tar->inner);
}

void image__tar_free(struct image_tar **ref)
{
    struct image_tar *tar = *ref;

    *ref = NULL;
    if (!tar)
        return;
    close_body(tar);
    buf_release(&tar->head);
    free(tar);
}

const struct err *image__tar_error(const struct image_tar *tar)
{
    return &tar->error;
}

static uint64_t padded(uint64_t n)
{
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* Octal, with zeros in front and a NUL behind. */
static void octal(char *field, size_t size, uint64_t value)
{
    field[--size] = '\0';
    while (size) {
        field[--size] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

static char type_of(const struct image_entry *entry)
{
    switch (entry->kind) {
    case IMAGE_ENTRY_FOLDER:
        return '5';
    case IMAGE_ENTRY_LINK:
        return '2';
    default:
        return '0';
    }
}

/* The path into name, or into prefix and name at a slash; false when it does not fit. */
static bool put_path(struct ustar *h, const char *path)
{
    size_t len = strlen(path);

    if (len <= sizeof(h->name)) {
        memcpy(h->name, path, len);
        return true;
    }
    for (size_t i = len - 1; i > 0; i--) {
        if (path[i] != '/' || i > sizeof(h->prefix))
            continue;
        if (len - i - 1 > sizeof(h->name) || len - i - 1 == 0)
            break;
        memcpy(h->prefix, path, i);
        memcpy(h->name, path + i + 1, len - i - 1);
        return true;
    }
    return false;
}

static void seal_header(struct ustar *h)
{
    unsigned sum = 0;

    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    memset(h->sum, ' ', sizeof(h->sum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += ((const unsigned char *)h)[i];
    octal(h->sum, 7, sum);
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void pax_record(struct buf *out, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, len = rest;
    char digits[24];

    do {
        len = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len);
    } while (len != rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len));
    buf_printf(out, "%zu %s=%s\n", len, key, value);
}

static void zeros(struct buf *out, size_t n)
{
    char *at = buf_reserve(out, n);

    if (at) {
        memset(at, 0, n);
        out->len += n;
    }
}

static void add_pax(struct buf *out, const struct buf *records)
{
    struct ustar h;

    memset(&h, 0, sizeof(h));
    memcpy(h.name, "pax", 3);
    octal(h.mode, sizeof(h.mode), 0644);
    octal(h.uid, sizeof(h.uid), 0);
    octal(h.gid, sizeof(h.gid), 0);
    octal(h.size, sizeof(h.size), records->len);
    octal(h.mtime, sizeof(h.mtime), 0);
    h.type = 'x';
    seal_header(&h);
    buf_add(out, &h, sizeof(h));
    buf_add(out, records->data, records->len);
    zeros(out, (size_t)(padded(records->len) - records->len));
}

/* All headers of an entry. */
static void add_headers(struct buf *out, const struct image_entry *entry)
{
    struct buf records = BUF_INIT;
    struct ustar h;
    char *path = xprintf("%s%s", entry->path, entry->kind == IMAGE_ENTRY_FOLDER ? "/" : "");
    char digits[24];

    memset(&h, 0, sizeof(h));
    if (!put_path(&h, path)) {
        memcpy(h.name, path, sizeof(h.name)); /* for a reader that knows no pax */
        pax_record(&records, "path", path);
    }
    if (entry->kind == IMAGE_ENTRY_LINK) {
        size_t len = strlen(entry->source);
        memcpy(h.link, entry->source, len < sizeof(h.link) ? len : sizeof(h.link));
        if (len > sizeof(h.link))
            pax_record(&records, "linkpath", entry->source);
    }
    if (entry->size > SIZE_MAX_USTAR) {
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)entry->size);
        pax_record(&records, "size", digits);
    }
    octal(h.mode, sizeof(h.mode), entry->mode);
    octal(h.uid, sizeof(h.uid), entry->owner);
    octal(h.gid, sizeof(h.gid), entry->owner);
    octal(h.size, sizeof(h.size), entry->size);
    octal(h.mtime, sizeof(h.mtime), entry->time > 0 ? (uint64_t)entry->time : 0);
    h.type = type_of(entry);
    seal_header(&h);
    if (records.len)
        add_pax(out, &records);
    buf_add(out, &h, sizeof(h));
    buf_release(&records);
    free(path);
}

uint64_t image__tar_size(const struct image_tree *t)
{
    struct buf head = BUF_INIT;
    uint64_t size = END_BLOCKS * BLOCK;

    for (size_t i = 0; i < t->count; i++) {
        buf_clear(&head);
        add_headers(&head, &t->at[i]);
        size += head.len + padded(t->at[i].size);
    }
    buf_release(&head);
    return size;
}

static int begin_entry(struct image_tar *tar)
{
    const struct image_entry *entry = &tar->tree->at[tar->next++];

    tar->now = entry;
    tar->at = 0;
    tar->pad = padded(entry->size) - entry->size;
    add_headers(&tar->head, entry);
    if (entry->kind == IMAGE_ENTRY_TREE)
        tar->inner = image__tar_new(entry->tree);
    if (entry->kind == IMAGE_ENTRY_FILE) {
        tar->fd = open(entry->source, O_RDONLY | O_CLOEXEC);
        if (tar->fd < 0)
            return err_set(&tar->error, ERR_IO, errno, "open '%s'", entry->source);
    }
    return 0;
}

static long read_file(struct image_tar *tar, char *to, size_t size)
{
    const struct image_entry *entry = tar->now;
    size_t in_head = tar->at < entry->head_len ? entry->head_len - (size_t)tar->at : 0;
    ssize_t n = pread(tar->fd, to, size, (off_t)tar->at);

    if (n < 0)
        return err_set(&tar->error, ERR_IO, errno, "read '%s'", entry->source);
    if (n == 0)
        return err_set(&tar->error, ERR_IO, 0,
                       "'%s' became shorter while it was read; try again", entry->source);
    if (in_head)
        memcpy(to, entry->head + tar->at, in_head < (size_t)n ? in_head : (size_t)n);
    return n;
}

static long read_body(struct image_tar *tar, char *to, size_t size)
{
    const struct image_entry *entry = tar->now;
    uint64_t left = entry->size - tar->at;
    long n;

    if (size > left)
        size = (size_t)left;
    if (entry->kind == IMAGE_ENTRY_BYTES) {
        memcpy(to, entry->source + tar->at, size);
        n = (long)size;
    } else if (entry->kind == IMAGE_ENTRY_TREE) {
        n = image__tar_read(tar->inner, to, size);
        if (n < 0)
            tar->error = tar->inner->error;
    } else {
        n = read_file(tar, to, size);
    }
    if (n > 0)
        tar->at += (uint64_t)n;
    return n;
}

static long read_head(struct image_tar *tar, char *to, size_t size)
{
    size_t left = tar->head.len - tar->head_at;
    size_t n = left < size ? left : size;

    memcpy(to, tar->head.data + tar->head_at, n);
    tar->head_at += n;
    if (tar->head_at == tar->head.len) {
        buf_clear(&tar->head);
        tar->head_at = 0;
    }
    return (long)n;
}

/* Some bytes, at least one; 0 at the end. */
static long read_some(struct image_tar *tar, char *to, size_t size)
{
    for (;;) {
        if (tar->head.len)
            return read_head(tar, to, size);
        if (tar->now && tar->at < tar->now->size)
            return read_body(tar, to, size);
        if (tar->now) {
            close_body(tar);
            tar->now = NULL;
            zeros(&tar->head, (size_t)tar->pad);
        } else if (tar->next < tar->tree->count) {
            if (begin_entry(tar) < 0)
                return -1;
        } else if (!tar->ended) {
            tar->ended = true;
            zeros(&tar->head, END_BLOCKS * BLOCK);
        } else {
            return 0;
        }
    }
}

long image__tar_read(void *ctx, char *to, size_t size)
{
    size_t got = 0;

    while (got < size) {
        long n = read_some(ctx, to + got, size - got);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (long)got;
}

int image__tar_digest(const struct image_tree *t, char ret[IMAGE_DIGEST_HEX], struct err *e)
{
    enum { ROOM = 256 * 1024 };
    struct image_tar *tar = image__tar_new(t);
    char *room = xalloc(ROOM);
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    long n;

    crypto_hash_sha256_init(&state);
    while ((n = image__tar_read(tar, room, ROOM)) > 0)
        crypto_hash_sha256_update(&state, (const unsigned char *)room, (size_t)n);
    crypto_hash_sha256_final(&state, sum);
    sodium_bin2hex(ret, IMAGE_DIGEST_HEX, sum, sizeof(sum));
    if (n < 0 && e)
        *e = *image__tar_error(tar);
    free(room);
    image__tar_free(&tar);
    return n < 0 ? -1 : 0;
}

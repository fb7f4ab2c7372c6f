#include "image/tar.c"

#include "unit/tap.h"

/* The whole tar, in steps of that size. */
static char *whole(const struct image_tree *t, size_t step, size_t *ret_len)
{
    struct image_tar *tar = image__tar_new(t);
    char *all = xalloc((size_t)image__tar_size(t) + step + 1);
    size_t len = 0;
    long n;

    while ((n = image__tar_read(tar, all + len, step)) > 0)
        len += (size_t)n;
    CHECK_INT(n, 0);
    CHECK_INT(len, image__tar_size(t));
    image__tar_free(&tar);
    *ret_len = len;
    return all;
}

static bool sum_fits(const char *block)
{
    struct ustar h;
    unsigned long was;

    memcpy(&h, block, sizeof(h));
    was = strtoul(h.sum, NULL, 8);
    seal_header(&h);
    return was == strtoul(h.sum, NULL, 8);
}

static void test_order_and_headers(void)
{
    struct image_tree *t = image_tree_new();
    size_t len, len7;

    image_add_bytes(t, "b/file", 0644, "hello", 5);
    image_add_link(t, "a", "b/file");
    image_add_folder(t, "c", 0700, 65532);
    char *all = whole(t, 4096, &len), *seven = whole(t, 7, &len7);
    CHECK_INT(len, len7);
    CHECK(memcmp(all, seven, len) == 0);
    /* a, b/, b/file and its block, c/, and the end */
    CHECK_INT(len, 512 * (1 + 1 + 2 + 1 + 2));
    CHECK_STR(all, "a");
    CHECK_INT(all[156], '2');
    CHECK_STR(all + 157, "b/file");
    CHECK_STR(all + 512, "b/");
    CHECK_STR(all + 1024, "b/file");
    CHECK(memcmp(all + 1536, "hello\0\0", 7) == 0);
    CHECK_STR(all + 2048, "c/");
    CHECK_STR(all + 2048 + 100, "0000700");
    CHECK_STR(all + 2048 + 108, "0177774");
    for (size_t at = 0; at < 2560; at += 512)
        if (at != 1536)
            CHECK(sum_fits(all + at));
    free(seven);
    free(all);
    image_tree_free(&t);
}

static void test_long_names(void)
{
    struct image_tree *t = image_tree_new();
    char deep[260], plain[300];
    size_t len;

    memset(plain, 'x', sizeof(plain));
    plain[sizeof(plain) - 1] = '\0';
    memset(deep, 'd', 120);
    snprintf(deep + 120, sizeof(deep) - 120, "/%.90s", plain);
    image_add_bytes(t, plain, 0644, "", 0);
    char *all = whole(t, 512, &len);
    CHECK_STR(all, "pax");
    CHECK_INT(all[156], 'x');
    CHECK(strncmp(all + 512, "309 path=xxx", 12) == 0);
    CHECK(sum_fits(all));
    CHECK_INT(len, 512 * (1 + 1 + 1 + 2));
    free(all);
    image_tree_free(&t);

    t = image_tree_new();
    image_add_bytes(t, deep, 0644, "", 0);
    all = whole(t, 512, &len);
    /* The folder's own name is 120 long and has no slash: a record. Its file is split. */
    CHECK_STR(all, "pax");
    CHECK_INT(len, 512 * (3 + 1 + 2));
    CHECK(strncmp(all + 1536, "xxx", 3) == 0);
    CHECK(strncmp(all + 1536 + 345, "ddd", 3) == 0);
    free(all);
    image_tree_free(&t);
}

static void test_digest(void)
{
    struct image_tree *a = image_tree_new(), *b = image_tree_new();
    char one[IMAGE_DIGEST_HEX], two[IMAGE_DIGEST_HEX];
    struct err e;

    image_add_bytes(a, "x", 0644, "1", 1);
    image_add_bytes(a, "y/z", 0644, "2", 1);
    image_add_bytes(b, "y/z", 0644, "2", 1);
    image_add_bytes(b, "x", 0600, "0", 1);
    image_add_bytes(b, "/x", 0644, "1", 1); /* again: the last one is it */
    CHECK_INT(image__tar_digest(a, one, &e), 0);
    CHECK_INT(image__tar_digest(b, two, &e), 0);
    CHECK_STR(one, two);
    image_add_bytes(b, "x", 0755, "1", 1);
    CHECK_INT(image__tar_digest(b, two, &e), 0);
    CHECK(strcmp(one, two) != 0);
    image_tree_free(&a);
    image_tree_free(&b);
}

static void test_tar_within(void)
{
    struct image_tree *inner = image_tree_new(), *outer = image_tree_new();
    size_t len, inner_len;

    image_add_bytes(inner, "x", 0644, "abc", 3);
    struct image_entry *entry = image__entry(outer, "layer.tar", IMAGE_ENTRY_TREE);
    entry->tree = inner;
    entry->size = image__tar_size(inner);
    char *all = whole(outer, 100, &len), *alone = whole(inner, 100, &inner_len);
    CHECK(len == inner_len + 512 + 1024);
    CHECK(memcmp(all + 512, alone, inner_len) == 0);
    free(alone);
    free(all);
    image_tree_free(&outer);
    image_tree_free(&inner);
}

static void test_a_file_that_shrinks(void)
{
    char name[] = "/tmp/maya-tar-XXXXXX", room[4096];
    int fd = mkstemp(name);
    struct image_tree *t = image_tree_new();
    struct err e = {0};
    long n;

    CHECK(fd >= 0 && write(fd, room, 2000) == 2000);
    CHECK_INT(image_add(t, "f", name, &e), 0);
    CHECK_INT(ftruncate(fd, 1000), 0);
    struct image_tar *tar = image__tar_new(t);
    while ((n = image__tar_read(tar, room, sizeof(room))) > 0) {
    }
    CHECK_INT(n, -1);
    CHECK(strstr(image__tar_error(tar)->msg, "became shorter while it was read"));
    image__tar_free(&tar);
    CHECK_INT(ftruncate(fd, 2000), 0);
    unlink(name);
    tar = image__tar_new(t);
    CHECK_INT(image__tar_read(tar, room, 100), -1);
    CHECK(strstr(image__tar_error(tar)->msg, name));
    image__tar_free(&tar);
    CHECK_INT(image_add(t, "g", name, &e), -1);
    CHECK_INT(e.code, ERR_NOT_FOUND);
    image_tree_free(&t);
    close(fd);
}

static const struct tap_case cases[] = {
    {"entries are sorted, and their headers are ustar's", test_order_and_headers},
    {"long names go into a prefix or a pax record", test_long_names},
    {"the same content has the same digest, in whatever order it came", test_digest},
    {"a tree may lie within another", test_tar_within},
    {"a file that shrinks or goes is an error", test_a_file_that_shrinks},
};
TAP_MAIN(cases)

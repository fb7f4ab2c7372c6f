#include "api/assets.c"

#include "unit/tap.h"

#include <stdlib.h>

static void each_asset_is_its_file(void)
{
    static const char *const files[] = {
#define ASSET(name, path, file, type) file,
#include "api/assets.def"
#undef ASSET
    };

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const struct asset *a = asset_at(i);
        FILE *f = fopen(files[i], "rb");
        char *bytes = malloc(a->len + 1);

        CHECK(f != NULL);
        if (f) {
            CHECK_INT(fread(bytes, 1, a->len + 1, f), a->len);
            CHECK(memcmp(bytes, a->data, a->len) == 0);
            fclose(f);
        }
        CHECK(a->len > 0);
        free(bytes);
    }
}

static void finds_by_whole_path(void)
{
    const struct asset *a = asset_find(str_of("/"));

    CHECK(a != NULL);
    CHECK_STR(a->type, "text/html; charset=utf-8");
    CHECK(strncmp(a->data, "<!DOCTYPE html>", 15) == 0);
    CHECK(asset_find(str_of("/style.css")) != NULL);
    CHECK(asset_find(str_of("")) == NULL);
    CHECK(asset_find(str_of("/style")) == NULL);
    CHECK(asset_find(str_of("/style.css/")) == NULL);
    CHECK(asset_find(str_of("//")) == NULL);
    CHECK(asset_find((struct str){"/style.css", 6}) == NULL);
    CHECK(asset_find((struct str){"/style.css\0", 11}) == NULL);
}

static void lists_every_file_once(void)
{
    size_t n = 0;

    for (const struct asset *a; (a = asset_at(n)) != NULL; n++)
        CHECK(asset_find(str_of(a->path)) == a);
    CHECK_INT(n, ASSET__COUNT);
    CHECK(asset_at((size_t)-1) == NULL);
}

static void etags_are_quoted_and_differ(void)
{
    for (size_t i = 0; i < ASSET__COUNT; i++) {
        const char *etag = asset_at(i)->etag;

        CHECK_INT(strlen(etag), 34);
        CHECK(etag[0] == '"' && etag[33] == '"');
        CHECK_INT(strspn(etag + 1, "0123456789abcdef"), 32);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(etag, asset_at(k)->etag) != 0);
    }
}

/* The policy forbids what is inline; the page must not ask for it, nor for another host. */
static void page_lives_with_its_policy(void)
{
    static const char *const forbidden[] = {" style=",     "<style",     " onclick=",
                                            "javascript:", "src=\"http", "href=\"http",
                                            "@import",     "innerHTML"};

    for (size_t i = 0; i < ASSET__COUNT; i++) {
        const struct asset *a = asset_at(i);

        for (size_t k = 0; k < ARRAY_LEN(forbidden); k++)
            CHECK(memmem(a->data, a->len, forbidden[k], strlen(forbidden[k])) == NULL);
    }
}

static const struct tap_case cases[] = {
    {"each asset is its file", each_asset_is_its_file},
    {"finds by whole path", finds_by_whole_path},
    {"lists every file once", lists_every_file_once},
    {"etags are quoted and differ", etags_are_quoted_and_differ},
    {"page lives with its policy", page_lives_with_its_policy},
};

TAP_MAIN(cases)

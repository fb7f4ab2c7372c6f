/*
 * libcurl's memory. Where malloc refuses it 7.88 may divide by the size of a table that is not
 * there, so a reserve steps in: some blocks, taken when the client is made and touched by
 * nobody until then. While many are in use no new call begins, so what runs has the rest.
 */
#include "net/client_int.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)20 * 1024) /* the largest that libcurl asks for, see set_options() */
#define BLOCKS 96

static struct {
    char *data; /* BLOCKS of BLOCK bytes */
    bool taken[BLOCKS];
    unsigned count; /* taken */
} reserve;

static bool ours(const void *p)
{
    uintptr_t at = (uintptr_t)p, first = (uintptr_t)reserve.data;

    return reserve.data && at >= first && at < first + BLOCK * BLOCKS;
}

static void *from_reserve(size_t n)
{
    for (size_t i = 0; n <= BLOCK && reserve.data && i < BLOCKS; i++) {
        if (reserve.taken[i])
            continue;
        reserve.taken[i] = true;
        reserve.count++;
        return reserve.data + i * BLOCK;
    }
    return NULL;
}

static void *take(size_t n)
{
    void *p = malloc(n);

    if (!p)
        p = from_reserve(n);
    return p;
}

static void give(void *p)
{
    if (!ours(p)) {
        free(p);
        return;
    }
    reserve.taken[(size_t)((char *)p - reserve.data) / BLOCK] = false;
    reserve.count--;
}

static void *take_zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p && size && n <= BLOCK / size && (p = from_reserve(n * size)))
        memset(p, 0, n * size);
    return p;
}

static void *resize(void *p, size_t n)
{
    size_t old = BLOCK;

    if (!p)
        return take(n);
    if (!ours(p)) {
        void *to = realloc(p, n);
        if (to || !(to = from_reserve(n)))
            return to;
        /* How much there was nobody says; malloc's blocks are at least as large as asked. */
        old = malloc_usable_size(p);
        memcpy(to, p, old < n ? old : n);
        free(p);
        return to;
    }
    if (n <= BLOCK)
        return p;
    void *to = malloc(n);
    if (!to)
        return NULL;
    memcpy(to, p, old);
    give(p);
    return to;
}

static char *copy(const char *text)
{
    size_t n = strlen(text) + 1;
    char *p = take(n);

    return p ? memcpy(p, text, n) : NULL;
}

void *http_client__take(size_t n)
{
    return take_zeroed(1, n);
}

void http_client__give(void *p)
{
    give(p);
}

bool http_client__memory_short(void)
{
    return reserve.count > BLOCKS / 3; /* a connection that is kept may hold some for long */
}

int http_client__memory_init(struct err *e)
{
    if (!reserve.data && !(reserve.data = malloc(BLOCK * BLOCKS)))
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    if (curl_lib.global_init_mem(CURL_GLOBAL_DEFAULT, take, give, resize, copy, take_zeroed) !=
        CURLE_OK)
        return err_set(e, ERR_NOMEM, 0, "libcurl cannot start");
    return 0;
}

/*
 * Private to fleet/: a container made to reach a volume, from an image of this program alone.
 * It has no network, a read-only root and no more rights than it needs; made, perhaps run once,
 * and removed again, also when the command is stopped.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>

struct engine;

struct helper {
    struct engine *en;
    char *id;
};

enum helper_may {
    HELPER_READ, /* whatever its owner and mode */
    HELPER_WRITE /* and give it owners */
};
/* `argv`: what follows "maya files", NULL-ended; UTF-8. */
int fleet__helper_open(struct engine *en, const char *volume, enum helper_may may,
                       const char *const *argv, struct helper *ret, struct err *e) MUST_USE;
/* Run it to its end. What it prints comes in pieces; what it complains of becomes the error. */
int fleet__helper_run(struct helper *h, void (*on_bytes)(void *ctx, const char *, size_t),
                      void *ctx, struct err *e) MUST_USE;
void fleet__helper_close(struct helper *h);

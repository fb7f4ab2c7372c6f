/* One key for all cases of a test: sessions on the fake store are sealed with it. */
#pragma once

#include "unit/session/fake_store.h"
#include "unit/tap.h"

#include "base/log.h"
#include "memory/memory.h"
#include "seal/seal.h"

static struct seal *the_seal;

static inline int sealed_main(const struct tap_case *cases, int n)
{
    struct err e;

    json_region_setup();
    log_setup(LOG_ERROR, false);
    if (seal_new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "/nonexistent", NULL,
                 &the_seal, &e) < 0) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    int rc = tap_run(cases, n);
    fake_clear();
    seal_free(&the_seal);
    return rc;
}

#define SEALED_MAIN(cases)                                                                     \
    int main(void)                                                                             \
    {                                                                                          \
        return sealed_main(cases, (int)ARRAY_LEN(cases));                                      \
    }

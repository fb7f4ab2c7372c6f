/*
 * scrape: what containers say of themselves at an address of theirs, many at once and within
 * one deadline. Blocking, for the keeper. Knows nothing of apps.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>

#define SCRAPE_BYTES_MAX (1u << 20) /* of one answer; more is no answer */

struct scrape_target {
    const char *address; /* numeric, IPv4 or IPv6 */
    unsigned port;
    const char *path; /* "/metrics" */
    /* What came: */
    bool answered; /* with 200, whole and in time */
    struct buf text;
};
/*
 * Ask all of them at once, and wait until each has answered or `within_ms` are over. Release
 * the texts with scrape__release(). An error only when nobody could be asked (no libcurl).
 */
int scrape__all(struct scrape_target *targets, size_t count, int within_ms,
                struct err *e) MUST_USE;
void scrape__release(struct scrape_target *targets, size_t count);

/*
 * The value of a metric in Prometheus text format 0.0.4: the sum over its samples that have the
 * label (`name="value"`; NULL: over all). False when there is none.
 */
bool scrape__metric(const struct buf *text, const char *name, const char *label, double *ret);

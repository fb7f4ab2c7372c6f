/*
 * Private to cli/: secrets that change while `maya serve` runs. Their files are looked at twice
 * a second on the loop's pool, and read when they have settled, or at once on SIGUSR1.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct agent;
struct api;
struct config;
struct config_fresh;
struct ears;
struct files;
struct loop;
struct loop_job;
struct loop_timer;
struct mind_cfg;
struct seal;
struct seal_change;
struct voice;

struct serve_secrets {
    struct config *config;
    struct loop *loop;
    struct seal *seal;
    struct agent *agent;
    struct api *api;
    struct voice *voice;
    struct ears *ears;
    struct mind_cfg *mind;
    /* private */
    struct loop_timer *timer;
    struct loop_job *job; /* under way */
    struct files *seen;   /* at the last look */
    bool asked;           /* by a signal: read, changed or not */
    bool forced;          /* the same, for the job under way */
    bool unsettled;       /* it had changed at the last look */
    bool over;
    /* The job's own. */
    struct files *now;
    bool read, failed;
    struct config_fresh *fresh;
    struct seal_change *keys; /* NULL: the master key is the same */
    struct err e;
};

int serve__secrets_begin(struct serve_secrets *s, struct err *e) MUST_USE;
void serve__secrets_end(struct serve_secrets *s);     /* before the parts it tells are freed */
void serve__secrets_release(struct serve_secrets *s); /* after the loop is */

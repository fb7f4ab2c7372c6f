/*
 * Work that blocks: on libuv's pool of threads (four, unless UV_THREADPOOL_SIZE says other),
 * with its answer back on the loop. With the store's thread the only code that runs beside it.
 */
#include "net/net_int.h"

#include <stdlib.h>

struct loop_job {
    uv_work_t uv;
    struct loop *loop;
    void (*work)(void *ctx);
    void (*done)(void *ctx, bool ran);
    void *ctx;
};

static void on_work(uv_work_t *uv)
{
    struct loop_job *j = uv->data;

    j->work(j->ctx);
}

static void on_worked(uv_work_t *uv, int status)
{
    struct loop_job *j = uv->data;
    void (*done)(void *, bool) = j->done;
    void *ctx = j->ctx;

    j->loop->jobs--;
    free(j);
    done(ctx, status == 0);
}

struct loop_job *loop_offload(struct loop *l, void (*work)(void *ctx),
                              void (*done)(void *ctx, bool ran), void *ctx)
{
    struct loop_job *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    *j = (struct loop_job){.loop = l, .work = work, .done = done, .ctx = ctx};
    j->uv.data = j;
    MUST(uv_queue_work(&l->uv, &j->uv, on_work, on_worked) == 0);
    l->jobs++;
    return j;
}

static void no_work(void *ctx)
{
    (void)ctx;
}

static void nothing_done(void *ctx, bool ran)
{
    (void)ctx;
    (void)ran;
}

void loop_expect_jobs(struct loop *l)
{
    struct loop_job *j = loop_offload(l, no_work, nothing_done, NULL);

    (void)j; /* without memory at the start the next job makes them */
}

void loop_job_cancel(struct loop_job *j)
{
    uv_cancel((uv_req_t *)&j->uv); /* refused when a thread has it: then it ends by itself */
}

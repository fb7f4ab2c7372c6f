#include "net/offload.c"
#include "unit/tap.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#define MANY 200

static struct {
    struct loop *loop;
    pthread_t here;
    sem_t gate, taken;
    unsigned done, ran;
} t;

struct one {
    bool worked, elsewhere, told, ran;
};

static void begin(void)
{
    struct err e = {0};

    memset(&t, 0, sizeof(t));
    t.here = pthread_self();
    sem_init(&t.gate, 0, 0);
    sem_init(&t.taken, 0, 0);
    CHECK_INT(loop_new(&t.loop, &e), 0);
}

static int threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;

    for (const struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void work(void *ctx)
{
    struct one *o = ctx;

    o->worked = true;
    o->elsewhere = !pthread_equal(pthread_self(), t.here);
}

static void held(void *ctx)
{
    sem_post(&t.taken);
    sem_wait(&t.gate);
    work(ctx);
}

static void told(void *ctx, bool ran)
{
    struct one *o = ctx;

    CHECK(!o->told && pthread_equal(pthread_self(), t.here));
    o->told = true;
    o->ran = ran;
    t.done++;
    t.ran += ran;
}

/* The first case: the process has one pool, and no job before made its threads. */
static void expected(void)
{
    struct one o = {0};
    int before = threads();

    begin();
    loop_expect_jobs(t.loop);
    CHECK_INT(threads(), before + 4);
    CHECK(loop_offload(t.loop, work, told, &o) != NULL);
    loop_run(t.loop);
    CHECK(o.told && o.ran);
    CHECK_INT(threads(), before + 4);
    loop_free(&t.loop);
}

static void runs_elsewhere(void)
{
    struct one o[MANY] = {0};

    begin();
    for (int i = 0; i < MANY; i++)
        CHECK(loop_offload(t.loop, work, told, &o[i]) != NULL);
    CHECK_INT(t.done, 0); /* never inside */
    loop_run(t.loop);     /* jobs keep it alive */
    CHECK_INT(t.done, MANY);
    for (int i = 0; i < MANY; i++)
        CHECK(o[i].worked && o[i].elsewhere && o[i].ran);
    loop_free(&t.loop);
}

/* With every thread of the pool held, the rest is only queued: cancelled, it never runs. */
static void cancelled(void)
{
    struct one held_ones[4] = {{0}}, o = {0};
    struct loop_job *running = NULL;

    begin();
    for (int i = 0; i < 4; i++)
        running = loop_offload(t.loop, held, told, &held_ones[i]);
    for (int i = 0; i < 4; i++)
        sem_wait(&t.taken);
    struct loop_job *j = loop_offload(t.loop, work, told, &o);
    loop_job_cancel(j);
    loop_job_cancel(running); /* too late: it ends by itself */
    for (int i = 0; i < 4; i++)
        sem_post(&t.gate);
    loop_run(t.loop);
    CHECK(o.told && !o.ran && !o.worked);
    for (int i = 0; i < 4; i++)
        CHECK(held_ones[i].told && held_ones[i].ran);
    loop_free(&t.loop);
}

static void *open_gate(void *unused)
{
    sem_wait(&t.taken);
    sem_post(&t.gate);
    return unused;
}

/* A loop that is freed while a thread still works waits for it. */
static void freed_while_working(void)
{
    struct one o = {0};
    pthread_t other;

    begin();
    CHECK(loop_offload(t.loop, held, told, &o) != NULL);
    CHECK_INT(pthread_create(&other, NULL, open_gate, NULL), 0);
    loop_free(&t.loop);
    CHECK(o.told && o.ran);
    pthread_join(other, NULL);
}

static const struct tap_case cases[] = {
    {"the threads are there before the first job", expected},
    {"a job runs on another thread, its end on the loop", runs_elsewhere},
    {"what no thread has is cancelled, what one has is not", cancelled},
    {"a loop waits for its last job", freed_while_working},
};
TAP_MAIN(cases)

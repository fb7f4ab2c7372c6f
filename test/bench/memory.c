/*
 * What a session costs in memory and what it takes to let it go, with the real parts and
 * without HTTP:
 *
 *   memory resident|hibernated|hibernate|over FOLDER AGENT [sessions=N] [turns=N] [bytes=N]
 *
 * Prints "name value" lines for test/bench/memory.py.
 */
#include "bench/weight.h"

static struct world world;

static void tell_parts(const char *when, const struct weight *p)
{
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {
        {"charged", p->used},
        {"data", p->data},
        {"data_text", p->text},
        {"data_lines", p->lines},
        {"data_state", p->state},
        {"data_id", p->id},
        {"overhead", p->used - p->data},
        {"overhead_struct", p->structs},
        {"overhead_messages", p->messages},
        {"overhead_spare_lines", p->spare_lines},
        {"overhead_chunks", p->chunks},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s_%s", when, rows[i].name);
        bench_tell(name, "%.1f", (double)rows[i].bytes / (double)p->sessions);
    }
}

/* Bytes that malloc has given out. */
static uint64_t given_out(void)
{
    struct mallinfo2 m = mallinfo2();

    return (uint64_t)m.uordblks + (uint64_t)m.hblkhd;
}

static uint64_t charged(void)
{
    struct session_stats st;

    session_stats(world.table, &st);
    return st.used;
}

static void resident(int argc, char **argv)
{
    uint64_t sessions = (uint64_t)bench_arg(argc, argv, "sessions", 20000);
    uint64_t turns = (uint64_t)bench_arg(argc, argv, "turns", 10), warm = 64;
    struct weight p;

    weight_talk(&world, sessions, sessions + warm,
                turns);                          /* what is made once is not a session's */
    weight_talk(&world, 0, sessions / 2, turns); /* nor are the store's caches, now full */
    uint64_t given = given_out(), used = charged();
    weight_talk(&world, sessions / 2, sessions, turns);
    given = given_out() - given;
    used = charged() - used;
    bench_tell("uncharged", "%.1f", 2 * ((double)given - (double)used) / (double)sessions);
    p = weight_look(&world, sessions);
    tell_parts("talked", &p);
    weight_rest(&world, 60);
    p = weight_look(&world, sessions);
    tell_parts("rested", &p);
    world_hibernate(&world, 300);
    p = weight_look(&world, sessions);
    tell_parts("woken", &p);
}

static uint64_t resident_bytes(void)
{
    unsigned long long total, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    (void)memory_trim();
    if (!f || fscanf(f, "%llu %llu", &total, &pages) != 2)
        bench_stop("/proc/self/statm", "cannot be read");
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What is left of sessions that are all asleep. */
static void hibernated(int argc, char **argv)
{
    uint64_t sessions = (uint64_t)bench_arg(argc, argv, "sessions", 100000);
    uint64_t turns = (uint64_t)bench_arg(argc, argv, "turns", 1), warm = 1000;
    uint64_t step = 20000; /* awake at a time, so that the machine need not hold them all */

    weight_talk(&world, sessions, sessions + warm, turns);
    world_hibernate(&world, 300);
    uint64_t before = resident_bytes(), most = before;
    for (uint64_t from = 0; from < sessions; from += step) {
        weight_talk(&world, from, from + step < sessions ? from + step : sessions, turns);
        uint64_t now = resident_bytes();
        most = now > most ? now : most;
        world_hibernate(&world, 300);
    }
    uint64_t after = resident_bytes();
    bench_tell("before", "%llu", (unsigned long long)before);
    bench_tell("awake", "%llu", (unsigned long long)most);
    bench_tell("after", "%llu", (unsigned long long)after);
    bench_tell("each", "%.2f", ((double)after - (double)before) / (double)sessions);
}

/* Sessions of a given size, made by hand: no evening grows that long. */

struct filler {
    struct session_wait wait;
    size_t bytes;
    bool done;
};

static void on_filled(void *ctx, const struct err *e)
{
    struct session *s = ctx;

    if (e)
        bench_stop("a commit failed", e->msg);
    session_leave(s);
    world.running--;
}

static void on_fill(struct session_wait *w, struct session *s, const struct err *e)
{
    static char text[1000];
    const struct filler *f = LIST_ITEM(w, struct filler, wait);
    struct err why;

    if (!s)
        bench_stop("a session was refused", e->msg);
    memset(text, 'x', sizeof(text));
    while (s->budget.used < f->bytes)
        if (!session_say(s, str_of("more"), (struct str){text, sizeof(text)}))
            bench_stop("a session", "is full too early");
    world.running++;
    if (session_commit(s, world.now_s, on_filled, s, &why) < 0)
        bench_stop("a commit was refused", why.msg);
}

static void hibernate(int argc, char **argv)
{
    uint64_t sessions = (uint64_t)bench_arg(argc, argv, "sessions", 4000);
    size_t bytes = (size_t)bench_arg(argc, argv, "bytes", 64 * 1024);
    struct session_stats st;
    uint64_t worst = 0, sum = 0, ticks = 0;

    for (uint64_t i = 0; i < sessions; i++) {
        struct filler f = {.wait.ready = on_fill, .bytes = bytes};
        session_open(world.table, weight_id(i), SESSION_CREATE, world.now_s, &f.wait);
        if (world.running >= WORLD_SLOTS)
            world_wait(&world);
    }
    world_wait(&world);
    session_stats(world.table, &st);
    uint64_t used = st.used;
    world.now_s += 301;
    while (st.resident) {
        uint64_t began = world_ns();
        session_tick(world.table, world.now_s);
        uint64_t took = world_ns() - began;
        session_stats(world.table, &st);
        worst = took > worst ? took : worst;
        sum += took;
        ticks++;
    }
    bench_tell("session_bytes", "%.0f", (double)used / (double)sessions);
    bench_tell("ms_per_64_kib", "%.6f", (double)sum / 1e6 / ((double)used / 65536));
    bench_tell("worst_tick_ms", "%.3f", (double)worst / 1e6);
    bench_tell("per_tick", "%.1f", (double)sessions / (double)ticks);
}

/* One session gets what does not fit, in every size around its budget. */
static void over(int argc, char **argv)
{
    uint64_t times = (uint64_t)bench_arg(argc, argv, "times", 2000);
    size_t budget = (size_t)bench_arg(argc, argv, "bytes", 64 * 1024);
    struct glutton g = {0};

    for (uint64_t i = 0; i < times; i++)
        glutton_say(&world, &g, 1 + (size_t)(i * 7919 % (2 * budget)));
    if (!g.done) /* all were refused: there is nothing of it in the store */
        bench_stop("over", "no message was short enough");
    struct budget b = glutton_budget(&world);
    bench_tell("answered", "%u", g.done);
    bench_tell("refused", "%u", g.refused);
    bench_tell("budget", "%zu", b.limit);
    bench_tell("peak", "%zu", b.peak);
    bench_tell("overshoot", "%zu", b.peak > b.limit ? b.peak - b.limit : 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(int argc, char **argv);
    } parts[] = {{"resident", resident},
                 {"hibernated", hibernated},
                 {"hibernate", hibernate},
                 {"over", over}};

    if (argc < 4)
        bench_stop("usage", "memory resident|hibernated|hibernate|over FOLDER AGENT [name=N]");
    const struct world_cfg cfg = {
        .budget = strcmp(argv[1], "over") == 0
                      ? (size_t)bench_arg(argc, argv, "bytes", 64 * 1024)
                      : (size_t)1 << 20,
        .max_resident = 10000000,
        .hibernate_s = 300,
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (strcmp(argv[1], parts[i].name) != 0)
            continue;
        world_open(&world, &cfg, argv[2], argv[3]);
        parts[i].run(argc, argv);
        world_close(&world);
        return 0;
    }
    bench_stop("no such part", argv[1]);
}

/*
 * Searches in made-up documents, for knowledge.py:
 *
 *   knowledge all FOLDER [bytes=N] [searches=N]
 *
 * Words are as common as in a language: the nth is used 1/n as often as the first (Zipf). Each
 * question is three words of them; "worst" is sixteen of the commonest at once.
 */
#include "bench/args.h"

#include "knowledge/knowledge.h"
#include "memory/memory.h"

#include <math.h>
#include <sys/stat.h>
#include <time.h>

#define WORDS 20000

static uint64_t rng = 42;

static double uniform(void)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (double)(rng >> 11) / 9007199254740992.0;
}

/* The nth word: letters from its number, so that none is another's stem. */
static const char *word(int n)
{
    static char text[12];
    size_t len = 0;

    for (n += 26; n > 0 || len < 3; n /= 26)
        text[len++] = (char)('a' + n % 26);
    text[len++] = 'x';
    text[len] = '\0';
    return text;
}

static int some_word(void)
{
    return (int)pow(WORDS, uniform()) - 1; /* about as Zipf says */
}

static void write_documents(const char *folder, int64_t bytes)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/knowledge", folder);
    if (mkdir(path, 0700) < 0)
        bench_stop("mkdir", path);
    for (int i = 0; bytes > 0; i++) {
        snprintf(path, sizeof(path), "%s/knowledge/%05d.md", folder, i);
        FILE *f = fopen(path, "w");
        if (!f)
            bench_stop("open", path);
        int n = fprintf(f, "# Document %d\n", i);
        for (int paragraph = 0; paragraph < 16 && n < bytes; paragraph++) {
            n += fprintf(f, "\n## %s", word(some_word()));
            n += fprintf(f, " %s\n\n", word(some_word()));
            for (int k = 0; k < 70; k++)
                n += fprintf(f, "%s%s", word(some_word()), k % 12 == 11 ? ". " : " ");
            n += fprintf(f, "\n");
        }
        fclose(f);
        bytes -= n;
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Microseconds of one search. */
static double search(struct knowledge *k, const char *text, uint64_t *found)
{
    const struct knowledge_question q = {.text = str_of(text)};
    const struct knowledge_passage *p;
    struct budget budget;
    struct region mem;
    size_t n;

    budget_init(&budget, 0, NULL);
    region_init(&mem, &budget, 4096);
    uint64_t began = now_ns();
    enum knowledge_outcome o = knowledge_search(k, &q, 2048, &mem, &p, &n);
    double us = (double)(now_ns() - began) / 1000;
    if (o == KNOWLEDGE_FAILED)
        bench_stop("search", "failed");
    *found += o == KNOWLEDGE_FOUND;
    region_release(&mem);
    return us;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void tell(const char *name, double *us, size_t n)
{
    char what[40];

    qsort(us, n, sizeof(*us), by_size);
    snprintf(what, sizeof(what), "%s_p50", name);
    bench_tell(what, "%.1f", us[n / 2]);
    snprintf(what, sizeof(what), "%s_p99", name);
    bench_tell(what, "%.1f", us[n * 99 / 100]);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        bench_stop("usage", "knowledge all FOLDER [bytes=N] [searches=N]");
    int64_t bytes = bench_arg(argc, argv, "bytes", 1 << 20);
    size_t searches = (size_t)bench_arg(argc, argv, "searches", 2000);
    double *us = calloc(searches ? searches : 1, sizeof(*us));
    struct knowledge *k = NULL;
    struct knowledge_stats stats;
    uint64_t found = 0;
    char text[400];
    struct err e;

    if (!us || !searches)
        bench_stop("searches", "at least one");
    write_documents(argv[2], bytes);
    uint64_t began = now_ns();
    if (knowledge_load(argv[2], true, &k, &e) < 0 || knowledge_problem(k))
        bench_stop("load", k ? knowledge_problem(k) : e.msg);
    bench_tell("load_ms", "%.1f", (double)(now_ns() - began) / 1e6);
    knowledge_stats(k, &stats);
    bench_tell("passages", "%zu", stats.passages);
    bench_tell("bytes", "%llu", (unsigned long long)stats.bytes);
    for (size_t i = 0; i < searches; i++) {
        size_t len = 0;
        for (int w = 0; w < 3; w++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", word(some_word()));
        us[i] = search(k, text, &found);
    }
    bench_tell("found", "%llu", (unsigned long long)found);
    tell("search", us, searches);
    size_t len = 0;
    for (int w = 0; w < 16; w++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", word(w));
    size_t few = searches < 200 ? searches : 200;
    for (size_t i = 0; i < few; i++)
        us[i] = search(k, text, &found);
    tell("worst", us, few);
    knowledge_free(&k);
    free(us);
    return 0;
}

/*
 * A small HTTP server that is not Maya, to be deployed by tests. Linked statically, so that it
 * is an image by itself. What it is to be stands in its environment: VERSION is what it
 * answers; DIE: it says so and ends at once; END: the same, as if all were well; UNREADY:
 * /readyz says 503; ERRORS: so many of 100 answers are 500; SLOW_MS: an answer takes so long,
 * and one of /slow/MS so long; LEAK_KB: each answer leaves so much memory behind; METRICS: what
 * /metrics says; METRICS_GROW: a counter there that grows each time; METRICS_MEMORY: it says
 * there what memory it has, as Maya does. On SIGTERM it finishes and ends.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static atomic_int asked, busy;
static volatile sig_atomic_t ending;

static void on_term(int signum)
{
    (void)signum;
    ending = 1;
}

static long number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : 0;
}

static void wait_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void leak(long kb)
{
    static char *volatile lost; /* or the compiler would leave it out */

    lost = kb ? malloc((size_t)kb << 10) : NULL;
    if (lost)
        memset(lost, 1, (size_t)kb << 10);
}

/* As the kernel counts it: the second number, in pages. */
static long resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!f || fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int answer(const char *path, const char **ret_body)
{
    const char *version = getenv("VERSION"), *metrics = getenv("METRICS");

    *ret_body = version ? version : "?";
    if (strcmp(path, "/readyz") == 0)
        return getenv("UNREADY") || ending ? 503 : 200;
    if (strcmp(path, "/metrics") == 0) {
        static _Thread_local char page[256];
        static atomic_int times;
        const char *grow = getenv("METRICS_GROW");
        if (getenv("METRICS_MEMORY"))
            snprintf(page, sizeof(page), "maya_process_memory_bytes{part=\"all\"} %ld\n",
                     resident());
        else
            snprintf(page, sizeof(page), "%s %d\n", grow ? grow : "",
                     atomic_fetch_add(&times, 1));
        *ret_body = grow || getenv("METRICS_MEMORY") ? page : metrics ? metrics : "";
        return 200;
    }
    leak(number("LEAK_KB"));
    wait_ms(strncmp(path, "/slow/", 6) == 0 ? strtol(path + 6, NULL, 10) : number("SLOW_MS"));
    return atomic_fetch_add(&asked, 1) % 100 < number("ERRORS") ? 500 : 200;
}

static void *talk(void *arg)
{
    int fd = (int)(long)arg;
    char in[65536], out[65536], path[256];
    size_t have = 0;

    for (;;) {
        ssize_t n = read(fd, in + have, sizeof(in) - 1 - have);
        if (n <= 0)
            break;
        have += (size_t)n;
        in[have] = '\0';
        if (!strstr(in, "\r\n\r\n"))
            continue;
        have = 0; /* no bodies, nobody pipelines */
        if (sscanf(in, "%*15s %255s", path) != 1)
            break;
        const char *body;
        busy++;
        int status = answer(path, &body);
        int len =
            snprintf(out, sizeof(out),
                     "HTTP/1.1 %d X\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "%s\r\n%s",
                     status, strlen(body), ending ? "Connection: close\r\n" : "", body);
        ssize_t sent = write(fd, out, (size_t)len);
        busy--;
        if (sent != len || ending)
            break;
    }
    close(fd);
    return NULL;
}

static void *look_for_the_end(void *listener)
{
    while (!ending)
        wait_ms(20);
    close((int)(long)listener);
    while (busy)
        wait_ms(20);
    exit(0);
}

int main(void)
{
    long port = number("PORT");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    if (getenv("DIE")) {
        fprintf(stderr, "%s\n", getenv("DIE"));
        return 3;
    }
    if (getenv("END")) {
        fprintf(stderr, "%s\n", getenv("END"));
        return 0;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(fd, 128) < 0)
        return 4;
    pthread_create(&thread, NULL, look_for_the_end, (void *)(long)fd);
    for (;;) {
        long c = accept(fd, NULL, NULL);
        if (c < 0) {
            wait_ms(20);
            continue;
        }
        pthread_create(&thread, NULL, talk, (void *)c);
        pthread_detach(thread);
    }
}

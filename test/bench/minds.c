/*
 * A provider that streams at a steady pace, and guests that read streams, for minds.py:
 *
 *     minds provider DELAY_US TOKENS INTERVAL_US     prints "port N", serves until killed
 *     minds guests PORT direct|maya COUNT TURNS PREFIX
 *
 * Every token is the provider's clock at its sending ("t123456789 "), so that the guest knows
 * how long it was under way. A guest prints "name value" lines, times in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PEERS 8192
#define ROOM 65536
#define SAMPLES (1 << 22)
#define APART_US 2000

struct peer {
    int fd;
    char *in;
    size_t len;
    /* a provider's */
    int left; /* tokens to send */
    int64_t due;
    /* a guest's */
    int turns, turn, id;
    int64_t asked, first, last;
    bool ended;
};

static struct peer *peers[PEERS];
static int epoll_fd;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct peer *peer_new(int fd)
{
    struct peer *p = calloc(1, sizeof(*p));
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
    int on = 1;

    if (!p || !(p->in = malloc(ROOM)) || fd >= PEERS)
        die("peer");
    p->fd = fd;
    peers[fd] = p;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        die("epoll_ctl");
    return p;
}

static void peer_free(struct peer *p)
{
    peers[p->fd] = NULL;
    close(p->fd);
    free(p->in);
    free(p);
}

/* False: the other side is gone. */
static bool fill(struct peer *p)
{
    ssize_t n = recv(p->fd, p->in + p->len, ROOM - 1 - p->len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    p->len += (size_t)n;
    p->in[p->len] = '\0';
    return true;
}

static void drop(struct peer *p, size_t n)
{
    p->len -= n;
    memmove(p->in, p->in + n, p->len + 1);
}

static void write_all(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t did = send(fd, text, n, MSG_NOSIGNAL);
        if (did < 0 && errno != EAGAIN && errno != EINTR)
            return; /* its reading side tells that it is gone */
        if (did > 0) {
            text += did;
            n -= (size_t)did;
        }
    }
}

/* The provider. */

static int delay_us, tokens, interval_us;

static void send_chunk(int fd, const char *data, const char *end)
{
    char out[512];
    int n = snprintf(out, sizeof(out), "%zx\r\n%s\r\n%s", strlen(data), data, end);

    write_all(fd, out, (size_t)n);
}

static void send_token(struct peer *p)
{
    char data[400];

    snprintf(
        data, sizeof(data),
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":"
        "\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"t%lld%s \"},"
        "\"finish_reason\":null}]}\n\n",
        (long long)now_us(), p->left % 12 ? "" : "." /* as people speak, in sentences */);
    send_chunk(p->fd, data, "");
    p->due += interval_us;
    if (--p->left == 0)
        send_chunk(p->fd,
                   "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"
                   "\n\ndata: [DONE]\n\n",
                   "0\r\n\r\n");
}

static void hear_request(struct peer *p)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    char *end = strstr(p->in, "\r\n\r\n");
    char *length = end ? strcasestr(p->in, "content-length:") : NULL;
    size_t need = length ? (size_t)(end + 4 - p->in) + strtoul(length + 15, NULL, 10) : 0;

    if (!need || p->len < need)
        return;
    drop(p, need);
    write_all(p->fd, head, sizeof(head) - 1);
    p->left = tokens;
    p->due = now_us() + delay_us;
}

static void serve(int listener)
{
    for (;;) {
        struct epoll_event evs[256];
        int n = epoll_wait(epoll_fd, evs, 256, 1);
        for (int i = 0; i < n; i++) {
            struct peer *p = evs[i].data.ptr;
            if (p->fd == listener) {
                int fd;
                while ((fd = accept(listener, NULL, NULL)) >= 0)
                    peer_new(fd);
            } else if (!fill(p)) {
                peer_free(p);
            } else {
                hear_request(p);
            }
        }
        int64_t now = now_us();
        for (int fd = 0; fd < PEERS; fd++)
            while (peers[fd] && peers[fd]->left && peers[fd]->due <= now)
                send_token(peers[fd]);
    }
}

static void provide(char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    delay_us = atoi(argv[2]);
    tokens = atoi(argv[3]);
    interval_us = atoi(argv[4]);
    if (bind(listener, (struct sockaddr *)&at, len) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) < 0)
        die("listen");
    peer_new(listener);
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    serve(listener);
}

/* The guests. */

static int port;
static bool maya;
static const char *prefix;
static double *first_word, *under_way, *duration;
static size_t first_words, under_ways, durations, failed;

static void ask(struct peer *p)
{
    static char filler[7200]; /* a direct client sends as much as Maya does */
    char out[9000], body[8000];

    if (!filler[0])
        memset(filler, 'x', sizeof(filler) - 1);
    if (maya)
        snprintf(body, sizeof(body), "{\"message\":\"good evening\"}");
    else
        snprintf(body, sizeof(body), "{\"model\":\"m\",\"x\":\"%s\"}", filler);
    int n = snprintf(out, sizeof(out),
                     "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     "X-Session-ID: %s-%d\r\nContent-Length: %zu\r\n\r\n%s",
                     maya ? "/api/v1/chat/stream" : "/v1/chat/completions", prefix, p->id,
                     strlen(body), body);
    p->asked = now_us();
    p->first = p->last = 0;
    p->ended = false;
    write_all(p->fd, out, (size_t)n);
}

static void hear_token(struct peer *p, int64_t sent)
{
    int64_t now = now_us();

    if (!p->first) {
        p->first = now;
        first_word[first_words++] = (double)(now - p->asked);
    }
    p->last = now;
    if (under_ways < SAMPLES)
        under_way[under_ways++] = (double)(now - sent);
}

/* One line of an event stream. */
static void hear_line(struct peer *p, const char *line)
{
    const char *words =
        strstr(line, maya ? "\"text_chunk\", \"content\": \"" : "\"content\":\"");

    if (words) {
        const char *end = strchr(words + (maya ? 26 : 11), '"');
        for (const char *t = strchr(words + (maya ? 25 : 10), 't'); t && t < end;
             t = strchr(t + 1, 't'))
            hear_token(p, strtoll(t + 1, NULL, 10));
    }
    if (strstr(line, maya ? "\"type\": \"complete\"" : "[DONE]"))
        p->ended = true;
    if (maya && strstr(line, "\"type\": \"error\""))
        failed++;
    if (maya && p->ended && !strstr(line, "\"mind\":\"openai\"") && strstr(line, "complete"))
        failed++;
}

static void hear(struct peer *p)
{
    char *from = p->in, *end;

    while ((end = strchr(from, '\n'))) {
        *end = '\0';
        hear_line(p, from);
        bool over = p->ended && strcmp(from, "0\r") == 0;
        from = end + 1;
        if (!over)
            continue;
        duration[durations++] = (double)(p->last - p->first);
        p->ended = false;
        if (++p->turn < p->turns)
            ask(p);
    }
    drop(p, (size_t)(from - p->in));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void tell(const char *name, double *v, size_t n)
{
    qsort(v, n, sizeof(*v), ascending);
    printf("%s_p50 %.0f\n%s_p99 %.0f\n%s_max %.0f\n", name, n ? v[n / 2] : 0, name,
           n ? v[n * 99 / 100] : 0, name, n ? v[n - 1] : 0);
}

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        die("connect");
    return fd;
}

static void come_in(int id, int turns)
{
    struct peer *p = peer_new(dial());

    p->turns = turns;
    p->id = id;
    ask(p);
}

static void hear_all(int wait_ms)
{
    struct epoll_event evs[256];
    int n = epoll_wait(epoll_fd, evs, 256, wait_ms);

    if (n == 0 && wait_ms > 1000)
        exit(3);
    for (int i = 0; i < n; i++) {
        struct peer *p = evs[i].data.ptr;
        if (fill(p)) {
            hear(p);
        } else {
            failed += (size_t)(p->turns - p->turn);
            peer_free(p);
        }
    }
}

static void visit(char **argv)
{
    int count = atoi(argv[4]), turns = atoi(argv[5]), come = 0;

    port = atoi(argv[2]);
    maya = strcmp(argv[3], "maya") == 0;
    prefix = argv[6];
    first_word = calloc(SAMPLES, sizeof(double));
    under_way = calloc(SAMPLES, sizeof(double));
    duration = calloc(SAMPLES, sizeof(double));
    if (!first_word || !under_way || !duration)
        die("calloc");
    /* They do not all come through the door in the same instant. */
    for (int64_t begun = now_us();
         come < count || durations + failed < (size_t)(count * turns);) {
        if (come < count && now_us() - begun >= come * APART_US)
            come_in(come++, turns);
        hear_all(come < count ? 1 : 60000);
    }
    tell("first_word", first_word, first_words);
    tell("under_way", under_way, under_ways);
    tell("duration", duration, durations);
    printf("tokens %zu\nturns %zu\nfailed %zu\n", under_ways, durations, failed);
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(0);
    if (argc == 5 && strcmp(argv[1], "provider") == 0)
        provide(argv);
    else if (argc == 7 && strcmp(argv[1], "guests") == 0)
        visit(argv);
    else
        return 2;
    return 0;
}

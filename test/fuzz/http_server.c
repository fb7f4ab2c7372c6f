/*
 * Fuzz target: the whole server in this process. The input is a script of what clients and
 * the owner of the requests do, in any order: send, read, leave, answer, stream, end, turn the
 * loop. Asked of it: no fault, and that nothing is left when all clients have gone.
 */
#include "base/buf.h"
#include "base/must.h"
#include "net/net_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 3
#define HELD 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct {
    struct loop *loop;
    struct http_server *server;
    struct sockaddr_un address;
    char folder[32];
    int clients[CLIENTS];
    struct http_req *held[HELD]; /* with their owner, not answered yet */
    bool streaming[HELD];
} f;

static char lump[40000];

static void on_gone(void *ctx, struct http_req *r)
{
    (void)ctx;
    for (int i = 0; i < HELD; i++) {
        if (f.held[i] == r) {
            f.held[i] = NULL;
            return;
        }
    }
    MUST(!"somebody is gone who was not here");
}

/* Half of the requests are answered at once, by what their path is. */
static void on_request(void *ctx, struct http_req *r)
{
    struct str path = http_req_path(r), body = http_req_body(r);
    size_t kind = path.len > 1 ? (unsigned char)path.data[1] % 6 : 0;

    (void)ctx;
    MUST(path.len > 0 && path.data[path.len] == '\0' && body.data[body.len] == '\0');
    http_req_header(r, "x-test");
    if (kind == 1)
        http_header(r, "X-Echo", "%.*s", STR_FMT(path));
    if (kind == 2) {
        http_answer_file(r, "text/plain", "\"v1\"", lump, sizeof(lump));
        return;
    }
    for (int i = 0; kind < 2 && i < HELD; i++) {
        if (!f.held[i]) {
            f.held[i] = r;
            f.streaming[i] = false;
            http_req_on_gone(r, on_gone);
            return;
        }
    }
    http_answer(r, kind == 3 ? 204 : 200, "text/plain", body.data, body.len);
}

static void remove_folder(void)
{
    unlink(f.address.sun_path);
    rmdir(f.folder);
}

static void start(void)
{
    static char host[64];
    struct http_cfg cfg = {.host = host,
                           .inherited_fd = -1,
                           .max_head = 1024,
                           .max_body = 4096,
                           .max_bodies = 6000,
                           .max_conns = 2,
                           .max_queued = 100000,
                           .head_ms = 60000,
                           .idle_ms = 60000,
                           .body_ms = 60000,
                           .write_ms = 60000,
                           .on_request = on_request};
    struct err e;

    str_copy(f.folder, sizeof(f.folder), "/tmp/fuzz-XXXXXX");
    MUST(mkdtemp(f.folder));
    f.address.sun_family = AF_UNIX;
    snprintf(f.address.sun_path, sizeof(f.address.sun_path), "%s/s", f.folder);
    snprintf(host, sizeof(host), "unix:%s/s", f.folder);
    MUST(loop_new(&f.loop, &e) == 0 && http_server_new(f.loop, &cfg, &f.server, &e) == 0);
    atexit(remove_folder);
    for (int i = 0; i < CLIENTS; i++)
        f.clients[i] = -1;
}

static void turn(void)
{
    uv_run(&f.loop->uv, UV_RUN_NOWAIT);
}

static void leave(int i)
{
    if (f.clients[i] >= 0)
        close(f.clients[i]);
    f.clients[i] = -1;
}

static void come(int i)
{
    int small = 2048;

    leave(i);
    f.clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    MUST(f.clients[i] >= 0);
    setsockopt(f.clients[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (connect(f.clients[i], (struct sockaddr *)&f.address, sizeof(f.address)) < 0)
        leave(i);
}

static void say(int i, const uint8_t *data, size_t len)
{
    if (f.clients[i] < 0)
        come(i);
    if (f.clients[i] >= 0 && send(f.clients[i], data, len, MSG_NOSIGNAL) < 0)
        MUST(errno == EPIPE || errno == EAGAIN || errno == ECONNRESET);
}

static void hear(int i)
{
    static char heard[65536];

    if (f.clients[i] >= 0 && recv(f.clients[i], heard, sizeof(heard), 0) < 0)
        MUST(errno == EAGAIN || errno == ECONNRESET);
}

/* The owner does something with the i-th request it holds. */
static void own(size_t i, unsigned what)
{
    struct http_req *r = f.held[i];

    if (!r)
        return;
    if (!f.streaming[i]) {
        if (what % 2) {
            f.streaming[i] = true;
            http_stream_begin(r, 200, "text/event-stream");
        } else {
            f.held[i] = NULL;
            http_answer(r, 200, "text/plain", lump, what % 4 ? sizeof(lump) : 10);
        }
        return;
    }
    switch (what % 4) {
    case 0:
        f.held[i] = NULL;
        http_stream_end(r);
        return;
    case 1:
        http_stream_write(r, lump, sizeof(lump));
        return;
    default:
        http_stream_write(r, lump, what);
    }
}

static void finish(void)
{
    struct http_stats st;

    for (int i = 0; i < CLIENTS; i++)
        leave(i);
    for (int turns = 0; turns < 1000; turns++) {
        turn();
        http_conn__sweep(f.server); /* as its timer would, in time */
        http_server_stats(f.server, &st);
        if (f.server->all_conns == 0)
            break;
    }
    MUST(f.server->all_conns == 0 && st.conns == 0 && st.busy == 0 && st.streams == 0);
    MUST(f.server->bodies == 0 && list_empty(&f.server->stalled));
    for (size_t i = 0; i < HELD; i++)
        MUST(!f.held[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t at = 0;

    if (!f.loop)
        start();
    while (at + 1 < len) {
        unsigned op = data[at] >> 4, more = data[at + 1];
        int who = (data[at] & 15) % CLIENTS;
        at += 2;
        switch (op % 8) {
        case 0:
        case 1:
        case 2: { /* send the next bytes of the input */
            size_t n = len - at < more ? len - at : more;
            say(who, data + at, n);
            at += n;
            break;
        }
        case 3:
            turn();
            break;
        case 4:
            own((data[at - 2] & 15) % HELD, more);
            break;
        case 5:
            hear(who);
            break;
        case 6:
            if (f.clients[who] >= 0)
                shutdown(f.clients[who], SHUT_WR);
            break;
        case 7:
            leave(who);
            break;
        }
    }
    finish();
    return 0;
}

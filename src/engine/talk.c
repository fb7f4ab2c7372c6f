/*
 * Bytes both ways: what the engine calls hijacking. After the answer's head the connection is
 * no HTTP any more (docs of "Attach to a container", API 1.41).
 */
#include "engine/engine_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)32 * 1024)
#define HEAD_MAX ((size_t)64 * 1024)
#define WAKE_MS 100

struct talk {
    struct engine *en;
    CURL *easy;
    curl_socket_t fd;
    struct engine_talk *with;
    struct buf out; /* to be sent */
    bool in_ended, shut, over;
};

static bool stopped(const struct talk *t)
{
    return engine__stopped(t->en);
}

/* Wait for the socket, or for the input as well. False: stopped. */
static bool wait_for(struct talk *t, bool in)
{
    struct pollfd p[2] = {{.fd = t->fd, .events = POLLIN},
                          {.fd = in ? t->with->in_fd : -1, .events = POLLIN}};

    if (t->out.len)
        p[0].events |= POLLOUT;
    poll(p, 2, WAKE_MS);
    if (t->with->on_look)
        t->with->on_look(t->with->ctx);
    return !stopped(t);
}

static int broke(const struct talk *t, CURLcode why, struct err *e)
{
    return err_set(e, ERR_IO, 0, "the connection to %s broke off (%s)", engine_shown(t->en),
                   curl_lib.easy_strerror(why));
}

/* Send what there is, as far as it goes now. */
static int send_some(struct talk *t, struct err *e)
{
    while (t->out.len) {
        size_t n = 0;
        CURLcode rc = curl_lib.easy_send(t->easy, t->out.data, t->out.len, &n);
        if (rc == CURLE_AGAIN)
            return 0;
        if (rc != CURLE_OK)
            return broke(t, rc, e);
        buf_consume(&t->out, n);
    }
    return 0;
}

/* What has come, at most `size`; 0 when there is nothing now. Sets over at the end. */
static int receive(struct talk *t, char *to, size_t size, size_t *ret, struct err *e)
{
    CURLcode rc = curl_lib.easy_recv(t->easy, to, size, ret);

    if (rc == CURLE_AGAIN) {
        *ret = 0;
        return 0;
    }
    if (rc != CURLE_OK)
        return broke(t, rc, e);
    t->over = *ret == 0;
    return 0;
}

static void write_request(struct talk *t, const char *path, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);

    MUST(text);
    buf_printf(&t->out,
               "POST /v%s%s HTTP/1.1\r\nHost: docker\r\nUser-Agent: maya/" MAYA_VERSION "\r\n"
               "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               t->en->api, path, strlen(text), text);
    free(text);
}

static int judge_head(struct talk *t, const char *head, const char *rest, struct err *e)
{
    int status = 0;
    json_error_t ignored;

    if (sscanf(head, "HTTP/1.%*d %d", &status) != 1)
        return err_set(e, ERR_IO, 0, "%s answers, but not as a Docker Engine does",
                       engine_shown(t->en));
    if (status == 101 || status == 200)
        return 0;
    json_t *root = json_loads(rest, 0, &ignored);
    const char *words = json_string_value(json_object_get(root, "message"));
    err_set(e, status == 404 ? ERR_NOT_FOUND : ERR_IO, 0, "%.200s",
            words ? words : "the engine refuses");
    json_decref(root);
    return -1;
}

/* The answer's head; what came behind it is the first of the bytes. */
static int read_head(struct talk *t, struct err *e)
{
    struct buf head = BUF_INIT;
    char piece[4096], *end = NULL;
    int rc = 0;

    while (rc == 0 && !end && !t->over && head.len < HEAD_MAX) {
        size_t n = 0;
        if (!wait_for(t, false))
            rc = err_set(e, ERR_STOPPED, 0, "stopped");
        else if (send_some(t, e) < 0 || receive(t, piece, sizeof(piece), &n, e) < 0)
            rc = -1;
        buf_add(&head, piece, n);
        end = head.len ? strstr(head.data, "\r\n\r\n") : NULL;
    }
    if (rc == 0 && !end)
        rc = err_set(e, ERR_IO, 0, "the engine at %s answers nothing", engine_shown(t->en));
    if (rc == 0)
        rc = judge_head(t, head.data, end + 4, e);
    if (rc == 0 && end + 4 < head.data + head.len)
        t->with->on_bytes(t->with->ctx, end + 4, (size_t)(head.data + head.len - (end + 4)));
    buf_release(&head);
    return rc;
}

static void read_input(struct talk *t)
{
    struct pollfd p = {.fd = t->with->in_fd, .events = POLLIN};
    ssize_t n;

    if (t->in_ended || t->out.len >= PIECE || poll(&p, 1, 0) <= 0)
        return;
    char *to = buf_reserve(&t->out, PIECE);
    n = read(t->with->in_fd, to, PIECE);
    if (n > 0)
        t->out.len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        t->in_ended = true;
}

static int relay(struct talk *t, struct err *e)
{
    char *piece = xalloc(PIECE);
    int rc = 0;

    while (rc == 0 && !t->over) {
        size_t n = 0;
        bool in = !t->in_ended && t->out.len < PIECE;
        if (!wait_for(t, in)) {
            rc = err_set(e, ERR_STOPPED, 0, "stopped");
            break;
        }
        read_input(t);
        rc = send_some(t, e);
        if (rc == 0 && t->in_ended && !t->out.len && !t->shut) {
            t->shut = true; /* the other side sees the end of its input */
            shutdown(t->fd, SHUT_WR);
        }
        do {
            if (rc == 0 && (rc = receive(t, piece, PIECE, &n, e)) == 0 && n)
                t->with->on_bytes(t->with->ctx, piece, n);
        } while (rc == 0 && n && !t->over);
    }
    free(piece);
    return rc;
}

int engine_talk(struct engine *en, const char *path, const json_t *body,
                struct engine_talk *with, struct err *e)
{
    struct talk t = {.en = en, .with = with};
    int rc = -1;

    t.in_ended = with->in_fd < 0;
    t.easy = curl_lib.easy_init();
    if (!t.easy)
        return err_set(e, ERR_NOMEM, 0, "libcurl cannot start");
    CURLcode why = engine__connect(en, t.easy);
    if (why != CURLE_OK) {
        rc = broke(&t, why, e);
    } else {
        curl_lib.easy_getinfo(t.easy, CURLINFO_ACTIVESOCKET, &t.fd);
        write_request(&t, path, body);
        rc = read_head(&t, e);
        if (rc == 0)
            rc = relay(&t, e);
    }
    curl_lib.easy_cleanup(t.easy);
    buf_release(&t.out);
    return rc;
}

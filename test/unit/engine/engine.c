/* The engine's client against a server of our own that says what Docker Engine says. */
#include "engine/engine.c"
#include "unit/tap.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], address[128];
static pid_t server;

/* The other side: one answer a connection, chosen by the path. */

static const struct {
    const char *path, *answer; /* without the status line's "HTTP/1.1 " */
} answers[] = {
    {"/version", "200 OK\r\n\r\n{\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.12\"}"},
    {"/v1.47/gone", "404 Not Found\r\n\r\n{\"message\":\"no such thing: x\"} "},
    {"/v1.47/used", "409 Conflict\r\n\r\n{\"message\":\"in use\"}\r\n"},
    {"/v1.47/mute", "500 Oops\r\n\r\nhm.\n"},
    {"/v1.47/same", "304 Not Modified\r\n\r\n"},
    {"/v1.47/none", "204 No Content\r\n\r\n"},
    {"/v1.47/text", "200 OK\r\n\r\n{x"},
    {"/v1.47/cut", "200 OK\r\nContent-Length: 20\r\n\r\n{\"a\":"},
    {"/v1.47/build", "200 OK\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n9\r\n{\"stream\"\r\n1b\r\n:\"one\"}\n{\"stream\":\"two\"}"
                     "\n\n{\r\n14\r\n\"aux\":{\"ID\":\"sha\"}}\n\r\n0\r\n\r\n"},
    {"/v1.47/broken",
     "200 OK\r\n\r\n{\"stream\":\"one\"}\n{\"errorDetail\":{\"message\":\"exit "
     "1:\\n  * two\\n\"},\"error\":\"exit 1\"}\n"},
    {"/v1.47/full", "500 Oops\r\n\r\n{\"message\":\"write /x: no space left on device\"}"},
    {"/v1.47/load", "200 OK\r\n\r\n{\"errorDetail\":{\"message\":\"Error processing tar "
                    "file(exit status 1): write /y: no space left on device\"}}\n"},
    {"/v1.47/things?filters=%7B%22label%22%3A%5B%22a%22%5D%7D", "200 OK\r\n\r\n[1]"},
    {"/v1.47/things?all=1&filters=%7B%22label%22%3A%5B%22a%22%5D%7D", "200 OK\r\n\r\n[1,2]"},
    {"/v1.47/stat", "200 OK\r\nX-Docker-Container-Path-Stat:  eyJ9 \r\n\r\n"},
};

static void answer(int fd)
{
    char head[4096] = "", method[16], path[256];
    size_t n = 0;
    ssize_t got;

    while (!strstr(head, "\r\n\r\n") && n < sizeof(head) - 1 &&
           (got = read(fd, head + n, sizeof(head) - 1 - n)) > 0) {
        n += (size_t)got;
        head[n] = '\0';
    }
    if (sscanf(head, "%15s %255s", method, path) != 2)
        return;
    if (strcmp(path, "/v1.47/echo") == 0) { /* the body, whole, comes back */
        while (!strstr(head, "\r\n0\r\n\r\n") &&
               (got = read(fd, head + n, sizeof(head) - 1 - n)) > 0) {
            n += (size_t)got;
            head[n] = '\0';
        }
        const char *body = strstr(head, "\r\n\r\n") + 4;
        dprintf(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s", body);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (strcmp(answers[i].path, path) == 0)
            dprintf(fd, "HTTP/1.1 %s", answers[i].answer);
}

static void serve(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(folder, sizeof(folder), "/tmp/maya-engine-XXXXXX");
    MUST(mkdtemp(folder));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", folder);
    snprintf(address, sizeof(address), "unix://%s", a.sun_path);
    MUST(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s, 16) == 0);
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int fd = accept(s, NULL, NULL);
            answer(fd);
            close(fd);
        }
    }
    close(s);
}

static struct engine *open_one(void)
{
    struct engine_cfg cfg = {.host = address};
    struct engine *en = NULL;
    struct err e = {0};

    if (engine_open(&cfg, &en, &e) < 0)
        printf("# %s\n", e.msg);
    MUST(en);
    return en;
}

static enum err_code code_of(struct engine *en, const char *path, struct err *e)
{
    json_t *got = NULL;

    *e = (struct err){0};
    int rc = engine_json(en, "GET", NULL, &got, e, "%s", path);
    json_decref(got);
    CHECK((rc < 0) == (e->code != ERR_NONE));
    return e->code;
}

static void refusals_have_their_words(void)
{
    struct engine *en = open_one();
    struct err e;

    CHECK_STR(en->api, "1.47");
    CHECK(!engine_is_podman(en));
    CHECK_INT(code_of(en, "/gone", &e), ERR_NOT_FOUND);
    CHECK_STR(e.msg, "no such thing: x");
    CHECK_INT(code_of(en, "/used", &e), ERR_USED);
    CHECK_INT(code_of(en, "/mute", &e), ERR_IO);
    CHECK(strstr(e.msg, "answers 500 to GET /mute"));
    CHECK_INT(code_of(en, "/same", &e), ERR_NONE);
    CHECK_INT(code_of(en, "/none", &e), ERR_NONE);
    CHECK_INT(code_of(en, "/text", &e), ERR_IO);
    CHECK(strstr(e.msg, "no JSON"));
    CHECK_INT(code_of(en, "/cut", &e), ERR_IO);
    CHECK(strstr(e.msg, "broke off"));
    engine_close(&en);
    CHECK(!en);
}

static bool take(void *ctx, json_t *line)
{
    struct buf *seen = ctx;
    const char *id = json_string_value(json_object_get(json_object_get(line, "aux"), "ID"));
    const char *text = json_string_value(json_object_get(line, "stream"));

    buf_printf(seen, "%s;", id ? id : text);
    return true;
}

static void lines_come_whole(void)
{
    struct engine *en = open_one();
    struct engine_call build = {.method = "POST", .path = "/build"};
    struct engine_call broken = {.method = "POST", .path = "/broken"};
    struct buf seen = BUF_INIT;
    struct err e = {0};

    CHECK_INT(engine_lines(en, &build, take, &seen, &e), 0);
    CHECK_STR(buf_text(&seen), "one;two;sha;");
    CHECK_INT(engine_lines(en, &broken, take, &seen, &e), -1);
    CHECK_STR(e.msg, "exit 1: * two");
    engine_call_release(&build);
    engine_call_release(&broken);
    buf_release(&seen);
    engine_close(&en);
}

static long give(void *ctx, char *to, size_t size)
{
    int *left = ctx;

    MUST(size > 5);
    if (*left == 0)
        return 0;
    if (*left < 0)
        return -1;
    --*left;
    memcpy(to, "hello", 5);
    return 5;
}

static void a_body_is_read_as_it_goes(void)
{
    struct engine *en = open_one();
    struct err e = {0};
    int left = 3;
    struct engine_call call = {.method = "PUT",
                               .path = "/echo",
                               .body_read = give,
                               .body_ctx = &left,
                               .body_type = "application/x-tar"};

    CHECK_INT(engine_do(en, &call, &e), 0);
    CHECK_STR(buf_text(&call.answer), "hellohellohello");
    engine_call_release(&call);
    left = -1;
    CHECK_INT(engine_do(en, &call, &e), -1);
    CHECK(strstr(e.msg, "could not be read"));
    engine_call_release(&call);

    struct engine_call stat = {.method = "HEAD", .path = "/stat"};
    CHECK_INT(engine_do(en, &stat, &e), 0);
    CHECK_STR(stat.stat_header, "eyJ9");
    engine_call_release(&stat);
    engine_close(&en);
}

static void texts_are_quoted(void)
{
    static const char *const pairs[] = {"label", "maya.app=x", "label", "b", "name", "n", NULL};
    struct buf out = BUF_INIT;

    engine_quote(&out, "a/b c~é");
    CHECK_STR(buf_text(&out), "a%2Fb%20c~%C3%A9");
    buf_clear(&out);
    engine_filters(&out, pairs);
    CHECK_STR(buf_text(&out), "filters=%7B%22label%22%3A%5B%22maya.app%3Dx%22%2C%22b%22%5D%2C"
                              "%22name%22%3A%5B%22n%22%5D%7D");
    buf_release(&out);
}

static void a_list_is_asked_for_with_its_filters(void)
{
    static const char *const pairs[] = {"label", "a", NULL};
    struct engine *en = open_one();
    json_t *got = NULL;
    struct err e = {0};

    CHECK_INT(engine_list(en, "/things", pairs, &got, &e), 0);
    CHECK_INT(json_array_size(got), 1);
    json_decref(got);
    got = NULL;
    CHECK_INT(engine_list(en, "/things?all=1", pairs, &got, &e), 0);
    CHECK_INT(json_array_size(got), 2);
    json_decref(got);
    engine_close(&en);
}

static void note(void *ctx, int stream, const char *data, size_t len)
{
    buf_printf(ctx, "%d:%.*s ", stream, (int)len, data);
}

/* Cut at every byte, the same words of the same streams come out. */
static void frames_survive_any_cut(void)
{
    static const char bytes[] =
        "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\2no\1\0\0\0\0\0\0\1d";
    size_t len = sizeof(bytes) - 1;

    for (size_t cut = 0; cut <= len; cut++) {
        struct buf seen = BUF_INIT, text = BUF_INIT;
        struct engine_frames f = {.on_bytes = note, .ctx = &seen};
        engine_frames_feed(&f, bytes, cut);
        engine_frames_feed(&f, bytes + cut, len - cut);
        for (const char *p = buf_text(&seen); *p; p++)
            if (*p != ' ' && *p != ':' && (*p < '0' || *p > '9'))
                buf_char(&text, *p);
        CHECK_STR(buf_text(&text), "abcnod");
        buf_release(&seen);
        buf_release(&text);
    }
}

static void nobody_is_told_so(void)
{
    struct engine_cfg cfg = {.host = "unix:///nonexistent/docker.sock"};
    struct engine *en = NULL;
    struct err e = {0};

    CHECK_INT(engine_open(&cfg, &en, &e), -1);
    CHECK(!en && strstr(e.msg, "no Docker Engine answers at unix:///nonexistent"));
    cfg.host = "tcp://127.0.0.1:2375";
    CHECK_INT(engine_open(&cfg, &en, &e), -1);
    CHECK(strstr(e.msg, "plain TCP"));
    cfg.host = "http://x";
    CHECK_INT(engine_open(&cfg, &en, &e), -1);
    CHECK(strstr(e.msg, "begins with unix://"));
}

static void a_full_disk_is_told_so(void)
{
    struct engine *en = open_one();
    struct engine_call load = {.method = "POST", .path = "/load"};
    struct err e = {0};

    CHECK_INT(code_of(en, "/full", &e), ERR_DISK);
    CHECK(strstr(e.msg, "the disk of the engine at unix:///tmp/maya-engine-"));
    CHECK(strstr(e.msg, "is full; make room there"));
    e.msg[0] = '\0';
    CHECK_INT(engine_lines(en, &load, take, NULL, &e), -1);
    CHECK(strstr(e.msg, "is full; make room there"));
    engine_call_release(&load);
    engine_close(&en);
}

/* What was begun is undone, and then a stop counts again. */
static void a_stop_is_heard_once_and_again(void)
{
    volatile sig_atomic_t stop = 0;
    struct engine_cfg cfg = {.host = address, .stop = &stop};
    struct engine *en = NULL;
    struct err e = {0};

    CHECK_INT(engine_open(&cfg, &en, &e), 0);
    stop = 1;
    CHECK_INT(code_of(en, "/none", &e), ERR_STOPPED);
    engine_unstop(en);
    CHECK_INT(code_of(en, "/none", &e), ERR_NONE);
    engine_heed(en);
    CHECK_INT(code_of(en, "/none", &e), ERR_STOPPED);
    engine_close(&en);
}

static void a_stop_ends_it(void)
{
    volatile sig_atomic_t stop = 1;
    struct engine_cfg cfg = {.host = address, .stop = &stop};
    struct engine *en = NULL;
    struct err e = {0};

    CHECK_INT(engine_open(&cfg, &en, &e), -1);
    CHECK_INT(e.code, ERR_STOPPED);
}

static const struct tap_case cases[] = {
    {"refusals come in the engine's words", refusals_have_their_words},
    {"one JSON object a line, cut anywhere", lines_come_whole},
    {"a body is read while it is sent", a_body_is_read_as_it_goes},
    {"texts are quoted for a path", texts_are_quoted},
    {"a list is asked for with its filters", a_list_is_asked_for_with_its_filters},
    {"log frames may be cut anywhere", frames_survive_any_cut},
    {"no engine, or none we use, is one sentence", nobody_is_told_so},
    {"a stop ends a call", a_stop_ends_it},
    {"a full disk is one sentence", a_full_disk_is_told_so},
    {"a stop is not heard while something is undone", a_stop_is_heard_once_and_again},
};

int main(void)
{
    serve();
    int code = tap_run(cases, ARRAY_LEN(cases));
    char *path = xprintf("%s/sock", folder);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    unlink(path);
    rmdir(folder);
    free(path);
    return code;
}

#include "net/ws_shake.c"
#include "unit/tap.h"

static void the_key_of_the_rfc(void)
{
    char accept[29];

    ws__accept_key(str_of("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    CHECK_STR(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void keys_are_sixteen_bytes(void)
{
    CHECK(ws__key_valid(str_of("dGhlIHNhbXBsZSBub25jZQ==")));
    CHECK(!ws__key_valid(str_of("dGhlIHNhbXBsZSBub25jZR=="))); /* bits too many */
    CHECK(!ws__key_valid(str_of("dGhlIHNhbXBsZSBub25jZQ=")));
    CHECK(!ws__key_valid(str_of("dGhlIHNhbXBsZSBub25jZQQ=")));
    CHECK(!ws__key_valid(str_of("dGhlIHNhbXBsZSBu-25jZQ==")));
    CHECK(!ws__key_valid((struct str){NULL, 0}));
}

static void words_of_a_list(void)
{
    CHECK(ws__has_word(str_of("keep-alive, Upgrade"), "upgrade"));
    CHECK(ws__has_word(str_of("UPGRADE"), "upgrade"));
    CHECK(!ws__has_word(str_of("keep-alive, upgraded"), "upgrade"));
    CHECK(!ws__has_word((struct str){NULL, 0}, "upgrade"));
}

static void addresses(void)
{
    struct ws_url u;

    CHECK(ws__url_parse("wss://api.example:8443/a/b?c=d", &u));
    CHECK(u.tls && str_eq(u.host, "api.example:8443") && str_eq(u.path, "/a/b?c=d"));
    CHECK(ws__url_parse("ws://[::1]", &u));
    CHECK(!u.tls && str_eq(u.host, "[::1]") && u.path.len == 0);
    CHECK(ws__url_parse("WS://h?q", &u));
    CHECK(str_eq(u.path, "?q"));
    static const char *const wrong[] = {"http://h/",       "ws://",      "ws:///x",
                                        "ws://h/\r\nX: y", "ws://h/a b", "ws://u:p@h/",
                                        "ws://:80/",       "ws://h/#f"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK(!ws__url_parse(wrong[i], &u));
}

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define OPEN "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"

static void answers(void)
{
    static const struct {
        const char *head;
        int status; /* 0: it is not HTTP */
        const char *wrong;
    } rows[] = {
        {OPEN ACCEPT "\r\n", 101, NULL},
        {OPEN ACCEPT "Content-Length: 0\r\n\r\n", 101, NULL},
        {"HTTP/1.1 101\r\nUpgrade: websocket\r\nConnection: a, Upgrade\r\n" ACCEPT "\r\n", 101,
         NULL},
        {OPEN "\r\n", 101, "the Sec-WebSocket-Accept is not that of our key"},
        {OPEN ACCEPT ACCEPT "\r\n", 101, "the Sec-WebSocket-Accept is not that of our key"},
        {OPEN "Sec-WebSocket-Accept: x\r\n\r\n", 101,
         "the Sec-WebSocket-Accept is not that of our key"},
        {OPEN ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 101,
         "it takes what was not offered"},
        {OPEN ACCEPT "Content-Length: 5\r\n\r\n", 101, "its 101 has a body"},
        {OPEN ACCEPT "Transfer-Encoding: chunked\r\n\r\n", 101, "its 101 has a body"},
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", 101,
         "no 'Upgrade: websocket'"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n" ACCEPT "\r\n", 101,
         "no 'Connection: Upgrade'"},
        {"HTTP/1.1 401 No\r\nContent-Length: 12\r\n\r\n", 401, NULL},
        {"HTTP/1.1 401 No\r\nContent-Length: 12\r\nContent-Length: 12\r\n\r\n", 0, NULL},
        {"HTTP/1.1 401 No\r\nContent-Length: -1\r\n\r\n", 0, NULL},
        {"HTTP/1.1 401 No\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0, NULL},
        {"HTTP/1.0 101 x\r\n\r\n", 0, NULL},
        {"HTTP/2 101 x\r\n\r\n", 0, NULL},
        {"HTTP/1.1 1x1 x\r\n\r\n", 0, NULL},
        {"HTTP/1.1 1011 x\r\n\r\n", 0, NULL},
        {"HTTP/1.1 200 x\r\nno colon\r\n\r\n", 0, NULL},
        {"HTTP/1.1 200 x\r\na b: c\r\n\r\n", 0, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ws_answer a;
        bool http = ws__answer_parse(rows[i].head, strlen(rows[i].head), KEY, &a);
        CHECK_INT(http ? a.status : 0, rows[i].status);
        if (rows[i].wrong)
            CHECK_STR(http ? a.wrong : "", rows[i].wrong);
        else if (http)
            CHECK(!a.wrong);
    }
}

static void when_to_come_back(void)
{
    struct ws_answer a;
    static const char head[] = "HTTP/1.1 429 x\r\nRetry-After: 7\r\n\r\n";
    static const char date[] =
        "HTTP/1.1 429 x\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n";

    CHECK(ws__answer_parse(head, sizeof(head) - 1, KEY, &a));
    CHECK_INT(a.retry_after_s, 7);
    CHECK(ws__answer_parse(date, sizeof(date) - 1, KEY, &a));
    CHECK_INT(a.retry_after_s, 0);
}

static const struct tap_case cases[] = {
    {"the key of the RFC", the_key_of_the_rfc},
    {"keys are sixteen bytes", keys_are_sixteen_bytes},
    {"words of a list", words_of_a_list},
    {"addresses", addresses},
    {"answers", answers},
    {"when to come back", when_to_come_back},
};
TAP_MAIN(cases)

/* The handshakes of RFC 6455 section 4, as pure functions. */
#include "net/ws_int.h"

#include "base/base64.h"

#include <sha1.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN 24 /* 16 bytes in base64 */

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/';
}

bool ws__key_valid(struct str key)
{
    if (key.len != KEY_LEN || key.data[KEY_LEN - 1] != '=' || key.data[KEY_LEN - 2] != '=')
        return false;
    for (size_t i = 0; i < KEY_LEN - 2; i++)
        if (!is_base64(key.data[i]))
            return false;
    return strchr("AQgw", key.data[KEY_LEN - 3]) != NULL; /* no bits behind the 128th */
}

void ws__accept_key(struct str key, char ret[29])
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t sum[SHA1_DIGEST_LENGTH + 1] = {0};
    SHA1_CTX sha;
    char *p = ret;

    SHA1Init(&sha);
    SHA1Update(&sha, (const uint8_t *)key.data, key.len);
    SHA1Update(&sha, (const uint8_t *)GUID, strlen(GUID));
    SHA1Final(sum, &sha);
    for (size_t i = 0; i < sizeof(sum); i += 3, p += 4) {
        uint32_t three = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 | sum[i + 2];
        p[0] = digits[three >> 18];
        p[1] = digits[three >> 12 & 63];
        p[2] = digits[three >> 6 & 63];
        p[3] = digits[three & 63];
    }
    memcpy(p - 1, "=", 2); /* 20 bytes: the last group has two */
}

bool ws__has_word(struct str list, const char *word)
{
    while (list.len) {
        const char *comma = memchr(list.data, ',', list.len);
        struct str one = {list.data, comma ? (size_t)(comma - list.data) : list.len};
        size_t step = one.len + (comma != NULL);
        if (str_eq_nocase(str_trim(one), word))
            return true;
        list = (struct str){list.data + step, list.len - step};
    }
    return false;
}

bool ws__url_parse(const char *url, struct ws_url *ret)
{
    size_t skip = strncasecmp(url, "ws://", 5) == 0    ? 5
                  : strncasecmp(url, "wss://", 6) == 0 ? 6
                                                       : 0;

    if (!skip)
        return false;
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F || *p == '#')
            return false;
    ret->tls = skip == 6;
    ret->host.data = url + skip;
    ret->host.len = strcspn(ret->host.data, "/?");
    ret->path = str_of(ret->host.data + ret->host.len);
    return ret->host.len && ret->host.data[0] != ':' &&
           !memchr(ret->host.data, '@', ret->host.len);
}

struct seen {
    unsigned upgrades, accepts, lengths, codings;
    bool upgrade, connection, extension, protocol, accepted;
};

static bool number(struct str v, uint64_t *ret)
{
    uint64_t n = 0;

    if (v.len == 0 || v.len > 18)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] < '0' || v.data[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(v.data[i] - '0');
    }
    *ret = n;
    return true;
}

static bool take_header(struct str name, struct str v, const char *accept,
                        struct ws_answer *ret, struct seen *seen)
{
    uint64_t n;

    if (str_eq_nocase(name, "upgrade")) {
        seen->upgrades++;
        seen->upgrade = str_eq_nocase(v, "websocket");
    } else if (str_eq_nocase(name, "connection")) {
        seen->connection |= ws__has_word(v, "upgrade");
    } else if (str_eq_nocase(name, "sec-websocket-accept")) {
        seen->accepts++;
        seen->accepted = str_eq(v, accept);
    } else if (str_eq_nocase(name, "sec-websocket-extensions")) {
        seen->extension = true;
    } else if (str_eq_nocase(name, "sec-websocket-protocol")) {
        seen->protocol = true;
    } else if (str_eq_nocase(name, "content-length")) {
        ret->has_length = true;
        return seen->lengths++ == 0 && number(v, &ret->length);
    } else if (str_eq_nocase(name, "transfer-encoding")) {
        ret->chunked = true;
        return seen->codings++ == 0 && str_eq_nocase(v, "chunked");
    } else if (str_eq_nocase(name, "retry-after") &&
               number(v, &n)) { /* a date says too little */
        ret->retry_after_s = n > 86400 ? 86400 : (int64_t)n;
    }
    return true;
}

static const char *what_is_wrong(const struct seen *s, const struct ws_answer *a)
{
    if (s->upgrades != 1 || !s->upgrade)
        return "no 'Upgrade: websocket'";
    if (!s->connection)
        return "no 'Connection: Upgrade'";
    if (s->accepts != 1 || !s->accepted)
        return "the Sec-WebSocket-Accept is not that of our key";
    if (s->extension || s->protocol)
        return "it takes what was not offered";
    if (a->chunked || (a->has_length && a->length))
        return "its 101 has a body";
    return NULL;
}

static bool parse_status(struct str line, int *ret)
{
    const char *d = line.data;

    if (line.len < 12 || memcmp(d, "HTTP/1.", 7) != 0 || (d[7] != '0' && d[7] != '1') ||
        d[8] != ' ' || (line.len > 12 && d[12] != ' '))
        return false;
    for (int i = 9; i < 12; i++)
        if (d[i] < '0' || d[i] > '9')
            return false;
    *ret = (d[9] - '0') * 100 + (d[10] - '0') * 10 + (d[11] - '0');
    return *ret >= 100 && (*ret != 101 || d[7] == '1');
}

bool ws__answer_parse(const char *head, size_t len, const char *key, struct ws_answer *ret)
{
    const char *end = memchr(head, '\r', len);
    struct seen seen = {0};
    struct str name, value;
    char accept[29];

    *ret = (struct ws_answer){0};
    ws__accept_key(str_of(key), accept);
    if (!end || len - (size_t)(end - head) < 4 ||
        !parse_status((struct str){head, (size_t)(end - head)}, &ret->status))
        return false;
    struct str rest = {end + 2, len - (size_t)(end - head) - 4};
    while (rest.len) {
        if (!http_header_next(&rest, &name, &value) || !http_is_token(name) ||
            !take_header(name, value, accept, ret, &seen))
            return false;
    }
    if (ret->chunked && ret->has_length)
        return false;
    if (ret->status == 101)
        ret->wrong = what_is_wrong(&seen, ret);
    return true;
}

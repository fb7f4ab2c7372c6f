#include "net/parse.h"

enum {
    SIZE,      /* hexadecimal digits */
    EXTENSION, /* after ';', up to the line end; its content means nothing to us */
    SIZE_LF,   /* the line feed after the size */
    DATA,
    DATA_CR, /* the line end after the data */
    DATA_LF,
    TRAILER, /* the start of a line after the last chunk */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF, /* the line feed of the empty line */
    DONE
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_text(char c)
{
    unsigned char u = (unsigned char)c;

    return u == '\t' || (u >= 0x20 && u != 0x7F);
}

static enum refusal size_byte(struct http_chunked *k, char c)
{
    int d = hex_digit(c);

    if (d >= 0) {
        if (k->digits == 15) /* 60 bits: more can only be an attack on somebody's integer */
            return REFUSE_CHUNK_SIZE;
        k->size = k->size << 4 | (unsigned)d;
        k->digits++;
        return REFUSE_NONE;
    }
    if (k->digits == 0 || (c != ';' && c != '\r'))
        return REFUSE_CHUNK_SIZE;
    k->state = c == ';' ? EXTENSION : SIZE_LF;
    return REFUSE_NONE;
}

static enum refusal extension_byte(struct http_chunked *k, char c)
{
    if (c == '\r') {
        k->state = SIZE_LF;
        return REFUSE_NONE;
    }
    return is_text(c) && ++k->overhead <= HTTP_MAX_CHUNK_OVERHEAD ? REFUSE_NONE
                                                                  : REFUSE_CHUNK_EXTENSION;
}

static enum refusal trailer_byte(struct http_chunked *k, char c)
{
    if (++k->overhead > HTTP_MAX_CHUNK_OVERHEAD)
        return REFUSE_TRAILER;
    switch (k->state) {
    case TRAILER:
        if (c == '\r') {
            k->state = LAST_LF;
            return REFUSE_NONE;
        }
        k->state = TRAILER_NAME;
        return http_is_token((struct str){&c, 1}) ? REFUSE_NONE : REFUSE_TRAILER;
    case TRAILER_NAME:
        if (c == ':') {
            k->state = TRAILER_VALUE;
            return REFUSE_NONE;
        }
        return http_is_token((struct str){&c, 1}) ? REFUSE_NONE : REFUSE_TRAILER;
    default: /* TRAILER_VALUE */
        if (c == '\r') {
            k->state = TRAILER_LF;
            return REFUSE_NONE;
        }
        return is_text(c) ? REFUSE_NONE : REFUSE_TRAILER;
    }
}

/* A byte that must be the one and only. */
static enum refusal fixed_byte(struct http_chunked *k, char c)
{
    static const struct {
        char want;
        uint8_t next, why;
    } fixed[] = {
        [SIZE_LF] = {'\n', DATA, REFUSE_CHUNK_SIZE},
        [DATA_CR] = {'\r', DATA_LF, REFUSE_CHUNK_END},
        [DATA_LF] = {'\n', SIZE, REFUSE_CHUNK_END},
        [TRAILER_LF] = {'\n', TRAILER, REFUSE_TRAILER},
        [LAST_LF] = {'\n', DONE, REFUSE_TRAILER},
    };

    if (c != fixed[k->state].want)
        return (enum refusal)fixed[k->state].why;
    if (k->state == SIZE_LF) {
        k->left = k->size; /* only now: a size is not believed before its line has ended */
        k->size = 0;
        k->digits = 0;
        k->state = k->left ? DATA : TRAILER;
        return REFUSE_NONE;
    }
    k->state = fixed[k->state].next;
    return REFUSE_NONE;
}

static enum refusal one_byte(struct http_chunked *k, char c)
{
    switch (k->state) {
    case SIZE:
        return size_byte(k, c);
    case EXTENSION:
        return extension_byte(k, c);
    case TRAILER:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return trailer_byte(k, c);
    default:
        return fixed_byte(k, c);
    }
}

enum parse http_chunked_next(struct http_chunked *k, const char *data, size_t len, size_t *used,
                             struct str *out, enum refusal *why)
{
    size_t i = 0;

    *out = (struct str){data, 0};
    while (i < len && k->state != DONE) {
        if (k->state == DATA) {
            size_t n = len - i < k->left ? len - i : (size_t)k->left;
            *out = (struct str){data + i, n};
            *used = i + n;
            k->left -= n;
            if (k->left == 0)
                k->state = DATA_CR;
            return PARSE_MORE;
        }
        *why = one_byte(k, data[i]);
        if (*why)
            return PARSE_REFUSED;
        i++;
    }
    *used = i;
    return k->state == DONE ? PARSE_DONE : PARSE_MORE;
}

/*
 * Text for the eye to text for the ear: prices, fractions and abbreviations in words, markdown
 * without its marks, addresses short, emoji gone. Pure. At every place of the text the rules
 * are asked in the order of their table; the first that takes something has done its work.
 * Numbers and money: clean_number.c. What is written and what is said: clean.def.
 */
#include "voice/clean_int.h"

#include <string.h>
#include <strings.h>

#define TAG_MAX 200

/* Looking. */

uint32_t clean__decode(const struct clean *c, size_t at, size_t *ret_len)
{
    const unsigned char *b = (const unsigned char *)c->in.data + at;
    size_t left = c->in.len - at;
    size_t n = left == 0 ? 0 : b[0] < 0x80 ? 1 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;

    if (n > left)
        n = left;
    *ret_len = n;
    if (n <= 1)
        return n ? b[0] : 0;
    uint32_t code = b[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (b[i] & 0x3fu);
    return code;
}

char clean__at(const struct clean *c, size_t at)
{
    return at < c->in.len ? c->in.data[at] : '\0';
}

bool clean__digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Part of a word; any byte of a character that is not ASCII counts as one. */
bool clean__wordy(char c)
{
    return letter(c) || clean__digit(c) || (unsigned char)c >= 0x80;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

/* Nothing of a word in front of this place. */
static bool word_begins(const struct clean *c)
{
    return c->at == 0 || !clean__wordy(c->in.data[c->at - 1]);
}

bool clean__starts(const struct clean *c, size_t at, const char *text)
{
    size_t n = strlen(text);

    return c->in.len - at >= n && strncasecmp(c->in.data + at, text, n) == 0;
}

/* Saying. */

void clean__gap(struct clean *c)
{
    c->gap = c->out->len > 0 && c->out->data[c->out->len - 1] != '(';
}

static void raw(struct clean *c, const char *data, size_t len)
{
    if (c->gap && !strchr(".,!?;:)", *data))
        buf_char(c->out, ' ');
    c->gap = false;
    buf_add(c->out, data, len);
}

void clean__say(struct clean *c, const char *text)
{
    if (!*text) {
        clean__gap(c);
        return;
    }
    clean__gap(c);
    raw(c, text, strlen(text));
    c->heard = true;
    clean__gap(c);
}

void clean__copy(struct clean *c, size_t len)
{
    raw(c, c->in.data + c->at, len);
    c->at += len;
}

/* Rules. */

static bool lexicon(struct clean *c)
{
    if (!word_begins(c))
        return false;
    for (size_t i = 0; i < c->how->word_count; i++) {
        const struct voice_word *w = &c->how->words[i];
        size_t n = strlen(w->written);
        if (!clean__starts(c, c->at, w->written) || clean__wordy(clean__at(c, c->at + n)))
            continue;
        clean__say(c, w->said);
        c->at += n;
        c->line_start = false;
        return true;
    }
    return false;
}

static size_t line_end(const struct clean *c)
{
    const char *end = memchr(c->in.data + c->at, '\n', c->in.len - c->at);

    return end ? (size_t)(end - c->in.data) : c->in.len;
}

/* "---", "|---|:--|", "====": a line that is drawn, not written. */
static bool drawn_line(struct clean *c)
{
    size_t end = line_end(c), marks = 0;

    for (size_t i = c->at; i < end; i++) {
        if (!strchr("-*_=|:+ \t\r", c->in.data[i]))
            return false;
        marks += c->in.data[i] != ' ';
    }
    if (marks < 3)
        return false;
    c->at = end;
    return true;
}

static bool line_start(struct clean *c)
{
    size_t n = 0, code_len;

    if (!c->line_start || blank(clean__at(c, c->at)))
        return false;
    c->line_start = false;
    if (drawn_line(c))
        return true;
    if (clean__starts(c, c->at, "```")) {
        c->at = line_end(c);
        return true;
    }
    uint32_t code = clean__decode(c, c->at, &code_len);
    while (clean__at(c, c->at + n) == '#')
        n++;
    if (n == 0 && (code == '-' || code == '*' || code == '+' || code == '>' || code == 0x2022 ||
                   code == 0x2013))
        n = code_len;
    if (n && n <= 6 && blank(clean__at(c, c->at + n))) {
        c->at += n;
        c->line_start = true; /* "> - this" */
        return true;
    }
    for (n = 0; n < 3 && clean__digit(clean__at(c, c->at + n));)
        n++;
    char mark = clean__at(c, c->at + n);
    if (n == 0 || (mark != '.' && mark != ')') || clean__at(c, c->at + n + 1) != ' ')
        return false;
    clean__copy(c, n);
    raw(c, ",", 1);
    c->at++;
    c->heard = true;
    return true;
}

/* An address is its host, in words. */
static bool address(struct clean *c)
{
    static const char *const heads[] = {"https://", "http://", "www."};
    size_t at = c->at, end, host;

    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        if (clean__starts(c, at, heads[i]))
            at += strlen(heads[i]);
    if (at == c->at || !word_begins(c) || !clean__wordy(clean__at(c, at)))
        return false;
    for (host = at; clean__wordy(clean__at(c, host)) || clean__at(c, host) == '-' ||
                    clean__at(c, host) == '.';)
        host++;
    for (end = host; !blank(clean__at(c, end)) && !strchr(")]>\"'*`|", clean__at(c, end));)
        end++;
    while (end > at && strchr(".,!?;:", c->in.data[end - 1]))
        end--;
    if (host > end)
        host = end;
    for (size_t i = at; i < host; i++) {
        if (c->in.data[i] == '.') {
            clean__say(c, c->english ? "dot" : "");
        } else {
            raw(c, c->in.data + i, 1);
            c->heard = true;
        }
    }
    c->at = end;
    return true;
}

/* [text](address) is its text; so is an image. */
static bool link_mark(struct clean *c)
{
    char now = clean__at(c, c->at);

    if (now == '!' && clean__at(c, c->at + 1) == '[') {
        c->at += 2;
        return true;
    }
    if (now != ']' || clean__at(c, c->at + 1) != '(')
        return false;
    const char *from = c->in.data + c->at;
    const char *end = memchr(from, ')', c->in.len - c->at);
    if (!end || memchr(from, '\n', (size_t)(end - from)))
        return false;
    c->at += (size_t)(end - from) + 1;
    return true;
}

/* <b> and &amp; */
static bool markup(struct clean *c)
{
    char now = clean__at(c, c->at), next = clean__at(c, c->at + 1);
    size_t n = 1;

    if (now == '<' && (letter(next) || next == '/' || next == '!')) {
        while (n < TAG_MAX && clean__at(c, c->at + n) && !strchr("<>", clean__at(c, c->at + n)))
            n++;
        if (clean__at(c, c->at + n) != '>')
            return false;
        c->at += n + 1;
        clean__gap(c);
        return true;
    }
    if (now != '&' || !letter(next))
        return false;
    while (n < 10 && letter(clean__at(c, c->at + n)))
        n++;
    if (clean__at(c, c->at + n) != ';')
        return false;
    clean__say(c, c->english && clean__starts(c, c->at, "&amp;") ? "and" : "");
    c->at += n + 1;
    return true;
}

static bool face(struct clean *c)
{
    static const char *const faces[] = {
#define FACE(written) written,
#include "voice/clean.def"
    };

    if (!word_begins(c))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(faces); i++) {
        size_t n = strlen(faces[i]);
        if (!clean__starts(c, c->at, faces[i]) || clean__wordy(clean__at(c, c->at + n)))
            continue;
        c->at += n;
        clean__gap(c);
        return true;
    }
    return false;
}

static bool word(struct clean *c)
{
    size_t n, skip;
    char first = clean__at(c, c->at);

    if (!c->english || (clean__wordy(first) && !word_begins(c)))
        return false;
    for (size_t i = 0; i < clean__word_count; i++) {
        const struct clean_word *w = &clean__words[i];
        n = strlen(w->written);
        if (w->where == CLEAN_NUMBER || !clean__starts(c, c->at, w->written))
            continue;
        skip = n + (clean__at(c, c->at + n) == ' ');
        if (w->where == CLEAN_BEFORE && !clean__digit(clean__at(c, c->at + skip)))
            continue;
        if (clean__wordy(w->written[n - 1]) && clean__wordy(clean__at(c, c->at + n)))
            continue;
        clean__say(c, w->said);
        c->at += n;
        return true;
    }
    return false;
}

static bool part_of_one(uint32_t code)
{
    return (code >= 0xbc && code <= 0xbe) || (code >= 0x2150 && code <= 0x215e);
}

static bool sign(struct clean *c)
{
    static const struct {
        uint32_t code;
        const char *said;
    } signs[] = {
#define SIGN(code, said) {code, said},
#include "voice/clean.def"
    };
    size_t n;
    uint32_t code = clean__decode(c, c->at, &n);

    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (signs[i].code != code)
            continue;
        if (!c->english) { /* left to the voice, which knows its language */
            if (code < 0x80 || *signs[i].said == '\0')
                return false;
            clean__copy(c, n);
            return true;
        }
        if (part_of_one(code) && c->out->len && clean__digit(c->out->data[c->out->len - 1]))
            clean__say(c, "and"); /* "1½" */
        clean__say(c, signs[i].said);
        c->at += n;
        return true;
    }
    return false;
}

/* What is drawn or not seen at all. */
static bool unspoken(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x1f},       {0x7f, 0x9f},       {0x200b, 0x200f}, {0x202a, 0x202e},
        {0x2060, 0x206f},   {0x20e3, 0x20e3},   {0x2190, 0x21ff}, {0x2300, 0x23ff},
        {0x2460, 0x24ff},   {0x2500, 0x27bf},   {0x2b00, 0x2bff}, {0xe000, 0xf8ff},
        {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xfff0, 0xffff}, {0x1f000, 0x1faff},
        {0xe0000, 0xeffff}, {0xf0000, 0x10ffff}};

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

static bool space(struct clean *c)
{
    char now = clean__at(c, c->at);

    if (!blank(now) || now == '\0')
        return false;
    if (now == '\n') {
        c->line_start = true;
        if (c->out->len && clean__wordy(c->out->data[c->out->len - 1]))
            raw(c, ",", 1);
    }
    c->at++;
    clean__gap(c);
    return true;
}

/* Marks that shape a text and are not read. A dash is a short silence. */
static bool mark(struct clean *c)
{
    size_t n;
    uint32_t code = clean__decode(c, c->at, &n);
    bool dash =
        code == 0x2014 || code == 0x2013 || (code == '-' && clean__at(c, c->at + 1) == '-');

    if (dash) {
        while (clean__at(c, c->at) == '-')
            c->at++;
        c->at += code == '-' ? 0 : n;
        if (c->out->len && clean__wordy(c->out->data[c->out->len - 1]))
            raw(c, ",", 1);
        clean__gap(c);
        return true;
    }
    if (unspoken(code) || (code < 0x80 && strchr("_~|^\\{}[]<>#/$", (int)code))) {
        c->at += n;
        clean__gap(c);
        return true;
    }
    if (code != '*' && code != '`')
        return false;
    c->at += n;
    return true;
}

static bool plain(struct clean *c)
{
    size_t n;
    uint32_t code = clean__decode(c, c->at, &n);
    bool punctuation = (code >= 0x2000 && code <= 0x206f) ||
                       (code >= 0x3000 && code <= 0x303f) ||
                       (code >= 0xff00 && code <= 0xff0f) || (code >= 0x80 && code <= 0xbf);

    if (code >= 0x80 ? !punctuation : clean__wordy((char)code))
        c->heard = true;
    clean__copy(c, n);
    return true;
}

void voice_clean(const struct voice_how *how, struct str text, struct buf *out)
{
    static bool (*const rules[])(struct clean * c) = {
        lexicon, line_start,    address, link_mark, markup, face,  clean__money,
        word,    clean__figure, sign,    space,     mark,   plain,
    };
    struct clean c = {
        .how = how,
        .in = text,
        .out = out,
        .english = strncasecmp(how->language, "en", 2) == 0,
        .line_start = true,
    };

    buf_clear(out);
    while (c.at < text.len) {
        for (size_t i = 0; i < ARRAY_LEN(rules); i++)
            if (rules[i](&c))
                break;
    }
    if (!c.heard)
        buf_clear(out);
}

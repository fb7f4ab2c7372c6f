/*
 * The summary by rule: what the person said of themselves, in their own words, a line each
 * under one heading. A line of an older summary is read like a sentence said before all others.
 * What stands above the heading was written by a mind and is kept as far as there is room.
 */
#include "agent/agent_int.h"

#include <string.h>

#define HEADING "The guest said:"
#define LINE_MAX 200     /* bytes of a line */
#define SENTENCE_MAX 400 /* what is longer is read in pieces */

static const uint8_t most[FOLD_KIND__COUNT] = {
#define KIND(name, keep) keep,
#include "agent/fold.def"
#undef KIND
};

#define KIND(name, keep) +(keep)
enum {
    LINES_MAX = 0
#include "agent/fold.def"
};
#undef KIND

_Static_assert(FOLD_KIND__COUNT <= 16, "a bit for each kind");

struct line {
    struct str text; /* borrowed from a message or from the summary so far */
    uint64_t digest;
    uint16_t kinds; /* for which it is kept, as bits */
};

struct keeper {
    const struct fold_rules *rules;
    struct line lines[LINES_MAX + 1]; /* in the order in which they were said */
    size_t count;
};

static bool blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

/* The next byte of a text in which runs of blanks are one space; false at its end. */
static bool next_plain(struct str *s, char *ret)
{
    bool gap = false;

    while (s->len && blank(*s->data)) {
        s->data++;
        s->len--;
        gap = true;
    }
    if (s->len == 0)
        return false;
    *ret = gap ? ' ' : *s->data;
    s->data += !gap;
    s->len -= !gap;
    return true;
}

/* Equal for the same words, whatever the case, the blanks and the mark at the end (FNV-1a). */
static uint64_t digest_of(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    char c;

    while (s.len && strchr(".!, ", s.data[s.len - 1]))
        s.len--;
    while (next_plain(&s, &c))
        h = (h ^ (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c)) * 0x100000001b3u;
    return h;
}

static void drop(struct keeper *k, size_t i)
{
    k->count--;
    memmove(&k->lines[i], &k->lines[i + 1], (k->count - i) * sizeof(k->lines[0]));
}

/* The oldest line of a kind is not kept for that any more when there are too many. */
static void make_room(struct keeper *k, unsigned kind)
{
    size_t n = 0, oldest = k->count;

    for (size_t i = k->count; i-- > 0;)
        if (k->lines[i].kinds >> kind & 1) {
            n++;
            oldest = i;
        }
    if (n < most[kind])
        return;
    k->lines[oldest].kinds &= (uint16_t) ~(1u << kind);
    if (!k->lines[oldest].kinds)
        drop(k, oldest);
}

static void keep(struct keeper *k, struct str text, unsigned kinds)
{
    uint64_t digest = digest_of(text);

    for (size_t i = k->count; i-- > 0;)
        if (k->lines[i].digest == digest)
            drop(k, i);
    for (unsigned kind = 0; kind < FOLD_KIND__COUNT; kind++)
        if (kinds >> kind & 1)
            make_room(k, kind);
    MUST(k->count <= LINES_MAX);
    k->lines[k->count++] = (struct line){text, digest, (uint16_t)kinds};
}

/* At most so many bytes, cut between words where it can be, between characters always. */
static struct str shorten(struct str s, size_t max)
{
    size_t n = max;

    if (s.len <= max)
        return s;
    while (n > max / 2 && !blank(s.data[n]))
        n--;
    if (!blank(s.data[n]))
        n = utf8_valid_prefix(s.data, max);
    return (struct str){s.data, n};
}

static void read_sentence(struct keeper *k, struct str sentence)
{
    struct str part;
    unsigned kinds;

    sentence = str_trim(sentence);
    kinds = sentence.len ? fold__kinds(k->rules, sentence, &part) : 0;
    if (kinds)
        keep(k, str_trim(shorten(part, LINE_MAX)), kinds);
}

/* A line of what the person said. */
static void read_paragraph(struct keeper *k, struct str p)
{
    while (p.len) {
        size_t n = sentence_next(p.data, p.len < SENTENCE_MAX ? p.len : SENTENCE_MAX, true);
        if (n == SENTENCE_MAX && n < p.len)
            n = shorten(p, SENTENCE_MAX).len;
        MUST(n > 0);
        read_sentence(k, (struct str){p.data, n});
        p.data += n;
        p.len -= n;
    }
}

/* Cut the text before the mark off its front. */
static struct str cut_line(struct str *text)
{
    const char *stop = memchr(text->data, '\n', text->len);
    struct str line = {text->data, stop ? (size_t)(stop - text->data) : text->len};

    text->data += line.len + (stop != NULL);
    text->len -= line.len + (stop != NULL);
    return line;
}

/* The lines of the summary so far; gives back what stands above them. */
static struct str read_before(struct keeper *k, struct str before)
{
    struct str rest = before, notes = before, part;

    while (rest.len) {
        struct str line = cut_line(&rest);
        if (!str_eq(line, HEADING))
            continue;
        notes.len = (size_t)(line.data - before.data);
        break;
    }
    while (rest.len) {
        struct str line = shorten(str_trim(cut_line(&rest)), LINE_MAX);
        unsigned kinds = line.len ? fold__kinds(k->rules, line, &part) : 0;
        if (line.len)
            keep(k, line, kinds ? kinds : 1u << FOLD_OTHER);
    }
    return str_trim(notes);
}

static size_t size_of(const struct keeper *k)
{
    size_t n = k->count ? sizeof(HEADING) - 1 : 0;

    for (size_t i = 0; i < k->count; i++)
        n += k->lines[i].text.len + 1;
    return n;
}

/* The oldest line of the lightest kind. */
static size_t least(const struct keeper *k)
{
    size_t found = 0;

    for (size_t i = 1; i < k->count; i++)
        if (__builtin_ctz(k->lines[i].kinds) > __builtin_ctz(k->lines[found].kinds))
            found = i;
    return found;
}

static void put_plain(struct buf *out, struct str s)
{
    char c;

    while (next_plain(&s, &c))
        buf_char(out, c);
}

bool fold__by_rule(const struct fold_rules *r, struct str before,
                   const struct session_message *first, uint32_t count, size_t max,
                   struct buf *out)
{
    struct keeper k = {.rules = r};
    struct str notes = read_before(&k, before);

    for (const struct session_message *m = first; m && count; m = m->next, count--) {
        struct str text = {m->text, m->len};
        while (m->from_person && text.len)
            read_paragraph(&k, cut_line(&text));
    }
    /* Notes keep what they need up to half of the room, and more when it is free. */
    size_t reserved = notes.len ? (notes.len + 1 < max / 2 ? notes.len + 1 : max / 2) : 0;
    while (k.count && size_of(&k) > max - reserved)
        drop(&k, least(&k));
    size_t room = max - size_of(&k);
    notes = room > 1 ? str_trim(shorten(notes, room - 1)) : (struct str){"", 0};
    buf_add(out, notes.data, notes.len);
    if (k.count)
        buf_str(out, notes.len ? "\n" HEADING : HEADING);
    for (size_t i = 0; i < k.count; i++) {
        buf_char(out, '\n');
        put_plain(out, k.lines[i].text);
    }
    MUST(out->full || out->len <= max);
    return !out->full;
}

/*
 * A document becomes passages: what stands under one heading, paragraph by paragraph. Short
 * neighbours are put together, long ones are cut between sentences. Of Markdown
 * (https://spec.commonmark.org/0.30/) only what shapes that is read: headings of both kinds,
 * blank lines, lists, rules and fences.
 */
#include "knowledge/knowledge_int.h"

#include <ctype.h>
#include <string.h>

#define LEVELS 6
#define LEVEL_MAX 72 /* bytes of each heading in the path to a passage */
#define JOIN_MAX 480 /* bytes that neighbours make together at most */

struct splitter {
    split_fn *fn;
    void *ctx;
    bool markdown;
    bool fenced;
    bool titled; /* a heading was the title, or some text came before any */
    struct str title;
    struct str levels[LEVELS];
    struct buf paragraph, text;
    unsigned paragraph_lines;
    unsigned line, paragraph_line, text_line;
};

struct str knowledge__cut(struct str s, size_t max)
{
    if (s.len > max) {
        s.len = max;
        while (s.len && ((unsigned char)s.data[s.len] & 0xC0) == 0x80)
            s.len--;
    }
    return s;
}

/* The headings above, but for one that is the title. */
static void write_heading(const struct splitter *s, struct buf *out)
{
    for (int i = 0; i < LEVELS; i++) {
        const struct str *h = &s->levels[i];
        if (!h->len || (h->len == s->title.len && !memcmp(h->data, s->title.data, h->len)))
            continue;
        if (out->len)
            buf_str(out, " > ");
        struct str part = knowledge__cut(*h, LEVEL_MAX); /* so that the nearest one is there */
        buf_add(out, part.data, part.len);
    }
}

static void tell(struct splitter *s, struct str text, unsigned line)
{
    struct buf heading = BUF_INIT;

    text = str_trim(text);
    if (!text.len)
        return;
    s->titled = true;
    write_heading(s, &heading);
    const struct split_passage p = {
        .title = knowledge__cut(s->title, KNOWLEDGE_HEADING_MAX),
        .heading = knowledge__cut((struct str){buf_text(&heading), heading.len},
                                  KNOWLEDGE_HEADING_MAX),
        .text = text,
        .line = line,
    };
    s->fn(s->ctx, &p);
    buf_release(&heading);
}

static void end_passage(struct splitter *s)
{
    tell(s, (struct str){buf_text(&s->text), s->text.len}, s->text_line);
    buf_clear(&s->text);
}

/* A full stop behind which something new may begin; 0: none here. */
static size_t sentence_end(const char *p, size_t left)
{
    static const char *const wide[] = {"。", "！", "？"};

    if (strchr(".!?", *p) && left > 1 && isspace((unsigned char)p[1]))
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (left >= 3 && memcmp(p, wide[i], 3) == 0)
            return 3;
    return *p == '\n';
}

size_t knowledge__sentence(struct str s)
{
    size_t n = 0, at = 0;

    while (at < s.len && !(n = sentence_end(s.data + at, s.len - at)))
        at++;
    at += n;
    while (at < s.len && isspace((unsigned char)s.data[at]))
        at++;
    return at;
}

/* How much of a text that is too long goes into one passage. */
static size_t piece_of(struct str text)
{
    struct str most = knowledge__cut(text, KNOWLEDGE_PASSAGE_MAX);
    size_t sentence = 0, space = 0, n;

    if (most.len == text.len)
        return text.len;
    for (size_t i = 0; i < most.len; i++) {
        n = sentence_end(text.data + i, most.len - i);
        if (n)
            sentence = i + n;
        if (text.data[i] == ' ')
            space = i + 1;
    }
    return sentence >= KNOWLEDGE_PASSAGE_MAX / 4 ? sentence : space ? space : most.len;
}

static void end_paragraph(struct splitter *s)
{
    struct str p = {buf_text(&s->paragraph), s->paragraph.len};

    if (p.len && s->text.len + 1 + p.len > JOIN_MAX)
        end_passage(s);
    if (p.len > KNOWLEDGE_PASSAGE_MAX) {
        for (size_t n; p.len; p.data += n, p.len -= n) {
            n = piece_of(p);
            tell(s, (struct str){p.data, n}, s->paragraph_line);
        }
    } else if (p.len) {
        if (s->text.len)
            buf_char(&s->text, '\n');
        else
            s->text_line = s->paragraph_line;
        buf_add(&s->text, p.data, p.len);
    }
    buf_clear(&s->paragraph);
    s->paragraph_lines = 0;
}

static void begin_heading(struct splitter *s, int level, struct str text)
{
    end_passage(s);
    s->levels[level - 1] = text;
    for (int i = level; i < LEVELS; i++)
        s->levels[i] = (struct str){0};
    if (!s->titled && text.len) {
        s->title = text;
        s->titled = true;
    }
}

/* "## Hours ##": its level, or 0. */
static int heading_level(struct str line, struct str *ret)
{
    size_t level = 0;

    while (level < line.len && line.data[level] == '#')
        level++;
    if (level == 0 || level > LEVELS ||
        (level < line.len && line.data[level] != ' ' && line.data[level] != '\t'))
        return 0;
    struct str text = str_trim((struct str){line.data + level, line.len - level});
    size_t n = text.len;
    while (n && text.data[n - 1] == '#')
        n--;
    if (n == 0 || text.data[n - 1] == ' ' || text.data[n - 1] == '\t')
        text = str_trim((struct str){text.data, n});
    *ret = text;
    return (int)level;
}

/* A line of nothing but this character, at least three times. */
static bool is_line_of(struct str line, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == c)
            n++;
        else if (line.data[i] != ' ')
            return false;
    }
    return n >= 3;
}

/* The line before was a heading, and this is what underlines it: its level, or 0. */
static int underline_level(const struct splitter *s, struct str line)
{
    if (s->paragraph_lines != 1)
        return 0;
    return is_line_of(line, '=') ? 1 : is_line_of(line, '-') ? 2 : 0;
}

/* An item of a list, or a row of a table: it stays a line of its own. */
static bool is_item(struct str line)
{
    size_t n = 0;

    if (line.len > 1 && strchr("-*+|>", line.data[0]))
        return line.data[0] == '|' || line.data[1] == ' ';
    while (n < line.len && n < 4 && isdigit((unsigned char)line.data[n]))
        n++;
    return n && n + 1 < line.len && strchr(".)", line.data[n]) && line.data[n + 1] == ' ';
}

static void add_line(struct splitter *s, struct str line)
{
    if (s->paragraph.len)
        buf_char(&s->paragraph, s->fenced || is_item(line) ? '\n' : ' ');
    else
        s->paragraph_line = s->line;
    buf_add(&s->paragraph, line.data, line.len);
    s->paragraph_lines++;
}

/* `text` outlives the splitter, so that headings may point into it: also the underlined ones.
 */
static void read_line(struct splitter *s, struct str line, struct str before)
{
    struct str heading;
    int level;

    if (s->markdown && line.len >= 3 &&
        (memcmp(line.data, "```", 3) == 0 || memcmp(line.data, "~~~", 3) == 0)) {
        s->fenced = !s->fenced;
    } else if (line.len == 0) {
        end_paragraph(s);
    } else if (!s->markdown || s->fenced) {
        add_line(s, line);
    } else if ((level = heading_level(line, &heading))) {
        end_paragraph(s);
        begin_heading(s, level, heading);
    } else if ((level = underline_level(s, line))) {
        buf_clear(&s->paragraph);
        s->paragraph_lines = 0;
        begin_heading(s, level, before);
    } else if (is_line_of(line, '-') || is_line_of(line, '*') || is_line_of(line, '_')) {
        end_paragraph(s);
    } else {
        add_line(s, line);
    }
}

static struct str name_title(const char *name)
{
    const char *dot = strrchr(name, '.');

    return (struct str){name, dot && dot > name ? (size_t)(dot - name) : strlen(name)};
}

void knowledge__split(const char *name, struct str text, split_fn *fn, void *ctx)
{
    size_t n = strlen(name);
    struct splitter s = {.fn = fn, .ctx = ctx};
    struct str before = {0};

    if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
        text.data += 3;
        text.len -= 3;
    }
    s.markdown = n > 3 && strcmp(name + n - 3, ".md") == 0;
    s.title = name_title(name);
    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        struct str line = str_trim((struct str){text.data, len});

        s.line++;
        read_line(&s, line, before);
        before = line;
        len += end != NULL;
        text.data += len;
        text.len -= len;
    }
    end_paragraph(&s);
    end_passage(&s);
    buf_release(&s.paragraph);
    buf_release(&s.text);
}

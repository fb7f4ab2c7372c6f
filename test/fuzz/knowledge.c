/*
 * Documents and questions: whatever is in them, passages are text within their bounds, and what
 * is looked for has nothing that FTS5 would take for an operator. The input: a line with the
 * question, one with what was said before it, then the document.
 */
#include "knowledge/knowledge_int.h"

#include "base/must.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str next_line(struct str *rest)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    struct str line = {rest->data, end ? (size_t)(end - rest->data) : rest->len};

    rest->data += line.len + (end != NULL);
    rest->len -= line.len + (end != NULL);
    line.len = utf8_valid_prefix(line.data, line.len);
    return line;
}

static bool is_text(struct str s, size_t max)
{
    return s.len <= max && utf8_valid_prefix(s.data, s.len) == s.len;
}

struct seen {
    size_t len;
    unsigned line;
};

static void on_passage(void *ctx, const struct split_passage *p)
{
    struct seen *seen = ctx;

    MUST(p->text.len > 0 && is_text(p->text, KNOWLEDGE_PASSAGE_MAX));
    MUST(is_text(p->title, KNOWLEDGE_HEADING_MAX));
    MUST(is_text(p->heading, KNOWLEDGE_HEADING_MAX));
    MUST(p->line >= 1 && p->line >= seen->line);
    seen->line = p->line;
    seen->len += p->text.len;
    for (struct str rest = p->text; rest.len;) {
        size_t n = knowledge__sentence(rest);
        MUST(n > 0 && n <= rest.len);
        rest.data += n;
        rest.len -= n;
    }
}

static void look_for(const struct knowledge_question *q)
{
    struct query query;
    struct buf out = BUF_INIT;

    knowledge__query(q, &query);
    MUST(query.count <= QUERY_TERMS_MAX && query.asked <= query.count);
    knowledge__query_write(&query, &out);
    size_t quotes = 0;
    for (size_t i = 0; i < out.len; i++) {
        quotes += out.data[i] == '"';
        /* Outside the strings there is OR, inside there are letters. */
        MUST(quotes % 2 ? out.data[i] != ' ' : strchr("\" OR", out.data[i]) != NULL);
    }
    MUST(quotes == query.count * 2u);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct knowledge_question q = {.text = next_line(&rest), .name = "Maya"};
    struct seen seen = {0};
    struct buf indexed = BUF_INIT;

    q.before = next_line(&rest);
    look_for(&q);
    rest.len = utf8_valid_prefix(rest.data, rest.len);
    knowledge__split(size % 4 ? "a.md" : "a.txt", rest, on_passage, &seen);
    MUST(seen.len <= rest.len + rest.len / 2 + 1);
    knowledge__indexed(rest, &indexed);
    MUST(utf8_valid_prefix(indexed.data ? indexed.data : "", indexed.len) == indexed.len);
    buf_release(&indexed);
    return 0;
}

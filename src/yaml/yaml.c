/*
 * The tree is built from libyaml's events and not from its documents, because only an event
 * still knows the line of an alias, and depth can be refused before anything is built.
 */
#include "yaml/yaml_int.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define SIZE_MAX_BYTES ((size_t)1024 * 1024)
#define DEPTH_MAX 32

int yaml__err_line(const struct yaml *y, int line, struct err *e, const char *fmt, ...)
{
    char msg[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    return err_set(e, ERR_AGENT, 0, "%s:%d: %s", y->name, line, msg);
}

struct reader {
    struct yaml *file;
    const char *text; /* all of the file */
    size_t len;
    struct yaml_node *open[DEPTH_MAX];
    int depth;
    char *key; /* read, and waiting for its value */
    int key_line;
};

static void node_free(struct yaml_node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++) {
        free(n->members[i].key);
        node_free(n->members[i].value); /* at most DEPTH_MAX deep */
    }
    free(n->members);
    free(n->text);
    free(n);
}

static struct yaml_node *node_new(struct reader *r, enum yaml_kind kind, int line)
{
    struct yaml_node *n = xalloc(sizeof(*n));

    *n = (struct yaml_node){.file = r->file, .kind = kind, .line = line};
    return n;
}

/* Hang a finished scalar or a list or map that begins under what is open. */
static void attach(struct reader *r, struct yaml_node *n)
{
    struct yaml_node *parent;

    if (r->depth == 0) {
        r->file->root = n;
        return;
    }
    parent = r->open[r->depth - 1];
    if (parent->count == parent->cap) {
        parent->cap = parent->cap ? parent->cap * 2 : 8;
        parent->members = xrealloc(parent->members, parent->cap * sizeof(*parent->members));
    }
    parent->members[parent->count++] = (struct yaml_member){r->key, r->key_line, n};
    r->key = NULL;
}

static bool wants_key(const struct reader *r)
{
    return r->depth > 0 && r->open[r->depth - 1]->kind == YAML_MAP && !r->key;
}

static int on_scalar(struct reader *r, const yaml_event_t *event, struct err *e)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    int line = (int)event->start_mark.line + 1;
    struct yaml_node *n;

    if (memchr(text, '\0', len))
        return yaml__err_line(r->file, line, e, "a zero byte inside a text");
    if (wants_key(r)) {
        r->key = xstrndup(text, len);
        r->key_line = line;
        return 0;
    }
    n = node_new(r, YAML_SCALAR, line);
    n->text = xstrndup(text, len);
    attach(r, n);
    return 0;
}

static int on_open(struct reader *r, const yaml_event_t *event, enum yaml_kind kind,
                   struct err *e)
{
    int line = (int)event->start_mark.line + 1;
    struct yaml_node *n;

    if (wants_key(r))
        return yaml__err_line(r->file, line, e, "a key must be a plain text");
    if (r->depth == DEPTH_MAX)
        return yaml__err_line(r->file, line, e, "nested more than %d deep", DEPTH_MAX);
    n = node_new(r, kind, line);
    attach(r, n);
    r->open[r->depth++] = n;
    return 0;
}

static int on_map_end(struct reader *r, struct err *e)
{
    const struct yaml_node *n = r->open[r->depth - 1];
    int line = 0, first = 0;
    const char *key = NULL;
    struct map seen;

    MUST(n); /* libyaml ends only what it began */
    map_init(&seen, 0x79616d6c);
    for (size_t i = 0; i < n->count && !key; i++) {
        struct yaml_member *m = &n->members[i];
        struct yaml_member *before = map_put(&seen, m->key, strlen(m->key), m);
        if (before) {
            key = m->key;
            line = m->key_line;
            first = before->key_line;
        }
    }
    map_release(&seen);
    if (key)
        return yaml__err_line(r->file, line, e, "'%s' is already in line %d; keep one of them",
                              key, first);
    r->depth--;
    return 0;
}

static int on_event(struct reader *r, const yaml_event_t *event, struct err *e)
{
    int line = (int)event->start_mark.line + 1;

    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(r, event, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(r, event, YAML_LIST, e);
    case YAML_MAPPING_START_EVENT:
        return on_open(r, event, YAML_MAP, e);
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        return 0;
    case YAML_MAPPING_END_EVENT:
        return on_map_end(r, e);
    case YAML_ALIAS_EVENT:
        return yaml__err_line(r->file, line, e,
                              "an alias (*%s) is not allowed here; write the value out",
                              (const char *)event->data.alias.anchor);
    case YAML_DOCUMENT_START_EVENT:
        if (r->file->root)
            return yaml__err_line(r->file, line, e, "a second document; one file holds one");
        return 0;
    default:
        return 0;
    }
}

/* From 1. Of bytes that are not UTF-8 libyaml knows the offset, but not the line. */
static int problem_line(const struct reader *r, const yaml_parser_t *parser)
{
    size_t line = 1;

    if (parser->error != YAML_READER_ERROR)
        return (int)parser->problem_mark.line + 1;
    for (size_t i = 0; i < parser->problem_offset && i < r->len; i++)
        line += r->text[i] == '\n';
    return (int)line;
}

static int read_events(struct reader *r, yaml_parser_t *parser, struct err *e)
{
    yaml_event_t event;

    for (;;) {
        if (!yaml_parser_parse(parser, &event)) {
            if (parser->error == YAML_MEMORY_ERROR)
                return err_set(e, ERR_NOMEM, 0, "no memory to read '%s'", r->file->name);
            return yaml__err_line(r->file, problem_line(r, parser), e, "not valid YAML: %s%s%s",
                                  parser->problem ? parser->problem : "unreadable",
                                  parser->context ? " " : "",
                                  parser->context ? parser->context : "");
        }
        bool end = event.type == YAML_STREAM_END_EVENT;
        int rc = on_event(r, &event, e);
        yaml_event_delete(&event);
        if (rc || end)
            return rc;
    }
}

int yaml_parse(const char *name, const char *text, size_t len, struct yaml **ret, struct err *e)
{
    struct yaml *y;
    yaml_parser_t parser;
    int rc;

    if (len > SIZE_MAX_BYTES)
        return err_set(e, ERR_AGENT, 0, "%s: larger than 1 MiB", name);
    if (!yaml_parser_initialize(&parser))
        return err_set(e, ERR_NOMEM, 0, "no memory to read '%s'", name);
    y = xalloc(sizeof(*y));
    y->name = xstrdup(name);
    struct reader r = {.file = y, .text = text, .len = len};
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    rc = read_events(&r, &parser, e);
    yaml_parser_delete(&parser);
    free(r.key);
    if (rc) {
        yaml_close(&y);
        return -1;
    }
    *ret = y;
    return 0;
}

static int read_file(int fd, const char *path, char *text, size_t *ret_len, struct err *e)
{
    struct stat st;
    size_t len = 0;

    if (fstat(fd, &st))
        return err_set(e, ERR_IO, errno, "stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_IO, 0, "'%s' is not a file", path);
    while (len <= SIZE_MAX_BYTES) {
        ssize_t n = read(fd, text + len, SIZE_MAX_BYTES + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_IO, errno, "read '%s'", path);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

int yaml_load(const char *path, struct yaml **ret, struct err *e)
{
    size_t len = 0;
    char *text;
    int fd, rc;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, ERR_IO, errno, "open '%s'", path);
    text = xalloc(SIZE_MAX_BYTES + 1);
    rc = read_file(fd, path, text, &len, e);
    close(fd);
    if (rc == 0)
        rc = yaml_parse(path, text, len, ret, e);
    free(text);
    return rc;
}

void yaml_close(struct yaml **y)
{
    if (!*y)
        return;
    node_free((*y)->root);
    free((*y)->name);
    free(*y);
    *y = NULL;
}

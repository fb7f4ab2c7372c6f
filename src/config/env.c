/*
 * The reader of .env files, in the form that the common tools agree on: NAME=value, export
 * NAME=value, # comments (after a value only behind a space), values in single or double
 * quotes, over several lines if need be. Escapes are read inside quotes; nothing is expanded,
 * so a $ in a password stays one.
 */
#include "config/config_int.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reader {
    const char *at, *end;
    int line;
    const char *file;
    struct buf name, value;
};

/* The byte here, or -1 at the end; a NUL in the text is a byte like others. */
static int peek(const struct reader *r)
{
    return r->at < r->end ? (unsigned char)*r->at : -1;
}

static bool at_line_end(const struct reader *r)
{
    int c = peek(r);

    return c < 0 || c == '\n' || (c == '\r' && (r->at + 1 == r->end || r->at[1] == '\n'));
}

static void skip_blanks(struct reader *r)
{
    while (!at_line_end(r) && (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r'))
        r->at++;
}

static void skip_line(struct reader *r)
{
    while (r->at < r->end && *r->at != '\n')
        r->at++;
    if (r->at < r->end)
        r->at++;
    r->line++;
}

static int wrong(const struct reader *r, int line, const char *what, struct err *e)
{
    char file[CONFIG__PATH_SHOWN];

    config__path_shown(file, r->file);
    return err_set(e, ERR_CONFIG, 0, "%s:%d: %s", file, line, what);
}

static bool name_char(int c, bool first)
{
    return c == '_' || (c < 0x80 && isalpha(c)) ||
           (!first && (c == '.' || (c < 0x80 && isdigit(c))));
}

static int read_name(struct reader *r, struct err *e)
{
    buf_clear(&r->name);
    while (r->at < r->end && name_char(peek(r), r->name.len == 0))
        buf_char(&r->name, *r->at++);
    if (r->name.full)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    if (r->name.len == 0)
        return wrong(r, r->line, "expected NAME=value, a comment or an empty line", e);
    return 0;
}

/* The byte that \c means in double quotes, or -1 when the backslash is only a backslash. */
static int escape(char c)
{
    static const char from[] = "abfnrtv\\\"'$`", to[] = "\a\b\f\n\r\t\v\\\"'$`";
    const char *p = c ? strchr(from, c) : NULL;

    return p ? to[p - from] : -1;
}

static int read_quoted(struct reader *r, struct err *e)
{
    char quote = *r->at++;
    int opened = r->line;

    for (;; r->at++) {
        int c = peek(r);
        if (c < 0)
            return wrong(r, opened,
                         quote == '"' ? "the double quote is never closed"
                                      : "the single quote is never closed",
                         e);
        if (c == '\0')
            return wrong(r, r->line, "a NUL byte cannot be part of a value", e);
        if (c == quote)
            break;
        if (c == '\\' && r->at + 1 < r->end) {
            char next = r->at[1];
            int meant = quote == '"'                     ? escape(next)
                        : (next == '\\' || next == '\'') ? next
                                                         : -1;
            if (meant >= 0) {
                buf_char(&r->value, (char)meant);
                r->at++;
                continue;
            }
        }
        if (c == '\r' && r->at + 1 < r->end && r->at[1] == '\n')
            continue; /* a file that came from Windows still has one newline a line */
        r->line += c == '\n';
        buf_char(&r->value, (char)c);
    }
    r->at++;
    skip_blanks(r);
    if (!at_line_end(r) && peek(r) != '#')
        return wrong(r, r->line, "there is text behind the closing quote", e);
    return 0;
}

static int read_plain(struct reader *r, bool after_blank, struct err *e)
{
    bool blank = after_blank;

    for (; !at_line_end(r); r->at++) {
        int c = peek(r);
        if (c == '#' && blank)
            break;
        if (c == '\0')
            return wrong(r, r->line, "a NUL byte cannot be part of a value", e);
        blank = c == ' ' || c == '\t';
        buf_char(&r->value, (char)c);
    }
    while (r->value.len && isspace((unsigned char)r->value.data[r->value.len - 1]))
        r->value.data[--r->value.len] = '\0';
    return 0;
}

/* NAME, =, value, what may follow; the reader stands on the name. */
static int read_pair(struct reader *r, const struct config_sink *sink, struct err *e)
{
    int line = r->line, rc;

    if (read_name(r, e) < 0)
        return -1;
    skip_blanks(r);
    if (strcmp(buf_text(&r->name), "export") == 0 && name_char(peek(r), true)) {
        if (read_name(r, e) < 0)
            return -1;
        skip_blanks(r);
    }
    if (peek(r) != '=')
        return wrong(r, line, "there is no = behind the name", e);
    r->at++;
    const char *behind = r->at;
    skip_blanks(r);
    buf_clear(&r->value);
    if (peek(r) == '"' || peek(r) == '\'')
        rc = read_quoted(r, e);
    else
        rc = read_plain(r, r->at > behind, e);
    if (rc == 0)
        sink->on_pair(sink->self, buf_text(&r->name), buf_text(&r->value), line);
    return rc;
}

int config__env_parse(const char *text, size_t len, const char *file,
                      const struct config_sink *sink, struct err *e)
{
    struct reader r = {.at = text, .end = text + len, .line = 1, .file = file};
    int rc = 0;

    if (len > CONFIG__ENV_MAX)
        return wrong(&r, 1, "the file is larger than 1 MiB", e);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at += 3;
    if (!buf_reserve(&r.value, len)) /* never grows, so no copy of a secret is left behind */
        return err_set(e, ERR_NOMEM, 0, "%s: out of memory", file);
    while (rc == 0 && r.at < r.end) {
        while (peek(&r) == ' ' || peek(&r) == '\t')
            r.at++;
        if (!at_line_end(&r) && peek(&r) != '#')
            rc = read_pair(&r, sink, e);
        skip_line(&r);
    }
    buf_wipe(&r.value);
    buf_release(&r.name);
    return rc;
}

/* Until its end and not by its size: `--env-file <(...)` is a pipe. */
static ssize_t read_all(int fd, char *text, size_t most)
{
    size_t len = 0;

    while (len < most) {
        ssize_t n = read(fd, text + len, most - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

int config__text_read(const char *path,
                      int (*take)(void *self, char *text, size_t len, struct err *e),
                      void *self, struct err *e)
{
    char shown[CONFIG__PATH_SHOWN];
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    config__path_shown(shown, path);
    if (fd < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "cannot read %s",
                       shown);
    char *text = malloc(CONFIG__ENV_MAX + 2);
    ssize_t len = text ? read_all(fd, text, CONFIG__ENV_MAX + 1) : 0;
    if (!text) {
        rc = err_set(e, ERR_NOMEM, 0, "%s: out of memory", shown);
    } else if (len < 0) {
        rc = err_set(e, ERR_IO, errno, "cannot read %s", shown);
    } else {
        text[len] = '\0';
        rc = take(self, text, (size_t)len, e);
        explicit_bzero(text, (size_t)len);
    }
    free(text);
    close(fd);
    return rc;
}

struct env_file {
    const char *path;
    const struct config_sink *sink;
};

static int take_env(void *self, char *text, size_t len, struct err *e)
{
    const struct env_file *f = self;

    return config__env_parse(text, len, f->path, f->sink, e);
}

int config_env_read(const char *path, const struct config_sink *sink, struct err *e)
{
    struct env_file f = {path, sink};

    return config__text_read(path, take_env, &f, e);
}

#include "base/log.h"

#include "base/buf.h"
#include "base/json_text.h"
#include "base/redact.h"
#include "base/strs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static struct {
    enum log_level level;
    bool json;
    void (*sink)(const char *line);
} the_log = {.level = LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_setup(enum log_level level, bool json)
{
    the_log.level = level;
    the_log.json = json;
}

enum log_level log_level_now(void)
{
    return the_log.level;
}

void log_sink(void (*sink)(const char *line))
{
    the_log.sink = sink;
}

bool log_level_parse(const char *text, enum log_level *ret)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {{"debug", LOG_DEBUG},  {"info", LOG_INFO},   {"warn", LOG_WARN},
                 {"warning", LOG_WARN}, {"error", LOG_ERROR}, {"critical", LOG_ERROR}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(names[i].name, text) == 0) {
            *ret = names[i].level;
            return true;
        }
    }
    return false;
}

const char *log_id(const char *session_id)
{
    static char shown[12];

    snprintf(shown, sizeof(shown), "%.8s\xe2\x80\xa6", session_id);
    return shown;
}

/* One key=value pair at *at becomes a JSON member; returns what follows it. */
static const char *add_pair(struct buf *b, const char *at)
{
    const char *eq = at + strcspn(at, "= ");
    const char *value, *end;

    if (*eq != '=') {
        buf_str(b, ",\"note\":");
        json_text(b, at, strlen(at), false);
        return at + strlen(at);
    }
    buf_char(b, ',');
    json_text(b, at, (size_t)(eq - at), false);
    buf_char(b, ':');
    value = eq + 1;
    if (*value == '"') {
        value++;
        for (end = value; *end && *end != '"'; end++)
            ;
        json_text(b, value, (size_t)(end - value), false);
        return *end ? end + 1 : end;
    }
    end = value + strcspn(value, " ");
    size_t n = (size_t)(end - value);
    /* Longer ones could be a card number, and stars outside quotes are not JSON. */
    if (n && n < 13 && strspn(value, "0123456789") == n && (n == 1 || *value != '0'))
        buf_add(b, value, n);
    else
        json_text(b, value, n, false);
    return end;
}

static void put_line(struct buf *line)
{
    redact(line->data, line->len);
    if (the_log.sink) {
        the_log.sink(buf_text(line));
        return;
    }
    buf_char(line, '\n');
    for (size_t done = 0; done < line->len;) {
        ssize_t n = write(STDERR_FILENO, line->data + done, line->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nobody reads us; a log is never worth dying for */
        done += (size_t)n;
    }
}

/* One event, one line, whatever came in; and UTF-8, without which JSON is none. */
static void make_one_line(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if ((unsigned char)b->data[i] < 0x20 || b->data[i] == 0x7f)
            b->data[i] = ' ';
    for (size_t i = 0; i < b->len;) {
        i += utf8_valid_prefix(b->data + i, b->len - i);
        if (i < b->len)
            b->data[i++] = '?';
    }
}

void log_event(enum log_level level, const char *part, const char *event, const char *fmt, ...)
{
    int saved = errno;
    struct buf line = BUF_INIT, rest = BUF_INIT;
    struct timespec now;
    struct tm tm;
    char stamp[40];
    va_list ap;

    if (level < the_log.level)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp + n, sizeof(stamp) - n, ".%03ldZ", now.tv_nsec / 1000000);
    va_start(ap, fmt);
    buf_vprintf(&rest, fmt, ap);
    va_end(ap);
    make_one_line(&rest);
    if (the_log.json) {
        buf_printf(&line, "{\"ts\":\"%s\",\"level\":\"%s\",\"part\":\"%s\",\"event\":", stamp,
                   level_names[level], part);
        json_text(&line, event, strlen(event), false);
        for (const char *at = buf_text(&rest); *at;) {
            at = add_pair(&line, at);
            at += strspn(at, " ");
        }
        buf_char(&line, '}');
    } else {
        buf_printf(&line, "%s %-7s %-7s %s%s%s", stamp, level_names[level], part, event,
                   rest.len ? " " : "", buf_text(&rest));
    }
    put_line(&line);
    buf_release(&line);
    buf_release(&rest);
    errno = saved;
}

/* The reader of text/event-stream (WHATWG HTML, 9.2.6). */
#include "cli/cli_int.h"

#include <string.h>

void cli__sse_init(struct cli_sse *s, void (*on_event)(void *, const char *, const char *),
                   void *self)
{
    *s = (struct cli_sse){.on_event = on_event, .self = self};
    s->line.max = s->data.max = s->id.max = CLI_SSE_MAX;
}

void cli__sse_release(struct cli_sse *s)
{
    buf_release(&s->line);
    buf_release(&s->data);
    buf_release(&s->id);
}

static void end_event(struct cli_sse *s)
{
    /* An event that was cut would only look whole. */
    if (s->has_data && !s->data.full)
        s->on_event(s->self, buf_text(&s->id), buf_text(&s->data));
    buf_clear(&s->data);
    buf_clear(&s->id);
    s->has_data = false;
}

static void end_line(struct cli_sse *s)
{
    const char *line = buf_text(&s->line), *value;
    size_t name = strcspn(line, ":");

    if (!s->begun && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        name = strcspn(line, ":");
    }
    s->begun = true;
    if (!*line) {
        end_event(s);
        return;
    }
    value = line + name + (line[name] == ':');
    value += *value == ' ';
    if (name == 4 && strncmp(line, "data", 4) == 0) {
        if (s->has_data)
            buf_char(&s->data, '\n');
        buf_str(&s->data, value);
        if (s->line.full)
            s->data.full = true;
        s->has_data = true;
    } else if (name == 2 && strncmp(line, "id", 2) == 0 && !s->line.full) {
        buf_clear(&s->id);
        buf_str(&s->id, value);
    }
}

void cli__sse_feed(struct cli_sse *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = bytes[i];
        bool second = c == '\n' && s->after_cr;
        s->after_cr = c == '\r';
        if (second)
            continue;
        if (c == '\r' || c == '\n') {
            end_line(s);
            buf_clear(&s->line);
        } else {
            buf_char(&s->line, c);
        }
    }
}

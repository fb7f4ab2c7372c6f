#include "mind/cloud_int.h"

#include <string.h>

static void end_event(struct cloud_events *r)
{
    if (r->has_data)
        r->on_event(r->ctx, buf_text(&r->data), r->data.len);
    r->has_data = false;
    buf_clear(&r->data);
}

/* llama.cpp once sent its errors as "error: {...}". */
static bool is_data(const char *line, size_t len, size_t *ret_name)
{
    if (len >= 5 && memcmp(line, "data:", 5) == 0)
        *ret_name = 5;
    else if (len >= 6 && memcmp(line, "error:", 6) == 0)
        *ret_name = 6;
    else
        return false;
    return true;
}

static void end_line(struct cloud_events *r, const char *line, size_t len)
{
    size_t name;

    if (len && line[len - 1] == '\r')
        len--;
    if (len == 0) {
        end_event(r);
        return;
    }
    if (!is_data(line, len, &name))
        return;
    if (name < len && line[name] == ' ')
        name++;
    if (r->has_data)
        buf_char(&r->data, '\n');
    r->has_data = true;
    buf_add(&r->data, line + name, len - name);
}

bool cloud__events_feed(struct cloud_events *r, const char *bytes, size_t n)
{
    r->line.max = r->data.max = CLOUD_EVENT_MAX;
    while (n && !r->line.full && !r->data.full) {
        const char *end = memchr(bytes, '\n', n);
        size_t len = end ? (size_t)(end - bytes) : n;

        if (!end || r->line.len)
            buf_add(&r->line, bytes, len);
        if (end && r->line.len)
            end_line(r, r->line.data, r->line.len);
        else if (end)
            end_line(r, bytes, len);
        if (end && r->line.len)
            buf_clear(&r->line);
        len += end != NULL;
        bytes += len;
        n -= len;
    }
    return !r->line.full && !r->data.full;
}

bool cloud__events_end(struct cloud_events *r)
{
    return cloud__events_feed(r, "\n\n", 2);
}

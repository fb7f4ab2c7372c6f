/* A WebSocket's life, its memory and what it sends, the same on either side. */
#include "net/ws_int.h"

#include "seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT ((size_t)4096) /* of a buffer that is empty again */

static const struct {
    const char *label, *text;
} ends[WS__COUNT] = {
#define WS_END(name, label, text) {label, text},
#include "net/ws_end.def"
#undef WS_END
};

const char *ws_end_label(enum ws_end w)
{
    return w < WS__COUNT ? ends[w].label : "none";
}

/* Memory. */

static void *resize(struct buf_mem *mem, void *p, size_t old_size, size_t new_size)
{
    struct ws_mem *m = LIST_ITEM(mem, struct ws_mem, mem);
    size_t before = net__block(old_size), after = net__block(new_size);

    if (after > before && m->budget && !budget_charge(m->budget, after - before)) {
        m->refused = true;
        return NULL;
    }
    void *q = new_size ? realloc(p, new_size) : NULL;
    if (!new_size)
        free(p);
    if (new_size && !q) { /* a smaller block is as good as the one there was */
        if (after > before && m->budget)
            budget_return(m->budget, after - before);
        return NULL;
    }
    if (after < before && m->budget)
        budget_return(m->budget, before - after);
    m->charged += after - before;
    return q;
}

bool ws_charge(struct ws *w, struct budget *b)
{
    struct ws_mem *m = &w->mem;

    if (m->budget == b)
        return true;
    if (b && !budget_charge(b, m->charged))
        return false;
    if (w->line->charge && !w->line->charge(w, b)) {
        budget_return(b, m->charged);
        return false;
    }
    if (m->budget)
        budget_return(m->budget, m->charged);
    m->budget = b;
    return true;
}

void ws__empty(struct buf *b)
{
    if (b->cap > KEPT || b->full)
        buf_release(b);
    else
        buf_clear(b);
}

enum ws_end ws__no_room(const struct ws *w)
{
    return w->mem.refused ? WS_BUDGET : WS_MEMORY;
}

/* What wslay asks to send. */

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *data, size_t len,
                       int flags, void *ctx)
{
    struct ws *w = ctx;

    (void)flags;
    buf_add(&w->out, data, len);
    if (!w->out.full)
        return (ssize_t)len;
    wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int on_mask(wslay_event_context_ptr frames, uint8_t *dst, size_t len, void *ctx)
{
    (void)frames;
    (void)ctx;
    seal_random(dst, len);
    return 0;
}

/* Life. */

struct ws *ws__new(const struct ws_cfg *cfg, const struct ws_line *line, struct loop *l,
                   bool client)
{
    struct wslay_event_callbacks calls = {.send_callback = on_send,
                                          .genmask_callback = on_mask};
    struct ws *w = calloc(1, sizeof(*w));

    MUST(cfg->sink.message && cfg->sink.closed && cfg->max_message && cfg->max_queued);
    if (!w)
        return NULL;
    ws__read_callbacks(&calls);
    *w = (struct ws){.magic = WS_MAGIC,
                     .line = line,
                     .cfg = *cfg,
                     .loop = l,
                     .mem.mem.resize = resize,
                     .why = WS__COUNT,
                     .code = WS_CODE_NO_CLOSE,
                     .server = !client,
                     .heard_ms = loop_now(l)};
    list_init(&w->link);
    buf_init(&w->in, &w->mem.mem);
    buf_init(&w->out, &w->mem.mem);
    if ((client ? wslay_event_context_client_init(&w->frames, &calls, w)
                : wslay_event_context_server_init(&w->frames, &calls, w)) != 0) {
        free(w);
        return NULL;
    }
    /* A message is collected here, where its bytes are charged as they come. */
    wslay_event_config_set_no_buffering(w->frames, 1);
    wslay_event_config_set_max_recv_msg_length(w->frames, INT64_MAX);
    return w;
}

void ws__free(struct ws *w)
{
    MUST(w->magic == WS_MAGIC && !w->inside);
    if (w->line->release && !w->line->release(w))
        return;
    list_remove(&w->link);
    wslay_event_context_free(w->frames);
    buf_release(&w->in);
    buf_release(&w->out);
    w->magic = 0;
    free(w);
}

void ws__enter(struct ws *w)
{
    w->inside++;
}

bool ws__leave(struct ws *w)
{
    if (--w->inside || !w->cut)
        return true;
    w->line->drop(w);
    return false;
}

void ws__fail(struct ws *w, enum ws_end why)
{
    if (w->failed)
        return;
    if (w->why == WS__COUNT)
        w->why = (uint8_t)why;
    w->failed = true;
    w->line->fail(w);
}

void ws__tell(struct ws *w)
{
    struct ws_closed c = {.why = w->why == WS__COUNT ? WS_GONE : (enum ws_end)w->why,
                          .code = w->code,
                          .reason = {"", 0},
                          .status = w->status,
                          .retry_after_s = w->retry_after_s};
    const char *who = w->c.where[0] ? w->c.where : "the client";

    MUST(!w->told && !w->inside);
    w->told = true;
    if (c.why == WS_CLOSED && w->goodbye_len > 2)
        c.reason = (struct str){w->goodbye + 2, w->goodbye_len - 2};
    if (c.why == WS_REFUSED)
        c.body = (struct str){w->c.head.data + w->c.head_len, w->body_len};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the table's, with one or two texts */
    err_set(&c.e, c.why == WS_MEMORY ? ERR_NOMEM : ERR_IO, 0, ends[c.why].text, who, w->more);
#pragma GCC diagnostic pop
    w->inside++;
    w->cfg.sink.closed(w->cfg.sink.ctx, &c);
    w->inside--;
    ws__free(w);
}

/* Sending. */

size_t ws_queued(const struct ws *w)
{
    return w->line->queued(w) + w->out.len + wslay_event_get_queued_msg_length(w->frames);
}

bool ws_can_send(const struct ws *w, size_t len)
{
    size_t waiting = ws_queued(w) + WS_PER_FRAME;

    return w->why == WS__COUNT && !w->closing && waiting <= w->cfg.max_queued &&
           len <= w->cfg.max_queued - waiting;
}

void ws__push(struct ws *w)
{
    if (w->failed || w->cut)
        return;
    w->mem.refused = false;
    if (wslay_event_send(w->frames) != 0) {
        ws__fail(w, ws__no_room(w));
        return;
    }
    if (w->out.len)
        w->line->flush(w);
    if (w->out.len == 0)
        ws__empty(&w->out);
    if (!w->failed && ws_queued(w) > w->cfg.max_queued)
        ws__fail(w, WS_SLOW); /* also of pongs and the like */
}

static bool queue(struct ws *w, uint8_t opcode, const void *data, size_t len)
{
    const struct wslay_event_msg m = {opcode, data, len};

    if (wslay_event_queue_msg(w->frames, &m) == 0)
        return true;
    ws__fail(w, WS_MEMORY);
    return false;
}

bool ws_send(struct ws *w, bool binary, const void *data, size_t len)
{
    MUST(w->magic == WS_MAGIC);
    if (w->why != WS__COUNT || w->closing || w->cut)
        return false;
    if (!ws_can_send(w, len)) {
        ws__fail(w, WS_SLOW);
        return false;
    }
    if (!queue(w, binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME, data, len))
        return false;
    ws__push(w);
    return w->why == WS__COUNT;
}

void ws_close(struct ws *w, int code, const char *reason)
{
    MUST(w->magic == WS_MAGIC && strlen(reason) <= WS_REASON_MAX);
    if (w->closing || w->why != WS__COUNT || w->cut)
        return;
    w->closing = true;
    w->deadline_ms = loop_now(w->loop) + WS_CLOSE_MS;
    ws__empty(&w->in);
    if (wslay_event_queue_close(w->frames, (uint16_t)code, (const uint8_t *)reason,
                                strlen(reason)) != 0)
        ws__fail(w, WS_MEMORY);
    ws__push(w);
}

void ws_cut(struct ws *w)
{
    MUST(w->magic == WS_MAGIC);
    if (w->told)
        return;
    w->cut = true;
    if (!w->inside)
        w->line->drop(w);
}

void ws_pause(struct ws *w, bool paused)
{
    if (w->paused == paused)
        return;
    w->paused = paused;
    w->heard_ms = loop_now(w->loop);
    w->pinged = false;
    if (!w->failed && !w->cut)
        w->line->pause(w);
}

void ws__drained(struct ws *w)
{
    if (w->cfg.sink.drained && w->why == WS__COUNT && !w->closing && !w->cut)
        w->cfg.sink.drained(w->cfg.sink.ctx);
}

bool ws__sweep(struct ws *w, int64_t now)
{
    int64_t quiet = w->cfg.quiet_ms;

    if (w->failed)
        return true;
    if (w->deadline_ms && now >= w->deadline_ms) {
        ws__fail(w, WS_GONE);
        return false;
    }
    if (!quiet || w->paused || w->closing || w->leaving || now - w->heard_ms < quiet)
        return true;
    if (!w->pinged) {
        w->pinged = true;
        w->heard_ms = now;
        if (queue(w, WSLAY_PING, NULL, 0))
            ws__push(w);
        return !w->failed;
    }
    snprintf(w->more, sizeof(w->more), "%g", (double)quiet / 1000);
    ws__fail(w, WS_SILENT);
    return false;
}

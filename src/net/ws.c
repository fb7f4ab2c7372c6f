/* Frames and their queue, the same on either side. */
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

/* Keep a little of a buffer that is empty again. */
static void empty(struct buf *b)
{
    if (b->cap > KEPT || b->full)
        buf_release(b);
    else
        buf_clear(b);
}

static enum ws_end no_room(const struct ws *w)
{
    return w->mem.refused ? WS_BUDGET : WS_MEMORY;
}

/* What wslay asks. */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *dst, size_t len, int flags,
                       void *ctx)
{
    struct ws *w = ctx;

    (void)flags;
    if (w->feed_len == 0 || w->cut) {
        wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (len > w->feed_len)
        len = w->feed_len;
    memcpy(dst, w->feed, len);
    w->feed += len;
    w->feed_len -= len;
    return (ssize_t)len;
}

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

/* Say why, read no more, and hang up when that is on its way. */
static void leave(struct ws *w, enum ws_end why, int code, const char *reason)
{
    if (w->why != WS__COUNT)
        return;
    w->why = (uint8_t)why;
    w->leaving = true;
    snprintf(w->more, sizeof(w->more), "%s", reason);
    wslay_event_shutdown_read(w->frames);
    if (!w->closing && wslay_event_queue_close(w->frames, (uint16_t)code,
                                               (const uint8_t *)reason, strlen(reason)) < 0)
        ws__fail(w, WS_MEMORY);
}

static void too_long(struct ws *w)
{
    char text[64];

    snprintf(text, sizeof(text), "a message may have %zu bytes", w->cfg.max_message);
    leave(w, WS_PROTOCOL, WS_TOO_BIG, text);
}

static void on_frame(wslay_event_context_ptr frames,
                     const struct wslay_event_on_frame_recv_start_arg *arg, void *ctx)
{
    struct ws *w = ctx;

    (void)frames;
    w->in_control = wslay_is_ctrl_frame(arg->opcode);
    w->in_close = arg->opcode == WSLAY_CONNECTION_CLOSE;
    if (w->in_close)
        w->goodbye_want = (size_t)arg->payload_length;
    if (w->in_control)
        return;
    if (arg->opcode != WSLAY_CONTINUATION_FRAME) {
        w->in_binary = arg->opcode == WSLAY_BINARY_FRAME;
        empty(&w->in);
    }
    if (arg->payload_length > w->cfg.max_message - w->in.len)
        too_long(w);
}

static void on_chunk(wslay_event_context_ptr frames,
                     const struct wslay_event_on_frame_recv_chunk_arg *arg, void *ctx)
{
    struct ws *w = ctx;

    (void)frames;
    if (w->in_close && arg->data_length < sizeof(w->goodbye) - w->goodbye_len) {
        memcpy(w->goodbye + w->goodbye_len, arg->data, arg->data_length);
        w->goodbye_len += arg->data_length;
    }
    if (w->in_control || w->why != WS__COUNT || w->closing)
        return;
    w->mem.refused = false;
    buf_add(&w->in, arg->data, arg->data_length);
    if (w->in.full)
        leave(w, no_room(w), WS_INTERNAL, "there is no memory for this message now");
}

static void on_message(wslay_event_context_ptr frames,
                       const struct wslay_event_on_msg_recv_arg *arg, void *ctx)
{
    struct ws *w = ctx;

    (void)frames;
    if (arg->opcode != WSLAY_TEXT_FRAME && arg->opcode != WSLAY_BINARY_FRAME)
        return;
    if (!w->cut && !w->closing && w->why == WS__COUNT)
        w->cfg.sink.message(w->cfg.sink.ctx, w->in_binary, buf_text(&w->in), w->in.len);
    empty(&w->in);
}

/* Life. */

struct ws *ws__new(const struct ws_cfg *cfg, const struct ws_line *line, struct loop *l,
                   bool client)
{
    static const struct wslay_event_callbacks calls = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .genmask_callback = on_mask,
        .on_frame_recv_start_callback = on_frame,
        .on_frame_recv_chunk_callback = on_chunk,
        .on_msg_recv_callback = on_message,
    };
    struct ws *w = calloc(1, sizeof(*w));

    MUST(cfg->sink.message && cfg->sink.closed && cfg->max_message && cfg->max_queued);
    if (!w)
        return NULL;
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

static void push(struct ws *w)
{
    if (w->failed || w->cut)
        return;
    w->mem.refused = false;
    if (wslay_event_send(w->frames) != 0) {
        ws__fail(w, no_room(w));
        return;
    }
    if (w->out.len)
        w->line->flush(w);
    if (w->out.len == 0)
        empty(&w->out);
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
    push(w);
    return w->why == WS__COUNT;
}

void ws_close(struct ws *w, int code, const char *reason)
{
    MUST(w->magic == WS_MAGIC && strlen(reason) <= WS_REASON_MAX);
    if (w->closing || w->why != WS__COUNT || w->cut)
        return;
    w->closing = true;
    w->deadline_ms = loop_now(w->loop) + WS_CLOSE_MS;
    empty(&w->in);
    if (wslay_event_queue_close(w->frames, (uint16_t)code, (const uint8_t *)reason,
                                strlen(reason)) != 0)
        ws__fail(w, WS_MEMORY);
    push(w);
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

/* Reading. */

static const char *code_text(int code)
{
    return code == WS_TOO_BIG                              ? "too long a message"
           : code == WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA ? "text that is not UTF-8"
                                                           : "a frame that is not valid";
}

static bool may_be_sent(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/*
 * The code of its close frame, 0 when there is none that may be. wslay does not know the newer
 * ones of IANA's list (1012 to 1014), and of a reason that comes in pieces it takes what is not
 * UTF-8 and refuses what is. So what was refused counts as far as it came, without its reason.
 */
static int code_of(struct ws *w)
{
    const uint8_t *d = (const uint8_t *)w->goodbye;
    size_t len = w->goodbye_len;
    int code = len > 1 ? d[0] << 8 | d[1] : WS_CODE_NONE;
    bool whole = w->in_close && len == w->goodbye_want;

    if (!w->in_close || (len == 1 && whole) || (len > 1 && !may_be_sent(code)))
        return 0;
    if (len < 2 && !whole)
        return WS_CODE_NONE;
    if (len > 2 && utf8_valid_prefix(w->goodbye + 2, len - 2) != len - 2) {
        if (whole)
            return 0;
        w->goodbye_len = 2;
    }
    if (!whole)
        w->goodbye_len = 2;
    return code;
}

/* Of a frame that it cannot read wslay only says goodbye, without a reason. */
static void add_goodbye(struct ws *w, bool client)
{
    static const char masked[] = "\x88\x82\0\0\0\0\x03\xea", plain[] = "\x88\x02\x03\xea";

    wslay_event_shutdown_write(w->frames);
    if (w->closing)
        return;
    if (client)
        buf_add(&w->out, masked, sizeof(masked) - 1);
    else
        buf_add(&w->out, plain, sizeof(plain) - 1);
    if (w->out.len && !w->out.full)
        w->line->flush(w);
}

/* Is the conversation over, by a close or by what the peer must not say? */
static void look_at_close(struct ws *w, int rc)
{
    if (w->why != WS__COUNT || w->failed || wslay_event_get_read_enabled(w->frames))
        return;
    int code = code_of(w);
    w->leaving = true;
    w->why = code ? WS_CLOSED : WS_PROTOCOL;
    w->code = code ? code : w->code;
    if (rc || (!code && wslay_event_get_close_received(w->frames)))
        add_goodbye(w, !w->server);
    else
        push(w);
    if (!code)
        str_copy(w->more, sizeof(w->more),
                 code_text(wslay_event_get_status_code_sent(w->frames)));
}

bool ws__feed(struct ws *w, const char *data, size_t len)
{
    MUST(w->magic == WS_MAGIC);
    if (w->failed || w->leaving || w->cut)
        return true;
    w->heard_ms = loop_now(w->loop);
    w->pinged = false;
    w->feed = data;
    w->feed_len = len;
    ws__enter(w);
    int rc = wslay_event_recv(w->frames);
    w->feed_len = 0;
    if (rc == WSLAY_ERR_NOMEM)
        ws__fail(w, WS_MEMORY);
    look_at_close(w, rc);
    push(w);
    if (!ws__leave(w))
        return false;
    if (!w->leaving || w->failed)
        return true;
    w->deadline_ms = loop_now(w->loop) + WS_CLOSE_MS;
    if (!w->line->hang_up(w))
        return true;
    ws__tell(w);
    return false;
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
            push(w);
        return !w->failed;
    }
    snprintf(w->more, sizeof(w->more), "%g", (double)quiet / 1000);
    ws__fail(w, WS_SILENT);
    return false;
}

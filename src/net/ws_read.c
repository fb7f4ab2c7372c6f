/* What a WebSocket reads, the same on either side: frames, the messages in them, a close. */
#include "net/ws_int.h"

#include <stdio.h>
#include <string.h>

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
        ws__empty(&w->in);
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
        leave(w, ws__no_room(w), WS_INTERNAL, "there is no memory for this message now");
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
    ws__empty(&w->in);
}

void ws__read_callbacks(struct wslay_event_callbacks *calls)
{
    calls->recv_callback = on_recv;
    calls->on_frame_recv_start_callback = on_frame;
    calls->on_frame_recv_chunk_callback = on_chunk;
    calls->on_msg_recv_callback = on_message;
}

/* How it ends. */

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
        ws__push(w);
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
    ws__push(w);
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

/*
 * The events of a reply (on the wire as the predecessor had them: data: lines with
 * Python's separators and ASCII escapes), each with an id that says where in the reply its
 * reader is: <turn>-<bytes of text>-<sentences>, and -end behind it for `complete`. So a reader
 * that comes back with Last-Event-ID gets exactly what it lacks, however the text was cut the
 * first time. Audio has no id of its own: it is not told again, and the place of the reader is
 * that in the text. On a WebSocket each event is a message, and audio a binary one behind it.
 */
#include "api/api_int.h"

#include "base/base64.h"
#include "base/json_text.h"
#include "mind/mind.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* At most nine digits from the front of *rest. */
static bool number(struct str *rest, uint32_t *ret)
{
    uint32_t n = 0;
    size_t i = 0;

    for (; i < rest->len && i < 9 && rest->data[i] >= '0' && rest->data[i] <= '9'; i++)
        n = n * 10 + (uint32_t)(rest->data[i] - '0');
    *rest = (struct str){rest->data + i, rest->len - i};
    *ret = n;
    return i > 0;
}

static bool dash(struct str *rest)
{
    if (rest->len == 0 || rest->data[0] != '-')
        return false;
    *rest = (struct str){rest->data + 1, rest->len - 1};
    return true;
}

bool api__place_parse(struct str id, struct api_place *ret)
{
    uint32_t turn, offset, sentences;

    if (!number(&id, &turn) || !dash(&id) || !number(&id, &offset) || !dash(&id) ||
        !number(&id, &sentences) || (id.len && !str_eq(id, "-end")))
        return false;
    *ret = (struct api_place){turn, offset, sentences, id.len > 0};
    return true;
}

/* The turn ends the stream, soon, as it would at any other time. */
static void on_drain(void *ctx, struct http_req *req)
{
    (void)ctx;
    (void)req;
}

void api__stream_begin(struct http_req *req, const char *id)
{
    http_header(req, "X-Session-ID", "%s", id);
    http_header(req, "Cache-Control", "no-cache");
    http_header(req, "X-Accel-Buffering", "no");
    http_stream_begin(req, 200, "text/event-stream; charset=utf-8");
}

void api__events_begin(struct api_events *ev, struct http_req *req, const char *id,
                       uint32_t turn)
{
    ev->req = req;
    memcpy(ev->id, id, strlen(id) + 1);
    ev->at = (struct api_place){.turn = turn};
    api__stream_begin(req, id);
    http_stream_on_drain(req, on_drain);
}

void api__events_release(struct api_events *ev)
{
    buf_release(&ev->pending);
    buf_release(&ev->line);
}

/* The mouth for the last letter, as the predecessor's clients animate it. */
static const char *viseme(const char *text, size_t len)
{
    static const char *const mouths[][2] = {{"ah", "mouth_talk_a"},
                                            {"eiy", "mouth_talk_e"},
                                            {"ouw", "mouth_talk_o"},
                                            {"mbp", "mouth_closed"}};
    struct str s = str_trim((struct str){text, len});

    if (s.len == 0)
        return "mouth_closed";
    int last = tolower((unsigned char)s.data[s.len - 1]);
    for (size_t i = 0; i < ARRAY_LEN(mouths); i++)
        if (last && strchr(mouths[i][0], last))
            return mouths[i][1];
    return "mouth_talk_a";
}

static void open_event(struct api_events *ev, const char *type)
{
    buf_clear(&ev->line);
    if (ev->ws) {
        buf_printf(&ev->line, "{\"type\": \"%s\"", type);
        if (ev->at.turn)
            buf_printf(&ev->line, ", \"turn\": %u", ev->at.turn);
        return;
    }
    if (ev->at.turn)
        buf_printf(&ev->line, "id: %u-%zu-%zu%s\n", ev->at.turn, ev->at.offset,
                   ev->at.sentences, ev->at.complete ? "-end" : "");
    buf_printf(&ev->line, "data: {\"type\": \"%s\"", type);
}

static void member(struct api_events *ev, const char *name, const char *text, size_t len)
{
    buf_printf(&ev->line, ", \"%s\": ", name);
    json_text(&ev->line, text, len, true);
}

static void close_event(struct api_events *ev, const char *content, size_t len)
{
    member(ev, "session_id", ev->id, strlen(ev->id));
    if (len)
        buf_printf(&ev->line, ", \"viseme\": \"%s\"", viseme(content, len));
}

static void cut(struct api_events *ev)
{
    if (ev->ws)
        ws_close(ev->ws, WS_INTERNAL, "there is no memory for what comes next");
    else
        http_stream_cut(ev->req);
}

static void end_stream(struct api_events *ev)
{
    if (!ev->ws) /* which goes on */
        http_stream_end(ev->req);
}

static void send_event(struct api_events *ev)
{
    buf_str(&ev->line, ev->ws ? "}" : "}\n\n");
    /* Half an event, or one left out, would be read as the whole. */
    if (ev->line.full || ev->pending.full)
        cut(ev);
    else if (ev->ws)
        ws_send(ev->ws, false, ev->line.data, ev->line.len);
    else
        http_stream_write(ev->req, ev->line.data, ev->line.len);
}

void api__event_open(struct api_events *ev, const char *type)
{
    open_event(ev, type);
    member(ev, "session_id", ev->id, strlen(ev->id));
}

void api__event_member(struct api_events *ev, const char *name, struct str text)
{
    member(ev, name, text.data, text.len);
}

void api__event_send(struct api_events *ev)
{
    send_event(ev);
}

void api__event_session(struct api_events *ev)
{
    open_event(ev, "session");
    member(ev, "session_id", ev->id, strlen(ev->id));
    send_event(ev);
}

static void send_sentence(struct api_events *ev, struct str sentence)
{
    ev->at.sentences++;
    sentence = str_trim(sentence);
    open_event(ev, "sentence");
    member(ev, "content", sentence.data, sentence.len);
    close_event(ev, sentence.data, sentence.len);
    send_event(ev);
    if (!ev->talk || !ev->talk->speech)
        return;
    if (!ev->talking)
        ev->talk_from = ev->at.sentences - 1;
    ev->talking = true;
    speech_say(ev->talk->speech, sentence);
}

/* How much of the pending text is whole sentences; *ret_count how many. */
static size_t whole_sentences(const struct api_events *ev, size_t *ret_count)
{
    size_t at = 0, n;

    *ret_count = 0;
    while ((n = sentence_next(ev->pending.data + at, ev->pending.len - at, false)) > 0) {
        at += n;
        ++*ret_count;
    }
    return at;
}

static void send_whole_sentences(struct api_events *ev)
{
    size_t at = 0, n;

    while ((n = sentence_next(ev->pending.data + at, ev->pending.len - at, false)) > 0) {
        send_sentence(ev, (struct str){ev->pending.data + at, n});
        at += n;
    }
    buf_consume(&ev->pending, at);
}

void api__event_text(struct api_events *ev, const char *data, size_t len)
{
    size_t count;

    if (len == 0)
        return;
    ev->at.offset += len;
    buf_add(&ev->pending, data, len);
    if (ev->pending.full) {
        cut(ev);
        return;
    }
    size_t whole = whole_sentences(ev, &count);
    struct str partial =
        str_trim((struct str){ev->pending.data + whole, ev->pending.len - whole});
    open_event(ev, "text_chunk");
    member(ev, "content", data, len);
    member(ev, "partial", partial.data, partial.len);
    close_event(ev, data, len);
    send_event(ev);
    if (count)
        send_whole_sentences(ev);
}

void api__event_complete(struct api_events *ev, const struct turn_done *d)
{
    struct str reply = d->reply;
    struct str rest = str_trim((struct str){buf_text(&ev->pending), ev->pending.len});

    if (rest.len)
        send_sentence(ev, rest);
    buf_clear(&ev->pending);
    ev->at.complete = true;
    open_event(ev, "complete");
    member(ev, "content", reply.data, reply.len);
    member(ev, "full_response", reply.data, reply.len);
    close_event(ev, reply.data, reply.len);
    buf_printf(&ev->line, ", \"current_order\": %.*s, \"payment_summary\": %.*s",
               STR_FMT(d->order), STR_FMT(d->summary));
    api__mind_members(&ev->line, d->mind, ", ");
    send_event(ev);
    if (!ev->talk)
        end_stream(ev);
}

/* Audio has no place to resume from. */
static void open_audio(struct api_events *ev, const char *type)
{
    buf_clear(&ev->line);
    if (ev->ws)
        open_event(ev, type);
    else
        buf_printf(&ev->line, "data: {\"type\": \"%s\"", type);
}

/* The audio itself is the binary message behind the one that announces it. */
static size_t send_audio(struct api_events *ev, const struct str *data)
{
    buf_printf(&ev->line, ", \"bytes\": %zu", data->len);
    send_event(ev);
    if (data->len)
        ws_send(ev->ws, true, data->data, data->len);
    return ws_queued(ev->ws);
}

size_t api__event_audio(struct api_events *ev, const struct speech_chunk *c,
                        enum voice_format format)
{
    struct buf *line = &ev->line;

    open_audio(ev, "audio");
    member(ev, "session_id", ev->id, strlen(ev->id));
    buf_printf(line, ", \"sentence\": %zu, \"chunk\": %zu, \"last\": %s",
               ev->talk_from + c->sentence, c->index, c->last ? "true" : "false");
    buf_printf(line, ", \"format\": \"%s\", \"sample_rate\": %u", voice_format_text(format),
               c->rate);
    if (c->index == 0) {
        member(ev, "content", c->text.data, c->text.len);
        buf_printf(line, ", \"voice\": \"%s\"", voice_text(c->voice));
    }
    if (c->seconds > 0)
        buf_printf(line, ", \"seconds\": %.3f", c->seconds);
    if (c->index == 0 || c->viseme_count) {
        buf_str(line, ", \"visemes\": [");
        for (size_t i = 0; i < c->viseme_count; i++)
            buf_printf(line, "%s{\"at\": %.3f, \"viseme\": \"%s\"}", i ? ", " : "",
                       c->visemes[i].at_ms / 1000.0,
                       voice_mouth_text((enum voice_mouth)c->visemes[i].mouth));
        buf_char(line, ']');
    }
    if (ev->ws)
        return send_audio(ev, &c->data);
    buf_str(line, ", \"audio_base64\": \"");
    base64_add(line, c->data.data, c->data.len);
    buf_str(line, "\"}\n\n");
    size_t waiting = 0;
    if (line->full) /* as in send_event() */
        http_stream_cut(ev->req);
    else
        waiting = http_stream_write(ev->req, line->data, line->len);
    buf_release(line); /* far more than other events need */
    return waiting;
}

void api__event_audio_end(struct api_events *ev, const struct api_talk *t)
{
    open_audio(ev, "audio_end");
    member(ev, "session_id", ev->id, strlen(ev->id));
    buf_printf(&ev->line, ", \"outcome\": \"%s\"", voice_outcome_text(t->outcome));
    api__voice_members(&ev->line, t, ", ");
    send_event(ev);
    end_stream(ev);
}

void api__event_error(struct api_events *ev, const struct err *e)
{
    const char *text = api__error_text(e);

    api__log_error(ev->req, e);
    ev->at.complete = true; /* an EventSource that comes back by itself must not ask again */
    open_event(ev, "error");
    member(ev, "content", text, strlen(text));
    close_event(ev, text, strlen(text));
    buf_printf(&ev->line, ", \"code\": \"%s\"", err_code_text(e->code));
    send_event(ev);
    end_stream(ev);
}

void api__events_resume(struct api_events *ev, const struct api_place *from,
                        const struct turn_done *d)
{
    struct str reply = d->reply;
    size_t seen = from->offset <= reply.len ? from->offset : 0;
    size_t at = 0, n, skip = from->sentences;

    /* A place inside a character is nobody's; begin again rather than send half of one. */
    if (seen < reply.len && ((unsigned char)reply.data[seen] & 0xC0) == 0x80)
        seen = 0;
    ev->at.offset = seen;
    buf_add(&ev->pending, reply.data, seen);
    if (ev->pending.full) { /* what follows counts on it */
        http_stream_cut(ev->req);
        http_stream_end(ev->req);
        return;
    }
    while (seen && skip &&
           (n = sentence_next(ev->pending.data + at, ev->pending.len - at, false)) > 0) {
        at += n;
        skip--;
        ev->at.sentences++;
    }
    if (at)
        buf_consume(&ev->pending, at);
    if (seen != from->offset)
        api__event_session(ev); /* which means: told from the start */
    send_whole_sentences(ev);
    if (seen == reply.len && skip) { /* the last sentence, which had no space behind it, too */
        ev->at.sentences += skip;
        buf_clear(&ev->pending);
    }
    api__event_text(ev, reply.data + seen, reply.len - seen);
    api__event_complete(ev, d);
}

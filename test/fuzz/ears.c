/*
 * What Cartesia hears, as it tells it: lines are messages. Whatever they are, a turn begins
 * before its words, words are UTF-8 within their bound, and when it is over nothing follows.
 */
#include "net/net.h"

/* There is no socket. */
static void no_cut(struct ws *w);
static bool no_send(struct ws *w, bool binary, const void *data, size_t len);
#define ws_cut no_cut
#define ws_send no_send
#include "voice/ears_cartesia.c"

#include "voice/ears.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool in_turn, over;

static void no_cut(struct ws *w)
{
    (void)w;
}

static bool no_send(struct ws *w, bool binary, const void *data, size_t len)
{
    (void)w;
    (void)binary;
    (void)data;
    (void)len;
    return true;
}

static void heard_nothing(void *ctx)
{
    (void)ctx;
    MUST(!over);
}

static void heard_begin(void *ctx)
{
    (void)ctx;
    MUST(!in_turn && !over);
    in_turn = true;
}

static void heard_words(void *ctx, struct str text, bool final)
{
    (void)ctx;
    MUST(in_turn && !over);
    MUST(text.len <= 2 * EARS_TURN_MAX && utf8_valid_prefix(text.data, text.len) == text.len);
    in_turn = !final;
}

static void heard_end(void *ctx, const struct err *e)
{
    (void)ctx;
    MUST(!over && e->msg[0]);
    over = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static struct ears *ears;
    const struct hearing_sink sink = {.listening = heard_nothing,
                                      .began = heard_begin,
                                      .words = heard_words,
                                      .room = heard_nothing,
                                      .ended = heard_end};
    struct err e;

    if (!loop) {
        json_region_setup();
        log_setup(LOG_ERROR, false);
        MUST(loop_new(&loop, &e) == 0);
        ears = ears_new(&(struct ears_cfg){.loop = loop,
                                           .choice = "auto",
                                           .cartesia_key = "k",
                                           .cartesia_url = "http://127.0.0.1:9"});
    }
    struct hearing *h = xalloc(sizeof(*h));
    struct ears_stream *s = xalloc(sizeof(*s));
    *h = (struct hearing){.ears = ears, .sink = sink, .stream = s, .cut = true};
    h->words.max = h->carried.max = EARS_TURN_MAX;
    *s = (struct ears_stream){.hearing = h};
    ears->stats.hearings++;
    in_turn = over = false;
    while (size && h->stream) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        on_message(s, false, (const char *)data, len);
        if (over)
            return 0;
        len += end != NULL;
        data += len;
        size -= len;
    }
    if (h->stream)
        stream_free(s);
    h->stream = NULL;
    hearing_free(h);
    return 0;
}

/* What a person says: whole, so it may be looked at twice. */
#include "safety/safety_int.h"

#include "base/buf.h"
#include "memory/memory.h"

static void on_text(void *ctx, const char *data, size_t len)
{
    buf_add(ctx, data, len);
}

static void run(struct safety_stream *st, struct str text)
{
    safety_stream_whole(st, text.data, text.len);
    safety_stream_wipe(st);
}

enum safety_verdict safety_input(struct safety *s, struct str text, struct region *r,
                                 struct buf *out, struct safety_hit *ret)
{
    struct safety_stream st = {.safety = s, .where = SAFETY_INPUT};
    struct buf joined;

    run(&st, text);
    *ret = st.hit;
    if (st.refused)
        return SAFETY_REFUSED;
    if (plain__has_spaced(text)) {
        struct safety_stream again = {.safety = s, .where = SAFETY_INPUT, .refuse_only = true};
        buf_init(&joined, &r->mem);
        buf_reserve(&joined, text.len);
        plain__join_spaced(text, &joined);
        if (joined.full)
            return SAFETY_NO_MEMORY;
        run(&again, (struct str){joined.data, joined.len});
        buf_release(&joined);
        if (again.refused) {
            *ret = again.hit;
            return SAFETY_REFUSED;
        }
    }
    if (!ret->rule || ret->action != SAFETY_REPLACE)
        return SAFETY_PASSES;
    struct safety_stream write = {
        .safety = s, .where = SAFETY_INPUT, .emit = on_text, .ctx = out, .uncounted = true};
    run(&write, text);
    return out->full ? SAFETY_NO_MEMORY : SAFETY_CHANGED;
}

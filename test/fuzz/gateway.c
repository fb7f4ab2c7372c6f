/*
 * What comes from outside to the gateway's part: HAProxy's two answers, and a plan. The first
 * byte says which. A plan that passes makes a configuration in which no line was begun by a
 * name.
 */
#include "gateway/gateway.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_stat(void *ctx, const struct gateway_stat *s)
{
    struct str *all = ctx;

    MUST(s->backend.data >= all->data &&
         s->backend.data + s->backend.len <= all->data + all->len && s->server.len > 0);
}

static void on_slot(void *ctx, const struct gateway_slot *s)
{
    struct str *all = ctx;

    MUST(s->server.data >= all->data && s->server.data + s->server.len <= all->data + all->len);
    MUST(s->state < GATEWAY_STATE__COUNT);
}

static void plan(const char *data, size_t size)
{
    struct gateway_file *f;
    struct buf out = BUF_INIT;
    struct err e;

    if (gateway_plan_read(data, size, &f, &e) < 0) {
        MUST(e.msg[0] && strlen(e.msg) < sizeof(e.msg));
        return;
    }
    gateway_config(gateway_plan_of(f), &out);
    for (const char *c = buf_text(&out); *c; c++)
        MUST(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
    buf_release(&out);
    gateway_plan_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data + 1, size - 1};
    struct err e;

    if (size < 1)
        return 0;
    if (data[0] % 3 == 0)
        (void)!gateway_read_stat(text, on_stat, &text, &e);
    else if (data[0] % 3 == 1)
        (void)!gateway_read_slots(text, on_slot, &text, &e);
    else
        plan(text.data, text.len);
    return 0;
}

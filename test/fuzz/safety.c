/*
 * A file of rules, or a text that is scanned: the first byte chooses. Whatever the file is, it
 * is taken or complained about; whatever the text is, the same comes out in pieces of any size,
 * and no key of Google's gets through.
 */
#include "base/buf.h"
#include "base/must.h"
#include "memory/memory.h"
#include "safety/safety_int.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules_text[] =
    "rules:\n"
    "- {name: s, kind: secret, where: both, action: replace}\n"
    "- {name: d, kind: toxicity, where: both, action: replace, pattern: 'dog(?:gy\\w*)?'}\n"
    "- {name: b, kind: toxicity, where: both, action: count, pattern: '\\bbad\\b'}\n"
    "- {name: l, kind: toxicity, where: both, action: replace, pattern: 'x[^y]*y'}\n"
    "- {name: e, kind: toxicity, where: both, action: refuse, pattern: "
    "'(?<=un)kind.{3,9}end'}\n";

static void on_text(void *ctx, const char *text, size_t len)
{
    buf_add(ctx, text, len);
}

static void stream(struct safety *s, const char *text, size_t len, size_t piece,
                   struct buf *out)
{
    struct safety_stream st = {
        .safety = s, .where = SAFETY_OUTPUT, .emit = on_text, .ctx = out};

    for (size_t at = 0; at < len; at += piece)
        safety_stream_feed(&st, text + at, len - at < piece ? len - at : piece);
    safety_stream_end(&st);
}

static void scan(const char *text, size_t len, size_t piece)
{
    static struct safety *s;
    struct buf whole = BUF_INIT, pieces = BUF_INIT, changed;
    struct safety_hit hit;
    struct budget budget;
    struct region r;
    struct err e;

    if (!s) {
        MUST(safety__parse("rules", rules_text, sizeof(rules_text) - 1, &s, &e) == 0);
        safety_own_secret(s, "a-key-of-our-own");
    }
    stream(s, text, len, len + 1, &whole);
    stream(s, text, len, piece, &pieces);
    MUST(whole.len == pieces.len &&
         (!whole.len || !memcmp(whole.data, pieces.data, whole.len)));
    MUST(!strstr(buf_text(&whole), "a-key-of-our-own"));
    if (utf8_valid_prefix(text, len) == len)
        MUST(utf8_valid_prefix(whole.data, whole.len) == whole.len);
    budget_init(&budget, 0, NULL);
    region_init(&r, &budget, 0);
    buf_init(&changed, &r.mem);
    (void)safety_input(s, (struct str){text, len}, &r, &changed, &hit);
    region_release(&r);
    buf_release(&whole);
    buf_release(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safety *s = NULL;
    struct err e;

    if (size == 0)
        return 0;
    if (data[0] == 0xff) {
        if (safety__parse("f", (const char *)data + 1, size - 1, &s, &e) < 0)
            MUST(strncmp(e.msg, "f", 1) == 0);
        safety_free(&s);
    } else {
        scan((const char *)data + 1, size - 1, 1 + data[0]);
    }
    return 0;
}

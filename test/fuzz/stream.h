/*
 * A provider's stream: any bytes, in pieces of any size (the first byte says which), give the
 * same answer as in one piece; and what is written of it for the next round is JSON.
 */
#pragma once

#include "unit/mind/answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct reading *a, const struct reading *b)
{
    MUST(a->said.len == b->said.len && a->answer.tool_count == b->answer.tool_count);
    MUST(a->said.len == 0 || memcmp(a->said.data, b->said.data, a->said.len) == 0);
    MUST(a->answer.finish == b->answer.finish && a->answer.failed == b->answer.failed);
    MUST(utf8_valid_prefix(buf_text(&a->said), a->said.len) == a->said.len);
}

static void next_round(const struct reading *r)
{
    struct cloud_result results[CLOUD_CALLS_MAX];
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < CLOUD_CALLS_MAX; i++)
        results[i] = (struct cloud_result){"{}", 2, false};
    buf_str(&out, "[0");
    r->codec->round(&r->answer, results, &out);
    buf_char(&out, ']');
    json_t *root = json_loadb(buf_text(&out), out.len, 0, NULL);
    MUST(root);
    json_decref(root);
    buf_release(&out);
}

static int fuzz_stream(const struct cloud_codec *codec, const uint8_t *data, size_t size)
{
    static bool ready;
    struct reading whole, pieces;

    if (!ready)
        json_region_setup();
    ready = true;
    if (size < 2 || size > 65536)
        return 0;
    reading_begin(&whole, codec, 64 << 20);
    reading_feed(&whole, (const char *)data + 1, size - 1, size);
    reading_begin(&pieces, codec, 64 << 20);
    reading_feed(&pieces, (const char *)data + 1, size - 1, data[0] % 17 + 1);
    compare(&whole, &pieces);
    if (whole.answer.tool_count)
        next_round(&whole);
    reading_end(&whole);
    reading_end(&pieces);
    return 0;
}

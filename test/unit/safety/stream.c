#include "safety/stream.c"

#include "base/buf.h"
#include "unit/tap.h"

#include <malloc.h>
#include <stdlib.h>

#define GOOGLE "AIzaSyA1234567890abcdefghijklmnopqrstuv"

/* 30 bytes that are not seen */
#define HIDDEN                                                                                 \
    "\xe2\x80\x8b\xe2\x80\x8b\xe2\x80\x8b\xe2\x80\x8b\xe2\x80\x8b\xe2\x80\x8b\xe2\x80\x8b\xe2" \
    "\x80\x8b\xe2\x80\x8b\xe2\x80\x8b"

static const char rules_text[] =
    "rules:\n"
    "- {name: secrets, kind: secret, where: both, action: replace}\n"
    "- {name: dogs, kind: toxicity, where: output, action: replace, pattern: 'dog(?:gy\\w*)?', "
    "with: cat}\n"
    "- {name: word, kind: toxicity, where: output, action: replace, pattern: '\\bbad\\b', "
    "with: "
    "good}\n"
    "- {name: seen, kind: toxicity, where: output, action: count, pattern: 'rum.{0,9}cola'}\n"
    "- {name: long, kind: toxicity, where: output, action: replace, pattern: 'x[^y]*y', with: "
    "Z}\n"
    "- {name: behind, kind: toxicity, where: output, action: replace, pattern: '(?<=un)kind', "
    "with: nice}\n"
    "- {name: stop, kind: toxicity, where: output, action: refuse, words: [stop now], say: I "
    "stop.}\n";

static struct safety *rules;

static void on_text(void *ctx, const char *data, size_t len)
{
    buf_add(ctx, data, len);
}

/* The text in pieces of `size` bytes; what came out, and in *most the most that was held. */
static char *cut(const char *text, size_t len, size_t size, struct safety_hit *hit,
                 size_t *most)
{
    struct buf out = BUF_INIT;
    const struct str own[] = {{"own-key-of-the-guest", 20}};
    struct safety_stream st = {.safety = rules,
                               .where = SAFETY_OUTPUT,
                               .own = own,
                               .own_count = 1,
                               .emit = on_text,
                               .ctx = &out};

    *most = 0;
    for (size_t at = 0; at < len; at += size) {
        safety_stream_feed(&st, text + at, len - at < size ? len - at : size);
        if (st.held > *most)
            *most = st.held;
    }
    safety_stream_end(&st);
    if (hit)
        *hit = st.hit;
    buf_str(&out, "");
    return buf_detach(&out);
}

static const struct {
    const char *in, *out;
} texts[] = {
    {"", ""},
    {"plain talk, \xc3\xa4\xf0\x9f\x8d\xb8 and all",
     "plain talk, \xc3\xa4\xf0\x9f\x8d\xb8 and all"},
    {"key " GOOGLE ". So", "key [redacted]. So"},
    {"key A\xe2\x80\x8bIzaSyA1234567890abcdefghijklmnopqrstuv so", "key [redacted] so"},
    {"Bearer abc123def456ghi, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln.",
     "[redacted], [redacted]."},
    {"-----BEGIN TEST PRIVATE KEY-----\nMIIE+/=\nAB\n-----END TEST PRIVATE KEY-----\nend",
     "[redacted]\nend"},
    {"card 4111 1111 1111 1111 12/27", "card [redacted] 12/27"},
    {"card 4111 1111 1111 1111", "card [redacted]"},
    {"own-key-of-the-guest and own-key-of-the-house and process-secret!",
     "[redacted] and own-key-of-the-house and [redacted]!"},
    {"dog doggy doggystyle do", "cat cat cat do"},
    {"dogg dog", "catg cat"},
    {"a bad badge, bad", "a good badge, good"},
    {"rum with cola, rum", "rum with cola, rum"},
    {"unkind kind", "unnice kind"},
    {"x short y", "Z"},
    {"u" HIDDEN HIDDEN HIDDEN "n" HIDDEN HIDDEN "kind",
     "u" HIDDEN HIDDEN HIDDEN "n" HIDDEN HIDDEN "nice"},
    {"well, stop   now and never again", "well, I stop."},
    {"st\xef\xbd\x8fp now", "I stop."},
    {"not stop nowhere", "not stop nowhere"},
    {"half a key AIzaSyA", "half a key AIzaSyA"},
    {"broken \xff\xc3 and \xe2\x80", "broken \xff\xc3 and \xe2\x80"},
};

static void any_cut(void)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t len = strlen(texts[i].in);
        for (size_t size = 1; size <= len + 1; size++) {
            size_t most;
            char *out = cut(texts[i].in, len, size, NULL, &most);
            if (strcmp(out, texts[i].out) != 0)
                printf("# in pieces of %zu\n", size);
            CHECK_STR(out, texts[i].out);
            CHECK(most <= LEFT_MAX);
            free(out);
        }
    }
}

/* Long texts, made of what begins and does not end. */
static void long_texts(void)
{
    static const char *const parts[] = {
        "x",           " y",   "doggy",        "AIza", "4111 ",
        "-----BEGIN ", "aaaa", "\xe2\x80\x8b", "bad",  " ",
        "un",          "kind", "eyJ",          ".",    "-----BEGIN TEST PRIVATE KEY-----",
        "\xc3\xa4",    "rum",  "cola"};
    uint64_t seed = 7;

    for (int round = 0; round < 300; round++) {
        struct buf text = BUF_INIT;
        size_t most;
        while (text.len < 700) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned n = seed >> 60 == 0 ? 200 : 1 + (unsigned)(seed >> 61);
            const char *part = parts[(seed >> 33) % ARRAY_LEN(parts)];
            if (strchr(part, '\xe2') || part[0] == ' ')
                n = 1; /* floods of what is not seen: below */
            while (n--)
                buf_str(&text, part);
        }
        char *whole = cut(text.data, text.len, text.len, NULL, &most);
        for (size_t size = 1; size < 80; size += 1 + size / 3) {
            char *pieces = cut(text.data, text.len, size, NULL, &most);
            if (strcmp(whole, pieces) != 0) {
                printf("# round %d in pieces of %zu\n", round, size);
                CHECK_STR(pieces, whole);
            }
            free(pieces);
        }
        free(whole);
        buf_release(&text);
    }
}

static void nothing_is_held_without_need(void)
{
    static const char talk[] =
        "A Negroni is equal parts, stirred. That makes 13.00, thank you! ";
    struct buf out = BUF_INIT;
    struct safety_stream st = {
        .safety = rules, .where = SAFETY_OUTPUT, .emit = on_text, .ctx = &out};

    for (size_t i = 0; i < sizeof(talk) - 1; i++) {
        safety_stream_feed(&st, talk + i, 1);
        CHECK(out.len + 3 >= i + 1); /* "s", "un", "13" could be the beginning of something */
    }
    CHECK_INT(out.len, sizeof(talk) - 1);
    buf_release(&out);
}

static void what_is_not_seen(void)
{
    struct buf text = BUF_INIT;
    size_t most;

    buf_str(&text, "-----BEGIN TEST PRIVATE KEY-----AAAA-----END");
    for (int i = 0; i < 3000; i++)
        buf_str(&text, "\xe2\x80\x8b");
    buf_str(&text, "sk-");
    for (int i = 0; i < 3000; i++)
        buf_str(&text, "\xe2\x80\x8b");
    for (size_t size = 1; size < 3000; size = size * 3 + 1) {
        free(cut(text.data, text.len, size, NULL, &most));
        CHECK(most <= LEFT_MAX);
    }
    buf_release(&text);
}

static void counts(void)
{
    struct safety_stats before, after;
    struct safety_hit hit;
    size_t most;

    safety_stats(rules, &before);
    free(cut("rum and cola, bad", 17, 1, &hit, &most));
    safety_stats(rules, &after);
    CHECK_INT(after.hits[SAFETY_TOXICITY][SAFETY_OUTPUT][SAFETY_COUNT] -
                  before.hits[SAFETY_TOXICITY][SAFETY_OUTPUT][SAFETY_COUNT],
              1);
    CHECK_INT(after.hits[SAFETY_TOXICITY][SAFETY_OUTPUT][SAFETY_REPLACE] -
                  before.hits[SAFETY_TOXICITY][SAFETY_OUTPUT][SAFETY_REPLACE],
              1);
    CHECK_STR(hit.rule,
              "word"); /* what changes something is told rather than what is counted */
    CHECK_INT(after.undecided, 0);
    free(cut("bad, stop now", 13, 13, &hit, &most));
    CHECK_STR(hit.rule, "stop");
    free(cut("nothing", 7, 7, &hit, &most));
    CHECK(hit.rule == NULL);
}

static void ignore(void *ctx, const char *data, size_t len)
{
    (void)data;
    *(size_t *)ctx += len;
}

static void allocates_nothing(void)
{
    static char text[20000];
    size_t sum = 0;
    struct safety_stream st = {
        .safety = rules, .where = SAFETY_OUTPUT, .emit = ignore, .ctx = &sum};

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "x bad dog AIza 4111 "[i % 20];
    size_t before = mallinfo2().uordblks;
    safety_stream_feed(&st, text, sizeof(text));
    safety_stream_end(&st);
    CHECK_INT(mallinfo2().uordblks, before);
    CHECK(sum > 0);
    safety_stream_wipe(&st);
    CHECK_INT(st.held, 0);
}

static const struct tap_case cases[] = {
    {"the same comes out however it is cut", any_cut},
    {"also of long texts that begin much and end little", long_texts},
    {"ordinary talk is not held back", nothing_is_held_without_need},
    {"what is not seen does not fill the window", what_is_not_seen},
    {"hits are counted, and the one that matters is told", counts},
    {"a scan allocates nothing", allocates_nothing},
};

int main(void)
{
    struct err e;

    if (safety__parse("rules", rules_text, sizeof(rules_text) - 1, &rules, &e) < 0) {
        printf("Bail out! %s\n", e.msg);
        return 1;
    }
    safety_own_secret(rules, "process-secret");
    safety_own_secret(rules, "short");
    int failed = tap_run(cases, ARRAY_LEN(cases));
    safety_free(&rules);
    return failed;
}

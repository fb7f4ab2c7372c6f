/* What is a letter, and in which scripts a word is not told from the next by a space. */
#include "knowledge/knowledge_int.h"

struct range {
    uint32_t first, last;
};

/* Unicode blocks of scripts that are written without spaces, and of Hangul, whose endings are.
 */
static const struct range alone[] = {
    {0x0E00, 0x0EFF},   /* Thai, Lao */
    {0x1000, 0x109F},   /* Myanmar */
    {0x1100, 0x11FF},   /* Hangul Jamo */
    {0x1780, 0x17FF},   /* Khmer */
    {0x3040, 0x30FF},   /* Hiragana, Katakana */
    {0x3400, 0x4DBF},   /* CJK extension A */
    {0x4E00, 0x9FFF},   /* CJK */
    {0xAC00, 0xD7AF},   /* Hangul */
    {0xF900, 0xFAFF},   /* CJK compatibility */
    {0x20000, 0x3FFFF}, /* CJK extensions B and on */
};

/* Punctuation, symbols and pictures: what the tokenizer takes for no word. */
static const struct range none[] = {
    {0x0080, 0x00A9}, {0x00AB, 0x00B1},   {0x00B4, 0x00B4},   {0x00B6, 0x00B8},
    {0x00BB, 0x00BB}, {0x00BF, 0x00BF},   {0x00D7, 0x00D7},   {0x00F7, 0x00F7},
    {0x0300, 0x036F}, {0x2000, 0x206F},   {0x20A0, 0x20FF},   {0x2190, 0x245F},
    {0x2500, 0x2BFF}, {0x2E00, 0x2E7F},   {0x3000, 0x3004},   {0x3008, 0x3020},
    {0x3030, 0x3030}, {0x30FB, 0x30FB},   {0xE000, 0xF8FF},   {0xFE00, 0xFE6F},
    {0xFF01, 0xFF0F}, {0xFF1A, 0xFF20},   {0xFF3B, 0xFF40},   {0xFF5B, 0xFF65},
    {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xE0000, 0xE0FFF}, {0xF0000, 0x10FFFF},
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= r[i].first && c <= r[i].last)
            return true;
    return false;
}

static uint32_t code_point(const unsigned char *s, size_t left, size_t *ret_len)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);

    if (n > left)
        n = left; /* the text is valid; a piece of it may be cut */
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3F);
    *ret_len = n;
    return c;
}

size_t knowledge__letter(const char *s, size_t left, enum letter *ret)
{
    size_t n;
    uint32_t c = code_point((const unsigned char *)s, left, &n);

    if (c < 0x80) {
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        *ret = word ? LETTER_WORD : LETTER_NONE;
    } else if (in_ranges(c, none, ARRAY_LEN(none))) {
        *ret = LETTER_NONE;
    } else {
        *ret = in_ranges(c, alone, ARRAY_LEN(alone)) ? LETTER_ALONE : LETTER_WORD;
    }
    return n;
}

size_t knowledge__pairs(const char *s, size_t left, pair_fn *fn, void *ctx)
{
    size_t at = 0, before = 0, count = 0, n;
    enum letter kind;

    for (; at < left; at += n) {
        n = knowledge__letter(s + at, left - at, &kind);
        if (kind != LETTER_ALONE)
            break;
        if (count++ > 0)
            fn(ctx, (struct str){s + before, at + n - before});
        before = at;
    }
    if (count == 1)
        fn(ctx, (struct str){s, at});
    return at;
}

static void write_pair(void *ctx, struct str pair)
{
    buf_add(ctx, pair.data, pair.len);
    buf_char(ctx, ' ');
}

void knowledge__indexed(struct str text, struct buf *out)
{
    enum letter kind;

    for (size_t at = 0, n; at < text.len; at += n) {
        n = knowledge__letter(text.data + at, text.len - at, &kind);
        if (kind == LETTER_ALONE) {
            buf_char(out, ' ');
            n = knowledge__pairs(text.data + at, text.len - at, write_pair, out);
        } else {
            buf_add(out, text.data + at, n);
        }
    }
}

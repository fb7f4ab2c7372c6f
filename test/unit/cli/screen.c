/* What reaches a terminal: nothing that steers it; and where the lines break. */
#include "cli/screen.c"
#include "unit/tap.h"

static const char *cleaned(const char *text)
{
    static struct buf out;

    buf_clear(&out);
    cli__clean(&out, text);
    return buf_text(&out);
}

static void clean(void)
{
    CHECK_STR(cleaned("plain, caf\xc3\xa9 \xf0\x9f\x8d\xb8\n\tend"),
              "plain, caf\xc3\xa9 \xf0\x9f\x8d\xb8\n\tend");
    CHECK_STR(cleaned("\x1b[31mred\x1b]0;title\x07"), "[31mred]0;title");
    CHECK_STR(cleaned("a\rb\bc\x7f"
                      "d\v"),
              "abcd");
    CHECK_STR(cleaned("\xc2\x9b"
                      "31m \xc2\x85 \xc2\xa0"),
              "31m  \xc2\xa0"); /* C1; a no-break space may stay */
    CHECK_STR(cleaned("\xe2\x80\xae"
                      "evil\xe2\x81\xa6\xe2\x80\x8f\xe2\x80\xa8"),
              "evil");
    CHECK_STR(cleaned("\xe2\x80\x99\xe2\x80\xa6\xe2\x82\xac"),
              "\xe2\x80\x99\xe2\x80\xa6\xe2\x82\xac");
    CHECK_STR(cleaned("a\xff\xc3 b\xe2\x82"), "a?? b??");
    CHECK_STR(cleaned(""), "");
}

static char *text;
static size_t text_len;

/* The words in pieces of n bytes, on a screen of `width`. */
static const char *shown(const char *words, size_t n, int width, bool decorated)
{
    struct cli_screen s;
    FILE *out;

    free(text);
    out = open_memstream(&text, &text_len);
    cli__screen_init(&s, out, decorated);
    s.width = width;
    for (size_t at = 0; at < strlen(words); at += n) {
        char piece[64];
        snprintf(piece, sizeof(piece), "%.*s", (int)n, words + at);
        cli__screen_words(&s, piece);
    }
    cli__screen_end(&s);
    fclose(out);
    cli__screen_release(&s);
    return text;
}

static void wraps(void)
{
    for (size_t n = 1; n < 40; n++) {
        CHECK_STR(shown("one two three four", n, 9, true), "one two\nthree\nfour\n");
        CHECK_STR(shown("one two three four", n, 10, true), "one two\nthree four\n");
        CHECK_STR(shown("a far-too-long-word b", n, 10, true), "a\nfar-too-long-word\nb\n");
        CHECK_STR(shown("one  two\nthree", n, 20, true), "one two\nthree\n");
        CHECK_STR(shown("12345 12345 x", n, 11, true), "12345 12345\nx\n");
    }
    CHECK_STR(shown("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 x", 100,
                    9, true),
              "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\nx\n");
}

static void one_line_for_programs(void)
{
    for (size_t n = 1; n < 30; n++)
        CHECK_STR(shown("one two\nthree\n\nfour\n", n, 0, false), "one two three four\n");
    CHECK_STR(shown("", 1, 0, false), "\n");
}

static void words_appear_at_once(void)
{
    struct cli_screen s;
    FILE *out;

    free(text);
    out = open_memstream(&text, &text_len);
    cli__screen_init(&s, out, false);
    cli__screen_words(&s, "hal");
    CHECK_STR(text, "hal");
    cli__screen_words(&s, "f ");
    CHECK_STR(text, "half");
    s.width = 20; /* a word that may have to move is shown when it is whole */
    cli__screen_words(&s, "wo");
    CHECK_STR(text, "half");
    cli__screen_words(&s, "rd ");
    CHECK_STR(text, "half word");
    fclose(out);
    cli__screen_release(&s);
}

static void decoration(void)
{
    struct cli_screen s;
    FILE *out;

    for (int decorated = 0; decorated < 2; decorated++) {
        for (int colour = 0; colour < 3; colour++) {
            free(text);
            out = open_memstream(&text, &text_len);
            setenv("TERM", colour == 2 ? "dumb" : "xterm", 1);
            setenv("NO_COLOR", colour == 0 ? "1" : "", 1);
            cli__screen_init(&s, out, decorated);
            cli__screen_note(&s, "tab $%d\x1b[2J", 5);
            fclose(out);
            CHECK_STR(text, !decorated    ? ""
                            : colour == 1 ? "\033[2mtab $5[2J\033[0m\n"
                                          : "tab $5[2J\n");
            cli__screen_release(&s);
        }
    }
    free(text);
    text = NULL;
}

static const struct tap_case cases[] = {
    {"cleaning", clean},
    {"wrapping, in pieces of any size", wraps},
    {"one answer is one line for programs", one_line_for_programs},
    {"words appear as they come", words_appear_at_once},
    {"no decoration where nobody looks", decoration},
};

TAP_MAIN(cases)

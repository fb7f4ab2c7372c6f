/* Words on a terminal, or in a file. */
#include "cli/cli_int.h"

#include "base/strs.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDEST 100 /* longer lines are hard to read */

/* Of the UTF-8 sequence at s, which is valid. */
static size_t sequence(const char *s)
{
    unsigned char c = (unsigned char)*s;

    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* C0 but newline and tab, DEL, C1, line and paragraph separators, direction marks. */
static bool harmful(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;

    if (n == 1)
        return (u[0] < 0x20 && u[0] != '\n' && u[0] != '\t') || u[0] == 0x7f;
    if (n == 2)
        return (u[0] == 0xc2 && u[1] < 0xa0) || (u[0] == 0xd8 && u[1] == 0x9c);
    if (n == 3 && u[0] == 0xe2 && u[1] == 0x80)
        return (u[2] >= 0xa8 && u[2] <= 0xae) || u[2] == 0x8e || u[2] == 0x8f;
    return n == 3 && u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9;
}

void cli__clean(struct buf *out, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        size_t valid = utf8_valid_prefix(text, left);
        for (size_t at = 0, n; at < valid; at += n) {
            n = sequence(text + at);
            if (!harmful(text + at, n))
                buf_add(out, text + at, n);
        }
        text += valid;
        left -= valid;
        if (left) { /* a byte that is no UTF-8 */
            buf_char(out, '?');
            text++;
            left--;
        }
    }
}

void cli__screen_init(struct cli_screen *s, FILE *out, bool decorated)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    *s = (struct cli_screen){.out = out, .decorated = decorated};
    s->colour = decorated && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

void cli__screen_release(struct cli_screen *s)
{
    buf_release(&s->word);
}

static const char *style(const struct cli_screen *s, const char *code)
{
    return s->colour ? code : "";
}

void cli__screen_prompt(struct cli_screen *s)
{
    struct winsize size;

    if (!s->decorated)
        return;
    s->width = 0;
    if (ioctl(fileno(s->out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        s->width = size.ws_col < WIDEST ? size.ws_col : WIDEST;
    fprintf(s->out, "\n%s>%s ", style(s, "\033[1;36m"), style(s, "\033[0m"));
    fflush(s->out);
}

static int columns(const struct buf *word)
{
    int n = 0;

    for (size_t i = 0; i < word->len; i += sequence(word->data + i))
        n++;
    return n;
}

static void put_word(struct cli_screen *s)
{
    int n = columns(&s->word);

    if (n == 0)
        return;
    if (s->width && s->column > 0 && s->column + s->blank + n > s->width) {
        fputc('\n', s->out);
        s->column = 0;
    } else if (s->blank && s->column > 0) {
        fputc(' ', s->out);
        s->column++;
    }
    s->blank = false;
    fwrite(s->word.data, 1, s->word.len, s->out);
    s->column += n;
    buf_clear(&s->word);
}

void cli__screen_words(struct cli_screen *s, const char *text)
{
    struct buf clean = BUF_INIT;

    cli__clean(&clean, text);
    for (const char *p = buf_text(&clean); *p; p++) {
        if (*p != ' ' && *p != '\t' && *p != '\n') {
            buf_char(&s->word, *p);
            continue;
        }
        put_word(s);
        s->blank = true;
        if (*p == '\n' && s->decorated) {
            fputc('\n', s->out);
            s->column = 0;
        }
    }
    /* A word in the making is held back only where it may have to move to the next line. */
    if (!s->width)
        put_word(s);
    fflush(s->out);
    buf_release(&clean);
}

void cli__screen_end(struct cli_screen *s)
{
    put_word(s);
    fputc('\n', s->out);
    fflush(s->out);
    s->column = 0;
    s->blank = false;
}

void cli__screen_line(struct cli_screen *s, const char *text)
{
    struct buf clean = BUF_INIT;

    cli__clean(&clean, text);
    fprintf(s->out, "%s\n", buf_text(&clean));
    fflush(s->out);
    buf_release(&clean);
}

void cli__screen_note(struct cli_screen *s, const char *fmt, ...)
{
    struct buf text = BUF_INIT, clean = BUF_INIT;
    va_list ap;

    if (!s->decorated)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    cli__clean(&clean, buf_text(&text));
    fprintf(s->out, "%s%s%s\n", style(s, "\033[2m"), buf_text(&clean), style(s, "\033[0m"));
    fflush(s->out);
    buf_release(&clean);
    buf_release(&text);
}

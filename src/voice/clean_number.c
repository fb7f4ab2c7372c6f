/* Money, fractions, and what stands behind a number. */
#include "voice/clean_int.h"
#include "voice/voice_int.h"

#include <string.h>

#define PART_MAX 9 /* digits behind the point that are read */

const struct clean_word clean__words[] = {
#define WORD(written, said, where) {written, said, CLEAN_##where},
#include "voice/clean.def"
};
const size_t clean__word_count = ARRAY_LEN(clean__words);

static const struct coin {
    const char *sign, *one, *many, *part, *parts;
} coins[] = {
#define COIN(sign, one, many, part, parts) {sign, one, many, part, parts},
#include "voice/clean.def"
};

struct figure {
    size_t end;     /* behind it */
    uint64_t whole; /* up to VOICE_NUMBER_MAX */
    const char *part;
    size_t part_len; /* digits behind the point; 0: none */
    bool large;      /* too much for words */
};

static const struct coin *coin_at(const struct clean *c, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(coins); i++)
        if (clean__starts(c, at, coins[i].sign))
            return &coins[i];
    return NULL;
}

/* "1,250.75": commas only in front of three digits, a point only in front of one. */
static bool figure_at(const struct clean *c, size_t at, struct figure *ret)
{
    struct figure f = {.end = at};
    size_t digits = 0;

    if (!clean__digit(clean__at(c, at)))
        return false;
    for (;; f.end++) {
        char now = clean__at(c, f.end);
        if (now == ',' && digits && clean__digit(clean__at(c, f.end + 1)) &&
            clean__digit(clean__at(c, f.end + 2)) && clean__digit(clean__at(c, f.end + 3)) &&
            !clean__digit(clean__at(c, f.end + 4)))
            continue;
        if (!clean__digit(now))
            break;
        digits++;
        if (f.whole <= VOICE_NUMBER_MAX)
            f.whole = f.whole * 10 + (uint64_t)(now - '0');
    }
    f.large = f.whole > VOICE_NUMBER_MAX;
    if (clean__at(c, f.end) == '.' && clean__digit(clean__at(c, f.end + 1))) {
        f.part = c->in.data + f.end + 1;
        while (clean__digit(clean__at(c, f.end + 1 + f.part_len)))
            f.part_len++;
        f.end += 1 + f.part_len;
    }
    *ret = f;
    return true;
}

static void say_number(struct clean *c, uint64_t n)
{
    struct buf words = BUF_INIT;

    voice__number(&words, n);
    clean__say(c, buf_text(&words));
    buf_release(&words);
}

static void say_point(struct clean *c, const struct figure *f)
{
    say_number(c, f->whole);
    clean__say(c, "point");
    for (size_t i = 0; i < f->part_len && i < PART_MAX; i++)
        say_number(c, (uint64_t)(f->part[i] - '0'));
}

/* "k", "M" or " million" behind a sum; *end moves behind it. */
static const char *scale_at(const struct clean *c, size_t *end)
{
    static const char *const scales[][2] = {{" thousand", "thousand"}, {" million", "million"},
                                            {" billion", "billion"},   {"k", "thousand"},
                                            {"bn", "billion"},         {"m", "million"}};

    for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
        size_t n = strlen(scales[i][0]);
        if (!clean__starts(c, *end, scales[i][0]) || clean__wordy(clean__at(c, *end + n)))
            continue;
        *end += n;
        return scales[i][1];
    }
    return NULL;
}

static void say_sum(struct clean *c, const struct coin *coin, const struct figure *f,
                    const char *scale)
{
    unsigned part = f->part_len ? (unsigned)(f->part[0] - '0') * 10 : 0;

    if (f->part_len == 2)
        part += (unsigned)(f->part[1] - '0');
    if (scale || f->part_len > 2) {
        if (f->part_len)
            say_point(c, f);
        else
            say_number(c, f->whole);
        clean__say(c, scale ? scale : "");
        clean__say(c, coin->many);
        return;
    }
    if (f->whole || !part) {
        say_number(c, f->whole);
        clean__say(c, f->whole == 1 ? coin->one : coin->many);
    }
    if (part) {
        if (f->whole)
            clean__say(c, "and");
        say_number(c, part);
        clean__say(c, part == 1 ? coin->part : coin->parts);
    }
}

/* A dash between two figures, as bytes; 0: there is none. */
static size_t dash_at(const struct clean *c, size_t at)
{
    size_t n;
    uint32_t code = clean__decode(c, at, &n);

    return code == '-' || code == 0x2013 ? n : 0;
}

bool clean__money(struct clean *c)
{
    size_t at = c->at, n;
    struct figure f;
    const struct coin *coin;

    if (!c->english)
        return false;
    if (clean__at(c, at) == '-' && (at == 0 || !clean__wordy(c->in.data[at - 1])))
        at++;
    coin = coin_at(c, at);
    if (!coin || !figure_at(c, at + strlen(coin->sign), &f) || f.large)
        return false;
    if (at > c->at)
        clean__say(c, "minus");
    for (;;) {
        const char *scale = scale_at(c, &f.end);
        say_sum(c, coin, &f, scale);
        c->at = f.end;
        if (!(n = dash_at(c, f.end)))
            return true;
        at = f.end + n;
        if (coin_at(c, at) == coin)
            at += strlen(coin->sign);
        if (!figure_at(c, at, &f) || f.large)
            return true;
        clean__say(c, "to");
    }
}

/* "3/4" at `at`: its words, and its end. */
static bool share_at(const struct clean *c, size_t at, size_t *ret_end, unsigned *ret_over,
                     const char **ret_name)
{
    static const struct {
        unsigned over;
        const char *one, *many;
    } shares[] = {
#define SHARE(over, one, many) {over, one, many},
#include "voice/clean.def"
    };
    struct figure over, under;

    if (!figure_at(c, at, &over) || clean__at(c, over.end) != '/' ||
        !figure_at(c, over.end + 1, &under) || over.part_len || under.part_len ||
        over.whole == 0 || over.whole >= under.whole || clean__wordy(clean__at(c, under.end)) ||
        clean__at(c, under.end) == '/')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
        if (shares[i].over != under.whole)
            continue;
        *ret_end = under.end;
        *ret_over = (unsigned)over.whole;
        *ret_name = over.whole == 1 ? shares[i].one : shares[i].many;
        return true;
    }
    return false;
}

static bool fraction(struct clean *c, const struct figure *f)
{
    unsigned over;
    size_t end;
    const char *name;

    if (share_at(c, c->at, &end, &over, &name)) {
        say_number(c, over);
    } else if (!f->large && !f->part_len && clean__at(c, f->end) == ' ' &&
               share_at(c, f->end + 1, &end, &over, &name)) {
        say_number(c, f->whole);
        clean__say(c, "and");
        if (over == 1)
            clean__say(c, "a");
        else
            say_number(c, over);
    } else {
        return false;
    }
    clean__say(c, name);
    c->at = end;
    return true;
}

/* "2 oz", "2x": what a number counts. */
static void counted(struct clean *c, bool one)
{
    size_t at = c->at + (clean__at(c, c->at) == ' ');

    for (size_t i = 0; i < clean__word_count; i++) {
        const struct clean_word *w = &clean__words[i];
        size_t n = strlen(w->written), said = strlen(w->said);
        if (w->where != CLEAN_NUMBER || !clean__starts(c, at, w->written) ||
            clean__wordy(clean__at(c, at + n)))
            continue;
        c->at = at + n;
        clean__say(c, w->said);
        if (one && said && w->said[said - 1] == 's' && !c->out->full)
            c->out->data[--c->out->len] = '\0';
        return;
    }
}

bool clean__figure(struct clean *c)
{
    struct figure f, to;
    const struct coin *coin;
    size_t n;

    if (!figure_at(c, c->at, &f) || (c->at && clean__wordy(c->in.data[c->at - 1])))
        return false;
    c->heard = true;
    if (!c->english) {
        clean__copy(c, f.end - c->at);
        return true;
    }
    bool less_than_one = clean__at(c, f.end) == '/';
    if (fraction(c, &f)) {
        counted(c, less_than_one);
        return true;
    }
    size_t sign = f.end + (clean__at(c, f.end) == ' ');
    if ((coin = coin_at(c, sign)) && !f.large &&
        !clean__digit(clean__at(c, sign + strlen(coin->sign)))) { /* "5 €" */
        say_sum(c, coin, &f, NULL);
        c->at = sign + strlen(coin->sign);
        return true;
    }
    clean__copy(c, f.end - c->at);
    n = dash_at(c, c->at);
    if (n && f.whole < 1000 && figure_at(c, c->at + n, &to) && to.whole < 1000 &&
        !dash_at(c, to.end) && !clean__wordy(clean__at(c, to.end))) { /* "5-10" */
        c->at += n;
        clean__say(c, "to");
        return true;
    }
    counted(c, f.whole == 1 && !f.part_len);
    return true;
}

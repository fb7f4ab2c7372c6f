/*
 * One text while it grows. What has come is looked at in windows: a little of what is decided
 * already (for patterns that look back), what is held, and what is new. The leftmost finding
 * decides, of equals the first rule: a match is dealt with, and from what could become one the
 * rest is held. Whether something at one place is a match depends on at most SAFETY_HOLD bytes
 * from there, so it cannot depend on how the text was cut.
 */
#include "safety/safety_int.h"

#include <string.h>

#define OWN_MAX 128 /* so many bytes of an own secret are compared; the rest is swallowed */
#define LEFT_MAX (SAFETY_HOLD + 7)
_Static_assert(SECRET_KNOWN_MAX < SAFETY_HOLD && OWN_MAX < SAFETY_HOLD, "known in time");
_Static_assert(LEFT_MAX + SAFETY_BEFORE < WINDOW / 2, "windows move on");

struct found {
    enum pattern_found found;
    size_t start, end; /* in the plain text */
    enum secret_form form;
};

/* Secrets. */

static void find_own(const struct str *own, size_t count, const char *text, size_t len,
                     size_t from, bool last, struct found *ret)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = own[i].len < OWN_MAX ? own[i].len : OWN_MAX;
        for (size_t at = from; at < len; at++) {
            const char *c = memchr(text + at, own[i].data[0], len - at);
            if (!c)
                break;
            at = (size_t)(c - text);
            if (ret->found != PATTERN_NO && at >= ret->start)
                break;
            size_t left = len - at;
            if (memcmp(c, own[i].data, left < n ? left : n) != 0 || (left < n && last))
                continue;
            *ret = (struct found){left < n ? PATTERN_MAYBE : PATTERN_YES, at, at + n,
                                  own[i].len > n ? SECRET_SK : SECRET_CARD};
            break;
        }
    }
}

static struct found find_secret(const struct safety_stream *st, const char *text, size_t len,
                                size_t from, bool last)
{
    struct found f = {.found = PATTERN_NO};
    struct secret_hit h;

    if (secret_next(text, len, from, last, &h))
        f = (struct found){h.partial ? PATTERN_MAYBE : PATTERN_YES, h.start, h.end, h.form};
    find_own(st->own, st->own_count, text, len, from, last, &f);
    find_own(st->safety->own, st->safety->own_count, text, len, from, last, &f);
    return f;
}

/* Rules. */

static struct found find_once(const struct safety_stream *st, const struct rule *r, size_t len,
                              size_t from, bool last)
{
    struct safety *s = st->safety;
    struct found f = {.found = PATTERN_NO};

    if (!r->pattern)
        return find_secret(st, s->plain.text, len, from, last);
    f.found = pattern__find(r->pattern, s->plain.text, len, from, last, s->plain.ascii,
                            &f.start, &f.end, &s->stats.undecided);
    return f;
}

static size_t next_char(const struct plain *p, size_t at)
{
    do {
        at++;
    } while (at < p->len && ((unsigned char)p->text[at] & 0xc0) == 0x80);
    return at;
}

/* How much of the plain text lies within SAFETY_HOLD bytes from `start`. */
static size_t within(const struct plain *p, size_t start)
{
    size_t n = plain__index(p, p->start[start] + SAFETY_HOLD);

    while (n > start && p->stop[n - 1] > p->start[start] + SAFETY_HOLD)
        n--;
    return n;
}

static struct found find(const struct safety_stream *st, const struct rule *r, size_t from,
                         bool last)
{
    const struct plain *p = &st->safety->plain;

    while (from < p->len) {
        struct found f = find_once(st, r, p->len, from, last);
        if (f.found == PATTERN_NO || f.start >= p->len ||
            p->start[p->len] - p->start[f.start] < SAFETY_HOLD)
            return f;
        struct found near = find_once(st, r, within(p, f.start), f.start, false);
        if (near.found == PATTERN_YES && near.start == f.start)
            return near;
        from = next_char(p, f.start);
    }
    return (struct found){.found = PATTERN_NO};
}

static void say(struct safety_stream *st, const char *data, size_t len)
{
    if (!len || !st->emit)
        return;
    st->spoke = data[len - 1] != ' ';
    st->emit(st->ctx, data, len);
}

/* A match; false: nothing more is let out. */
static bool on_match(struct safety_stream *st, const struct rule *r)
{
    if (!st->uncounted)
        st->safety->stats.hits[r->kind][st->where][r->action]++;
    if (!st->hit.rule || (r->action == SAFETY_REFUSE && st->hit.action != SAFETY_REFUSE) ||
        (r->action == SAFETY_REPLACE && st->hit.action == SAFETY_COUNT))
        st->hit = (struct safety_hit){.rule = r->name,
                                      .kind = r->kind,
                                      .where = st->where,
                                      .action = r->action,
                                      .say = r->say[st->where]};
    if (r->action == SAFETY_REPLACE) {
        say(st, r->with, strlen(r->with));
    } else if (r->action == SAFETY_REFUSE) {
        if (st->spoke)
            say(st, " ", 1);
        say(st, r->say[st->where], strlen(r->say[st->where]));
        st->refused = true;
    }
    return !st->refused;
}

/* Which rule is first, if any. */
static const struct rule *first(const struct safety_stream *st, size_t from, bool last,
                                struct found *ret)
{
    const struct safety *s = st->safety;
    const struct rule *best = NULL;

    for (size_t i = 0; i < s->count; i++) {
        const struct rule *r = &s->rules[i];
        if (!r->where[st->where] || (st->refuse_only && r->action != SAFETY_REFUSE))
            continue;
        struct found f = find(st, r, from, last);
        if (f.found == PATTERN_NO || (best && f.start >= ret->start))
            continue;
        *ret = f;
        best = r;
    }
    return best;
}

/* Deal with the window from `at` on; returns how far it is decided. */
static size_t scan(struct safety_stream *st, size_t at, size_t len, bool last)
{
    const char *raw = st->safety->window;
    struct plain *p = &st->safety->plain;
    struct found f;

    len = plain__read(p, raw, len, last);
    while (at < len) {
        size_t from = plain__index(p, at);
        bool over;
        if (st->inside) {
            size_t n = secret_rest(st->form, p->text + from, p->len - from, last, &over);
            if (n)
                at = p->stop[from + n - 1];
            st->inside = !over;
            if (!over) /* what is not seen may wait, but not without end */
                return len - at < SAFETY_HOLD ? at : len;
            continue;
        }
        const struct rule *r = first(st, from, last, &f);
        size_t until = r ? p->start[f.start] : len;
        say(st, raw + at, until - at);
        at = until;
        if (!r || f.found == PATTERN_MAYBE)
            break;
        if (!on_match(st, r))
            return len;
        /* Nothing hides behind what is only counted. */
        until = p->stop[r->action == SAFETY_COUNT ? f.start : f.end - 1];
        if (r->action == SAFETY_COUNT)
            say(st, raw + at, until - at);
        at = until;
        st->inside = !r->pattern && r->action == SAFETY_REPLACE;
        st->form = f.form;
    }
    return at;
}

/* What is behind is kept as the rules see it, so that what they do not see takes no room. */
static void keep(struct safety_stream *st, size_t at, size_t len)
{
    const struct plain *p = &st->safety->plain;
    size_t end = plain__index(p, at), from = end > SAFETY_BEFORE ? end - SAFETY_BEFORE : 0;

    while (from < end && ((unsigned char)p->text[from] & 0xc0) == 0x80)
        from++;
    MUST(len - at <= LEFT_MAX);
    st->before = (uint16_t)(end - from);
    st->held = (uint16_t)(len - at);
    memcpy(st->text, p->text + from, st->before);
    memcpy(st->text + st->before, st->safety->window + at, st->held);
}

static void take(struct safety_stream *st, const char *data, size_t n, bool last)
{
    char *raw = st->safety->window;
    size_t have = (size_t)st->before + st->held;

    memcpy(raw, st->text, have);
    memcpy(raw + have, data, n);
    keep(st, scan(st, st->before, have + n, last), have + n);
}

void safety_stream_feed(struct safety_stream *st, const char *data, size_t len)
{
    while (len && !st->refused) {
        size_t n = len < WINDOW / 2 ? len : WINDOW / 2;
        take(st, data, n, false);
        data += n;
        len -= n;
    }
}

void safety_stream_whole(struct safety_stream *st, const char *data, size_t len)
{
    for (; len > WINDOW / 2 && !st->refused; data += WINDOW / 2, len -= WINDOW / 2)
        take(st, data, WINDOW / 2, false);
    if (!st->refused)
        take(st, data, len, true);
}

void safety_stream_end(struct safety_stream *st)
{
    if (!st->refused)
        take(st, "", 0, true);
}

void safety_stream_wipe(struct safety_stream *st)
{
    explicit_bzero(st->text, sizeof(st->text));
    st->before = st->held = 0;
}

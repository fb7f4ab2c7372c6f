#include "base/breaker.h"

void breaker_init(struct breaker *b, unsigned limit, int64_t first_ms, int64_t most_ms)
{
    *b = (struct breaker){.limit = limit, .first_ms = first_ms, .most_ms = most_ms};
}

enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms)
{
    if (now_ms < b->rest_ms || (b->open && now_ms < b->until_ms))
        return BREAKER_OPEN;
    return b->open ? BREAKER_HALF_OPEN : BREAKER_CLOSED;
}

const char *breaker_text(enum breaker_state s)
{
    static const char *const texts[] = {"closed", "half_open", "open"};

    return texts[s];
}

bool breaker_try(struct breaker *b, int64_t now_ms)
{
    enum breaker_state s = breaker_state(b, now_ms);

    if (s == BREAKER_OPEN || (s == BREAKER_HALF_OPEN && b->trying))
        return false;
    b->trying = s == BREAKER_HALF_OPEN;
    return true;
}

void breaker_good(struct breaker *b)
{
    b->failures = 0;
    b->wait_ms = 0;
    b->open = b->trying = false;
}

void breaker_bad(struct breaker *b, int64_t now_ms)
{
    b->failures++;
    /* Those who asked before it opened fail late; the one who tries counts. */
    if (b->open ? !b->trying : b->failures < b->limit)
        return;
    b->trying = false;
    b->wait_ms = b->wait_ms ? b->wait_ms * 2 : b->first_ms;
    if (b->wait_ms > b->most_ms)
        b->wait_ms = b->most_ms;
    b->until_ms = now_ms + b->wait_ms;
    b->open = true;
    b->opened++;
}

void breaker_dropped(struct breaker *b)
{
    b->trying = false;
}

void breaker_rest(struct breaker *b, int64_t until_ms)
{
    if (until_ms > b->rest_ms)
        b->rest_ms = until_ms;
}

int64_t breaker_pause_ms(unsigned tries, int64_t first_ms, int64_t most_ms, uint64_t seed)
{
    int64_t pause = first_ms;

    for (unsigned i = 1; i < tries && pause < most_ms; i++)
        pause *= 2;
    if (pause > most_ms)
        pause = most_ms;
    int64_t half = pause / 2;
    return pause - half + (int64_t)(seed % (uint64_t)(half + 1));
}

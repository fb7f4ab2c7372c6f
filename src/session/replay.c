#include "session/session.h"

#include "session/session_int.h"

#include <string.h>

const struct session_replay *session_replay_find(const struct session *s, const uint8_t key[16])
{
    for (int i = 0; s->replays && i < SESSION_REPLAYS; i++)
        if (s->replays[i].turn && memcmp(s->replays[i].key, key, 16) == 0)
            return &s->replays[i];
    return NULL;
}

/* In half of the digest; the other half is enough to tell two requests apart. */
static const uint8_t once[8] = {'g', 'a', 't', 'e', 'w', 'a', 'y', 0};

void session_replay_once(uint8_t key[16])
{
    memcpy(key + 8, once, sizeof(once));
}

static bool is_once(const uint8_t key[16])
{
    return memcmp(key + 8, once, sizeof(once)) == 0;
}

/* Where the next answer goes: the one of its kind, or the oldest. */
static struct session_replay *place(struct session *s, const uint8_t key[16])
{
    struct session_replay *oldest = &s->replays[0];

    for (int i = 0; i < SESSION_REPLAYS; i++) {
        if (is_once(key) && s->replays[i].turn && is_once(s->replays[i].key))
            return &s->replays[i];
        if (s->replays[i].turn < oldest->turn)
            oldest = &s->replays[i];
    }
    return oldest;
}

bool session_replay_keep(struct session *s, const uint8_t key[16], const uint8_t body[16],
                         struct str tail)
{
    struct session_replay *oldest;
    char *kept;

    if (!s->replays)
        s->replays = region_alloc(&s->region, SESSION_REPLAYS * sizeof(*s->replays));
    /* Not region_strndup(): it would stop at a NUL, which a damaged row may hold. */
    kept = s->replays ? region_alloc(&s->region, tail.len + 1) : NULL;
    if (!kept)
        return false;
    memcpy(kept, tail.data, tail.len);
    oldest = place(s, key);
    *oldest = (struct session_replay){
        .turn = s->turns,
        .messages = s->message_count + s->folded_count,
        .tail = kept,
        .tail_len = (uint32_t)tail.len,
    };
    memcpy(oldest->key, key, 16);
    memcpy(oldest->body, body, 16);
    return true;
}

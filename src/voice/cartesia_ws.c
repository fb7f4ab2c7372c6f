/* Lines over contexts of a socket. */
#include "voice/cartesia_int.h"

bool cartesia__ws_push(struct cartesia_talk *t)
{
    (void)t;
    return false;
}

void cartesia__ws_leave(struct cartesia_talk *t)
{
    (void)t;
}

void cartesia__ws_hold(struct cartesia_talk *t)
{
    (void)t;
}

void cartesia__ws_sweep(struct voice_provider *p)
{
    (void)p;
}

void cartesia__ws_close(struct voice_provider *p)
{
    (void)p;
}

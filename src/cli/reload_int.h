/*
 * Private to cli/: how `maya serve --reload` and the `maya serve` it starts speak. The one that
 * watches holds the listening socket; one child at a time listens on it. A child is handed the
 * socket as systemd does it (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, from descriptor 3), and
 * behind it a socket to its parent, on which each says one letter at a time.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define RELOAD_NAMES "http:reload" /* of the two descriptors */

enum reload_word {
    RELOAD_PREPARED = 'p',  /* child: all is made, and I wait */
    RELOAD_GO = 'g',        /* parent: listen */
    RELOAD_LISTENING = 'l', /* child: I answer */
    RELOAD_DEAF = 'd',      /* child: I was told to end, and nobody new is heard any more */
    RELOAD_BUSY = 'b'       /* child: the program is being written just now */
};

/* What was handed to this process; -1: nothing. */
struct reload_handed {
    int listener;
    int parent;
};

/* Reads the environment and takes the names out of it: for this process they were. */
void reload__handed(struct reload_handed *ret);
/* Say that all is made, and wait until the one before is deaf. False: the parent is gone. */
bool reload__wait(const struct reload_handed *h);
void reload__say(const struct reload_handed *h, enum reload_word word);

/* All of `maya serve --reload`: the exit code. `listener` was handed to us; -1: none was. */
struct config;
int reload__run(struct config *c, int listener, int argc, char **argv);

/* Private to the engine's files. */
#pragma once

#include "base/curl.h"
#include "engine/engine.h"

struct engine {
    struct engine_place place;
    const volatile sig_atomic_t *stop;
    CURL *easy;
    CURLM *multi;
    char *base;  /* "http://docker" or "https://host:2376" */
    char api[8]; /* "1.41"; "" until it is agreed on */
    bool deaf;   /* to the stop */
    bool podman;
    bool ssh;
    char detail[CURL_ERROR_SIZE];
};

/* engine.c: is it to end what is under way? */
bool engine__stopped(const struct engine *en);

/* ssh.c: a socket whose other end is the engine of another host. -1 with errno. */
int engine__ssh(const char *host);

/* call.c: connect a handle of its own, for who speaks no HTTP on it. */
CURLcode engine__connect(struct engine *en, CURL *easy);
/* call.c: how an address is reached, what a path's URL is (free() it), what an end means. */
void engine__way(struct engine *en, CURL *easy);
char *engine__url(const struct engine *en, const char *path) MUST_USE;
int engine__verdict(struct engine *en, const struct engine_call *call, CURLcode why,
                    struct err *e) MUST_USE;

/*
 * Private to the files of ~/voice: socket.c has a conversation's life and what its client says,
 * socket_turn.c Maya's turns and speech, socket_hear.c the microphone.
 */
#pragma once

#include "api/api_int.h"

enum socket_audio {
    AUDIO_NONE,    /* was not asked for */
    AUDIO_LOOKING, /* for the session's key */
    AUDIO_HEARD,
    AUDIO_REFUSED /* that was told; what comes is thrown away */
};

struct conversation {
    struct api *api;
    struct ws *ws;
    char id[SESSION_ID_MAX + 1];
    unsigned inside;            /* freed when nobody is */
    bool over, draining, known; /* known: a turn was begun, so its id stays */
    struct session_rider rider; /* what waits is on the session's budget */

    /* socket_turn.c */
    struct api_talker talker;
    struct turn *turn;
    struct buf text; /* what the person said, for as long as the turn */
    struct buf next; /* what came while a turn could not be stopped any more */
    struct api_events events;
    struct api_talk talk;
    bool voiced, told;
    enum voice_format format;

    /* socket_hear.c */
    enum socket_audio audio;
    struct session_wait wait;
    bool waiting;
    enum ears_encoding encoding;
    uint32_t rate;
    struct hearing *hearing;
    struct buf early; /* audio that came while looking: lengths (4 bytes) and messages */
    bool finalize;    /* was asked for meanwhile */
};

/* socket.c */
void socket__enter(struct conversation *v);
void socket__leave(struct conversation *v); /* `v` may be gone afterwards */
void socket__error(struct conversation *v, const struct err *e);
void socket__error_code(struct conversation *v, enum err_code code, const char *text);
void socket__bind(struct conversation *v, const struct session *s);

/* socket_turn.c */
void socket__say(struct conversation *v, struct str text);
struct api_hushed socket__hush(struct conversation *v); /* everybody in this session */
void socket__turn_end(struct conversation *v);          /* the client is gone */
void socket__room(struct conversation *v);

/* socket_hear.c */
void socket__listen(struct conversation *v); /* audio, encoding and rate are set */
void socket__audio(struct conversation *v, struct str data);
void socket__deaf(struct conversation *v); /* listen no more */

#define SAID(name, type, handler, members, what)                                               \
    void handler(struct conversation *v, const json_t *said);
#include "api/socket_said.def"
#undef SAID

/* Private to the two files of a turn over HTTP: chat.c takes the message, chat_tell.c answers.
 */
#pragma once

#include "api/api_int.h"

struct chat {
    struct api_call call;
    struct api *api;
    struct http_req *req;
    struct turn *turn;
    struct session_wait wait; /* while looking for a turn to resume, or for a blank message */
    bool waiting;
    json_t *body;     /* while it is read; NULL later, for it may be large */
    struct buf param; /* holds `text` */
    struct str text;
    bool stream, begun;
    bool inside, over;
    struct api_place resume;
    struct api_events events;
    struct api_talker talker;
    bool interrupt; /* whoever talks in this session is to stop first */
    bool voiced;    /* audio was asked for */
    bool told;      /* the text was, so that only audio is left to tell */
    enum voice_format format;
    struct api_talk talk;
    struct buf held;  /* an answer that waits for its audio */
    size_t held_at;   /* where the audio belongs in it: a null is there */
    struct buf audio; /* so far */
    char id[SESSION_ID_MAX + 1];
};

/* chat_tell.c */

void chat__end(struct chat *c); /* freed, or as soon as nobody is inside */
void chat__on_gone(void *ctx, struct http_req *req);
/* An answer that no turn stands behind. */
void chat__answer_aside(struct chat *c, const char *text, const struct session *s,
                        const char *code);
void chat__begin_talk(struct chat *c, const struct session *s);
/* The text was told: what is left is to be heard. `c` may be gone afterwards. */
void chat__only_talk(struct chat *c);
void chat__hush(struct api_talker *talker, struct api_hushed *did);
struct turn_sink chat__sink(struct chat *c);

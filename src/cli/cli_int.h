/* Private to cli/: what the commands are made of. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* sse.c */

/*
 * Reads text/event-stream in pieces of any size. Events without data are no events. Other than
 * in a browser an id is that of its own event only: it tells which events were here before.
 */
struct cli_sse {
    void (*on_event)(void *self, const char *id, const char *data); /* id "": none */
    void *self;
    struct buf line, data, id;
    bool after_cr, has_data, begun;
};

#define CLI_SSE_MAX (1024 * 1024) /* one line, one event: what is longer is cut */

void cli__sse_init(struct cli_sse *s, void (*on_event)(void *, const char *, const char *),
                   void *self);
void cli__sse_release(struct cli_sse *s);
void cli__sse_feed(struct cli_sse *s, const char *bytes, size_t n);

/* screen.c */

/*
 * What a server says, made safe for a terminal: valid UTF-8 without control characters
 * (newline and tab stay) and without characters that turn the direction of writing.
 */
void cli__clean(struct buf *out, const char *text);

/* Where words appear. Undecorated, an answer is one line: a program reads it. */
struct cli_screen {
    FILE *out;
    bool decorated; /* a person looks on */
    bool colour;
    int width;       /* of the terminal; 0: do not wrap */
    int column;      /* where the next word begins */
    bool blank;      /* a blank is due before the next word */
    struct buf word; /* seen in part */
};

void cli__screen_init(struct cli_screen *s, FILE *out, bool decorated);
void cli__screen_release(struct cli_screen *s);
void cli__screen_prompt(struct cli_screen *s);
void cli__screen_words(struct cli_screen *s, const char *text); /* any piece of an answer */
void cli__screen_end(struct cli_screen *s);                     /* of the answer */
void cli__screen_line(struct cli_screen *s, const char *text);  /* cleaned, as it is */
/* An aside, dim; nothing when undecorated. */
void cli__screen_note(struct cli_screen *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* client.c */

#define CLI_SESSION_MAX 128

struct cli_client {
    void *easy, *multi; /* libcurl's */
    char *base;         /* "http://127.0.0.1:8000" */
    char *socket;       /* path of a socket file, or NULL */
    char *shown;        /* the address for messages */
    char session[CLI_SESSION_MAX + 1];
    const volatile sig_atomic_t *stop; /* not 0: end what is under way with ERR_STOPPED */
};

/* `url` may lack http://, or be unix:/path. */
int cli__client_open(struct cli_client *c, const char *url, const volatile sig_atomic_t *stop,
                     struct err *e) MUST_USE;
void cli__client_close(struct cli_client *c);
/* Letters, digits, - and _; what the server says is one must look like one, too. */
bool cli__session_ok(const char *id);

/*
 * One request with JSON both ways; `body` NULL is a GET. *ret is the caller's reference. What
 * the server refuses comes back in its own words, cleaned: ERR_RATE_LIMITED for 429,
 * ERR_SESSION_LIMIT for 503, ERR_IO for the rest and for a server that is not there.
 */
int cli__client_json(struct cli_client *c, const char *path, json_t *body, json_t **ret,
                     struct err *e) MUST_USE;

struct cli_turn_sink {
    void (*on_text)(void *self, const char *text);     /* not cleaned yet */
    void (*on_lost)(void *self);                       /* trying again */
    void (*on_complete)(void *self, json_t *complete); /* the event, borrowed */
    void *self;
};

/*
 * Say `text`; returns when the answer has ended. A connection that breaks off is taken up
 * again where it was, with the same Idempotency-Key, so that nothing is ordered twice.
 */
int cli__client_turn(struct cli_client *c, const char *text, const struct cli_turn_sink *sink,
                     struct err *e) MUST_USE;

/* request.c */

/* One exchange with the server. */
struct cli_request {
    const char *path;
    struct buf *json; /* body of a POST, or NULL */
    const char *key, *last_id;
    struct cli_sse *sse; /* where a 200 with an event stream goes; NULL: into `body` */
    const bool *enough;  /* becomes true when the rest of the stream is of no interest */
    long timeout_s;      /* 0: only silence ends it */
    /* what came */
    long status;
    struct buf body;
    char type[80];
    char location[200]; /* where else it is, it says */
    int retry_after_s;
    bool broke;  /* off, and may work another time; else the address itself is wrong */
    bool absent; /* nobody listens there */
    char session[CLI_SESSION_MAX + 1];
};

/* 0: there is a status. -1: ERR_STOPPED, or ERR_IO with a sentence that says what to try. */
int cli__request(struct cli_client *c, struct cli_request *r, struct err *e) MUST_USE;
void cli__request_release(struct cli_request *r);
/* Where this machine's own Maya listens, by HOST and PORT of the environment and .env. */
char *cli__default_url(void);

/* find_agent.c: the folder asked for, or the first of the usual places with an agent.yaml */
struct config;
int cli__find_agent(const struct config *c, char ret[PATH_MAX], struct err *e) MUST_USE;
/* The same for the files of the page, in a source tree; false: there is none. */
bool cli__find_web(char ret[PATH_MAX]);

/* cli.c: the rows of cmd.def */
struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv);
    bool shown;
    const char *usage, *sentence;
};
bool cli__command_at(size_t i, struct cli_command *ret); /* false after the last */

/* docs.c: the pages that `maya docs` makes; NULL after the last */
const char *cli__page_name(unsigned i);

/*
 * The ears of voice/: what is said, as text. Part of voice.h, where a page would not hold it.
 *
 * A hearing is one microphone: audio is given to it as it comes, and it tells when somebody
 * begins to speak, the words so far, and the words of a whole turn. A provider (ears.def, each
 * one file behind struct ears_ops) is asked over the network. A stream that is cut off in the
 * middle is opened once more, and the words that were heard are kept. All on the loop; no
 * callback comes inside a call from above. Never logs what is said.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct ears;
struct hearing;
struct http_client;
struct loop;

enum ears_id {
#define EARS(name, text, ops) EARS_##name,
#include "voice/ears.def"
#undef EARS
    EARS__COUNT
};

enum ears_encoding {
#define ENCODING(name, text, what) EARS_##name,
#include "voice/ears_encoding.def"
#undef ENCODING
    EARS_ENCODING__COUNT
};
const char *ears_encoding_text(enum ears_encoding c); /* "pcm_s16le" */
const char *ears_encoding_what(enum ears_encoding c);
bool ears_encoding_parse(struct str text, enum ears_encoding *ret);
#define EARS_RATE_LEAST 8000
#define EARS_RATE_MOST 48000

enum ears_outcome {
#define EARS_OUTCOME(name, label, text) EARS_##name,
#include "voice/ears_outcome.def"
#undef EARS_OUTCOME
    EARS_OUTCOME__COUNT
};
const char *ears_outcome_text(enum ears_outcome o); /* "cut_off" */
const char *ears_text(enum ears_id id);             /* "cartesia"; "" of none */

struct ears_cfg { /* texts are borrowed and live as long as the ears */
    struct loop *loop;
    struct http_client *http;
    const char *choice;       /* of MAYA_EARS: "auto", "off" or a provider */
    const char *cartesia_url; /* http:// or https:// */
    const char *cartesia_key; /* the server's; NULL: only who brings one is heard */
    int64_t connect_ms;
};

struct ears *ears_new(const struct ears_cfg *cfg) MUST_USE;
void ears_free(struct ears **n); /* every hearing was stopped */
/* For the next hearings; it must outlive the ears, and the one before may go then. */
void ears_set_cartesia_key(struct ears *n, const char *key);
/* Is anybody heard without a key of his own? */
bool ears_have_key(const struct ears *n);
bool ears_off(const struct ears *n); /* by MAYA_EARS: not even who brings a key */

struct hearing_want {
    enum ears_encoding encoding;
    uint32_t rate;         /* samples a second, of PCM */
    struct str key;        /* the person's own, or empty; copied, and wiped in the end */
    struct budget *budget; /* NULL: nobody's */
};
struct hearing_sink {
    void *ctx;
    void (*listening)(void *ctx);                          /* from now on it hears */
    void (*began)(void *ctx);                              /* somebody begins to speak */
    void (*words)(void *ctx, struct str text, bool final); /* of this turn so far; all of it */
    void (*room)(void *ctx);                               /* hearing_full() no more */
    void (*ended)(void *ctx, const struct err *e);         /* by itself; then it is dead */
};

/* ERR_EARS: nobody hears, or a library is missing; ERR_EARS_FAILED: not now; ERR_NOMEM. */
int hearing_start(struct ears *n, const struct hearing_want *want,
                  const struct hearing_sink *sink, struct hearing **ret,
                  struct err *e) MUST_USE;
/* One message of audio. -1 (ERR_INVALID): it is none, and nothing else has changed. */
int hearing_give(struct hearing *h, struct str audio, struct err *e) MUST_USE;
/* It has more than it gets rid of: give no more before `room`. */
bool hearing_full(const struct hearing *h);
/* The turn is over as far as the speaker is concerned: do not wait whether more comes. */
void hearing_finalize(struct hearing *h);
/* Another budget pays; NULL: nobody. False: it has no room. */
bool hearing_charge(struct hearing *h, struct budget *b) MUST_USE;
void hearing_stop(struct hearing **ref); /* leaves NULL */

struct ears_stats {
    uint64_t outcomes[EARS__COUNT][EARS_OUTCOME__COUNT]; /* of streams that ended */
    uint64_t partial, final;                             /* transcripts */
    uint64_t cuts;                                       /* streams that were opened again */
    double seconds;                                      /* of audio given */
    uint32_t hearings;                                   /* now */
    int breaker;                                         /* enum breaker_state */
};
void ears_stats(const struct ears *n, struct ears_stats *ret);

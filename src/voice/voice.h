/*
 * voice: who speaks. Makes text speakable (clean.c), has it spoken sentence by sentence by a
 * provider (provider.def, each one file behind struct voice_ops), encodes it (format.def), and
 * gives it out in order and in bounded pieces (speech.c). All on the loop; what takes time runs
 * on the loop's pool. Knows no session and no HTTP: what a speech holds is charged to the
 * budget it was given. Never logs what is said.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"
#include "metric/metric.h"
#include "voice/ears.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct buf;
struct http_client;
struct loop;
struct speech;
struct voice;

enum voice_id {
#define VOICE(name, text, ops) VOICE_##name,
#include "voice/provider.def"
#undef VOICE
    VOICE__COUNT
};

enum voice_format {
#define FORMAT(name, text, type, encoder) VOICE_##name,
#include "voice/format.def"
#undef FORMAT
    VOICE_FORMAT__COUNT
};
const char *voice_format_text(enum voice_format f); /* "wav" */
const char *voice_format_type(enum voice_format f); /* "audio/wav" */
bool voice_format_parse(struct str text, enum voice_format *ret);

enum voice_mouth {
#define MOUTH(name, text) VOICE_MOUTH_##name,
#include "voice/mouth.def"
    VOICE_MOUTH__COUNT
};
const char *voice_mouth_text(enum voice_mouth m); /* "mouth_talk_a" */
struct voice_viseme {
    uint32_t at_ms; /* since the beginning of the sentence */
    uint8_t mouth;  /* enum voice_mouth, until the next one */
};

enum voice_outcome {
#define OUTCOME(name, text) VOICE_##name,
#include "voice/outcome.def"
#undef OUTCOME
    VOICE_OUTCOME__COUNT
};
const char *voice_outcome_text(enum voice_outcome o);

/* A word that is said otherwise than it is written. */
struct voice_word {
    const char *written, *said;
};

/* How Cartesia is to speak; NULL and 0: as it likes, or as everybody is to. */
struct voice_cartesia {
    const char *model, *language, *emotion;
    double speed, volume;
};

/* Is that a voice of Cartesia, by the form of its id? */
bool voice_cartesia_id(const char *text);
/* What to take instead of a model that Cartesia does not serve any more; NULL: it does. */
const char *voice_cartesia_instead(const char *model);

/* How to speak; all texts are borrowed and must live as long as the voice. */
struct voice_how {
    const char *language;           /* "en", "en-us", "de" */
    const char *name[VOICE__COUNT]; /* a voice of that provider, or NULL */
    const char *name_from;          /* where that was said, for complaints */
    double speed;                   /* 1: as the voice likes it */
    struct voice_cartesia cartesia;
    const struct voice_word *words;
    size_t word_count;
};

/* clean.c: what of a text is to be said, into `out` (emptied first); empty: nothing is. Pure.
 */
void voice_clean(const struct voice_how *how, struct str text, struct buf *out);

/* voice.c */

struct voice_cfg {
    struct loop *loop;
    const char *choice; /* of MAYA_VOICE: "auto", "off" or a provider */
    struct voice_how how;
    struct http_client *http; /* for those that are asked over the network */
    const char *cartesia_url; /* borrowed, as the key */
    const char *cartesia_key; /* NULL: only who brings one is spoken to by Cartesia */
    int64_t connect_ms, first_ms, between_ms;
    unsigned retries;
    uint64_t seed;
    size_t own_limit; /* bytes of speeches whose session has left memory */
    uint64_t (*now_ns)(void);
};

/*
 * "auto": Cartesia speaks to whom there is a key for, and eSpeak NG to the others, and when
 * Cartesia cannot. A voice that is named is asked before it. eSpeak NG is loaded on the pool, a
 * moment later or when there is something to say, and its absence is a line of the log; only
 * where it is named it is loaded now, and its absence is an error.
 */
int voice_new(const struct voice_cfg *cfg, struct voice **ret, struct err *e) MUST_USE;
/* Every speech was stopped. What still runs on the pool ends with loop_free(). */
void voice_free(struct voice **v);
/*
 * Another key for Cartesia, for what is asked next (a WebSocket that is open goes on with the
 * old one until it closes); it must outlive the voice, and the one before may go then.
 */
void voice_set_cartesia_key(struct voice *v, const char *key);
/* Who speaks first, "" when nobody does (being loaded counts as speaking). */
const char *voice_name(const struct voice *v);
const char *voice_name_own(const struct voice *v); /* to who brought a key for Cartesia */
const char *voice_text(enum voice_id id);          /* "espeak"; "" of none */
/* ERR_VOICE with a sentence when that format cannot be spoken: no voice, or no library. */
int voice_ready(struct voice *v, enum voice_format f, struct err *e) MUST_USE;
/* Once the sizes are known: what a WAV that was made with `joined` begins with. */
void voice_wav_finish(void *file, size_t len);

enum voice_asked {
#define ASKED(name, text) VOICE_ASKED_##name,
#include "voice/asked.def"
#undef ASKED
    VOICE_ASKED__COUNT
};
const char *voice_asked_text(enum voice_asked a);
enum voice_wire { VOICE_HTTP, VOICE_SOCKET, VOICE_WIRE__COUNT };
struct voice_asks {
    uint64_t outcomes[VOICE_WIRE__COUNT][VOICE_ASKED__COUNT];
    uint64_t retries;
    uint32_t sockets; /* open now */
    int breaker;      /* enum breaker_state */
};
struct voice_stats {
    uint64_t sentences[VOICE__COUNT][VOICE_OUTCOME__COUNT];
    double seconds[VOICE__COUNT];   /* of audio */
    struct histogram first_seconds; /* from a speech's first sentence to its first audio */
    uint32_t speeches;              /* now */
    size_t own_bytes;               /* held on no session's budget */
    bool loaded[VOICE__COUNT];
    uint64_t fallbacks[VOICE__COUNT];     /* speeches that another voice went on with */
    struct voice_asks asks[VOICE__COUNT]; /* of those that are asked over the network */
};
const struct voice_stats *voice_stats(const struct voice *v);

/* speech.c: one answer, spoken */

struct speech_chunk {
    enum voice_id voice; /* who says it */
    size_t sentence;     /* 0 for what was said first */
    struct str text;     /* the sentence, as it was given */
    uint32_t rate;       /* samples a second, mono, 16 bits */
    double seconds;      /* how long the sentence is; 0: not known yet, or told */
    const struct voice_viseme *visemes; /* that were not told yet, in order of time */
    size_t viseme_count;
    size_t index;    /* of this chunk in its sentence */
    bool last;       /* of its sentence */
    struct str data; /* at most SPEECH_CHUNK bytes */
};
#define SPEECH_CHUNK ((size_t)12 * 1024)
#define SPEECH_SENTENCE_MAX 240 /* bytes; a longer sentence is spoken in parts */

struct speech_want {
    enum voice_format format;
    bool joined; /* all sentences make one file; else each sentence is a file of its own */
    struct budget *budget;
    struct str key; /* the person's own for Cartesia, or empty; copied, and wiped in the end */
};
/* Everything borrowed for the call. Never inside speech_say(); `ended` maybe in finish. */
struct speech_sink {
    void *ctx;
    void (*audio)(void *ctx, const struct speech_chunk *c);
    /* Exactly once, then the speech is dead. SPOKEN also when single sentences were not. */
    void (*ended)(void *ctx, enum voice_outcome o);
};

/* NULL: no memory. voice_ready() was asked. */
struct speech *speech_new(struct voice *v, const struct speech_want *want,
                          const struct speech_sink *sink) MUST_USE;
/* A sentence more. One that the budget cannot carry is left out, and counted. */
void speech_say(struct speech *s, struct str sentence);
/* Nothing more comes. */
void speech_finish(struct speech *s);
/* Who was heard last (VOICE__COUNT: nobody), and why not another, or "". Inside `ended`, too.
 */
enum voice_id speech_voice(const struct speech *s);
const char *speech_why(const struct speech *s);
/* While paused nothing is given out, and no sentence is begun. Resuming may call the sink. */
void speech_pause(struct speech *s, bool pause);
/* No callback comes any more, and `s` is dead. Leaves NULL. */
void speech_stop(struct speech **ref);
/* From now on another budget pays; NULL: the voice's own (own_limit). False: it has no room. */
bool speech_charge(struct speech *s, struct budget *b) MUST_USE;
/* Let the speech's budget carry n bytes more of its reader's, until it ends. */
bool speech_carry(struct speech *s, size_t n) MUST_USE;

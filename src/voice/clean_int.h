/* Private to voice/: what the files of the cleaning share. */
#pragma once

#include "base/buf.h"
#include "base/strs.h"
#include "voice/voice.h"

struct clean {
    const struct voice_how *how;
    struct str in;
    size_t at;
    struct buf *out;
    bool english;
    bool line_start;
    bool gap;   /* a space is due before the next word */
    bool heard; /* there is something to be said */
};

enum clean_where { CLEAN_ANY, CLEAN_NUMBER, CLEAN_BEFORE };

struct clean_word {
    const char *written, *said;
    enum clean_where where;
};
extern const struct clean_word clean__words[];
extern const size_t clean__word_count;

uint32_t clean__decode(const struct clean *c, size_t at, size_t *ret_len);
char clean__at(const struct clean *c, size_t at); /* NUL behind the end */
bool clean__digit(char c);
bool clean__wordy(char c);
bool clean__starts(const struct clean *c, size_t at, const char *text); /* in any case */
void clean__gap(struct clean *c);
void clean__say(struct clean *c, const char *text);
void clean__copy(struct clean *c, size_t len);

/* clean_number.c: rules */
bool clean__money(struct clean *c);
bool clean__figure(struct clean *c);

/*
 * Private to knowledge/: load.c reads the files, split.c makes passages of a document, words.c
 * tells what a word is, query.c makes a query of a question, index.c makes the index and knows
 * which words are common, search.c asks it, best.c finds the place in a passage.
 */
#pragma once

#include "base/buf.h"
#include "knowledge/knowledge.h"

#include <sqlite3.h>

/* split.c */

struct split_passage { /* borrowed for the call */
    struct str title, heading, text;
    unsigned line;
};
typedef void split_fn(void *ctx, const struct split_passage *p);

/*
 * Tell the passages of one document, in order. `name` is its file's; what ends in .md has
 * headings. `text` is valid UTF-8.
 */
void knowledge__split(const char *name, struct str text, split_fn *fn, void *ctx);
/* At most `max` bytes of s, whole characters. */
struct str knowledge__cut(struct str s, size_t max);

/* The length of the first sentence, with what stands behind it; s is not empty. */
size_t knowledge__sentence(struct str s);

/* words.c */

enum letter {
    LETTER_NONE,  /* between words */
    LETTER_WORD,  /* part of a word */
    LETTER_ALONE, /* of a script that puts no spaces between words */
};
/* The character at s: its length in bytes, and what it is. `left` > 0. */
size_t knowledge__letter(const char *s, size_t left, enum letter *ret);
/*
 * The run of letters that stand alone at s, as words: each two neighbours, or the only one.
 * Returns the bytes of the run.
 */
typedef void pair_fn(void *ctx, struct str pair);
size_t knowledge__pairs(const char *s, size_t left, pair_fn *fn, void *ctx);
/* Append the text as it is indexed: such a run as its pairs, with spaces between. */
void knowledge__indexed(struct str text, struct buf *out);

/* query.c */

#define QUERY_TEXT_MAX 1000 /* bytes of a question that are looked at */
#define QUERY_TERMS_MAX 16
#define QUERY_TERM_MAX 48 /* bytes */

struct query {
    struct query_term {
        uint8_t len;
        bool pair; /* of letters that stand alone: maybe no word at all */
        char text[QUERY_TERM_MAX];
    } terms[QUERY_TERMS_MAX]; /* without case (of ASCII), no two alike */
    unsigned count;           /* 0: nothing to look for */
    unsigned asked;           /* so many are the question; those behind them only point */
};

void knowledge__query(const struct knowledge_question *q, struct query *ret);
/* As an FTS5 expression: strings with OR between them, in which nothing has a meaning. */
void knowledge__query_write(const struct query *q, struct buf *out);

/* index.c */

#define COMMON_ROWS 400 /* a word in more passages than this is common */

struct common {    /* a common word, as the tokenizer gives it */
    uint32_t text; /* place in `texts` */
    uint32_t rows; /* passages that have it */
};

struct passage { /* places in `texts` */
    uint32_t source, title, heading, text;
    uint32_t len; /* of text */
    uint32_t line;
};

struct knowledge {
    struct buf texts; /* all of them, each with its NUL */
    struct passage *passages;
    size_t count, cap, documents;
    sqlite3 *db; /* NULL: nothing is searched */
    sqlite3_stmt *find;
    fts5_tokenizer tokenizer;
    Fts5Tokenizer *words;            /* an instance of it */
    uint8_t counts[QUERY_TERMS_MAX]; /* of the row that is read, weighed by column */
    struct common *common;
    size_t common_count;
    char problem[160];
};

/* load.c: a copy of the text in `texts`; its place there. */
uint32_t knowledge__keep(struct knowledge *k, struct str s);

/* Make the index of all passages. -1: there is none, and `problem` says why. */
int knowledge__index(struct knowledge *k) MUST_USE;
void knowledge__index_close(struct knowledge *k);
/*
 * About how many rows are read to look for this term, at most COMMON_ROWS when it is not a
 * common one; 0: nothing, it has no letter that the tokenizer knows. -1: memory was refused.
 */
int64_t knowledge__cost(const struct knowledge *k, const struct query_term *t);

/* best.c */

/*
 * Where the sentence of this text begins that has most of the terms; weights[i] is what term i
 * counts. What the heading has belongs to the first one. 0 when none has any, or when memory
 * was refused. `room` is for what it needs.
 */
size_t knowledge__best(const struct knowledge *k, const struct query *q, const double *weights,
                       const char *heading, struct str text, struct buf *room);

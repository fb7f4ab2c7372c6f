/*
 * knowledge: the documents of an agent's folder, and what in them bears on a question.
 * Reads <folder>/knowledge/ *.md and *.txt once, at the start, splits them into passages and
 * indexes those in an SQLite FTS5 database in memory (https://sqlite.org/fts5.html). Owns the
 * texts; knows no session, no mind, and nothing of what the documents are about. Nothing here
 * changes after the start, and nothing a person says is kept or logged.
 *
 * Words are compared by their English stem (Porter), without case and accents. Scripts that
 * have no spaces between words (Chinese, Japanese, Thai ...) are searched by pairs of letters.
 * Other languages with endings find what is written as it was asked.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct knowledge;
struct region;

/* What is taken in, at most. The rest is refused with a sentence, not cut off. */
#define KNOWLEDGE_FILES_MAX 4096
#define KNOWLEDGE_FILE_MAX ((size_t)1 << 20)  /* bytes of a document */
#define KNOWLEDGE_BYTES_MAX ((size_t)8 << 20) /* of all documents */
#define KNOWLEDGE_PASSAGES_MAX 32768

#define KNOWLEDGE_PASSAGE_MAX 800 /* bytes of the text of one passage */
#define KNOWLEDGE_HEADING_MAX 240 /* of a title, and of a heading with those above it */
#define KNOWLEDGE_FOUND_MAX 6     /* passages that one search gives */

/* A piece of a document. Its texts live as long as the knowledge; they are valid UTF-8. */
struct knowledge_passage {
    const char *source; /* "the-bar.md" */
    unsigned line;      /* where it begins there, from 1 */
    const char *title;  /* of the document: its first heading, or its name */
    const char
        *heading;    /* above the passage, with those above that: "Visiting > Hours"; or "" */
    struct str text; /* paragraphs, a line each */
    size_t at;       /* where in it the sentence begins that has most of the question */
    double match;    /* how much of the question it has, 0 .. 1; rare words count more */
};

/* load.c */

/*
 * `folder` is the agent's; one without knowledge/ has no documents. ERR_AGENT names file and
 * line of what cannot be used. `search` false: the documents are checked and counted, no more.
 * When only the index cannot be made the answer is 0: then knowledge_problem() tells, and
 * nothing is found. Free with knowledge_free.
 */
int knowledge_load(const char *folder, bool search, struct knowledge **ret,
                   struct err *e) MUST_USE;
void knowledge_free(struct knowledge **k);
const char *knowledge_problem(const struct knowledge *k); /* NULL: none */

/* search.c */

struct knowledge_question {
    struct str text;   /* what the person says */
    struct str before; /* what they said before it: "and who is she?" may mean that; or empty */
    const char *name;  /* of the agent: "you" means them; NULL: nobody */
};

enum knowledge_outcome {
    KNOWLEDGE_FOUND,
    KNOWLEDGE_NOTHING, /* nothing that bears on it, or nothing was asked */
    KNOWLEDGE_FAILED,  /* memory was refused; nothing is given */
    KNOWLEDGE_OUTCOME__COUNT
};
const char *knowledge_outcome_label(enum knowledge_outcome o); /* "found" */

/*
 * The passages that bear on the question most, the best first: at most KNOWLEDGE_FOUND_MAX,
 * and together at most `max` bytes of text, title and heading. One that does not fit is left
 * out. The array lies in `mem`. *ret and *ret_count are written always. The work is bounded by
 * the bytes of the documents, whatever is asked.
 */
enum knowledge_outcome knowledge_search(struct knowledge *k, const struct knowledge_question *q,
                                        size_t max, struct region *mem,
                                        const struct knowledge_passage **ret,
                                        size_t *ret_count);

struct knowledge_stats {
    size_t documents, passages;
    bool available;     /* there is an index to search */
    uint64_t bytes;     /* of this process, all in all; */
    uint64_t in_sqlite; /* of them, what SQLite counts as its own */
};
void knowledge_stats(const struct knowledge *k, struct knowledge_stats *ret);

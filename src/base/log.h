/*
 * log: one line per event, to stderr. Text for people, or one JSON object per line.
 *
 *     log_info("session", "expire", "id=%s idle_s=%lld", id8, idle);
 *
 * `part` is the folder, `event` a short verb or noun; the rest is logfmt: space-separated
 * key=value pairs, values with spaces in double quotes. In JSON every pair becomes a member.
 * Never a message's content, never a secret: what looks like a key, a bearer token or a card
 * number is replaced before the line leaves, as the last net and not as a licence.
 * A session id is a secret (it opens the session): log only log_id()'s first eight characters.
 */
#pragma once

#include "base/must.h"

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_setup(enum log_level level, bool json);
bool log_level_parse(const char *text, enum log_level *ret); /* debug info warning error … */
enum log_level log_level_now(void);

/* Redirect lines (tests). NULL restores stderr. `line` ends without a newline. */
void log_sink(void (*sink)(const char *line));

void log_event(enum log_level level, const char *part, const char *event, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#define log_debug(part, ...)                                                                   \
    do {                                                                                       \
        if (log_level_now() <= LOG_DEBUG)                                                      \
            log_event(LOG_DEBUG, part, __VA_ARGS__);                                           \
    } while (0)
#define log_info(part, ...) log_event(LOG_INFO, part, __VA_ARGS__)
#define log_warn(part, ...) log_event(LOG_WARN, part, __VA_ARGS__)
#define log_error(part, ...) log_event(LOG_ERROR, part, __VA_ARGS__)

/* "sess_AbC…": the part of a session id that may be logged. Valid until the next call. */
const char *log_id(const char *session_id);

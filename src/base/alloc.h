/*
 * alloc: memory with the life of the process. These die with a sentence when memory is gone,
 * so they are for start-up, tables and buffers of the process; what belongs to a session or a
 * turn comes from a region (memory/memory.h), where running out is an ordinary outcome.
 */
#pragma once

#include "base/must.h"

#include <stddef.h>

_Noreturn void alloc_die(size_t n);         /* how they end */
void *xalloc(size_t n) MUST_USE;            /* zeroed */
void *xrealloc(void *p, size_t n) MUST_USE; /* not zeroed beyond the old size */
char *xstrdup(const char *s) MUST_USE;
char *xstrndup(const char *s, size_t n) MUST_USE;
char *xprintf(const char *fmt, ...) MUST_USE PRINTF_LIKE(1, 2);

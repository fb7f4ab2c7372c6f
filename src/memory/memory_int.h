/*
 * What the files of memory/ share among themselves.
 */
#pragma once

#include "memory/memory.h"

/* Take n bytes at p back, as far as a bump allocator can: the newest, or a chunk of its own. */
void region__give(struct region *r, void *p, size_t n);

/*
 * json_text: one JSON string, with its quotes, appended to a buf. For writers that put answers
 * together as text; whole values are jansson's. `ascii` writes what is not ASCII as \uXXXX.
 * The text is valid UTF-8, or its broken bytes become U+FFFD.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

void json_text(struct buf *b, const char *text, size_t len, bool ascii);

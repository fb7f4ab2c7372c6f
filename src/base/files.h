/*
 * files: what files look like now, to find out later which of them changed. Looks at names,
 * sizes and times and reads no file; so it works on every file system, follows links (a folder
 * of Kubernetes is changed by turning one), and does not mind what is not there yet. What it
 * knows is a list that one free() gives back. Knows no clock: who watches asks again and again.
 */
#pragma once

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>

struct files;

/*
 * Look at these files and, with all that is in them, folders. Hidden files and those that
 * editors keep beside the real one are left out; `flat` leaves out folders in folders. NULL
 * when there is no memory. Blocks as long as the disk does.
 */
struct files *files_look(const char *const *paths, size_t n, bool flat) MUST_USE;
void files_free(struct files **f);
/*
 * The first file in which they differ, borrowed from the newer or the older one; NULL: they are
 * the same.
 */
const char *files_changed(const struct files *older, const struct files *newer);

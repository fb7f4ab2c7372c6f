/*
 * What the files of memory/ share among themselves.
 */
#pragma once

#include "memory/memory.h"

/* region.c */

/* Take n bytes at p back, as far as a bump allocator can: the newest, or a chunk of its own. */
void region__give(struct region *r, void *p, size_t n);

/* cgroup_file.c: small text files of the kernel */

/* The whole of "<root><folder>/<name>" into out. False when it cannot be read. */
bool file__read(const char *root, const char *folder, const char *name, struct buf *out);
/* A file that holds one number. False for anything else, "max" included. */
bool file__number(const char *root, const char *folder, const char *name, uint64_t *ret);
/* The number behind `key` (and spaces, a colon) at the start of a line of `text`. */
bool text__number(const char *text, const char *key, uint64_t *ret);

/* cgroup_find.c: where we are in a hierarchy, from /proc/self/cgroup and mountinfo */

struct cgroup_place {
    bool found;
    bool v2;
    bool ours;   /* not the root of a whole machine */
    char *mount; /* "/sys/fs/cgroup/memory" */
    char *below; /* our cgroup as seen from there: "" or "/a/b" */
};

void place__find(const char *root, const char *controller, struct cgroup_place *ret);
void place__release(struct cgroup_place *p);

/* cgroup.c */
const struct cgroup_place *cgroup__place(const struct cgroup *cg); /* of its memory */

/* notice.c: on this cgroup's folder; a descriptor, or -1 when it is refused */
int notice__psi(const char *folder);
int notice__eventfd(const char *folder, const uint64_t *edges, size_t count);

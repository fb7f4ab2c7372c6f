/*
 * Private to fleet/: before a new version of Maya comes to an app's stored sessions, a few of
 * them are tried (`maya sample`), in containers of the two versions that end when they are
 * done: the new one reads what is stored and writes it anew beside, the old one reads that
 * back. What is stored is mounted read-only. Nothing of it leaves the machine.
 */
#pragma once

#include "fleet/rollout.h"
#include "fleet/spec.h"

struct sample_build {
    int number;
    const struct spec *spec;
    const char *image;
    const json_t *secrets;
};
/*
 * ERR_CONFIG with what would be lost; ERR_IO when it could not be tried. A build that does not
 * know the command yet is not asked, which is said.
 */
int sample__try(const struct rollout *r, const struct sample_build *fresh,
                const struct sample_build *old, struct err *e) MUST_USE;

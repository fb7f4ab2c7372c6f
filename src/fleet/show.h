/*
 * Private to fleet/: the certificate that an app shows, over a change of its versions. It is
 * another one only when the version that it is for is ready, and the one before again when that
 * is taken back.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "fleet/front.h"
#include "fleet/spec.h"

struct show {
    struct engine *en;
    const char *app;
    const struct front_cfg *front; /* for the keeper that is told */
    char *cert, *before;           /* ids; NULL: none */
    bool made, began;
};
/* Could a spec that was deployed before be shown again? ERR_CONFIG, and nothing was changed. */
int show__check(struct engine *en, const struct spec *spec, struct err *e) MUST_USE;
/* From the spec's files (`files`), or what is kept for it. Nobody sees it yet. */
int show__prepare(struct show *s, const struct spec *spec, bool files, struct err *e) MUST_USE;
int show__begin(struct show *s, struct err *e) MUST_USE;
/* All as it was before. */
void show__take_back(struct show *s);
void show__release(struct show *s);

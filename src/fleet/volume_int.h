/* Private to fleet/volume*.c. */
#pragma once

#include "fleet/volume.h"

/* One row of fleet_volume_list(). ERR_NOT_FOUND. The caller's reference. */
int volume__find(struct engine *en, const char *name, json_t **ret, struct err *e) MUST_USE;
/* "a, b" of a list of texts; free() it. */
char *volume__join(const json_t *texts) MUST_USE;

enum volume_kind { VOLUME_NOTHING, VOLUME_FILE, VOLUME_FOLDER, VOLUME_OTHER };
/* What is at a path of a container's volume; of a link: VOLUME_OTHER. */
struct helper;
int volume__kind(const struct helper *h, const char *path, enum volume_kind *ret,
                 uint64_t *ret_size, struct err *e) MUST_USE;
/* "/containers/ID/archive?path=/volume/PATH"; free() it. */
char *volume__archive(const struct helper *h, const char *path) MUST_USE;

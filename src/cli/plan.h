/* Private to cli/: an app's spec on its way from the command line to what is shown of it. */
#pragma once

#include "cli/verb.h"
#include "fleet/fleet.h"

/* -f, --name, --strategy and the environment; the tag is checked as well. */
int cli__spec(const struct cli_args *a, struct spec **ret, struct err *e) MUST_USE;
/* The agent folder of this installation, or NULL: then an image is made without. */
const char *cli__agent_here(void);
/* "2500 MiB of 3264 MiB ..." to stdout, or the error. */
int cli__prove(const struct spec *s, struct err *e) MUST_USE;
/* What a deploy says while it works, to stderr. */
void cli__on_line(void *ctx, const char *line);
/* How far it has come; NULL: that is over. */
void cli__on_wait(void *ctx, const char *line);
/* "ann@laptop" */
const char *cli__who(void);
/* commit.c: "0f31a5b", with "*" behind it when there are changes; NULL where git knows nothing.
 */
const char *cli__commit(void);

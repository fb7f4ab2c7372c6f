/* Private to cli/: the parts of `maya serve` that have a file of their own. */
#pragma once

#include "mind/mind.h"
#include "net/net.h"

struct agent;
struct config;

struct serve_minds {
    struct http_client *http;
    struct mind_cfg cfg;
    char *vertex_url;
};
/* Free http with http_client_free() after the agent, and vertex_url. */
void serve__minds(struct serve_minds *s, const struct config *c, struct loop *loop);

/* What the rules have to know: the secrets of this process, and the moderation endpoint. */
void serve__safety(const struct agent *a, const struct config *c, const struct serve_minds *m);

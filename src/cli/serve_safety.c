/* What of the configuration the safety rules need. */
#include "cli/serve_int.h"

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/log.h"
#include "config/config.h"
#include "safety/safety.h"

#include <stdlib.h>
#include <string.h>

static void own_secrets(struct safety *s, const struct config *c)
{
    static const enum config_id secrets[] = {
        C_MASTER_KEY,     C_ADMIN_TOKEN,  C_GEMINI_KEY,   C_OPENAI_KEY,
        C_MODERATION_KEY, C_VERTEX_TOKEN, C_CARTESIA_KEY, C_PROXY,
    };
    const char *older = config_text(c, C_MASTER_KEY_OLD);

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        (void)safety_own_secret(s, config_text(c, secrets[i]));
    while (older && *older) { /* with commas between */
        size_t n = strcspn(older, ",");
        char *one = xstrndup(older, n);
        (void)safety_own_secret(s, one);
        explicit_bzero(one, n);
        free(one);
        older += n + (older[n] == ',');
    }
}

void serve__safety(struct serve *serve)
{
    struct safety *s = agent_safety(serve->agent);
    const struct config *c = serve->config;
    const struct serve_minds *m = &serve->minds;
    const char *url = config_text(c, C_MODERATION_URL);
    const struct safety_moderation_cfg cfg = {
        .loop = m->cfg.loop,
        .http = m->http,
        .url = url,
        .key = config_text(c, C_MODERATION_KEY),
        .model = config_text(c, C_MODERATION_MODEL),
        .whole_ms = (int64_t)(config_number(c, C_MODERATION_S) * 1000),
    };
    struct err e;

    own_secrets(s, c);
    safety_set_moderation(s, &cfg);
    if (url && *url && http_client_load(m->http, &e) < 0)
        log_warn("safety", "no_client", "note=\"%s; messages pass unmoderated\"", e.msg);
    log_info("safety", "rules", "count=%zu moderation=%s", safety_rule_count(s),
             url && *url ? "on" : "off");
}

/* What of the configuration the voices need that are asked over the network. */
#include "cli/serve_int.h"

#include "base/log.h"
#include "config/config.h"
#include "seal/seal.h"
#include "voice/voice.h"

#include <string.h>

static int64_t ms_of(const struct config *c, enum config_id id)
{
    return (int64_t)(config_number(c, id) * 1000);
}

void serve__cartesia(struct voice_cfg *cfg, const struct config *c, struct http_client *http)
{
    const char *key = config_text(c, C_CARTESIA_KEY);

    cfg->http = http;
    cfg->cartesia_url = config_text(c, C_CARTESIA_URL);
    cfg->cartesia_key = key && *key ? key : NULL;
    cfg->connect_ms = ms_of(c, C_MIND_CONNECT_S);
    cfg->first_ms = ms_of(c, C_VOICE_FIRST_S);
    cfg->between_ms = ms_of(c, C_VOICE_SILENCE_S);
    cfg->retries = (unsigned)config_int(c, C_MIND_RETRIES);
    cfg->seed = seal_random_u64();
    if (strcmp(cfg->choice, "cartesia") == 0 && !cfg->cartesia_key)
        log_warn(
            "voice", "no_key",
            "note=\"MAYA_VOICE is cartesia and CARTESIA_API_KEY is not set: Cartesia speaks "
            "to who brings a key, and eSpeak NG to the others\"");
}

/* Who hears. */
#include "cli/serve_int.h"

#include "config/config.h"
#include "voice/voice.h"

struct ears *serve__ears(const struct config *c, struct loop *loop, struct http_client *http)
{
    const struct ears_cfg cfg = {
        .loop = loop,
        .http = http,
        .choice = config_text(c, C_EARS),
        .cartesia_url = config_text(c, C_CARTESIA_URL),
        .cartesia_key = config_text(c, C_CARTESIA_KEY),
        .connect_ms = serve__ms(c, C_MIND_CONNECT_S),
    };

    return ears_new(&cfg);
}

/* What of the configuration the minds need, and the client with which they ask. */
#include "cli/serve_int.h"

#include "base/alloc.h"
#include "base/log.h"
#include "config/config.h"

#include <string.h>

#define GEMINI_HOST "https://generativelanguage.googleapis.com"

static const char *or_null(const struct config *c, enum config_id id)
{
    const char *s = config_text(c, id);

    return s && *s ? s : NULL;
}

static enum mind_choice choice_of(const struct config *c)
{
    const char *given = config_text(c, C_MIND);

    if (given && strcmp(given, "gemini") == 0)
        return MIND_CHOOSE_GEMINI;
    if (given && strcmp(given, "openai") == 0)
        return MIND_CHOOSE_OPENAI;
    if (given && strcmp(given, "house") == 0)
        return MIND_CHOOSE_HOUSE;
    return MIND_CHOOSE_AUTO;
}

/* Where Vertex is, by its location. */
static char *vertex_host(const char *location)
{
    if (strcmp(location, "global") == 0)
        return xstrdup("https://aiplatform.googleapis.com");
    if (strcmp(location, "us") == 0 || strcmp(location, "eu") == 0)
        return xprintf("https://aiplatform.%s.rep.googleapis.com", location);
    return xprintf("https://%s-aiplatform.googleapis.com", location);
}

/* What cannot work is said at the start, and not at the first guest. */
static void say_choice(const struct mind_cfg *m)
{
    bool gemini = m->gemini_key || m->project;

    if (m->choice == MIND_CHOOSE_GEMINI && !gemini)
        log_warn(
            "mind", "no_key",
            "note=\"MAYA_MIND is gemini, and neither GEMINI_API_KEY nor GCP_PROJECT is set: "
            "the house mind answers whoever brings no key\"");
    if (m->choice == MIND_CHOOSE_OPENAI && !m->openai_url)
        log_warn(
            "mind", "no_server",
            "note=\"MAYA_MIND is openai and MAYA_OPENAI_BASE_URL is not set: the house mind "
            "answers\"");
}

void serve__minds(struct serve_minds *s, const struct config *c, struct loop *loop)
{
    const struct http_client_cfg client = {
        .proxy = or_null(c, C_PROXY),
        .ca_file = or_null(c, C_CA_FILE),
    };
    struct mind_cfg *m = &s->cfg;
    struct err e;

    s->http = http_client_new(loop, &client);
    *m = (struct mind_cfg){
        .choice = choice_of(c),
        .loop = loop,
        .http = s->http,
        .openai_url = or_null(c, C_OPENAI_URL),
        .openai_key = or_null(c, C_OPENAI_KEY),
        .openai_model = or_null(c, C_OPENAI_MODEL),
        .gemini_key = or_null(c, C_GEMINI_KEY),
        .gemini_model = or_null(c, C_GEMINI_MODEL),
        .project = or_null(c, C_GCP_PROJECT),
        .location = config_text(c, C_GCP_LOCATION),
        .token = or_null(c, C_VERTEX_TOKEN),
        .account_file = or_null(c, C_GCP_ACCOUNT),
        .metadata_host = or_null(c, C_GCP_METADATA),
        .connect_ms = serve__ms(c, C_MIND_CONNECT_S),
        .first_ms = serve__ms(c, C_MIND_FIRST_S),
        .between_ms = serve__ms(c, C_MIND_SILENCE_S),
        .whole_ms = serve__ms(c, C_MIND_TURN_S),
        .retries = (unsigned)config_int(c, C_MIND_RETRIES),
    };
    m->gemini_url = or_null(c, C_GEMINI_URL) ? config_text(c, C_GEMINI_URL) : GEMINI_HOST;
    if (m->project)
        s->vertex_url = or_null(c, C_GEMINI_URL) ? xstrdup(config_text(c, C_GEMINI_URL))
                                                 : vertex_host(m->location);
    m->vertex_url = s->vertex_url;
    say_choice(m);
    if (!mind_asks(m))
        return; /* libcurl is loaded when a session brings a key, if ever */
    if (http_client_load(s->http, &e) < 0)
        log_warn("mind", "no_client", "note=\"%s; the house mind answers\"", e.msg);
}

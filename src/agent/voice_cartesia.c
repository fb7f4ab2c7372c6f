/* How Cartesia speaks: voice: cartesia: in agent.yaml. */
#include "agent/agent_int.h"

#include "base/alloc.h"
#include "yaml/yaml.h"

#include <ctype.h>
#include <string.h>

#define TEXT_MAX 64

/* A text of the map; NULL: an error, or (*ret_there false) it is not there. */
static const char *text_of(const struct yaml_node *map, const char *key, bool *ret_there,
                           struct err *e)
{
    const char *text = NULL;

    *ret_there = yaml_get(map, key) != NULL;
    if (!*ret_there || yaml_need_text(map, key, &text, e) < 0)
        return NULL;
    if (*text && strlen(text) <= TEXT_MAX)
        return text;
    yaml_err(yaml_get(map, key), e, "'%s' has 1 to %d bytes", key, TEXT_MAX);
    return NULL;
}

static bool only(const char *text, const char *more)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr(more, *text))
            return false;
    return true;
}

static int read_model(struct agent *a, const struct yaml_node *map, struct err *e)
{
    bool there;
    const char *text = text_of(map, "model", &there, e);

    if (!text)
        return there ? -1 : 0;
    if (voice_cartesia_instead(text))
        return yaml_err(yaml_get(map, "model"), e,
                        "Cartesia does not serve the model '%s' any more; take %s", text,
                        voice_cartesia_instead(text));
    if (!only(text, "-._"))
        return yaml_err(yaml_get(map, "model"), e,
                        "'%s' is not a model; write it like sonic-3.5", text);
    a->voice.cartesia.model = a->voice_texts.cartesia[0] = xstrdup(text);
    return 0;
}

static int read_id(struct agent *a, const struct yaml_node *map, struct err *e)
{
    bool there;
    const char *text = text_of(map, "voice", &there, e);

    if (!text)
        return there ? -1 : 0;
    if (!voice_cartesia_id(text))
        return yaml_err(yaml_get(map, "voice"), e,
                        "'%s' is not a voice of Cartesia; they are ids like "
                        "f786b574-daa5-4673-aa0c-cbe3e8534c02, and play.cartesia.ai lists them",
                        text);
    a->voice.name[VOICE_CARTESIA] = a->voice_texts.name[VOICE_CARTESIA] = xstrdup(text);
    return 0;
}

static int read_language(struct agent *a, const struct yaml_node *map, struct err *e)
{
    bool there;
    const char *text = text_of(map, "language", &there, e);

    if (!text)
        return there ? -1 : 0;
    if (strlen(text) != 2 || !islower((unsigned char)text[0]) ||
        !islower((unsigned char)text[1]))
        return yaml_err(yaml_get(map, "language"), e,
                        "'%s' is not a language; Cartesia's have two letters, like en or de",
                        text);
    a->voice.cartesia.language = a->voice_texts.cartesia[1] = xstrdup(text);
    return 0;
}

static int read_emotion(struct agent *a, const struct yaml_node *map, struct err *e)
{
    bool there;
    const char *text = text_of(map, "emotion", &there, e);

    if (!text)
        return there ? -1 : 0;
    if (!only(text, "- "))
        return yaml_err(yaml_get(map, "emotion"), e,
                        "'%s' is not an emotion; write a word like calm or content", text);
    a->voice.cartesia.emotion = a->voice_texts.cartesia[2] = xstrdup(text);
    return 0;
}

static int read_number(const struct yaml_node *map, const char *key, double min, double max,
                       double *ret, struct err *e)
{
    const struct yaml_node *n = yaml_get(map, key);
    const char *text = n ? yaml_text(n) : NULL;

    if (!n)
        return 0;
    if (!text || !str_to_double(text, ret) || !(*ret >= min) || !(*ret <= max))
        return yaml_err(n, e,
                        "'%.40s' is not a %s for Cartesia; 1 is the voice's own, %.15g to "
                        "%.15g go",
                        text ? text : "a list", key, min, max);
    return 0;
}

int agent__read_cartesia(struct agent *a, const struct yaml_node *voice, struct err *e)
{
    static const char *const known[] = {"model",  "voice",   "language", "speed",
                                        "volume", "emotion", NULL};
    const struct yaml_node *map = yaml_get(voice, "cartesia");
    struct voice_cartesia *c = &a->voice.cartesia;

    if (!map)
        return 0;
    if (yaml_kind(map) != YAML_MAP)
        return yaml_err(map, e,
                        "cartesia: has model, voice, language, speed, volume and "
                        "emotion below it, as voice: f786b574-daa5-4673-aa0c-cbe3e8534c02");
    if (yaml_only_keys(map, known, e) < 0 || read_model(a, map, e) < 0 ||
        read_id(a, map, e) < 0 || read_language(a, map, e) < 0 || read_emotion(a, map, e) < 0)
        return -1;
    if (read_number(map, "speed", 0.6, 1.5, &c->speed, e) < 0)
        return -1;
    return read_number(map, "volume", 0.5, 2, &c->volume, e);
}

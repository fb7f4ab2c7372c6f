/* How the agent speaks: voice: in agent.yaml. What is not there is left to the voice. */
#include "agent/agent_int.h"

#include "base/alloc.h"
#include "yaml/yaml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN_MAX 64
#define WORDS_MAX 200
#define SPEED_MIN 0.5
#define SPEED_MAX 2.0

static const char *const providers[VOICE__COUNT] = {
#define VOICE(name, text, ops) text,
#include "voice/provider.def"
#undef VOICE
};

/* A text of the folder that outlives its file; NULL stays NULL. */
static char *own(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

/* NULL: an error. */
static const char *short_text(const struct yaml_node *map, const char *key, struct err *e)
{
    const char *text = NULL;

    if (yaml_need_text(map, key, &text, e) < 0)
        return NULL;
    if (strlen(text) <= NAME_LEN_MAX)
        return text;
    yaml_err(yaml_get(map, key), e, "'%s' has at most %d bytes", key, NAME_LEN_MAX);
    return NULL;
}

static int read_language(struct agent *a, const struct yaml_node *voice, struct err *e)
{
    const char *text;

    if (!yaml_get(voice, "language"))
        return 0;
    if (!(text = short_text(voice, "language", e)))
        return -1;
    for (const char *p = text; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-')
            return yaml_err(yaml_get(voice, "language"), e,
                            "'%.40s' is not a language; write it like en, en-us or de", text);
    free(a->voice_texts.language);
    a->voice.language = a->voice_texts.language = own(text);
    return 0;
}

static int read_speed(struct agent *a, const struct yaml_node *voice, struct err *e)
{
    const struct yaml_node *n = yaml_get(voice, "speed");
    double speed;

    if (!n)
        return 0;
    if (!yaml_text(n) || !str_to_double(yaml_text(n), &speed) || !(speed >= SPEED_MIN) ||
        !(speed <= SPEED_MAX))
        return yaml_err(n, e, "'%.40s' is not a speed; 1 is the voice's own, %.15g to %.15g go",
                        yaml_text(n) ? yaml_text(n) : "a list", SPEED_MIN, SPEED_MAX);
    a->voice.speed = speed;
    return 0;
}

/* say: - [as written, as said] */
static int read_words(struct agent *a, const struct yaml_node *voice, struct err *e)
{
    const struct yaml_node *list;
    size_t count;

    if (!yaml_get(voice, "say"))
        return 0;
    if (yaml_need_list(voice, "say", &list, e) < 0)
        return -1;
    count = yaml_count(list);
    if (count > WORDS_MAX)
        return yaml_err(list, e, "at most %d words can be said otherwise", WORDS_MAX);
    struct voice_word *words = xalloc((count + 1) * sizeof(*words));
    a->voice.words = a->voice_texts.words = words;
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *pair = yaml_at(list, i);
        const char *texts[2] = {NULL, NULL};
        for (size_t k = 0; k < 2 && yaml_kind(pair) == YAML_LIST && yaml_count(pair) == 2; k++)
            texts[k] = yaml_text(yaml_at(pair, k));
        if (!texts[0] || !texts[1] || !*texts[0] || strlen(texts[0]) > NAME_LEN_MAX ||
            strlen(texts[1]) > NAME_LEN_MAX)
            return yaml_err(pair, e, "wanted [as written, as said], each of at most %d bytes",
                            NAME_LEN_MAX);
        words[i] = (struct voice_word){own(texts[0]), own(texts[1])};
        a->voice.word_count = i + 1;
    }
    return 0;
}

int agent__read_voice(struct agent *a, const struct yaml_node *root, struct err *e)
{
    static const char *const known[] = {"language", "speed",
#define VOICE(name, text, ops) text,
#include "voice/provider.def"
#undef VOICE
                                        "say", NULL};
    const struct yaml_node *voice = yaml_get(root, "voice");
    const char *text;
    struct err at; /* "agent.yaml:14: espeak", for who finds out that there is no such voice */

    a->voice = (struct voice_how){.language = "en", .speed = 1};
    if (!voice)
        return 0;
    if (yaml_only_keys(voice, known, e) < 0 || read_language(a, voice, e) < 0 ||
        read_speed(a, voice, e) < 0 || read_words(a, voice, e) < 0)
        return -1;
    if (agent__read_cartesia(a, voice, e) < 0)
        return -1;
    for (unsigned i = 0; i < VOICE__COUNT; i++) {
        if (i == VOICE_CARTESIA || !yaml_get(voice, providers[i]))
            continue;
        if (!(text = short_text(voice, providers[i], e)))
            return -1;
        a->voice.name[i] = a->voice_texts.name[i] = own(text);
        yaml_err(yaml_get(voice, providers[i]), &at, "%s", providers[i]);
        free(a->voice_texts.from);
        a->voice.name_from = a->voice_texts.from = own(at.msg);
    }
    return 0;
}

void agent__free_voice(struct agent *a)
{
    for (size_t i = 0; i < a->voice.word_count; i++) {
        free((void *)(uintptr_t)a->voice_texts.words[i].written);
        free((void *)(uintptr_t)a->voice_texts.words[i].said);
    }
    free(a->voice_texts.words);
    free(a->voice_texts.language);
    free(a->voice_texts.from);
    for (size_t i = 0; i < ARRAY_LEN(a->voice_texts.cartesia); i++)
        free(a->voice_texts.cartesia[i]);
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        free(a->voice_texts.name[i]);
}

const struct voice_how *agent_voice(const struct agent *a)
{
    return &a->voice;
}

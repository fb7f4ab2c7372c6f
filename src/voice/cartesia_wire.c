/* What Cartesia is sent, and what it sends: JSON, in text frames or as a body. Pure. */
#include "voice/cartesia_int.h"

#include "base/base64.h"
#include "base/json_text.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHONEMES_MAX 4096 /* of one message */
#define SPEED_MIN 0.6
#define SPEED_MAX 1.5

bool voice_cartesia_id(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return n == 36;
}

const char *voice_cartesia_instead(const char *model)
{
    static const struct {
        const char *model, *instead;
    } retired[] = {
#define RETIRED(name, better) {name, better},
#include "voice/cartesia_model.def"
#undef RETIRED
    };

    for (size_t i = 0; i < ARRAY_LEN(retired); i++)
        if (strcmp(model, retired[i].model) == 0)
            return retired[i].instead;
    return NULL;
}

static void text_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    json_text(out, text, strlen(text), false);
}

/* Its language is two letters; ours may say more. */
static void write_language(const struct voice_how *how, struct buf *out)
{
    const char *language = how->cartesia.language ? how->cartesia.language : how->language;
    size_t n = strcspn(language, "-");

    buf_str(out, ",\"language\":");
    json_text(out, language, n, false);
}

/* What is as usual is not said: not every model likes to be told. */
static void write_manner(const struct voice_how *how, struct buf *out)
{
    const struct voice_cartesia *c = &how->cartesia;
    double speed = c->speed > 0 ? c->speed : how->speed;
    const char *between = "";

    speed = speed < SPEED_MIN ? SPEED_MIN : speed > SPEED_MAX ? SPEED_MAX : speed;
    if (speed == 1 && c->volume <= 0 && !c->emotion)
        return;
    buf_str(out, ",\"generation_config\":{");
    if (speed != 1) {
        buf_printf(out, "\"speed\":%.6g", speed);
        between = ",";
    }
    if (c->volume > 0) {
        buf_printf(out, "%s\"volume\":%.6g", between, c->volume);
        between = ",";
    }
    if (c->emotion) {
        buf_printf(out, "%s\"emotion\":", between);
        json_text(out, c->emotion, strlen(c->emotion), false);
    }
    buf_char(out, '}');
}

void cartesia__write(const struct cartesia_say *say, struct buf *out)
{
    const struct voice_how *how = say->how;
    const char *voice = how->name[VOICE_CARTESIA];

    buf_str(out, "{\"model_id\":");
    json_text(out, how->cartesia.model ? how->cartesia.model : CARTESIA_MODEL,
              strlen(how->cartesia.model ? how->cartesia.model : CARTESIA_MODEL), false);
    buf_str(out, ",\"transcript\":");
    json_text(out, say->text.data, say->text.len, false);
    buf_str(out, ",\"voice\":{\"mode\":\"id\"");
    text_member(out, "id", voice ? voice : CARTESIA_VOICE);
    buf_char(out, '}');
    write_language(how, out);
    write_manner(how, out);
    buf_printf(out,
               ",\"output_format\":{\"container\":\"raw\",\"encoding\":\"pcm_s16le\","
               "\"sample_rate\":%d}",
               CARTESIA_RATE);
    if (say->context) {
        text_member(out, "context_id", say->context);
        buf_printf(out, ",\"add_phoneme_timestamps\":true,\"continue\":%s",
                   say->more ? "true" : "false");
        if (say->flush)
            buf_str(out, ",\"flush\":true");
    }
    buf_char(out, '}');
}

void cartesia__write_cancel(const char *context, struct buf *out)
{
    buf_str(out, "{\"context_id\":");
    json_text(out, context, strlen(context), false);
    buf_str(out, ",\"cancel\":true}");
}

/* A word of [A-Za-z0-9_.-], or "". */
static void copy_word(char *ret, size_t size, const char *text)
{
    size_t n = text ? strlen(text) : 0;

    ret[0] = '\0';
    if (n == 0 || n >= size)
        return;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
            return;
    memcpy(ret, text, n + 1);
}

static json_t *parse(const char *text, size_t len, bool *ret_full)
{
    json_error_t e = {0};
    json_t *root = len ? json_region_load(text, len, 0, &e) : NULL;

    *ret_full = !root && json_error_code(&e) == json_error_out_of_memory;
    return root;
}

void cartesia__code(const char *body, size_t len, char *ret, size_t size)
{
    bool full;
    json_t *root = parse(body, len, &full);

    copy_word(ret, size, json_string_value(json_object_get(root, "error_code")));
    json_decref(root);
}

static void read_chunk(const json_t *root, struct cartesia_message *ret)
{
    const json_t *data = json_object_get(root, "data");
    struct str text = {json_string_value(data), json_string_length(data)};

    if (!text.data || !base64_read(&ret->audio, text))
        ret->kind = ret->audio.full ? CARTESIA_NO_MEMORY : CARTESIA_MALFORMED;
}

static void read_phonemes(const json_t *root, struct cartesia_message *ret)
{
    const json_t *all = json_object_get(root, "phoneme_timestamps");
    const json_t *names = json_object_get(all, "phonemes"),
                 *starts = json_object_get(all, "start");
    size_t n = json_array_size(names);

    if (!json_is_array(names) || json_array_size(starts) != n || n > PHONEMES_MAX) {
        ret->kind = CARTESIA_MALFORMED;
        return;
    }
    ret->visemes = n ? calloc(n, sizeof(*ret->visemes)) : NULL;
    if (n && !ret->visemes)
        ret->kind = CARTESIA_NO_MEMORY;
    for (size_t i = 0; ret->visemes && i < n; i++) {
        const json_t *name = json_array_get(names, i);
        double at = json_number_value(json_array_get(starts, i));
        struct voice_viseme *last =
            ret->viseme_count ? &ret->visemes[ret->viseme_count - 1] : NULL;
        enum voice_mouth mouth;
        if (!json_is_string(name) || !(at >= 0) || at > 24 * 3600)
            continue;
        if (!voice__mouth(json_string_value(name), json_string_length(name), &mouth))
            continue;
        struct voice_viseme v = {(uint32_t)lround(at * 1000), (uint8_t)mouth};
        if (last && v.at_ms < last->at_ms)
            v.at_ms = last->at_ms;
        if (last && v.at_ms == last->at_ms)
            last->mouth = v.mouth;
        else if (!last || last->mouth != v.mouth)
            ret->visemes[ret->viseme_count++] = v;
    }
}

static void read_error(const json_t *root, struct cartesia_message *ret)
{
    json_int_t status = json_integer_value(json_object_get(root, "status_code"));

    ret->status = status >= 400 && status < 600 ? (int)status : 0;
    copy_word(ret->code, sizeof(ret->code),
              json_string_value(json_object_get(root, "error_code")));
}

void cartesia__read(const char *json, size_t len, struct cartesia_message *ret)
{
    static const struct {
        const char *type;
        enum cartesia_kind kind;
        void (*read)(const json_t *root, struct cartesia_message *ret);
    } kinds[] = {
        {"chunk", CARTESIA_CHUNK, read_chunk},
        {"phoneme_timestamps", CARTESIA_PHONEMES, read_phonemes},
        {"flush_done", CARTESIA_FLUSHED, NULL},
        {"done", CARTESIA_DONE, NULL},
        {"error", CARTESIA_ERROR, read_error},
    };
    bool full;
    json_t *root = parse(json, len, &full);
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *context = json_string_value(json_object_get(root, "context_id"));

    *ret = (struct cartesia_message){.kind = CARTESIA_OTHER};
    if (!type)
        ret->kind = full ? CARTESIA_NO_MEMORY : CARTESIA_MALFORMED;
    if (context && strlen(context) < sizeof(ret->context))
        str_copy(ret->context, sizeof(ret->context), context);
    for (size_t i = 0; type && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(type, kinds[i].type) != 0)
            continue;
        ret->kind = kinds[i].kind;
        if (kinds[i].read)
            kinds[i].read(root, ret);
    }
    json_decref(root);
}

void cartesia__message_release(struct cartesia_message *m)
{
    buf_release(&m->audio);
    free(m->visemes);
    m->visemes = NULL;
    m->viseme_count = 0;
}

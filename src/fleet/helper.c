/* A container made to reach a volume. */
#include "fleet/helper.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#define PROGRAM "/usr/bin/maya"
#define MEMORY (64LL << 20)
#define PIDS_MAX 16
#define WORDS_MAX 400

static int make_image(struct engine *en, struct image_made *ret, struct err *e)
{
    struct image_tree *t = image_tree_new();
    json_t *config = json_pack("{s:[s, s], s:s, s:{s:s}}", "Entrypoint", PROGRAM, "files",
                               "WorkingDir", "/", "Labels", LABEL_PART, "files");
    int rc = image_add_program(t, &PROGRAM[1], "/proc/self/exe", e);

    if (rc == 0) {
        image_add_folder(t, &FLEET_FILES_ROOT[1], 0755, 0);
        rc = image_load(en, "maya-files", t, config, ret, e);
    }
    json_decref(config);
    image_tree_free(&t);
    return rc;
}

/*
 * Its output is read back from the engine, so it goes where that works whatever the daemon's
 * own log driver is. The volume is taken as it is: what the image has there is not copied in.
 */
static json_t *body_of(const char *image, const char *volume, enum helper_may may,
                       const char *const *argv)
{
    json_t *words = json_array();
    json_t *rights = json_pack("[s]", "CAP_DAC_OVERRIDE");

    for (; *argv; argv++)
        json_array_append_new(words, json_string(*argv));
    if (may == HELPER_WRITE) {
        json_array_append_new(rights, json_string("CAP_CHOWN"));
        json_array_append_new(rights, json_string("CAP_FOWNER"));
    }
    json_t *body = json_pack(
        "{s:s, s:o, s:s, s:b, s:{s:s}, s:{s:I, s:I, s:i, s:b, s:[s], s:o, s:[s], s:s, "
        "s:{s:s, s:{s:s, s:s, s:s}}, s:[{s:s, s:s, s:s, s:b, s:{s:b}}]}}",
        "Image", image, "Cmd", words, "User", "0:0", "NetworkDisabled", 1, "Labels", LABEL_PART,
        "files", "HostConfig", "Memory", (json_int_t)MEMORY, "MemorySwap", (json_int_t)MEMORY,
        "PidsLimit", PIDS_MAX, "ReadonlyRootfs", 1, "CapDrop", "ALL", "CapAdd", rights,
        "SecurityOpt", "no-new-privileges", "NetworkMode", "none", "LogConfig", "Type",
        "json-file", "Config", "max-size", "1g", "max-file", "1", "compress", "false", "Mounts",
        "Type", "volume", "Source", volume, "Target", FLEET_FILES_ROOT, "ReadOnly",
        may == HELPER_READ, "VolumeOptions", "NoCopy", 1);
    MUST(body);
    return body;
}

int fleet__helper_open(struct engine *en, const char *volume, enum helper_may may,
                       const char *const *argv, struct helper *ret, struct err *e)
{
    struct image_made image = {0};
    json_t *made = NULL;

    if (make_image(en, &image, e) < 0)
        return -1;
    json_t *body = body_of(image.ref, volume, may, argv);
    int rc = engine_json(en, "POST", body, &made, e, "/containers/create");
    if (rc == 0)
        *ret = (struct helper){en, xstrdup(fleet__text(made, "Id"))};
    json_decref(made);
    json_decref(body);
    image_made_release(&image);
    return rc;
}

struct output {
    void (*on_bytes)(void *ctx, const char *, size_t);
    void *ctx;
    struct buf words; /* of its complaint */
    struct engine_frames frames;
};

static void on_frame(void *ctx, int stream, const char *data, size_t len)
{
    struct output *o = ctx;

    if (stream == 1 && o->on_bytes)
        o->on_bytes(o->ctx, data, len);
    else if (stream == 2 && o->words.len < WORDS_MAX)
        buf_add(&o->words, data, len);
}

static bool on_data(void *ctx, const char *data, size_t len)
{
    struct output *o = ctx;

    engine_frames_feed(&o->frames, data, len);
    return true;
}

static int follow(const struct helper *h, struct output *o, struct err *e)
{
    char *path = xprintf("/containers/%s/logs?stdout=1&stderr=1&follow=1", h->id);
    struct engine_call call = {
        .method = "GET", .path = path, .on_data = on_data, .data_ctx = o};

    o->frames = (struct engine_frames){.on_bytes = on_frame, .ctx = o};
    int rc = engine_do(h->en, &call, e);
    engine_call_release(&call);
    free(path);
    return rc;
}

/* 0, or what `maya files` said: its exit code tells what kind of thing it was. */
static int judge(const struct helper *h, const struct buf *words, struct err *e)
{
    static const char name[] = "maya: ";
    json_t *there = NULL;
    const char *text = buf_text(words);

    if (engine_json(h->en, "GET", NULL, &there, e, "/containers/%s/json", h->id) < 0)
        return -1;
    const json_t *state = json_object_get(there, "State");
    int code = (int)json_integer_value(json_object_get(state, "ExitCode"));
    json_decref(there);
    if (code == 0)
        return 0;
    if (strncmp(text, name, sizeof(name) - 1) == 0)
        text += sizeof(name) - 1;
    if (!*text)
        return err_set(e, ERR_IO, 0, "the container for the volume ended with code %d", code);
    enum err_code kind = code == 2 ? ERR_INVALID : ERR_IO;
    if (strncmp(text, "there is no ", 12) == 0)
        kind = ERR_NOT_FOUND;
    return err_set(e, kind, 0, "%.*s", (int)strcspn(text, "\n"), text);
}

int fleet__helper_run(struct helper *h, void (*on_bytes)(void *ctx, const char *, size_t),
                      void *ctx, struct err *e)
{
    struct output o = {.on_bytes = on_bytes, .ctx = ctx};
    int rc = engine_json(h->en, "POST", NULL, NULL, e, "/containers/%s/start", h->id);

    if (rc == 0)
        rc = follow(h, &o, e);
    if (rc == 0)
        rc = judge(h, &o.words, e);
    buf_release(&o.words);
    return rc;
}

void fleet__helper_close(struct helper *h)
{
    struct err why;

    if (h->id &&
        engine_json(h->en, "DELETE", NULL, NULL, &why, "/containers/%s?force=1", h->id) < 0 &&
        why.code == ERR_STOPPED) { /* what was begun is undone all the same */
        engine_unstop(h->en);
        if (engine_json(h->en, "DELETE", NULL, NULL, &why, "/containers/%s?force=1", h->id) < 0)
            why.code = ERR_NONE; /* nothing more can be done */
    }
    free(h->id);
    h->id = NULL;
}

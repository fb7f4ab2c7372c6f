/*
 * An image of one layer, put together here and given to the engine as `docker save` would write
 * it: no builder, no registry, nothing runs. The engine checks what we say: the layer's SHA-256
 * stands in the config, and the config's own is the image's id.
 */
#include "image/image_int.h"

#include "base/alloc.h"
#include "engine/engine.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define TAG_CHARS 16
#define LOAD_SILENCE_S 300

/* As Go names them. */
static const char *architecture(void)
{
    static char name[65];
    struct utsname u;

    uname(&u);
    if (strcmp(u.machine, "x86_64") == 0)
        return "amd64";
    if (strcmp(u.machine, "aarch64") == 0)
        return "arm64";
    snprintf(name, sizeof(name), "%s", u.machine);
    return name;
}

/* The image's config (OCI image-spec, config.md), as text; free() it. */
static char *config_text(const json_t *config, const char *layer)
{
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:O, s:{s:s, s:[s++]}, s:[{s:s, s:s}]}", "architecture",
                  architecture(), "os", "linux", "created", "1970-01-01T00:00:00Z", "config",
                  config, "rootfs", "type", "layers", "diff_ids", "sha256:", layer, "",
                  "history", "created", "1970-01-01T00:00:00Z", "created_by", "maya");

    MUST(root);
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    MUST(text);
    json_decref(root);
    return text;
}

static void hash(const char *text, char ret[IMAGE_DIGEST_HEX])
{
    unsigned char sum[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(sum, (const unsigned char *)text, strlen(text));
    sodium_bin2hex(ret, IMAGE_DIGEST_HEX, sum, sizeof(sum));
}

static bool on_load(void *ctx, json_t *line)
{
    (void)ctx;
    (void)line;
    return true;
}

static int send(struct engine *en, const struct image_tree *whole, struct err *e)
{
    struct image_tar *tar = image__tar_new(whole);
    struct engine_call call = {.method = "POST",
                               .path = "/images/load?quiet=1",
                               .body_read = image__tar_read,
                               .body_ctx = tar,
                               .body_type = "application/x-tar",
                               .silence_s = LOAD_SILENCE_S};
    int rc = engine_lines(en, &call, on_load, NULL, e);

    if (rc < 0 && image__tar_error(tar)->code != ERR_NONE)
        *e = *image__tar_error(tar);
    engine_call_release(&call);
    image__tar_free(&tar);
    return rc;
}

/* manifest.json, the config, the layer. */
static int load(struct engine *en, const struct image_tree *layer, const char *config,
                const char *id, struct image_made *ret, struct err *e)
{
    struct image_tree *whole = image_tree_new();
    char *config_name = xprintf("%s.json", id);
    json_t *manifest = json_pack("[{s:s, s:[s], s:[s]}]", "Config", config_name, "RepoTags",
                                 ret->ref, "Layers", "layer.tar");
    char *text = json_dumps(manifest, JSON_COMPACT | JSON_SORT_KEYS);

    MUST(text);
    image_add_bytes(whole, "manifest.json", 0644, text, strlen(text));
    image_add_bytes(whole, config_name, 0644, config, strlen(config));
    struct image_entry *entry = image__entry(whole, "layer.tar", IMAGE_ENTRY_TREE);
    entry->mode = 0644;
    entry->tree = layer;
    entry->size = image__tar_size(layer);
    ret->sent = image__tar_size(whole);
    int rc = send(en, whole, e);
    free(text);
    json_decref(manifest);
    free(config_name);
    image_tree_free(&whole);
    return rc;
}

/* A program of one machine does not run on another kind. */
static int same_machine(struct engine *en, struct err *e)
{
    json_t *version = NULL;
    int rc = 0;

    if (engine_json(en, "GET", NULL, &version, e, "/version") < 0)
        return -1;
    const char *arch = json_string_value(json_object_get(version, "Arch"));
    if (arch && strcmp(arch, architecture()) != 0)
        rc = err_set(e, ERR_CONFIG, 0,
                     "the engine at %s runs programs for %s, and this one is for %s; deploy "
                     "from a machine of its kind, or give a Dockerfile",
                     engine_shown(en), arch, architecture());
    json_decref(version);
    return rc;
}

static uint64_t content_size(const struct image_tree *t)
{
    uint64_t size = 0;

    for (size_t i = 0; i < t->count; i++)
        size += t->at[i].size;
    return size;
}

int image_load(struct engine *en, const char *name, const struct image_tree *layer,
               const json_t *config, struct image_made *ret, struct err *e)
{
    struct image_made made = {.size = content_size(layer)};
    char digest[IMAGE_DIGEST_HEX], id[IMAGE_DIGEST_HEX];
    bool there = false;
    int rc = 0;

    if (image__tar_digest(layer, digest, e) < 0)
        return -1;
    char *text = config_text(config, digest), *repo = image__repository(name);
    hash(text, id);
    made.ref = xprintf("%s:%.*s", repo, TAG_CHARS, id);
    if (en)
        rc = image__present(en, made.ref, &there, &made.size, NULL, e);
    if (rc == 0 && en && !there) {
        rc = same_machine(en, e);
        if (rc == 0)
            rc = load(en, layer, text, id, &made, e);
        if (rc == 0)
            rc = image__present(en, made.ref, &there, &made.size, NULL, e);
        if (rc == 0 && !there)
            rc = err_set(e, ERR_IO, 0, "the engine took '%s' and has it not", made.ref);
    }
    free(repo);
    free(text);
    if (rc < 0)
        image_made_release(&made);
    else
        *ret = made;
    return rc;
}

/* What the engine has, and getting what it lacks. */
#include "image/image_int.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "engine/engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_CHARS 16
#define PULL_SILENCE_S 300

char *image__repository(const char *name)
{
    struct buf out = BUF_INIT;

    /* An engine wants small letters, and one mark between two runs of letters or digits. */
    buf_str(&out, "maya/");
    size_t start = out.len;
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (isalnum(c))
            buf_char(&out, (char)tolower(c));
        else if (out.len > start && out.data[out.len - 1] != '-')
            buf_char(&out, '-');
    }
    while (out.len > start && out.data[out.len - 1] == '-')
        out.data[--out.len] = '\0';
    if (out.len == start)
        buf_str(&out, "app");
    return buf_detach(&out);
}

char *image__path(const struct image_cfg *cfg, const char *path)
{
    if (*path == '/' || !cfg->folder || !*cfg->folder)
        return xstrdup(path);
    return xprintf("%s/%s", cfg->folder, path);
}

int image__present(struct engine *en, const char *ref, bool *ret, uint64_t *ret_size,
                   char **ret_id, struct err *e)
{
    json_t *image = NULL;
    struct err why;

    if (engine_json(en, "GET", NULL, &image, &why, "/images/%s/json", ref) < 0) {
        *ret = false;
        if (why.code == ERR_NOT_FOUND)
            return 0;
        *e = why;
        return -1;
    }
    const char *id = json_string_value(json_object_get(image, "Id"));
    *ret = true;
    if (ret_size)
        *ret_size = (uint64_t)json_integer_value(json_object_get(image, "Size"));
    if (ret_id)
        *ret_id = xstrdup(id ? id : "");
    json_decref(image);
    return 0;
}

/* "repo:tag" or "repo@digest" or "repo": where the tag begins, or NULL. */
static const char *tag_of(const char *ref)
{
    const char *slash = strrchr(ref, '/');
    const char *colon = strrchr(slash ? slash : ref, ':');

    return strchr(ref, '@') ? NULL : colon;
}

static bool on_pull(void *ctx, json_t *line)
{
    const struct image_cfg *cfg = ctx;
    const char *status = json_string_value(json_object_get(line, "status"));

    /* Progress comes many times a second; a person wants the milestones. */
    if (cfg->on_line && status && !json_object_get(line, "progress"))
        cfg->on_line(cfg->ctx, status);
    return true;
}

int image__pull(struct engine *en, const struct image_cfg *cfg, const char *ref, struct err *e)
{
    const char *colon = tag_of(ref);
    struct buf path = BUF_INIT;
    char cause[101];
    struct err why;
    char *repo = colon ? xstrndup(ref, (size_t)(colon - ref)) : xstrdup(ref);

    buf_str(&path, "/images/create?fromImage=");
    engine_quote(&path, repo);
    if (!strchr(ref, '@')) {
        buf_str(&path, "&tag=");
        engine_quote(&path, colon ? colon + 1 : "latest");
    }
    struct engine_call call = {
        .method = "POST", .path = buf_text(&path), .silence_s = PULL_SILENCE_S};
    int rc = engine_lines(en, &call, on_pull, (void *)(uintptr_t)cfg, &why);
    if (rc < 0 && why.code != ERR_STOPPED) {
        str_keep_end(why.msg, cause, sizeof(cause));
        err_set(e, why.code, 0,
                "the image '%.80s' is not in the engine and cannot be pulled: %s", ref, cause);
    } else if (rc < 0) {
        *e = why;
    }
    engine_call_release(&call);
    buf_release(&path);
    free(repo);
    return rc;
}

/* A tag of ours keeps it, and says which one it was: a tag of theirs may move. */
int image__ready(struct engine *en, const struct image_cfg *cfg, struct image_made *ret,
                 struct err *e)
{
    bool there = false;
    char *id = NULL;

    if (!en)
        return 0; /* only the engine knows */
    if (image__present(en, cfg->base, &there, &ret->size, &id, e) < 0)
        return -1;
    if (!there) {
        if (image__pull(en, cfg, cfg->base, e) < 0 ||
            image__present(en, cfg->base, &there, &ret->size, &id, e) < 0)
            return -1;
        if (!there)
            return err_set(e, ERR_NOT_FOUND, 0, "the engine pulled '%s' and has it not",
                           cfg->base);
        ret->sent = ret->size;
    }
    char *repo = image__repository(cfg->name);
    const char *hash = strchr(id, ':') ? strchr(id, ':') + 1 : id;
    int rc = engine_json(en, "POST", NULL, NULL, e, "/images/%s/tag?repo=%s&tag=%.*s", id, repo,
                         TAG_CHARS, hash);
    if (rc == 0)
        ret->ref = xprintf("%s:%.*s", repo, TAG_CHARS, hash);
    free(repo);
    free(id);
    return rc;
}

/* The four kinds of image, behind one door. */
#include "image/image_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void image_made_release(struct image_made *m)
{
    free(m->ref);
    *m = (struct image_made){0};
}

static int make_own(struct engine *en, const struct image_cfg *cfg, struct image_made *ret,
                    struct err *e)
{
    struct image_tree *t = image_tree_new();
    json_t *config = image__own_config(cfg);
    int rc = image__own(cfg, t, e);

    if (rc == 0)
        rc = image_load(en, cfg->name, t, config, ret, e);
    json_decref(config);
    image_tree_free(&t);
    return rc;
}

static int make_base(struct engine *en, const struct image_cfg *cfg, struct image_made *ret,
                     struct err *e)
{
    struct image_tree *t = image_tree_new();
    struct buf text = BUF_INIT;
    int rc = image__base_context(cfg, t, &text, e);

    if (rc == 0)
        rc = image__build(en, cfg, t, "Dockerfile", &text, ret, e);
    buf_release(&text);
    image_tree_free(&t);
    return rc;
}

/* Dockerfile and .dockerignore */

static bool keep(void *ctx, const char *rel, bool folder)
{
    const struct image_ignore *g = ctx;

    /* Something below may be taken back. */
    return !image__ignored(g, rel) || (folder && g->exceptions);
}

static int read_text(const char *path, struct buf *text, struct err *e)
{
    FILE *f = fopen(path, "re");
    char room[4096];
    size_t n;

    if (!f)
        return err_set(e, ERR_NOT_FOUND, 0, "there is no Dockerfile at '%s'", path);
    text->max = (size_t)1 << 20;
    while ((n = fread(room, 1, sizeof(room), f)) > 0)
        buf_add(text, room, n);
    fclose(f);
    return text->full ? err_set(e, ERR_INVALID, 0, "'%s' is larger than 1 MiB", path) : 0;
}

/* The Dockerfile goes under a name of ours: it may lie anywhere, and be ignored. */
#define RECIPE_NAME ".maya.Dockerfile"

static int make_recipe(struct engine *en, const struct image_cfg *cfg, struct image_made *ret,
                       struct err *e)
{
    const char *context = cfg->context && *cfg->context ? cfg->context : ".";
    char *folder = image__path(cfg, context), *file = image__path(cfg, cfg->dockerfile);
    char *ignore = xprintf("%s/.dockerignore", folder);
    struct image_tree *t = image_tree_new();
    struct image_ignore g = {0};
    struct buf text = BUF_INIT;
    const struct image_walk walk = {keep, &g};
    int rc = read_text(file, &text, e);

    if (rc == 0)
        rc = image__ignore_load(ignore, &g, e);
    if (rc == 0)
        rc = image__add_below(t, "", folder, &walk, e);
    if (rc == 0) {
        image_add_bytes(t, RECIPE_NAME, 0644, buf_text(&text), text.len);
        rc = image__build(en, cfg, t, RECIPE_NAME, &text, ret, e);
    }
    image__ignore_release(&g);
    image_tree_free(&t);
    buf_release(&text);
    free(ignore);
    free(file);
    free(folder);
    return rc;
}

int image_make(struct engine *en, const struct image_cfg *cfg, struct image_made *ret,
               struct err *e)
{
    *ret = (struct image_made){0};
    switch (cfg->kind) {
    case IMAGE_OWN:
        return make_own(en, cfg, ret, e);
    case IMAGE_BASE:
        return make_base(en, cfg, ret, e);
    case IMAGE_RECIPE:
        return make_recipe(en, cfg, ret, e);
    case IMAGE_READY:
        return image__ready(en, cfg, ret, e);
    }
    return err_set(e, ERR_INTERNAL, 0, "no such kind of image");
}

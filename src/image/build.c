/*
 * Building by the engine's classic builder, which every engine has. A build fails with HTTP 200
 * and a line that says so; the step before that line is where.
 */
#include "image/image_int.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "engine/engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_CHARS 16

struct build {
    const struct image_cfg *cfg;
    struct buf line; /* a line is told when it is whole */
    unsigned step;
    char said[100]; /* the step's text */
};

static void tell(struct build *b)
{
    unsigned step;
    int at = 0;

    /* "Step 2/3 : RUN make" */
    if (sscanf(buf_text(&b->line), "Step %u/%*u : %n", &step, &at) == 1 && at > 0) {
        b->step = step;
        str_copy(b->said, sizeof(b->said), buf_text(&b->line) + at);
    }
    if (b->cfg->on_line && b->line.len)
        b->cfg->on_line(b->cfg->ctx, buf_text(&b->line));
    buf_clear(&b->line);
}

static bool on_line(void *ctx, json_t *line)
{
    struct build *b = ctx;
    const char *text = json_string_value(json_object_get(line, "stream"));

    for (; text && *text; text++) {
        if (*text == '\n')
            tell(b);
        else if (*text != '\r' && b->line.len < 4096)
            buf_char(&b->line, *text);
    }
    return true;
}

int image__instruction_line(const char *text, unsigned n)
{
    unsigned seen = 0;
    bool within = false; /* the line before ended with a backslash */

    for (int line = 1; *text; line++) {
        size_t len = strcspn(text, "\n");
        struct str s = str_trim((struct str){text, len});
        if (s.len && *s.data != '#') {
            if (!within && ++seen == n)
                return line;
            within = s.data[s.len - 1] == '\\';
        }
        text += len + (text[len] == '\n');
    }
    return 0;
}

/* The builder's own "dockerfile parse error line 3: words": what stands behind it, or NULL. */
static const char *parse_error(const char *words, int *ret_line)
{
    const char *at = strstr(words, "parse error ");
    int n = 0;

    if (at && (at = strstr(at, "line ")) && sscanf(at, "line %d: %n", ret_line, &n) == 1 && n)
        return at + n;
    return NULL;
}

static int failed(const struct build *b, const char *file, const char *text,
                  const struct err *why, struct err *e)
{
    /* What is wrong with what is built is no fault of the command line. */
    enum err_code code = why->code == ERR_INVALID ? ERR_CONFIG : why->code;
    int line = text && b->step ? image__instruction_line(text, b->step) : 0;
    const char *words = text && !b->step ? parse_error(why->msg, &line) : NULL;

    if (words)
        return err_set(e, code, 0, "%.80s:%d: %.150s", file, line, words);
    if (why->code == ERR_STOPPED || (!b->step && why->code == ERR_IO)) {
        *e = *why;
        return -1;
    }
    if (line)
        return err_set(e, code, 0, "%.80s:%d: `%.60s` failed: %.90s", file, line, b->said,
                       why->msg);
    if (b->step)
        return err_set(e, code, 0, "the image cannot be built: `%.80s` failed: %.100s", b->said,
                       why->msg);
    return err_set(e, code, 0, "%.80s cannot be built: %.150s", file, why->msg);
}

/* The file's own name is what the engine wants, ours is what people know it by. */
static int build(struct engine *en, const struct image_cfg *cfg,
                 const struct image_tree *context, const char *dockerfile,
                 const struct buf *text, const char *ref, uint64_t *ret_sent, struct err *e)
{
    struct build b = {.cfg = cfg};
    struct image_tar *tar = image__tar_new(context);
    struct buf path = BUF_INIT;
    struct err why = {0};
    bool own = cfg->kind != IMAGE_RECIPE; /* a text that nobody wrote */

    buf_str(&path, "/build?version=1&rm=1&forcerm=1&t=");
    engine_quote(&path, ref);
    buf_str(&path, "&dockerfile=");
    engine_quote(&path, dockerfile);
    buf_str(&path, "&labels=");
    json_t *labels = json_pack("{s:s}", "maya.app", cfg->name);
    char *label = json_dumps(labels, JSON_COMPACT);
    MUST(label);
    engine_quote(&path, label);
    struct engine_call call = {.method = "POST",
                               .path = buf_text(&path),
                               .body_read = image__tar_read,
                               .body_ctx = tar,
                               .body_type = "application/x-tar"};
    int rc = engine_lines(en, &call, on_line, &b, &why);
    if (rc == 0)
        tell(&b);
    else if (image__tar_error(tar)->code != ERR_NONE)
        *e = *image__tar_error(tar);
    else
        failed(&b, own ? "the image" : cfg->dockerfile, own ? NULL : buf_text(text), &why, e);
    *ret_sent = image__tar_size(context);
    engine_call_release(&call);
    free(label);
    json_decref(labels);
    buf_release(&path);
    buf_release(&b.line);
    image__tar_free(&tar);
    return rc;
}

int image__build(struct engine *en, const struct image_cfg *cfg,
                 const struct image_tree *context, const char *dockerfile,
                 const struct buf *text, struct image_made *ret, struct err *e)
{
    char digest[IMAGE_DIGEST_HEX];
    struct image_made made = {0};
    bool there = false;
    int rc = 0;

    if (image__tar_digest(context, digest, e) < 0)
        return -1;
    char *repo = image__repository(cfg->name);
    made.ref = xprintf("%s:%.*s", repo, TAG_CHARS, digest);
    if (en)
        rc = image__present(en, made.ref, &there, &made.size, NULL, e);
    if (rc == 0 && en && !there) {
        rc = build(en, cfg, context, dockerfile, text, made.ref, &made.sent, e);
        if (rc == 0)
            rc = image__present(en, made.ref, &there, &made.size, NULL, e);
        if (rc == 0 && !there)
            rc = err_set(e, ERR_IO, 0, "the engine built '%s' and has it not", made.ref);
    }
    free(repo);
    if (rc < 0)
        image_made_release(&made);
    else
        *ret = made;
    return rc;
}

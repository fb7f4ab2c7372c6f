/*
 * A base with things put into it, as a Dockerfile and the context it copies from. What changes
 * rarely comes first, so that a builder finds the earlier steps done.
 */
#include "image/image_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What a package is called, for apt-get and apk. */
static bool plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("+-._:=~@/", *c))
            return false;
    return *text && *text != '-';
}

/* One word of a shell. */
static void quoted(struct buf *out, const char *text)
{
    buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_str(out, "'\\''");
        else
            buf_char(out, *text);
    }
    buf_char(out, '\'');
}

static int one_line(const char *what, const char *text, struct err *e)
{
    if (*text && !strpbrk(text, "\r\n"))
        return 0;
    return err_set(e, ERR_CONFIG, 0, "'%.40s' in %s must be one line with something in it",
                   text, what);
}

static int add_packages(const struct image_cfg *cfg, struct buf *out, struct err *e)
{
    struct buf names = BUF_INIT;

    for (size_t i = 0; i < cfg->packages.count; i++) {
        if (!plain(cfg->packages.at[i].key)) {
            buf_release(&names);
            return err_set(e, ERR_CONFIG, 0, "'%.60s' is no package's name",
                           cfg->packages.at[i].key);
        }
        buf_printf(&names, " %s", cfg->packages.at[i].key);
    }
    if (names.len)
        buf_printf(out,
                   "RUN if command -v apk >/dev/null; then apk add --no-cache%s; "
                   "else apt-get update && apt-get install -y --no-install-recommends%s && "
                   "rm -rf /var/lib/apt/lists/*; fi\n",
                   buf_text(&names), buf_text(&names));
    buf_release(&names);
    return 0;
}

static int add_pip(const struct image_cfg *cfg, struct image_tree *t, struct buf *out,
                   struct err *e)
{
    if (cfg->requirements && *cfg->requirements) {
        char *source = image__path(cfg, cfg->requirements);
        int rc = image__add_file(t, "requirements.txt", source, e);
        free(source);
        if (rc < 0)
            return -1;
        buf_str(out, "COPY requirements.txt /tmp/requirements.txt\n"
                     "RUN pip install --no-cache-dir -r /tmp/requirements.txt\n");
    }
    for (size_t i = 0; i < cfg->pip.count; i++)
        if (one_line("pip", cfg->pip.at[i].key, e) < 0)
            return -1;
    if (cfg->pip.count)
        buf_str(out, "RUN pip install --no-cache-dir");
    for (size_t i = 0; i < cfg->pip.count; i++) {
        buf_char(out, ' ');
        quoted(out, cfg->pip.at[i].key);
    }
    if (cfg->pip.count)
        buf_char(out, '\n');
    return 0;
}

static int add_env(const struct image_cfg *cfg, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < cfg->env.count; i++) {
        const struct image_pair *p = &cfg->env.at[i];
        if (strpbrk(p->value, "\r\n"))
            return err_set(e, ERR_CONFIG, 0, "the value of %.60s in env must be one line",
                           p->key);
        buf_printf(out, "ENV %s=\"", p->key);
        for (const char *c = p->value; *c; c++) {
            if (strchr("\\\"$", *c))
                buf_char(out, '\\');
            buf_char(out, *c);
        }
        buf_str(out, "\"\n");
    }
    return 0;
}

/* COPY's form for names with blanks in them is JSON. */
static void copy_line(struct buf *out, const char *from, const char *to)
{
    json_t *pair = json_pack("[s, s]", from, to);
    char *text = json_dumps(pair, JSON_COMPACT);

    MUST(text);
    buf_printf(out, "COPY %s\n", text);
    free(text);
    json_decref(pair);
}

static int add_files(const struct image_cfg *cfg, struct image_tree *t, struct buf *out,
                     struct err *e)
{
    for (size_t i = 0; i < cfg->files.count; i++) {
        const struct image_pair *p = &cfg->files.at[i];
        char *source = image__path(cfg, p->key), *inside = xprintf("files/%zu", i);
        int rc = image_add(t, inside, source, e);
        if (rc == 0)
            copy_line(out, inside, p->value);
        free(inside);
        free(source);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static void add_folders(const struct image_cfg *cfg, struct buf *out)
{
    for (size_t i = 0; i < cfg->folders.count; i++) {
        buf_str(out, "RUN mkdir -p ");
        quoted(out, cfg->folders.at[i].key);
        buf_printf(out, " && chown %s ", cfg->user && *cfg->user ? cfg->user : "65532:65532");
        quoted(out, cfg->folders.at[i].key);
        buf_char(out, '\n');
    }
}

static void add_command(const struct image_cfg *cfg, struct buf *out)
{
    json_t *words = json_array();
    char *text;

    for (size_t i = 0; i < cfg->command.count; i++)
        json_array_append_new(words, json_string(cfg->command.at[i].key));
    text = json_dumps(words, JSON_COMPACT);
    MUST(text);
    if (cfg->command.count)
        buf_printf(out, "CMD %s\n", text);
    free(text);
    json_decref(words);
}

int image__base_context(const struct image_cfg *cfg, struct image_tree *t, struct buf *text,
                        struct err *e)
{
    if (one_line("base", cfg->base, e) < 0)
        return -1;
    /* A base may end with a user who may install nothing. */
    buf_printf(text, "FROM %s\nUSER 0:0\n", cfg->base);
    if (add_packages(cfg, text, e) < 0 || add_pip(cfg, t, text, e) < 0 ||
        add_env(cfg, text, e) < 0 || add_files(cfg, t, text, e) < 0)
        return -1;
    for (size_t i = 0; i < cfg->commands.count; i++) {
        if (one_line("commands", cfg->commands.at[i].key, e) < 0)
            return -1;
        buf_printf(text, "RUN %s\n", cfg->commands.at[i].key);
    }
    add_folders(cfg, text);
    if (cfg->user && *cfg->user)
        buf_printf(text, "USER %s\n", cfg->user);
    if (cfg->port)
        buf_printf(text, "EXPOSE %d\n", cfg->port);
    add_command(cfg, text);
    image_add_bytes(t, "Dockerfile", 0644, buf_text(text), text->len);
    return 0;
}

/* The table as text: --help and docs/config.md. */
#include "config/config_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 96
#define COLUMN 30

enum item_kind { ITEM_GROUP, ITEM_OPTION };

/* The table once more, with the group titles in their places. */
static const struct item {
    enum item_kind kind;
    const char *title;
    enum config_id id;
} items[] = {
#define GROUP(title) {ITEM_GROUP, title, 0},
#define OPTION(id, env, flag, type, preset, min, max, unit, choices, help)                     \
    {ITEM_OPTION, NULL, C_##id},
#include "config/config.def"
#undef OPTION
};

/* What stands behind the flag: N, FOLDER, text|json. */
static void placeholder(const struct config_row *r, struct buf *out)
{
    if (r->type == CONFIG_INT || r->type == CONFIG_NUMBER) {
        buf_str(out, " N");
    } else if (r->type == CONFIG_CHOICE) {
        buf_str(out, " NAME");
    } else if (r->type == CONFIG_TEXT) {
        buf_char(out, ' ');
        for (const char *p = *r->unit ? r->unit : "text"; *p; p++)
            buf_char(out, (char)toupper((unsigned char)*p));
    }
}

/* Words of `text` from COLUMN to WIDTH; the first line continues what stands in `out`. */
static void wrap(struct buf *out, const char *text)
{
    size_t at = COLUMN;

    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, " ");
        if (!first && at + 1 + n > WIDTH) {
            buf_printf(out, "\n%*s", COLUMN, "");
            at = COLUMN;
        } else if (!first) {
            buf_char(out, ' ');
            at++;
        }
        buf_add(out, text, n);
        at += n;
        text += n + (text[n] == ' ');
    }
    buf_char(out, '\n');
}

static void help_option(const struct config_row *r, struct buf *out)
{
    struct buf flag = BUF_INIT, facts = BUF_INIT;

    if (*r->flag) {
        buf_printf(&flag, "--%s", r->flag);
        placeholder(r, &flag);
    } else {
        buf_str(&flag, r->env);
    }
    buf_printf(out, "  %-*s", COLUMN - 2, buf_text(&flag));
    if (flag.len > COLUMN - 4)
        buf_printf(out, "\n%*s", COLUMN, "");
    wrap(out, r->help);
    if (*r->flag)
        buf_printf(&facts, "%s", r->env);
    else
        buf_str(&facts, "only from the environment, a file of secrets or .env");
    size_t before = facts.len;
    buf_str(&facts, ": ");
    config__may_be(r, &facts);
    if (facts.len == before + 2)
        facts.data[facts.len = before] = '\0';
    if (*r->preset)
        buf_printf(&facts, "%s default %s", facts.len == before ? "," : ";", r->preset);
    buf_printf(out, "%*s", COLUMN, "");
    wrap(out, buf_text(&facts));
    buf_release(&flag);
    buf_release(&facts);
}

void config_help(struct buf *out)
{
    buf_str(
        out,
        "Options are read from the command line, then the environment, then files of "
        "secrets, then\n.env; the first that has a value counts. An empty value is none.\n");
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        if (items[i].kind == ITEM_GROUP)
            buf_printf(out, "\n%s\n", items[i].title);
        else
            help_option(&config__rows[items[i].id], out);
    }
}

/* A | would end the cell. */
static void cell(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_printf(out, "%s%c", *text == '|' ? "\\" : "", *text);
}

static void markdown_option(const struct config_row *r, struct buf *out)
{
    struct buf may_be = BUF_INIT;

    config__may_be(r, &may_be);
    buf_printf(out, "| `%s` | ", r->env);
    if (*r->flag)
        buf_printf(out, "`--%s`", r->flag);
    buf_str(out, " | ");
    if (*r->preset)
        buf_printf(out, "`%s`", r->preset);
    buf_str(out, " | ");
    if (r->type == CONFIG_SECRET)
        buf_str(out, "secret");
    else
        cell(out, may_be.len ? buf_text(&may_be) : *r->unit ? r->unit : "text");
    buf_str(out, " | ");
    cell(out, r->help);
    buf_str(out, " |\n");
    buf_release(&may_be);
}

void config_markdown(struct buf *out)
{
    buf_str(
        out,
        "# Configuration\n\n"
        "<!-- Made from src/config/config.def; do not edit. -->\n\n"
        "Every option of `maya serve` has a variable, and all but the secrets a flag. Values "
        "come from, in\nrising order: the default, the `.env` file, files of secrets, the "
        "environment,\nthe command line. An empty value is none.\n`maya config` shows what "
        "counts and where it "
        "came from; `maya config check` says whether it can work.\n\n"
        "The `.env` file holds lines of `NAME=value` or `export NAME=value`, and comments "
        "behind `#` (after a\nvalue only behind a space). Values may stand in single or "
        "double quotes, over several lines too; double\nquotes know `\\n`, `\\t`, `\\\"`, "
        "`\\\\` and the like, single quotes `\\'` and `\\\\`. Nothing is expanded. The\n"
        "file is at most 1 MiB. A variable that begins with `MAYA_` and is not in this table "
        "is warned about.\n\n"
        "Files of secrets are those in the folders of `MAYA_SECRETS_DIR`, `/run/secrets` when "
        "it is not set: where\nDocker, Swarm and Kubernetes mount them. A file that is named "
        "like an option (`GEMINI_API_KEY`, and\n`gemini-api-key` too) holds its value; a line "
        "end behind it is not part of it. Any other may hold lines as\n`.env` has them. Files "
        "without such a line are left alone, and so are folders and hidden files. Of two "
        "files\n"
        "in one folder the one whose name sorts later counts, and a later folder before an "
        "earlier one. The\nenvironment counts more than they do, as it does in the images of "
        "others: who gives a variable to one\ncontainer means that one. `.env` counts less: it "
        "lies in a working copy or an image, and a secret is\nmounted on purpose.\n\n"
        "Secrets that change in these files or in `.env` are taken over by a running "
        "`maya serve`: see\n[operations](operations.md#secrets).\n");
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        if (items[i].kind == ITEM_GROUP)
            buf_printf(out,
                       "\n## %s\n\n| variable | flag | default | may be | what it is |\n"
                       "|---|---|---|---|---|\n",
                       items[i].title);
        else
            markdown_option(&config__rows[items[i].id], out);
    }
}

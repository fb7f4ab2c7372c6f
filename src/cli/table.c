/* Rows in columns, and the same as JSON. */
#include "cli/verb.h"

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/cli_int.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void cli__table_add(struct cli_table *t, const char *cell)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 32;
        t->cells = xrealloc(t->cells, t->cap * sizeof(*t->cells));
    }
    t->cells[t->count++] = cell ? xstrdup(cell) : NULL;
}

void cli__table_addf(struct cli_table *t, const char *fmt, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    cli__table_add(t, buf_text(&text));
    buf_release(&text);
}

void cli__table_add_list(struct cli_table *t, const json_t *texts)
{
    struct buf all = BUF_INIT;

    fleet_join(&all, texts);
    cli__table_add(t, all.len ? buf_text(&all) : NULL);
    buf_release(&all);
}

const char *cli__row_text(const json_t *row, const char *key)
{
    const char *value = json_string_value(json_object_get(row, key));

    return value && *value ? value : NULL;
}

void cli__table_add_version(struct cli_table *t, const json_t *row)
{
    cli__table_addf(t, "v%d", (int)json_integer_value(json_object_get(row, "version")));
}

void cli__table_add_time(struct cli_table *t, const char *rfc3339)
{
    struct tm utc = {0}, here;
    char text[32];

    if (t->json || !rfc3339 || !strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &utc)) {
        cli__table_add(t, rfc3339);
        return;
    }
    time_t at = timegm(&utc);
    localtime_r(&at, &here);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &here);
    cli__table_add(t, text);
}

static size_t column_count(const struct cli_table *t)
{
    size_t n = 0;

    while (t->columns[n])
        n++;
    return n;
}

/* "Created at" as a key: "created_at". */
static void print_json(const struct cli_table *t, size_t n)
{
    json_t *rows = json_array();

    for (size_t i = 0; i + n <= t->count; i += n) {
        json_t *row = json_object();
        for (size_t c = 0; c < n; c++) {
            char key[64];
            size_t k = 0;
            for (; t->columns[c][k] && k < sizeof(key) - 1; k++)
                key[k] = isalnum((unsigned char)t->columns[c][k])
                             ? (char)tolower((unsigned char)t->columns[c][k])
                             : '_';
            key[k] = '\0';
            const char *cell = t->cells[i + c];
            json_object_set_new(row, key, cell ? json_string(cell) : json_null());
        }
        json_array_append_new(rows, row);
    }
    json_dumpf(rows, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(rows);
}

/* Characters, not bytes; a character of two columns is rare in what we list. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_row(char *const *cells, const size_t *width, size_t n)
{
    for (size_t c = 0; c < n; c++) {
        const char *cell = cells[c] ? cells[c] : "-";
        fputs(cell, stdout);
        if (c + 1 < n)
            printf("%*s", (int)(width[c] - width_of(cell) + 2), "");
    }
    putchar('\n');
}

static void print_columns(struct cli_table *t, size_t n)
{
    size_t *width = xalloc(n * sizeof(*width));
    char **titles = xalloc(n * sizeof(*titles));

    for (size_t i = 0; i < t->count; i++) { /* what others named may hold anything */
        struct buf clean = BUF_INIT;
        if (!t->cells[i])
            continue;
        cli__clean(&clean, t->cells[i]);
        free(t->cells[i]);
        t->cells[i] = xstrdup(buf_text(&clean));
        buf_release(&clean);
    }
    for (size_t c = 0; c < n; c++) {
        titles[c] = xstrdup(t->columns[c]);
        width[c] = width_of(t->columns[c]);
        for (size_t i = c; i < t->count; i += n) {
            size_t w = t->cells[i] ? width_of(t->cells[i]) : 1;
            width[c] = w > width[c] ? w : width[c];
        }
    }
    print_row(titles, width, n);
    for (size_t i = 0; i + n <= t->count; i += n)
        print_row(t->cells + i, width, n);
    for (size_t c = 0; c < n; c++)
        free(titles[c]);
    free(titles);
    free(width);
}

void cli__table_print(struct cli_table *t, const char *none)
{
    size_t n = column_count(t);

    if (t->json)
        print_json(t, n);
    else if (t->count == 0)
        puts(none);
    else
        print_columns(t, n);
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct cli_table){.columns = t->columns, .json = t->json};
}

int cli__list(const struct cli_args *a, const struct cli_list *l)
{
    struct cli_table t = {.columns = l->columns, .json = a->flag[CLI_FLAG_JSON] != NULL};
    struct engine *en = NULL;
    json_t *rows = NULL;
    struct err e = {0};
    int code = CLI_OK;

    if (cli__engine(a, &en, &e) < 0 || l->get(a, en, &rows, &e) < 0)
        code = cli_fail(&e);
    for (size_t i = 0; i < json_array_size(rows); i++)
        l->row(&t, json_array_get(rows, i));
    if (code == CLI_OK)
        cli__table_print(&t, l->none);
    json_decref(rows);
    engine_close(&en);
    return code;
}

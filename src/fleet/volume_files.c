/* What is in a volume: listed and removed by a container that has it; looked at by none. */
#include "fleet/volume_int.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/fleet_int.h"
#include "fleet/helper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (16 * 1024)
/* Of Go's os.FileMode: the bit of a folder, and all that say what kind it is. */
#define GO_FOLDER UINT64_C(0x80000000)
#define GO_KIND UINT64_C(0x8f280000)

struct listing {
    struct buf part;
    json_t *list;
    bool strange;
};

/* JSON holds UTF-8 alone. */
static json_t *name_of(const char *text)
{
    struct buf out = BUF_INIT;
    size_t left = strlen(text);

    while (left) {
        size_t n = utf8_valid_prefix(text, left);
        buf_add(&out, text, n);
        text += n;
        left -= n;
        if (left) {
            buf_printf(&out, "\\x%02x", (unsigned char)*text++);
            left--;
        }
    }
    json_t *name = json_string(buf_text(&out));
    buf_release(&out);
    return name;
}

/* "file 12 1700000000 0644 a%2Fb" */
static bool take_line(struct listing *l, char *line)
{
    char type[16], mode[16];
    int64_t size, time;
    struct buf when = BUF_INIT;
    int at = 0;

    if (sscanf(line, "%15s %" SCNd64 " %" SCNd64 " %15s %n", type, &size, &time, mode, &at) <
            4 ||
        !at)
        return false;
    fleet_files_unquote(line + at);
    buf_time(&when, time);
    json_array_append_new(l->list,
                          json_pack("{s:o, s:s, s:I, s:s, s:s}", "path", name_of(line + at),
                                    "type", type, "size", (json_int_t)size, "modified",
                                    buf_text(&when), "mode", mode));
    buf_release(&when);
    return true;
}

static void on_bytes(void *ctx, const char *data, size_t len)
{
    struct listing *l = ctx;

    while (len && !l->strange) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        buf_add(&l->part, data, n);
        if (end) {
            l->strange |= l->part.full || !l->part.len || !take_line(l, l->part.data);
            buf_clear(&l->part);
            n++;
        }
        data += n;
        len -= n;
    }
}

/* Do that to one path of a volume, in a container beside it. `l` takes what it prints, or is
 * NULL. */
static int run(struct engine *en, const char *name, const char *path, const char *what,
               enum helper_may may, struct listing *l, struct err *e)
{
    struct buf quoted = BUF_INIT;
    struct helper h = {0};
    json_t *row = NULL;
    char *clean = NULL;
    int rc = -1;

    if (fleet_files_path(path, &clean, e) < 0 || volume__find(en, name, &row, e) < 0)
        goto out;
    engine_quote(&quoted, clean);
    const char *const argv[] = {what, buf_text(&quoted), NULL};
    if (fleet__helper_open(en, name, may, argv, &h, e) == 0)
        rc = fleet__helper_run(&h, l ? on_bytes : NULL, l, e);
out:
    fleet__helper_close(&h);
    json_decref(row);
    buf_release(&quoted);
    free(clean);
    return rc;
}

int fleet_volume_ls(struct engine *en, const char *name, const char *path, bool deep,
                    json_t **ret, struct err *e)
{
    struct listing l = {.part.max = LINE_MAX_BYTES, .list = json_array()};
    int rc = run(en, name, path, deep ? "list-all" : "list", HELPER_READ, &l, e);

    if (rc == 0 && (l.strange || l.part.len))
        rc = err_set(e, ERR_IO, 0, "the list of the volume's files came in part only");
    buf_release(&l.part);
    if (rc == 0)
        *ret = l.list;
    else
        json_decref(l.list);
    return rc;
}

int fleet_volume_rm(struct engine *en, const char *name, const char *path, bool deep,
                    struct err *e)
{
    return run(en, name, path, deep ? "remove-all" : "remove", HELPER_WRITE, NULL, e);
}

char *volume__archive(const struct helper *h, const char *path)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "/containers/%s/archive?path=", h->id);
    engine_quote(&text, FLEET_FILES_ROOT "/");
    engine_quote(&text, path);
    char *whole = xstrdup(buf_text(&text));
    buf_release(&text);
    return whole;
}

/* {"mode": Go's os.FileMode, "size": ...} in base64 */
static int read_stat(const char *header, enum volume_kind *ret, uint64_t *ret_size,
                     struct err *e)
{
    struct buf text = BUF_INIT;
    json_t *stat = NULL;

    if (header && base64_read(&text, str_of(header)))
        stat = json_loadb(buf_text(&text), text.len, 0, NULL);
    buf_release(&text);
    const json_t *mode = json_object_get(stat, "mode");
    if (!json_is_integer(mode)) {
        json_decref(stat);
        return err_set(e, ERR_IO, 0, "the engine does not say what is in the volume");
    }
    uint64_t kind = (uint64_t)json_integer_value(mode) & GO_KIND;
    *ret = kind == 0 ? VOLUME_FILE : kind == GO_FOLDER ? VOLUME_FOLDER : VOLUME_OTHER;
    *ret_size = (uint64_t)json_integer_value(json_object_get(stat, "size"));
    json_decref(stat);
    return 0;
}

int volume__kind(const struct helper *h, const char *path, enum volume_kind *ret,
                 uint64_t *ret_size, struct err *e)
{
    char *whole = volume__archive(h, path);
    struct engine_call call = {.method = "HEAD", .path = whole, .silence_s = ENGINE_SILENCE_S};
    struct err why = {0};
    int rc = engine_do(h->en, &call, &why);

    if (rc == 0)
        rc = read_stat(call.stat_header, ret, ret_size, &why);
    else if (why.code == ERR_NOT_FOUND) {
        *ret = VOLUME_NOTHING;
        *ret_size = 0;
        rc = 0;
    }
    if (rc < 0)
        *e = why;
    engine_call_release(&call);
    free(whole);
    return rc;
}

/*
 * The page for who works on it (`maya serve --reload`): its files come from their folder at
 * every request, and a script in it asks what they look like now. Reads files on the loop: it
 * is for one person, and never for a server of many.
 */
#include "api/api_int.h"

#include "api/assets.h"
#include "seal/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MOST ((size_t)4 << 20)
#define SCRIPT "<script type=\"module\" src=\"/reload.js\"></script>\n"
#define ID_PATH "/reload.id"

/* The file's bytes; false: it is not there, or cannot be read whole. */
static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char piece[8192];
    ssize_t n;

    if (fd < 0)
        return false;
    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || out->len > FILE_MOST)
            break;
        buf_add(out, piece, (size_t)n);
    }
    close(fd);
    return n == 0 && !out->full;
}

/* From its folder; where it is not there, as it was built in. */
static void content(const struct api *a, const struct asset *asset, struct buf *out)
{
    const char *name = strchr(asset->file, '/');
    char path[4096];
    int n =
        a->cfg.web_folder ? snprintf(path, sizeof(path), "%s%s", a->cfg.web_folder, name) : -1;

    if (n < 0 || (size_t)n >= sizeof(path) || !read_file(path, out)) {
        buf_clear(out);
        buf_add(out, asset->data, asset->len);
    }
}

/* Another text whenever the page or the process is another. */
static void answer_id(const struct api *a, struct http_req *req)
{
    struct buf all = BUF_INIT, file = BUF_INIT;
    const struct asset *asset;
    uint8_t digest[16];
    char text[36];

    buf_add(&all, &a->fresh_id, sizeof(a->fresh_id));
    for (size_t i = 0; (asset = asset_at(i)); i++) {
        buf_clear(&file);
        content(a, asset, &file);
        seal_digest(buf_text(&file), file.len, digest);
        buf_add(&all, digest, sizeof(digest));
    }
    seal_digest(buf_text(&all), all.len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    http_answer(req, all.full || file.full ? 503 : 200, "text/plain; charset=utf-8", text,
                2 * sizeof(digest));
    buf_release(&all);
    buf_release(&file);
}

static void answer_page(const struct api *a, struct http_req *req, const struct asset *asset)
{
    struct buf file = BUF_INIT, out = BUF_INIT;
    const char *head;

    content(a, asset, &file);
    head = strcmp(asset->path, "/") == 0 ? strstr(buf_text(&file), "</head>") : NULL;
    if (head) {
        size_t before = (size_t)(head - file.data);
        buf_add(&out, file.data, before);
        buf_str(&out, SCRIPT);
        buf_add(&out, head, file.len - before);
    } else {
        buf_add(&out, buf_text(&file), file.len);
    }
    if (file.full || out.full)
        api__error_code(req, ERR_NOMEM, NULL);
    else
        http_answer(req, 200, asset->type, buf_text(&out), out.len);
    buf_release(&file);
    buf_release(&out);
}

void api__fresh_init(struct api *a)
{
    seal_random(&a->fresh_id, sizeof(a->fresh_id));
}

bool api__fresh(struct api *a, struct http_req *req, struct str path)
{
    const struct asset *asset = asset_find(path);
    enum http_method method = http_req_method(req);

    if (!a->cfg.fresh || (!asset && !str_eq(path, ID_PATH)) ||
        (method != HTTP_GET && method != HTTP_HEAD))
        return false;
    http_req_set_ctx(req, &a->plain[ROUTE_ASSET]);
    http_header(req, "Content-Security-Policy", ASSET_POLICY);
    http_header(req, "X-Content-Type-Options", "nosniff");
    http_header(req, "Referrer-Policy", "no-referrer");
    http_header(req, "Cache-Control", "no-store");
    if (asset)
        answer_page(a, req, asset);
    else
        answer_id(a, req);
    return true;
}

/* A program run in a container of an app. */
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"

#include "base/alloc.h"
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

struct running {
    struct engine *en;
    const struct fleet_exec *x;
    const char *id; /* of the exec */
    struct engine_frames frames;
    int rows, columns;
    bool new_size;
};

static void on_frame(void *ctx, int stream, const char *data, size_t len)
{
    struct running *r = ctx;

    r->x->on_bytes(r->x->ctx, stream, data, len);
}

static void on_bytes(void *ctx, const char *data, size_t len)
{
    struct running *r = ctx;

    if (r->x->terminal)
        r->x->on_bytes(r->x->ctx, 1, data, len);
    else
        engine_frames_feed(&r->frames, data, len);
}

/* The engine refuses while the program has not begun: it is asked again at the next look. */
static void on_look(void *ctx)
{
    struct running *r = ctx;
    struct err ignored;

    if (r->x->resized && r->x->resized(r->x->ctx, &r->rows, &r->columns))
        r->new_size = true;
    if (r->new_size &&
        engine_json(r->en, "POST", NULL, NULL, &ignored, "/exec/%s/resize?h=%d&w=%d", r->id,
                    r->rows, r->columns) == 0)
        r->new_size = false;
}

static int create(struct engine *en, const char *container, const struct fleet_exec *x,
                  char **ret, struct err *e)
{
    json_t *argv = json_array(), *made = NULL;

    for (const char *const *a = x->argv; *a; a++)
        json_array_append_new(argv, json_string(*a));
    json_t *body =
        json_pack("{s:o, s:b, s:b, s:b, s:b}", "Cmd", argv, "AttachStdin", x->in_fd >= 0,
                  "AttachStdout", 1, "AttachStderr", 1, "Tty", (int)x->terminal);
    if (!body)
        return err_set(e, ERR_INVALID, 0, "the arguments must be valid UTF-8");
    int rc = engine_json(en, "POST", body, &made, e, "/containers/%s/exec", container);
    if (rc == 0)
        *ret = xstrdup(fleet__text(made, "Id"));
    json_decref(made);
    json_decref(body);
    return rc;
}

/* What the engine could not start ends with these codes of a shell, and says why on stdout. */
static int ending(struct engine *en, const char *id, int *ret, struct err *e)
{
    json_t *state = NULL;

    if (engine_json(en, "GET", NULL, &state, e, "/exec/%s/json", id) < 0)
        return -1;
    *ret = (int)json_integer_value(json_object_get(state, "ExitCode"));
    json_decref(state);
    return 0;
}

int fleet_container_exec(struct engine *en, const char *id, const struct fleet_exec *x,
                         int *ret_code, struct err *e)
{
    char *container = NULL, *exec = NULL, *path = NULL;
    struct running r = {.en = en, .x = x, .frames = {.on_bytes = on_frame}};
    int rc = -1;

    if (fleet_container_find(en, id, &container, e) < 0)
        return -1;
    if (create(en, container, x, &exec, e) == 0) {
        struct engine_talk talk = {x->in_fd, on_bytes, on_look, &r};
        json_t *body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", (int)x->terminal);
        r.id = exec;
        r.frames.ctx = &r;
        path = xprintf("/exec/%s/start", exec);
        rc = engine_talk(en, path, body, &talk, e);
        if (rc == 0)
            rc = ending(en, exec, ret_code, e);
        json_decref(body);
    }
    free(path);
    free(exec);
    free(container);
    return rc;
}

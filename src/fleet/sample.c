/* Stored sessions, tried before a rollout: one-off containers and what they say. */
#include "fleet/sample.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA "/data"
#define LIVE "/live"
#define PROGRAM "/usr/bin/maya"
#define COUNT "50"
#define WITHIN_S 120
#define GONE_MS 30000 /* for the containers that had the volume to be gone */
#define USAGE_EXIT 2  /* of a build that has no such command */

struct said {
    int exit;
    int sessions, failed, newer;
    char why[240];
};

/* The volume that Maya's data folder lies on, or NULL. */
static const char *data_volume(const struct spec *s)
{
    const struct image_list volumes = spec_list(s, SPEC_VOLUMES);

    for (size_t i = 0; i < volumes.count; i++)
        if (strcmp(volumes.at[i].value, DATA) == 0)
            return volumes.at[i].key;
    return NULL;
}

/*
 * The scratch volume takes the data folder's place, so that its owner is right; what is stored
 * is seen beside it and cannot be written.
 */
static json_t *mounts(const char *live, const char *scratch)
{
    return json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:b}, {s:s, s:s}]", "Type", "volume",
                     "Source", scratch, "Target", DATA, "Type", "volume", "Source", live,
                     "Target", LIVE, "ReadOnly", 1, "Type", "tmpfs", "Target", "/tmp");
}

static json_t *body_of(const struct rollout *r, const struct sample_build *b, const char *name,
                       const char *scratch, bool write)
{
    const struct service_cfg cfg = {.spec = b->spec,
                                    .app = r->app,
                                    .image = b->image,
                                    .number = b->number,
                                    .secrets = b->secrets,
                                    .role = ROLE_NEXT,
                                    .replicas = 1};
    const struct image_list command = spec_list(b->spec, SPEC_COMMAND);
    const char *program = command.count ? command.at[0].key : PROGRAM;
    json_t *body = fleet__service_body(&cfg);
    json_t *task = json_object_get(body, "TaskTemplate");
    json_t *container = json_object_get(task, "ContainerSpec");

    json_object_set_new(body, "Name", json_string(name));
    json_object_set_new(body, "Labels", json_pack("{s:s}", LABEL_PART, "sample"));
    json_object_del(body, "EndpointSpec");
    json_object_del(container, "Healthcheck");
    json_object_del(json_object_get(task, "Resources"), "Reservations");
    json_object_set_new(task, "RestartPolicy", json_pack("{s:s}", "Condition", "none"));
    json_object_set_new(container, "Mounts", mounts(data_volume(b->spec), scratch));
    json_object_set_new(
        container, "Command",
        write ? json_pack("[s, s, s, s, s]", program, "sample", "write", LIVE, COUNT)
              : json_pack("[s, s, s, s]", program, "sample", "read", LIVE));
    return body;
}

/* What it printed */

/* The last line that is an object; else its last words are why. */
static bool read_said(char *text, struct said *ret)
{
    json_t *root = NULL;
    char *left;

    for (char *line = strtok_r(text, "\n", &left); line; line = strtok_r(NULL, "\n", &left)) {
        json_t *one = json_loads(line, 0, NULL);
        if (json_is_object(one) && json_object_get(one, "sessions")) {
            json_decref(root);
            root = json_incref(one);
        } else {
            snprintf(ret->why, sizeof(ret->why), "%.180s",
                     strncmp(line, "maya: ", 6) == 0 ? line + 6 : line);
        }
        json_decref(one);
    }
    if (root) {
        ret->sessions = (int)json_integer_value(json_object_get(root, "sessions"));
        ret->failed = (int)json_integer_value(json_object_get(root, "failed"));
        ret->newer = (int)json_integer_value(json_object_get(root, "newer"));
        snprintf(ret->why, sizeof(ret->why), "%.180s", fleet__text(root, "why"));
    }
    json_decref(root);
    return root != NULL;
}

/* 1: it ended, 0: not yet. */
static int ended(const struct rollout *r, const char *name, struct said *ret, struct err *e)
{
    const char *const filter[] = {"service", name, NULL};
    json_t *tasks = NULL;
    int rc;

    rc = engine_list(r->en, "/tasks", filter, &tasks, e);
    if (rc < 0)
        return -1;
    const json_t *status = json_object_get(json_array_get(tasks, 0), "Status");
    const char *state = fleet__text(status, "State");
    bool over = strcmp(state, "complete") == 0 || strcmp(state, "failed") == 0 ||
                strcmp(state, "rejected") == 0;
    ret->exit = (int)json_integer_value(
        json_object_get(json_object_get(status, "ContainerStatus"), "ExitCode"));
    snprintf(ret->why, sizeof(ret->why), "%s", fleet__text(status, "Err"));
    json_decref(tasks);
    return over;
}

static int wait_for_it(const struct rollout *r, const struct sample_build *b, const char *name,
                       struct said *ret, struct err *e)
{
    int64_t until = fleet__now_ms() + WITHIN_S * 1000;
    int rc;

    while ((rc = ended(r, name, ret, e)) == 0) {
        if (fleet__now_ms() > until)
            return err_set(e, ERR_IO, 0,
                           "v%d tried stored sessions for %d s and did not end%s%s", b->number,
                           WITHIN_S, *ret->why ? ": " : "", ret->why);
        if (rollout__pause(r, e) < 0)
            return -1;
    }
    return rc < 0 ? -1 : 0;
}

/* Of the service and of the scratch volume; free() it. */
static char *object_name(const struct rollout *r, int number)
{
    char suffix[24], name[SPEC_OBJECT_MAX + 1];

    snprintf(suffix, sizeof(suffix), "-sample-%d", number);
    spec_object_name(r->app, suffix, name);
    return xstrdup(name);
}

static int run(const struct rollout *r, const struct sample_build *b, const char *scratch,
               bool write, struct said *ret, struct err *e)
{
    char *name = object_name(r, b->number);
    json_t *body = body_of(r, b, name, scratch, write);
    struct buf text = BUF_INIT;
    struct err ignored;
    int rc = fleet__service_remove(r->en, name, e); /* of one that ended in the middle */

    *ret = (struct said){0};
    if (rc == 0)
        rc = engine_json(r->en, "POST", body, NULL, e, "/services/create");
    if (rc == 0)
        rc = wait_for_it(r, b, name, ret, e);
    if (rc == 0)
        rc = fleet__said(r->en, name, &text, e);
    if (rc == 0 && engine_disk_full(ret->why))
        rc = engine_refuse(r->en, ERR_IO, ret->why, e);
    if (rc == 0 && !(text.len && read_said(text.data, ret)) && ret->exit != USAGE_EXIT)
        rc = err_set(e, ERR_IO, 0, "v%d could not try stored sessions: %s", b->number,
                     *ret->why ? ret->why : "it said nothing");
    engine_unstop(r->en);
    if (fleet__service_remove(r->en, name, &ignored) < 0)
        rollout__say(r, "the service %s could not be removed: %s", name, ignored.msg);
    engine_heed(r->en);
    buf_release(&text);
    json_decref(body);
    free(name);
    return rc;
}

/* In use until the engine has removed the last container. */
static void remove_volume(const struct rollout *r, const char *name)
{
    int64_t until = fleet__now_ms() + GONE_MS;
    struct err e = {0};

    do {
        if (engine_json(r->en, "DELETE", NULL, NULL, &e, "/volumes/%s", name) == 0 ||
            e.code == ERR_NOT_FOUND)
            return;
    } while (fleet__now_ms() < until && rollout__pause(r, &e) == 0);
    rollout__say(r, "the volume %s could not be removed: %s", name, e.msg);
}

static int compare(const struct rollout *r, const struct sample_build *fresh,
                   const struct sample_build *old, const char *scratch, struct err *e)
{
    struct said said;

    if (run(r, fresh, scratch, true, &said, e) < 0)
        return -1;
    if (said.exit == USAGE_EXIT) {
        rollout__say(r, "v%d is of a build that cannot try stored sessions.", fresh->number);
        return 0;
    }
    if (said.failed)
        return err_set(
            e, ERR_CONFIG, 0,
            "v%d cannot take over %d of %d stored sessions (%.90s); --force deploys it "
            "all the same",
            fresh->number, said.failed, said.sessions, said.why);
    int sessions = said.sessions;
    if (sessions == 0)
        return 0;
    if (run(r, old, scratch, false, &said, e) < 0)
        return -1;
    if (said.exit == USAGE_EXIT)
        rollout__say(r, "v%d reads %d stored sessions; v%d is of a build that cannot be asked.",
                     fresh->number, sessions, old->number);
    else if (said.failed)
        return err_set(
            e, ERR_CONFIG, 0,
            "v%d cannot read back %d of %d sessions that v%d writes%s, so there would "
            "be no way back; --force deploys it all the same",
            old->number, said.failed, said.sessions, fresh->number,
            said.newer ? ", which have a newer form" : "");
    else
        rollout__say(r, "v%d reads %d stored sessions, and v%d reads them back.", fresh->number,
                     sessions, old->number);
    return 0;
}

int sample__try(const struct rollout *r, const struct sample_build *fresh,
                const struct sample_build *old, struct err *e)
{
    const char *live = data_volume(fresh->spec), *before = data_volume(old->spec);

    if (!spec_is_maya(fresh->spec) || !spec_is_maya(old->spec) || !live || !before ||
        strcmp(live, before) != 0)
        return 0; /* it has nothing to do with what is stored */
    char *scratch = object_name(r, fresh->number);
    int rc = compare(r, fresh, old, scratch, e);
    engine_unstop(r->en);
    remove_volume(r, scratch);
    engine_heed(r->en);
    free(scratch);
    return rc;
}

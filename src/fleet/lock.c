/*
 * The lock of an app: a config that can be there once. Its label says who holds it and when
 * they last gave a sign, so that one whose holder died does not stay.
 */
#include "fleet/version.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/spec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RENEW_S 10

static char *lock_name(const char *app)
{
    char name[SPEC_OBJECT_MAX + 1];

    spec_object_name(app, "-lock", name);
    return xstrdup(name);
}

static int64_t now_s(void)
{
    return (int64_t)time(NULL);
}

/* "BOOT pid:[4026531836] ": this machine since its start, and who sees our process's number. */
static void here(char *ret, size_t size)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    char boot[40] = "", names[40] = "";

    if (f && !fgets(boot, sizeof(boot), f))
        boot[0] = '\0';
    if (f)
        fclose(f);
    boot[strcspn(boot, "\n")] = '\0';
    if (readlink("/proc/self/ns/pid", names, sizeof(names) - 1) < 0)
        names[0] = '\0';
    snprintf(ret, size, "%s %s ", boot, names);
}

/* Where a dead holder can be told from one that is slow. */
static bool holder_died(const char *holder)
{
    char ours[96];
    int64_t pid;

    here(ours, sizeof(ours));
    return strncmp(holder, ours, strlen(ours)) == 0 &&
           str_to_int(holder + strlen(ours), &pid) && pid > 1 && kill((pid_t)pid, 0) < 0 &&
           errno == ESRCH;
}

static json_t *labels_of(const char *app, const char *who)
{
    char since[24], holder[96];

    snprintf(since, sizeof(since), "%lld", (long long)now_s());
    here(holder, sizeof(holder));
    return json_pack("{s:s, s:s, s:s, s:o}", LABEL_LOCK, app, LABEL_BY, who, LABEL_SINCE, since,
                     LABEL_HOLDER, json_sprintf("%s%d", holder, (int)getpid()));
}

static int make(struct lock *l, const char *app, const char *who, struct err *e)
{
    json_t *made = NULL;
    json_t *body = json_pack("{s:s, s:s, s:o}", "Name", l->name, "Data", "Lg==", "Labels",
                             labels_of(app, who));
    int rc = engine_json(l->en, "POST", body, &made, e, "/configs/create");

    if (rc == 0)
        l->id = xstrdup(fleet__text(made, "ID"));
    json_decref(made);
    json_decref(body);
    return rc;
}

/* Has nobody got it any more? Else ERR_IN_USE. */
static bool left_behind(const json_t *config, const char *app, struct err *e)
{
    int64_t since = 0;

    if (!str_to_int(fleet__label(config, LABEL_SINCE), &since))
        since = 0;
    if (now_s() - since > LOCK_STALE_S || holder_died(fleet__label(config, LABEL_HOLDER)))
        return true;
    err_set(e, ERR_IN_USE, 0, "%s is being changed by %.80s; try again when that has ended",
            app, fleet__label(config, LABEL_BY));
    return false;
}

/* Who has it. True: nobody any more, it was left behind. */
static bool stale(struct lock *l, const char *app, struct err *e)
{
    json_t *config = NULL;

    if (engine_json(l->en, "GET", NULL, &config, e, "/configs/%s", l->name) < 0)
        return e->code == ERR_NOT_FOUND; /* let go just now */
    bool old = left_behind(config, app, e);
    if (old && engine_json(l->en, "DELETE", NULL, NULL, e, "/configs/%s",
                           fleet__text(config, "ID")) < 0)
        old = e->code == ERR_NOT_FOUND;
    json_decref(config);
    return old;
}

int fleet__lock(struct engine *en, const char *app, const char *who, struct lock *ret,
                struct err *e)
{
    struct lock l = {.en = en, .name = lock_name(app), .renewed_s = now_s()};
    struct err why = {0};

    for (int i = 0; i < 3; i++) {
        if (make(&l, app, who, &why) == 0) {
            *ret = l;
            return 0;
        }
        if (why.code != ERR_USED || !stale(&l, app, &why))
            break;
    }
    free(l.name);
    if (e)
        *e = why;
    return -1;
}

int fleet__lock_look(struct engine *en, const char *app, struct err *e)
{
    char *name = lock_name(app);
    json_t *config = NULL;
    struct err why;
    int got = engine_json(en, "GET", NULL, &config, &why, "/configs/%s", name);

    free(name);
    if (got < 0) {
        if (why.code == ERR_NOT_FOUND)
            return 0;
        *e = why;
        return -1;
    }
    int rc = left_behind(config, app, e) ? 0 : -1;
    json_decref(config);
    return rc;
}

void fleet__lock_renew(struct lock *l)
{
    json_t *config = NULL;
    struct err e;

    if (now_s() - l->renewed_s < RENEW_S)
        return;
    l->renewed_s = now_s();
    if (engine_json(l->en, "GET", NULL, &config, &e, "/configs/%s", l->id) < 0)
        return;
    json_t *spec = json_object_get(config, "Spec");
    json_int_t index =
        json_integer_value(json_object_get(json_object_get(config, "Version"), "Index"));
    json_t *labels =
        labels_of(fleet__label(config, LABEL_LOCK), fleet__label(config, LABEL_BY));
    json_object_set_new(spec, "Labels", labels);
    if (engine_json(l->en, "POST", spec, NULL, &e, "/configs/%s/update?version=%lld", l->id,
                    (long long)index) < 0)
        l->renewed_s = 0; /* at the next look */
    json_decref(config);
}

void fleet__unlock(struct lock *l)
{
    struct err e;

    if (l->id && engine_json(l->en, "DELETE", NULL, NULL, &e, "/configs/%s", l->id) < 0)
        l->id[0] = '\0'; /* it gets stale by itself */
    free(l->id);
    free(l->name);
    *l = (struct lock){0};
}

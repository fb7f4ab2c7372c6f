/* What follows from a spec: environment, arithmetic, image. */
#include "fleet/spec_int.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "config/config.h"
#include "fleet/cert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GRACE_S 10 /* beyond the drain: for the last writes */
#define MIB 1048576.0

static const char *chosen_policy(const struct spec *s)
{
    const struct image_list env = spec_list(s, SPEC_ENV);

    for (size_t i = 0; i < env.count; i++)
        if (strcmp(env.at[i].key, "MAYA_ADMISSION_POLICY") == 0)
            return env.at[i].value;
    return "reserved";
}

void spec_environment(const struct spec *s,
                      void (*on_pair)(void *ctx, const char *name, const char *value),
                      void *ctx)
{
    static const struct {
        const char *name;
        enum spec_id id;
        bool maya;
    } told[] = {
        {"PORT", SPEC_PORT, false},
        {"MAYA_SESSIONS_PER_CONTAINER", SPEC_SESSIONS, true},
        {"MAYA_DEFAULT_SESSION_MEMORY_MB", SPEC_SESSION_MEMORY, true},
        {"MAYA_CONTAINER_MEMORY_THRESHOLD", SPEC_THRESHOLD, true},
        {"MODAL_MEMORY_MB", SPEC_MEMORY, true},
        {"MODAL_MAX_CONTAINERS", SPEC_MAX_CONTAINERS, true},
        {"MAYA_DRAIN_SECONDS", SPEC_DRAIN, true},
    };
    const struct image_list env = spec_list(s, SPEC_ENV);
    struct spec_value all = {0};

    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        /* Maya has a least memory of her own, above what other servers may have. */
        if (told[i].maya && !spec_is_maya(s))
            continue;
        spec__insert(&all, told[i].name, spec_text(s, told[i].id), 0);
    }
    for (size_t i = 0; i < env.count; i++)
        spec__insert(&all, env.at[i].key, env.at[i].value, 0);
    for (size_t i = 0; i < all.count; i++)
        on_pair(ctx, all.pairs[i].key, all.pairs[i].value);
    spec__clear(&all);
}

/* Where the number that is most likely meant stands. */
static int line_of_numbers(const struct spec *s)
{
    static const enum spec_id ids[] = {SPEC_SESSIONS, SPEC_SESSION_MEMORY, SPEC_MEMORY,
                                       SPEC_THRESHOLD, SPEC_SIZE};

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (s->values[ids[i]].line)
            return s->values[ids[i]].line;
    return 0;
}

int spec_prove(const struct spec *s, uint64_t footprint, struct err *e)
{
    const struct config_plan plan = {
        .sessions = (uint64_t)spec_int(s, SPEC_SESSIONS),
        .budget = (uint64_t)(spec_number(s, SPEC_SESSION_MEMORY) * MIB),
        .threshold = spec_number(s, SPEC_THRESHOLD),
        .limit = (uint64_t)spec_int(s, SPEC_MEMORY) << 20,
        .footprint = footprint,
        .chosen = true,
    };
    uint64_t sessions;
    struct err why;

    if (!spec_is_maya(s) || strcmp(chosen_policy(s), "measured") == 0)
        return 0;
    if (config_plan(&plan, &sessions, &why) == 0)
        return 0;
    return spec__err(s, line_of_numbers(s), e, "%s", why.msg);
}

int spec_stop_grace_s(const struct spec *s)
{
    return (int)spec_int(s, SPEC_DRAIN) + GRACE_S;
}

/* One on a volume, say. */
static bool names_agent(const struct spec *s)
{
    const struct image_list env = spec_list(s, SPEC_ENV);

    for (size_t i = 0; i < env.count; i++)
        if (strcmp(env.at[i].key, "MAYA_AGENT_DIR") == 0)
            return true;
    return false;
}

static int need_file(const struct spec *s, enum spec_id id, int line, const char *named,
                     mode_t kind, struct err *e)
{
    char *path = *named == '/' ? xstrdup(named) : xprintf("%s/%s", s->folder, named);
    struct stat st;
    int rc = 0;

    if (stat(path, &st) < 0 || access(path, R_OK) < 0)
        rc = spec__err(s, line, e, "'%s' says '%.80s', which cannot be read: %s",
                       spec__rows[id].path, named, strerror(errno));
    else if (kind && (st.st_mode & S_IFMT) != kind)
        rc = spec__err(s, line, e, "'%s' says '%.80s', which is no %s", spec__rows[id].path,
                       named, kind == S_IFDIR ? "folder" : "file");
    free(path);
    return rc;
}

int spec__image_files(const struct spec *s, struct err *e)
{
    static const struct {
        enum spec_id id;
        mode_t kind;
    } named[] = {{SPEC_IMAGE_AGENT, S_IFDIR},
                 {SPEC_IMAGE_REQUIREMENTS, S_IFREG},
                 {SPEC_IMAGE_DOCKERFILE, S_IFREG},
                 {SPEC_IMAGE_CONTEXT, S_IFDIR}};
    const struct image_list files = spec_list(s, SPEC_IMAGE_FILES);

    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (spec_given(s, named[i].id) &&
            need_file(s, named[i].id, s->values[named[i].id].line, spec_text(s, named[i].id),
                      named[i].kind, e) < 0)
            return -1;
    for (size_t i = 0; i < files.count; i++)
        if (need_file(s, SPEC_IMAGE_FILES, spec__item_line(s, SPEC_IMAGE_FILES, i),
                      files.at[i].key, 0, e) < 0)
            return -1;
    return 0;
}

int spec_files(const struct spec *s, struct err *e)
{
    return spec__image_files(s, e) < 0 ? -1 : fleet__cert_check(s, e);
}

int spec_image(const struct spec *s, struct engine *en, const char *agent,
               void (*on_line)(void *ctx, const char *line), void *ctx, struct image_made *ret,
               struct err *e)
{
    const struct image_list volumes = spec_list(s, SPEC_VOLUMES);
    struct image_pair *folders = xalloc((volumes.count + 1) * sizeof(*folders));
    struct image_cfg cfg = {
        .name = spec_text(s, SPEC_NAME),
        .kind = spec_image_kind(s),
        .folder = s->folder,
        .user = spec_text(s, SPEC_USER),
        .port = (int)spec_int(s, SPEC_PORT),
        .folders = {folders, volumes.count},
        .env = spec_list(s, SPEC_IMAGE_ENV),
        .agent = spec_text(s, SPEC_IMAGE_AGENT),
        .languages = spec_list(s, SPEC_IMAGE_LANGUAGES),
        .base = spec_text(s, SPEC_IMAGE_BASE),
        .packages = spec_list(s, SPEC_IMAGE_PACKAGES),
        .pip = spec_list(s, SPEC_IMAGE_PIP),
        .files = spec_list(s, SPEC_IMAGE_FILES),
        .commands = spec_list(s, SPEC_IMAGE_COMMANDS),
        .requirements = spec_text(s, SPEC_IMAGE_REQUIREMENTS),
        .dockerfile = spec_text(s, SPEC_IMAGE_DOCKERFILE),
        .context = spec_text(s, SPEC_IMAGE_CONTEXT),
        .on_line = on_line,
        .ctx = ctx,
    };
    char *here = NULL;
    int rc;

    for (size_t i = 0; i < volumes.count; i++)
        folders[i].key = volumes.at[i].value;
    if (cfg.kind == IMAGE_READY)
        cfg.base = spec_text(s, SPEC_IMAGE_READY);
    if (cfg.kind == IMAGE_BASE)
        cfg.command = spec_list(s, SPEC_COMMAND);
    if (spec__image_files(s, e) < 0) {
        free(folders);
        return -1;
    }
    if (!*cfg.agent && agent) {
        here = realpath(agent, NULL); /* its folder is another than the file's */
        cfg.agent = here;
    }
    if (cfg.kind == IMAGE_OWN && !(cfg.agent && *cfg.agent) && !names_agent(s))
        rc = err_set(
            e, ERR_CONFIG, 0,
            "there is no agent folder for the image: none in agents/maya here or beside "
            "the program; name one under `image: {agent: FOLDER}`");
    else
        rc = image_make(en, &cfg, ret, e);
    free(here);
    free(folders);
    return rc;
}

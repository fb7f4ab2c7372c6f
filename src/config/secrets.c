/*
 * Options from the folders where engines put secrets: Docker and Kubernetes mount each secret
 * as a file. A file that is named like an option holds its value; any other may hold lines of
 * NAME=value, and one without a line for us is somebody else's. While a container serves it is
 * read on a thread of the pool and without xalloc: no memory is an error like others.
 */
#include "config/config_int.h"

#include "base/strs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct reader {
    const struct config_secret_sink *sink;
    const char *path;
};

/* As people name secrets: gemini-api-key is GEMINI_API_KEY. */
int config__secret_named(const char *name)
{
    for (int id = 0; id < CONFIG__COUNT; id++) {
        const char *env = config__rows[id].env, *at = name;
        for (; *at && *env; at++, env++)
            if (toupper((unsigned char)*at) != *env && !(*at == '-' && *env == '_'))
                break;
        if (!*at && !*env)
            return id;
    }
    return -1;
}

static void on_pair(void *self, const char *name, const char *value, int line)
{
    const struct reader *r = self;

    r->sink->on_value(r->sink->self, name, value, r->path, line);
}

/* Does a line begin with NAME= of an option, or with MAYA_? */
static bool for_us(const char *text)
{
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += strspn(at, " \t\r\n");
        if (strncmp(at, "export ", 7) == 0)
            at += 7 + strspn(at + 7, " \t");
        size_t n = strcspn(at, " \t=\r\n");
        bool pair = at[n + strspn(at + n, " \t")] == '=';
        if (pair && n > 5 && strncmp(at, "MAYA_", 5) == 0)
            return true;
        for (int id = 0; pair && id < CONFIG__COUNT; id++)
            if (strlen(config__rows[id].env) == n && strncmp(config__rows[id].env, at, n) == 0)
                return true;
    }
    return false;
}

static int whole_file(const struct reader *r, int id, char *text, size_t len, struct err *e)
{
    char shown[CONFIG__PATH_SHOWN];

    if (strlen(text) != len) {
        config__path_shown(shown, r->path);
        return err_set(e, ERR_CONFIG, 0, "%s: a NUL byte cannot be part of %s", shown,
                       config__rows[id].env);
    }
    while (len && isspace((unsigned char)text[len - 1])) /* editors end the last line */
        text[--len] = '\0';
    r->sink->on_value(r->sink->self, config__rows[id].env, text, r->path, 0);
    return 0;
}

static int take_text(void *self, char *text, size_t len, struct err *e)
{
    struct reader *r = self;
    const struct config_sink pairs = {on_pair, r};
    const char *slash = strrchr(r->path, '/');
    int id = config__secret_named(slash ? slash + 1 : r->path);
    bool lines = for_us(text);

    if (id >= 0 && !lines)
        return whole_file(r, id, text, len, e);
    return lines ? config__env_parse(text, len, r->path, &pairs, e) : 0;
}

static int take_file(const struct config_secret_sink *sink, const char *path, const char *name,
                     struct err *e)
{
    struct reader r = {sink, path};
    struct stat st;
    struct err local = {0};

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0; /* gone again, or a folder of somebody else's */
    if (config__text_read(path, take_text, &r, &local) == 0)
        return 0;
    /* Of somebody else's it is no mistake that we may not read it. */
    if (local.code == ERR_NOT_FOUND || (local.code == ERR_IO && config__secret_named(name) < 0))
        return 0;
    if (e)
        *e = local;
    return -1;
}

static int seen(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return d->d_name[0] != '.' && d->d_name[n - 1] != '~'; /* ..data of Kubernetes */
}

static int take_folder(const struct config_secret_sink *sink, const char *folder, struct err *e)
{
    struct dirent **names = NULL;
    char path[PATH_MAX], shown[CONFIG__PATH_SHOWN];
    int n = scandir(folder, &names, seen, alphasort), rc = 0;

    if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0; /* not yet: a secret may come later */
    config__path_shown(shown, folder);
    if (n < 0)
        return err_set(e, errno == ENOMEM ? ERR_NOMEM : ERR_CONFIG, errno,
                       "the folder of secrets %s cannot be read", shown);
    for (int i = 0; i < n; i++) {
        int len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        if (rc == 0 && len > 0 && (size_t)len < sizeof(path))
            rc = take_file(sink, path, names[i]->d_name, e);
        free(names[i]);
    }
    free(names);
    return rc;
}

bool config__secret_folder(const char **at, char ret[PATH_MAX])
{
    for (;;) {
        size_t n = strcspn(*at, ",");
        struct str one = str_trim((struct str){*at, n});
        bool last = !(*at)[n];
        if (last && n == 0)
            return false;
        *at += n + !last;
        if (one.len == 0 || one.len >= PATH_MAX)
            continue;
        memcpy(ret, one.data, one.len);
        ret[one.len] = '\0';
        return true;
    }
}

int config__secrets_read(const char *folders, const struct config_secret_sink *sink,
                         struct err *e)
{
    char folder[PATH_MAX];

    while (config__secret_folder(&folders, folder))
        if (take_folder(sink, folder, e) < 0)
            return -1;
    return 0;
}

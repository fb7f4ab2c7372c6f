/*
 * What is asked of a file that is to be deployed, and not of what is kept of a version. Each of
 * these would fail later, where nobody knows the line any more, or fail without a word.
 */
#include "fleet/spec_int.h"

#include "base/strs.h"
#include "config/config.h"
#include "fleet/service.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_MIN 0.01 /* of 100 ms: the kernel has no quota under 1 ms */
#define HOST_MAX 253
#define IMAGE_MAX 255

static int line_of(const struct spec *s, enum spec_id id)
{
    return s->values[id].line;
}

/* References of images, as the engine takes them: [HOST[:PORT]/]PATH[:TAG][@DIGEST] */

/* Runs of small letters and digits, with one '.', one or two '_', or any '-' between. */
static bool path_part_ok(const char *s, size_t len)
{
    size_t marks = 0;

    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            marks = 0;
            continue;
        }
        if (!strchr("._-", c) || i == 0 || i + 1 == len)
            return false;
        if (marks && (s[i - 1] != c || c == '.' || (c == '_' && marks == 2)))
            return false;
        marks++;
    }
    return len > 0;
}

static bool registry_ok(const char *s, size_t len)
{
    const char *colon = memchr(s, ':', len);
    size_t host = colon ? (size_t)(colon - s) : len;

    for (size_t i = 0; i < host; i++)
        if (!isalnum((unsigned char)s[i]) &&
            (!strchr(".-", s[i]) || i == 0 || i + 1 == host || s[i + 1] == '.'))
            return false;
    for (size_t i = host + 1; i < len; i++)
        if (!isdigit((unsigned char)s[i]))
            return false;
    return host > 0 && host + 1 != len;
}

static bool name_ok(const char *s, size_t len)
{
    const char *slash = memchr(s, '/', len);
    size_t first = slash ? (size_t)(slash - s) : 0;

    if (len == 0 || len > IMAGE_MAX)
        return false;
    if (slash && (memchr(s, '.', first) || memchr(s, ':', first) ||
                  (first == 9 && strncmp(s, "localhost", first) == 0))) {
        if (!registry_ok(s, first))
            return false;
        s += first + 1;
        len -= first + 1;
    }
    for (;;) {
        slash = memchr(s, '/', len);
        size_t part = slash ? (size_t)(slash - s) : len;
        if (!path_part_ok(s, part))
            return false;
        if (!slash)
            return true;
        s += part + 1;
        len -= part + 1;
    }
}

static bool tag_ok(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && (i == 0 || !strchr(".-", s[i])))
            return false;
    return len > 0 && len <= 128;
}

/* "sha256:" and its digits. */
static bool digest_ok(const char *s)
{
    size_t kind = strcspn(s, ":"), digits = s[kind] ? strlen(s + kind + 1) : 0;

    return kind > 0 && digits >= 32 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789") == kind &&
           strspn(s + kind + 1, "0123456789abcdef") == digits;
}

static bool reference_ok(const char *text)
{
    size_t len = strcspn(text, "@"), name = len;

    if (text[len] && !digest_ok(text + len + 1))
        return false;
    while (name > 0 && text[name - 1] != ':' && text[name - 1] != '/')
        name--;
    if (name > 0 && text[name - 1] == ':')
        return tag_ok(text + name, len - name) && name_ok(text, name - 1);
    return name_ok(text, len);
}

static int check_images(const struct spec *s, struct err *e)
{
    static const enum spec_id ids[] = {SPEC_IMAGE_BASE, SPEC_IMAGE_READY};

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (spec_given(s, ids[i]) && !reference_ok(spec_text(s, ids[i])))
            return spec__err(s, line_of(s, ids[i]), e,
                             "'%s' is '%.60s', which no engine takes for an image; it may be "
                             "as nginx:1.27 or registry.example.org/team/web:2, the name in "
                             "small letters",
                             spec__rows[ids[i]].path, spec_text(s, ids[i]));
    return 0;
}

/* Numbers and texts */

static bool is_root(const char *user)
{
    size_t len = strcspn(user, ":");

    return strspn(user, "0") == len || (len == 4 && strncmp(user, "root", len) == 0);
}

static int check_values(const struct spec *s, struct err *e)
{
    double cpu = spec_number(s, SPEC_CPU);

    if (cpu > 0 && cpu < CPU_MIN)
        return spec__err(s, line_of(s, SPEC_CPU), e,
                         "'cpu' is '%.20s', less than an engine can give; it may be %.15g or "
                         "more, or 0 for as many as there are",
                         spec_text(s, SPEC_CPU), CPU_MIN);
    if (is_root(spec_text(s, SPEC_USER)))
        return spec__err(s, line_of(s, SPEC_USER), e,
                         "'user' is '%.40s', which is root, and no container runs as root; it "
                         "may be as 1000:1000, or 65532:65532 as when it is left away",
                         spec_text(s, SPEC_USER));
    if (spec_is_maya(s) && spec_int(s, SPEC_PORT) == FLEET_AGENT_PORT)
        return spec__err(s, line_of(s, SPEC_PORT), e,
                         "'port' is %d, where Maya tells the gateway of her room; it may be "
                         "another, as 8000",
                         FLEET_AGENT_PORT);
    return 0;
}

/* What the gateway is given: it takes no configuration with another in it. */

static int check_host(const struct spec *s, size_t i, struct err *e)
{
    const struct image_list all = spec_list(s, SPEC_HOSTNAMES);
    const size_t next = strlen(SPEC_NEXT_HOST);
    const char *name = all.at[i].key;
    int line = spec__item_line(s, SPEC_HOSTNAMES, i);

    if (*name != '*' && strlen(name) + next > HOST_MAX)
        return spec__err(s, line, e,
                         "'%.60s...' in 'hostnames' is too long: with '" SPEC_NEXT_HOST
                         "' in front, where a new version is tried, it may have %d letters",
                         name, HOST_MAX);
    for (size_t k = 0; k < all.count; k++) {
        const char *other = all.at[k].key;
        if (k < i && strcmp(name, other) == 0)
            return spec__err(s, line, e, "'%.80s' is twice in 'hostnames'; keep one of them",
                             name);
        if (strncmp(name, SPEC_NEXT_HOST, next) == 0 && strcmp(name + next, other) == 0)
            return spec__err(s, line, e,
                             "'%.80s' in 'hostnames' is where a new version of '%.60s' is "
                             "tried before it serves; leave it away, or say another",
                             name, other);
    }
    return 0;
}

int spec__check_front(const struct spec *s, struct err *e)
{
    static const enum spec_id paths[] = {SPEC_HEALTH_PATH, SPEC_READY_PATH};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        for (const char *c = spec_text(s, paths[i]); *c; c++)
            if (!isalnum((unsigned char)*c) && !strchr("/._-+=,:@~?&", *c))
                return spec__err(s, line_of(s, paths[i]), e,
                                 "'%s' is '%.60s'; it may have letters, digits and "
                                 "/._-+=,:@~?& in it",
                                 spec__rows[paths[i]].path, spec_text(s, paths[i]));
    for (size_t i = 0; i < spec_list(s, SPEC_HOSTNAMES).count; i++)
        if (check_host(s, i, e) < 0)
            return -1;
    return 0;
}

/* The environment */

static bool below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool kept(const struct spec *s, const char *path)
{
    const struct image_list volumes = spec_list(s, SPEC_VOLUMES);

    for (size_t i = 0; i < volumes.count && !strstr(path, "/.."); i++)
        if (below(path, volumes.at[i].value))
            return true;
    return false;
}

static bool inside_only(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0 ||
           strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0 ||
           strncmp(host, "unix:", 5) == 0;
}

/* What would make Maya another than the deploy and the gateway take her for. */
static int check_maya(const struct spec *s, const char *name, const char *value, int line,
                      struct err *e)
{
    char agent[16];

    snprintf(agent, sizeof(agent), "%d", FLEET_AGENT_PORT);
    if (strcmp(name, "HOST") == 0 && inside_only(value))
        return spec__err(s, line, e,
                         "HOST is '%.60s', where only the container itself comes; leave it "
                         "away, or say 0.0.0.0",
                         value);
    if (strcmp(name, "MAYA_DATA_DIR") == 0 && !kept(s, value))
        return spec__err(s, line, e,
                         "MAYA_DATA_DIR is '%.60s', which is on no volume: the sessions would "
                         "go with the container; leave it away, or put a volume there under "
                         "'volumes'",
                         value);
    if (strcmp(name, "MAYA_AGENT_CHECK_PORT") == 0 && strcmp(value, agent) != 0)
        return spec__err(s, line, e,
                         "MAYA_AGENT_CHECK_PORT is '%.20s', and the gateway asks at %s; leave "
                         "it away",
                         value, agent);
    if (strcmp(name, "MAYA_LOG_FORMAT") == 0 && strcmp(value, "json") != 0)
        return spec__err(s, line, e,
                         "MAYA_LOG_FORMAT is '%.20s', and `maya app logs` reads json; leave "
                         "it away",
                         value);
    return 0;
}

static int check_environment(const struct spec *s, struct err *e)
{
    static const enum spec_id maps[] = {SPEC_ENV, SPEC_IMAGE_ENV};

    for (size_t m = 0; m < ARRAY_LEN(maps); m++) {
        const struct image_list all = spec_list(s, maps[m]);
        for (size_t i = 0; i < all.count; i++) {
            int line = spec__item_line(s, maps[m], i);
            if (strcmp(all.at[i].key, "PORT") == 0)
                return spec__err(s, line, e, "PORT is said by 'port' here");
            if (spec_is_maya(s) && check_maya(s, all.at[i].key, all.at[i].value, line, e) < 0)
                return -1;
        }
    }
    return 0;
}

/* Flags say more than the environment, and would go round what is looked at above. */
static int check_flags(const struct spec *s, struct err *e)
{
    static const enum config_id looked_at[] = {
        C_HOST,      C_PORT,      C_DATA_DIR,  C_AGENT_CHECK_PORT, C_LOG_FORMAT, C_SESSIONS,
        C_BUDGET_MB, C_THRESHOLD, C_MEMORY_MB, C_MAX_CONTAINERS,   C_DRAIN_S,
    };
    const struct image_list command = spec_list(s, SPEC_COMMAND);

    for (size_t i = 1; spec_is_maya(s) && i < command.count; i++) {
        const char *word = command.at[i].key;
        size_t len = strcspn(word, "=");
        for (size_t k = 0; strncmp(word, "--", 2) == 0 && k < ARRAY_LEN(looked_at); k++) {
            struct config_about about;
            config_about(looked_at[k], &about);
            if (*about.flag && strlen(about.flag) == len - 2 &&
                strncmp(word + 2, about.flag, len - 2) == 0)
                return spec__err(s, spec__item_line(s, SPEC_COMMAND, i), e,
                                 "--%s in 'command' would go round what is looked at here; a "
                                 "key of this file says it, or %s under 'env'",
                                 about.flag, about.env);
        }
    }
    return 0;
}

int spec__check_new(const struct spec *s, struct err *e)
{
    return check_images(s, e) < 0 || check_values(s, e) < 0 || spec__check_front(s, e) < 0 ||
                   check_environment(s, e) < 0 || check_flags(s, e) < 0
               ? -1
               : 0;
}

/* Which files are ours, in which order they count, and secrets that change. */
#include "config/secrets.c"
#include "unit/tap.h"

#include "config/config_int.h"

#include <stdarg.h>
#include <unistd.h>

static struct err e;
static char folder[64];
static struct buf told;

static void put(const char *name, const char *text, size_t len)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (f) {
        fwrite(text, 1, len, f);
        fclose(f);
    }
}

#define PUT(name, text) put(name, text, sizeof(text) - 1)

static void on_value(void *self, const char *name, const char *value, const char *file,
                     int line)
{
    (void)self;
    buf_printf(&told, "%s=%s %s:%d\n", name, value, strrchr(file, '/') + 1, line);
}

static int read_all(void)
{
    const struct config_secret_sink sink = {on_value, NULL};

    buf_clear(&told);
    e = (struct err){0};
    return config__secrets_read(folder, &sink, &e);
}

static void begin(void)
{
    snprintf(folder, sizeof(folder), "/tmp/secrets-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static void end(void)
{
    struct dirent **names;
    char path[400];
    int n = scandir(folder, &names, NULL, NULL);

    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        unlink(path);
        free(names[i]);
    }
    free(names);
    CHECK_INT(rmdir(folder), 0);
    buf_release(&told);
}

static void names(void)
{
    CHECK_INT(config__secret_named("GEMINI_API_KEY"), C_GEMINI_KEY);
    CHECK_INT(config__secret_named("gemini-api_Key"), C_GEMINI_KEY);
    CHECK_INT(config__secret_named("GEMINI_API_KEY2"), -1);
    CHECK_INT(config__secret_named("GEMINI_API"), -1);
    CHECK_INT(config__secret_named(""), -1);
}

static void values_and_lines(void)
{
    begin();
    PUT("gemini_api_key", "abc \n\n");
    PUT("lines", "X=1\n  MAYA_MIND=house\n");
    PUT("maya_admin_token", "MAYA_ADMIN_TOKEN=sixteen-characters-and-more\n");
    PUT(".hidden", "PORT=1");
    PUT("PORT~", "1");
    CHECK_INT(read_all(), 0);
    CHECK_STR(buf_text(&told),
              "GEMINI_API_KEY=abc gemini_api_key:0\nX=1 lines:1\n"
              "MAYA_MIND=house lines:2\n"
              "MAYA_ADMIN_TOKEN=sixteen-characters-and-more maya_admin_token:1\n");
    end();
}

static void others_are_left_alone(void)
{
    begin();
    PUT("cert", "-----BEGIN\nAB'C=\n");
    PUT("binary", "\0MAYA_X=1\n'");
    PUT("quoted", "PASS='never closed\n");
    CHECK_INT(read_all(), 0);
    CHECK_STR(buf_text(&told), "");
    end();
}

static void mistakes_in_ours(void)
{
    begin();
    PUT("a", "nonsense\nMAYA_MIND=house\n");
    CHECK_INT(read_all(), -1);
    CHECK(strstr(e.msg, "/a:1: ") != NULL);
    end();
    begin();
    PUT("gemini_api_key", "a\0b");
    CHECK_INT(read_all(), -1);
    CHECK(strstr(e.msg, "NUL") != NULL && strstr(e.msg, "GEMINI_API_KEY") != NULL);
    end();
}

static void lists_of_folders(void)
{
    const char *at = " /a,, /b/c ,";
    char one[PATH_MAX];

    CHECK(config__secret_folder(&at, one));
    CHECK_STR(one, "/a");
    CHECK(config__secret_folder(&at, one));
    CHECK_STR(one, "/b/c");
    CHECK(!config__secret_folder(&at, one));
    snprintf(folder, sizeof(folder), "/nowhere/at/all");
    CHECK_INT(read_all(), 0); /* not yet */
}

static void changes(void)
{
    char serve[] = "serve", dir[100], env[] = "MAYA_ENV_FILE=/dev/null";
    char fixed[] = "CARTESIA_API_KEY=fixed", *argv[] = {serve, NULL};
    char *environment[] = {dir, env, fixed, NULL};
    struct config *c = config_new();
    struct config_fresh *f;

    begin();
    snprintf(dir, sizeof(dir), "MAYA_SECRETS_DIR=%s", folder);
    PUT("gemini_api_key", "first");
    CHECK_INT(config_read(c, 1, argv, environment, &e), 0);
    CHECK_INT(config_from(c, C_GEMINI_KEY), CONFIG_SECRET_FILE);
    PUT("gemini_api_key", "second");
    PUT("maya_admin_token", "short");
    PUT("cartesia_api_key", "other");
    CHECK_INT(config_reread(c, &f, &e), 0);
    CHECK_STR(config_text(c, C_GEMINI_KEY), "first");
    CHECK(config_fresh_differs(f, C_GEMINI_KEY));
    CHECK(!config_fresh_differs(f, C_CARTESIA_KEY)); /* the environment's */
    CHECK(!config_fresh_differs(f, C_PORT));         /* no secret */
    const char *before = config_text(c, C_GEMINI_KEY);
    CHECK_INT(config_take(c, f, C_GEMINI_KEY, &e), 0);
    CHECK_STR(config_text(c, C_GEMINI_KEY), "second");
    CHECK_STR(before, "first"); /* until it is freed */
    CHECK_INT(config_take(c, f, C_ADMIN_TOKEN, &e), -1);
    CHECK(strstr(e.msg, "16 to 512") != NULL && !strstr(e.msg, "short"));
    CHECK(!config_text(c, C_ADMIN_TOKEN));
    config_fresh_free(&f);
    put("gemini_api_key", "", 0);
    CHECK_INT(config_reread(c, &f, &e), 0);
    CHECK(config_fresh_differs(f, C_GEMINI_KEY) && !config_fresh_text(f, C_GEMINI_KEY));
    config_fresh_free(&f);
    config_free(&c);
    end();
}

static const struct tap_case cases[] = {
    {"knows an option by the name of a file", names},
    {"reads values and lines", values_and_lines},
    {"leaves alone what is somebody else's", others_are_left_alone},
    {"tells mistakes in what is ours", mistakes_in_ours},
    {"reads lists of folders", lists_of_folders},
    {"takes changed secrets, and only valid ones", changes},
};

TAP_MAIN(cases)

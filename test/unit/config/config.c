/* Which source counts, what is refused, and the sentences a person reads. */
#include "config/config.c"
#include "unit/tap.h"

#include <unistd.h>

static struct err e;
static struct config *c;
static char folder[] = "/tmp/maya-config-XXXXXX";
static const char *const no_env[] = {NULL};

static void env_file(const char *text)
{
    FILE *f = fopen(".env", "w");

    fputs(text, f);
    fclose(f);
}

/* Read with `argv` behind the command's name. */
static int read_with(const char *const *environment, const char *const *argv)
{
    const char *all[20] = {"serve"};
    int n = 1;

    for (; *argv; argv++)
        all[n++] = *argv;
    config_free(&c);
    c = config_new();
    e = (struct err){0};
    /* main() is given char **, and string literals are none. */
    return config_read(c, n, (char **)(uintptr_t)all, (char **)(uintptr_t)environment, &e);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

static const char *complaint(const char *const *environment, const char *const *argv)
{
    CHECK_INT(read_with(environment, argv), -1);
    return e.msg;
}

static const char *described(enum config_id id)
{
    static struct buf text;

    buf_clear(&text);
    config_describe(c, id, &text);
    return buf_text(&text);
}

static void defaults(void)
{
    unlink(".env");
    CHECK_INT(read_with(no_env, NONE), 0);
    CHECK_INT(config_int(c, C_PORT), 8000);
    CHECK_INT(config_int(c, C_SESSIONS), 50);
    CHECK(config_number(c, C_BUDGET_MB) == 50);
    CHECK(config_number(c, C_THRESHOLD) == 0.8);
    CHECK(!config_text(c, C_GEMINI_KEY));
    CHECK(!config_given(c, C_PORT));
    CHECK(!config_warning(c, 0));
    CHECK_STR(described(C_PORT), "PORT=8000 (default)");
    CHECK_STR(described(C_GEMINI_KEY), "GEMINI_API_KEY: not set (default)");
}

static void order(void)
{
    env_file("PORT=1\nMAYA_DATA_DIR=from-file\nMAYA_LOG_LEVEL=error\n");
    CHECK_INT(read_with(no_env, NONE), 0);
    CHECK_STR(described(C_PORT), "PORT=1 (from .env line 1)");
    CHECK_INT(read_with(ARGS("PORT=2", "HOME=/x"), NONE), 0);
    CHECK_STR(described(C_PORT), "PORT=2 (from the environment)");
    CHECK_STR(described(C_DATA_DIR), "MAYA_DATA_DIR=from-file (from .env line 2)");
    CHECK_INT(read_with(ARGS("PORT=2"), ARGS("--port", "3", "--log-level=debug")), 0);
    CHECK_STR(described(C_PORT), "PORT=3 (from --port)");
    CHECK_INT(config_int(c, C_PORT), 3);
    CHECK_STR(config_text(c, C_LOG_LEVEL), "debug");
    CHECK_INT(config_from(c, C_LOG_LEVEL), CONFIG_FLAG);
    CHECK_INT(read_with(no_env, ARGS("--port", "3", "--port", "4")), 0);
    CHECK_INT(config_int(c, C_PORT), 4);
}

static void empty_is_unset(void)
{
    env_file("PORT=1\nMAYA_DATA_DIR=\n");
    CHECK_INT(read_with(ARGS("PORT=", "GEMINI_API_KEY="), ARGS("--agent=")), 0);
    CHECK_INT(config_int(c, C_PORT), 1);
    CHECK_STR(config_text(c, C_DATA_DIR), "data");
    CHECK(!config_text(c, C_GEMINI_KEY));
    CHECK(!config_given(c, C_AGENT));
}

static void which_file(void)
{
    env_file("PORT=1\n");
    rename(".env", "other.env");
    CHECK_INT(read_with(no_env, NONE), 0);
    CHECK_INT(config_int(c, C_PORT), 8000);
    CHECK_INT(read_with(no_env, ARGS("--env-file", "other.env")), 0);
    CHECK_STR(described(C_PORT), "PORT=1 (from other.env line 1)");
    CHECK_INT(read_with(ARGS("MAYA_ENV_FILE=other.env"), NONE), 0);
    CHECK_INT(config_int(c, C_PORT), 1);
    CHECK_STR(complaint(ARGS("MAYA_ENV_FILE=other.env"), ARGS("--env-file=gone.env")),
              "cannot read gone.env: No such file or directory");
    CHECK_INT(e.code, ERR_INVALID);
    CHECK_STR(complaint(ARGS("MAYA_ENV_FILE=gone.env"), NONE),
              "cannot read gone.env: No such file or directory");
    CHECK_STR(complaint(no_env, ARGS("--env-file=.env", "--port", "x")),
              "cannot read .env: No such file or directory");
    unlink("other.env");
}

static void values(void)
{
    unlink(".env");
    CHECK_STR(
        complaint(ARGS("PORT=http"), NONE),
        "PORT is 'http' (from the environment), but must be a whole number from 0 to 65535");
    CHECK_INT(e.code, ERR_CONFIG);
    CHECK_STR(complaint(no_env, ARGS("--port", "65536")),
              "PORT is '65536' (from --port), but must be a whole number from 0 to 65535");
    CHECK_INT(e.code, ERR_INVALID);
    CHECK_STR(
        complaint(ARGS("PORT=80.5"), NONE),
        "PORT is '80.5' (from the environment), but must be a whole number from 0 to 65535");
    CHECK_STR(complaint(ARGS("MAYA_SESSION_EXPIRY_SECONDS=0"), NONE),
              "MAYA_SESSION_EXPIRY_SECONDS is '0' (from the environment), but must be a whole "
              "number from 1 to 315360000 seconds");
    CHECK_STR(complaint(ARGS("MAYA_CONTAINER_MEMORY_THRESHOLD=1.5"), NONE),
              "MAYA_CONTAINER_MEMORY_THRESHOLD is '1.5' (from the environment), but must be a "
              "number from 0.1 to 0.95");
    CHECK_STR(complaint(ARGS("MAYA_DEFAULT_SESSION_MEMORY_MB=1e3"), NONE),
              "MAYA_DEFAULT_SESSION_MEMORY_MB is '1e3' (from the environment), but must be a "
              "number from 0.015625 to 65536 MiB");
    CHECK_INT(read_with(ARGS("MAYA_DEFAULT_SESSION_MEMORY_MB=0.5"), NONE), 0);
    CHECK(config_number(c, C_BUDGET_MB) == 0.5);
    for (const char *const *bad = (const char *const[]){"nan", "0x10", " 5", "5 ", "--5", "inf",
                                                        "99999999999999999999", NULL};
         *bad; bad++) {
        char *pair = xprintf("MAYA_SESSIONS_PER_CONTAINER=%s", *bad);
        complaint(ARGS(pair), NONE);
        char *number = xprintf("MAYA_DRAIN_SECONDS=%s", *bad);
        complaint(ARGS(number), NONE);
        free(pair);
        free(number);
    }
    CHECK(config_int(c, C_PORT) == 8000);
}

static void choices(void)
{
    env_file("# log\nMAYA_LOG_LEVEL=debgu\n");
    CHECK_STR(
        complaint(no_env, NONE),
        "MAYA_LOG_LEVEL is 'debgu' (from .env line 2), but must be debug, info, warning or "
        "error; did you mean 'debug'?");
    env_file("MAYA_LOG_LEVEL=loud\n");
    CHECK_STR(complaint(no_env, NONE),
              "MAYA_LOG_LEVEL is 'loud' (from .env line 1), but must be "
              "debug, info, warning or error");
    env_file("MAYA_LOG_LEVEL=WARN\nMAYA_LOG_FORMAT=Json\n");
    CHECK_INT(read_with(no_env, NONE), 0);
    CHECK_STR(config_text(c, C_LOG_LEVEL), "warning");
    CHECK_STR(config_text(c, C_LOG_FORMAT), "json");
    /* What a higher place overrides need not be valid. */
    env_file("MAYA_LOG_LEVEL=loud\n");
    CHECK_INT(read_with(ARGS("MAYA_LOG_LEVEL=info"), NONE), 0);
}

static void texts(void)
{
    char *longest = xalloc(4200);

    unlink(".env");
    CHECK_STR(
        complaint(ARGS("MAYA_DATA_DIR=a\nb\x1b[31m"), NONE),
        "MAYA_DATA_DIR is 'a?b?[31m' (from the environment), but must be one line of text "
        "without control characters");
    CHECK_STR(complaint(ARGS("HOST=\xff"), NONE),
              "HOST is '\xff' (from the environment), but must be text in UTF-8");
    memcpy(longest, "HOST=", 5);
    memset(longest + 5, 'x', 4097);
    complaint(ARGS(longest), NONE);
    CHECK(strstr(e.msg, "xxx\xe2\x80\xa6' (from the environment), but must be at most 4096"));
    longest[5 + 4096] = '\0';
    CHECK_INT(read_with(ARGS(longest), NONE), 0);
    free(longest);
}

static void secrets(void)
{
    env_file("GEMINI_API_KEY=AIza-very-secret\n");
    CHECK_INT(read_with(no_env, NONE), 0);
    CHECK_STR(config_text(c, C_GEMINI_KEY), "AIza-very-secret");
    CHECK_STR(described(C_GEMINI_KEY), "GEMINI_API_KEY: set (from .env line 1)");
    env_file("GEMINI_API_KEY=\"AIza-very\\nsecret\"\n");
    CHECK_STR(complaint(no_env, NONE), "GEMINI_API_KEY (from .env line 1) must be one line of "
                                       "text without control characters");
    unlink(".env");
    CHECK_STR(complaint(no_env, ARGS("--gemini-api-key", "AIza-very-secret")),
              "there is no flag --gemini-api-key, because other programs can read a command "
              "line; set GEMINI_API_KEY in the environment or in .env");
    CHECK_STR(complaint(no_env, ARGS("--master-key=AIza-very-secret")),
              "there is no flag --master-key, because other programs can read a command line; "
              "set MAYA_MASTER_KEY in the environment or in .env");
}

/* A token that is sent in a header is a word of some length. */
static void admin_token(void)
{
    static const char *const bad[] = {"MAYA_ADMIN_TOKEN=has a space in it",
                                      "MAYA_ADMIN_TOKEN=sixteen-letters\xc3\xa9"};
    char longest[18 + 513];

    CHECK_STR(
        complaint(ARGS("MAYA_ADMIN_TOKEN=fifteen-letters"), NONE),
        "MAYA_ADMIN_TOKEN (from the environment) must be 16 to 512 characters long (it has "
        "15)");
    CHECK_INT(e.code, ERR_CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_STR(
            complaint(ARGS(bad[i]), NONE),
            "MAYA_ADMIN_TOKEN (from the environment) must be of visible ASCII characters, "
            "without spaces");
    snprintf(longest, sizeof(longest), "MAYA_ADMIN_TOKEN=%0513d", 1);
    CHECK(strstr(complaint(ARGS(longest), NONE), "(it has 513)"));
    longest[17 + 512] = '\0';
    CHECK_INT(read_with(ARGS(longest), NONE), 0);
    CHECK_INT(read_with(ARGS("MAYA_ADMIN_TOKEN=sixteen-letters!"), NONE), 0);
    CHECK_STR(config_text(c, C_ADMIN_TOKEN), "sixteen-letters!");
    CHECK_STR(described(C_ADMIN_TOKEN), "MAYA_ADMIN_TOKEN: set (from the environment)");
    CHECK_INT(read_with(ARGS("MAYA_ADMIN_TOKEN="), NONE), 0); /* empty is none */
    CHECK_STR(described(C_ADMIN_TOKEN), "MAYA_ADMIN_TOKEN: not set (default)");
}

static void flags(void)
{
    CHECK_STR(complaint(no_env, ARGS("--prot=1")),
              "there is no flag --prot; did you mean --port?");
    CHECK_INT(e.code, ERR_INVALID);
    CHECK_STR(complaint(no_env, ARGS("--colour")),
              "there is no flag --colour; --help lists them");
    CHECK_STR(complaint(no_env, ARGS("--port")), "--port needs a value");
    CHECK_STR(complaint(no_env, ARGS("8000")),
              "'8000' is not expected here; options look like --name value");
    CHECK_STR(complaint(no_env, ARGS("-p")),
              "'-p' is not expected here; options look like --name value");
    CHECK_STR(complaint(no_env, ARGS("--")),
              "'--' is not expected here; options look like --name value");
    CHECK_STR(complaint(no_env, ARGS("--=1")), "there is no flag --; --help lists them");
    CHECK_INT(read_with(ARGS("PORT=bad"), ARGS("--port", "bad", "--help")), 0);
    CHECK(config_wants_help(c));
}

static void warnings(void)
{
    env_file("MAYA_SESSION_PER_CONTAINER=3\nPORT=1\nFOO=2\nPORT=2\nMAYA_ENV_FILE=x\n");
    CHECK_INT(read_with(ARGS("MAYA_LOGLEVEL=info", "MAYA_COMPLETELY_ELSE=1", "MAYA=1"), NONE),
              0);
    CHECK_STR(config_warning(c, 0), "MAYA_SESSION_PER_CONTAINER (from .env line 1) is not an "
                                    "option; did you mean MAYA_SESSIONS_PER_CONTAINER?");
    CHECK_STR(config_warning(c, 1),
              "PORT is set twice in .env; line 4 counts, line 2 does not");
    CHECK_STR(config_warning(c, 2),
              "MAYA_ENV_FILE (from .env line 5) has no effect inside the file itself");
    CHECK_STR(config_warning(c, 3),
              "MAYA_LOGLEVEL (from the environment) is not an option; did "
              "you mean MAYA_LOG_LEVEL?");
    CHECK_STR(config_warning(c, 4),
              "MAYA_COMPLETELY_ELSE (from the environment) is not an option");
    CHECK(!config_warning(c, 5));
    CHECK_INT(config_int(c, C_PORT), 2);
    config_free(&c);
    unlink(".env");
    CHECK(chdir("/") == 0);
    CHECK(rmdir(folder) == 0);
}

static const struct tap_case cases[] = {
    {"defaults", defaults},
    {"flag over environment over .env over default", order},
    {"an empty value is none", empty_is_unset},
    {"which file is read", which_file},
    {"numbers", values},
    {"choices", choices},
    {"texts", texts},
    {"secrets are never shown", secrets},
    {"the operator's token is a word of some length", admin_token},
    {"flags", flags},
    {"warnings", warnings},
};

int main(void)
{
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    return tap_run(cases, ARRAY_LEN(cases));
}

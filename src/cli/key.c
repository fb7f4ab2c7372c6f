/*
 * `maya key`: the master key. Changing it touches files only; the stored sessions are sealed
 * again by the server that runs, or by the next one that starts.
 */
#include "cli/cli.h"

#include "base/alloc.h"
#include "config/config.h"
#include "seal/seal.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCAN_ROWS 1024
#define TALLIES 128 /* keys that are told apart; what damage invents beyond is one more */

/* How many stored sessions were sealed with which key. */
struct tally {
    struct {
        char id[SEAL_ID_TEXT]; /* "": no sealed form at all */
        uint64_t rows;
    } keys[TALLIES + 1];
    unsigned count;
    uint64_t rows;
};

static bool count_row(void *ctx, const char *id, const struct store_row *row)
{
    struct tally *t = ctx;
    char key[SEAL_ID_TEXT];
    unsigned i = 0;

    (void)id;
    seal_key_of(row->data, row->len, key);
    while (i < t->count && strcmp(t->keys[i].id, key) != 0)
        i++;
    if (i == t->count && i < TALLIES) {
        memcpy(t->keys[i].id, key, sizeof(key));
        t->count++;
    }
    t->keys[i].rows++;
    t->rows++;
    return true;
}

static uint64_t rows_of(const struct tally *t, const char *id)
{
    for (unsigned i = 0; i < t->count; i++)
        if (strcmp(t->keys[i].id, id) == 0)
            return t->keys[i].rows;
    return 0;
}

static int count_rows(const struct config *c, struct tally *ret, struct err *e)
{
    char *path = xprintf("%s/maya.db", config_text(c, C_DATA_DIR));
    const struct store_cfg cfg = {.path = path};
    struct store *store = NULL;
    uint64_t cursor = 0;
    int rc = 0;

    memset(ret, 0, sizeof(*ret));
    if (access(path, F_OK) == 0) /* else no server has been here: nothing is stored */
        rc = store_open_sqlite(&cfg, &store, e);
    free(path);
    while (rc == 0 && store) {
        rc = store_scan(store, &cursor, SCAN_ROWS, count_row, ret, e);
        if (cursor == 0)
            break;
    }
    store_close(&store);
    return rc;
}

/* A key is made by the first start of a server, not by who asks about it. */
static int open_keys(const struct config *c, struct seal **ret, struct err *e)
{
    const char *dir = config_text(c, C_DATA_DIR), *given = config_text(c, C_MASTER_KEY);
    char *path = xprintf("%s/master.key", dir);
    int rc = 0;

    if (access(dir, F_OK) < 0)
        rc = err_set(e, ERR_CONFIG, errno, "look into the data folder '%s'", dir);
    else if (!(given && *given) && access(path, F_OK) < 0)
        rc = err_set(e, ERR_CONFIG, 0,
                     "there is no key in '%s' yet, and MAYA_MASTER_KEY is not set; the first "
                     "start of `maya serve` makes one",
                     dir);
    free(path);
    return rc < 0 ? -1 : cli_seal(c, ret, e);
}

static void say_where(const struct config *c, const struct seal *s, unsigned i)
{
    struct seal_key_info k;

    seal_key_info(s, i, &k);
    if (*k.file)
        printf("%s/%s", config_text(c, C_DATA_DIR), k.file);
    else
        printf("%s%s", i == 0 ? "MAYA_MASTER_KEY" : "MAYA_MASTER_KEY_OLD",
               k.from == SEAL_KEY_PASSPHRASE ? " (a passphrase)" : "");
}

static bool knows(const struct seal *s, const char *id)
{
    struct seal_key_info k;

    for (unsigned i = 0; i < seal_key_count(s); i++) {
        seal_key_info(s, i, &k);
        if (strcmp(k.id, id) == 0)
            return true;
    }
    return false;
}

/* One line a key. Returns the sessions that are still to be sealed again. */
static uint64_t list_keys(const struct config *c, const struct seal *s, const struct tally *t)
{
    struct seal_key_info k;
    uint64_t left = 0;

    for (unsigned i = 0; i < seal_key_count(s); i++) {
        seal_key_info(s, i, &k);
        uint64_t rows = rows_of(t, k.id);
        const char *state = i == 0 ? "seals now" : seal_in_use(s, i) ? "in use" : "older";
        left += i ? rows : 0;
        printf("%-8s  %-9s  %8llu sessions  ", k.id, state, (unsigned long long)rows);
        say_where(c, s, i);
        putchar('\n');
    }
    for (unsigned i = 0; i < t->count; i++)
        if (!knows(s, t->keys[i].id))
            printf("%-8s  %-9s  %8llu sessions  %s\n", *t->keys[i].id ? t->keys[i].id : "-",
                   *t->keys[i].id ? "not here" : "damaged", (unsigned long long)t->keys[i].rows,
                   "nobody can read them");
    if (t->keys[TALLIES].rows)
        printf("%-8s  %-9s  %8llu sessions  %s\n", "-", "damaged",
               (unsigned long long)t->keys[TALLIES].rows, "nobody can read them");
    return left;
}

static void say_what_can_go(const struct seal *s)
{
    struct seal_key_info k;
    bool files = false, settings = false;

    for (unsigned i = 1; i < seal_key_count(s); i++) {
        seal_key_info(s, i, &k);
        files = files || *k.file;
        settings = settings || !*k.file;
    }
    if (files)
        puts("No session needs an older key; `maya key prune` removes their files.");
    if (settings)
        puts("No session needs what MAYA_MASTER_KEY_OLD says; it can go.");
}

static int status(const struct config *c, struct seal *s, struct err *e)
{
    struct seal_key_info now;
    struct tally t;

    if (count_rows(c, &t, e) < 0)
        return -1;
    seal_key_info(s, 0, &now);
    uint64_t left = list_keys(c, s, &t);
    if (left)
        printf("%llu of %llu sessions are still to be sealed with %s: the server that runs "
               "does it, or the next one that starts.\n",
               (unsigned long long)left, (unsigned long long)t.rows, now.id);
    else
        say_what_can_go(s);
    return 0;
}

/* .env and the shell read it the same way; a key without quotes others read as well. */
static void print_setting(const char *name, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=,.";
    const char *quote = value[strspn(value, plain)] ? "\"" : "";

    printf("%s=%s", name, quote);
    for (; *value; value++) {
        if (strchr("\"\\$`", *value))
            putchar('\\');
        putchar(*value);
    }
    puts(quote);
}

/* Who set the environment must change it: what to set goes to stdout, the rest to stderr. */
static int rotate_given(const struct config *c, struct err *e)
{
    const char *now = config_text(c, C_MASTER_KEY), *old = config_text(c, C_MASTER_KEY_OLD);
    struct buf fresh = BUF_INIT, older = BUF_INIT;
    bool listed = old && *old;

    if (listed && strchr(now, ','))
        return err_set(e, ERR_CONFIG, 0,
                       "the passphrase in MAYA_MASTER_KEY has a comma, so it can stand in "
                       "MAYA_MASTER_KEY_OLD only alone; `maya key status` tells when what "
                       "stands there now can go");
    seal_make_text(&fresh);
    buf_printf(&older, listed ? "%s,%s" : "%s", now, listed ? old : "");
    fputs(
        "maya: MAYA_MASTER_KEY is set outside, so nothing has changed yet. Set these two, then "
        "restart; with several\ncontainers give all of them the new key in "
        "MAYA_MASTER_KEY_OLD first, so that each can read what another seals.\n",
        stderr);
    print_setting("MAYA_MASTER_KEY", buf_text(&fresh));
    print_setting("MAYA_MASTER_KEY_OLD", buf_text(&older));
    buf_wipe(&fresh);
    buf_wipe(&older);
    return 0;
}

static int rotate(const struct config *c, struct seal *s, struct err *e)
{
    const char *dir = config_text(c, C_DATA_DIR), *given = config_text(c, C_MASTER_KEY);
    struct seal_key_info before, now;

    if (given && *given)
        return rotate_given(c, e);
    seal_key_info(s, 0, &before);
    if (seal_rotate(s, e) < 0)
        return -1;
    seal_key_info(s, 0, &now);
    printf("Key %s seals from now on (%s/%s). %s still opens what it sealed (%s/%s%s).\n"
           "A server that runs takes it up at once and seals the stored sessions again; else "
           "the next start does.\n`maya key status` tells how far that is, `maya key prune` "
           "removes the older key when no session needs it.\n",
           now.id, dir, now.file, before.id, dir, "master.key.old-", before.id);
    return 0;
}

/* One older key that has a file: it goes, or *stays says that it must not. */
static int prune_one(const struct config *c, struct seal *s, unsigned i, uint64_t rows,
                     bool claimed, bool *stays, struct err *e)
{
    struct seal_key_info k;

    seal_key_info(s, i, &k);
    *stays = true;
    if (!claimed)
        fprintf(stderr, "maya: %s stays: a server still seals with it; try again\n", k.id);
    else if (rows)
        fprintf(stderr, "maya: %s stays: %llu sessions are sealed with it\n", k.id,
                (unsigned long long)rows);
    else
        *stays = false;
    if (*stays)
        return 0;
    if (seal_remove_file(s, i, e) < 0)
        return -1;
    printf("%s: removed %s/%s\n", k.id, config_text(c, C_DATA_DIR), k.file);
    return 0;
}

/* First nobody may begin to seal with them, then the rows are counted, then files may go. */
static int prune(const struct config *c, struct seal *s, bool *ret_stays, struct err *e)
{
    unsigned count = seal_key_count(s), files = 0;
    bool *claimed = xalloc(count * sizeof(*claimed));
    struct seal_key_info k;
    struct tally t;
    int rc = 0;

    for (unsigned i = 1; i < count && rc == 0; i++) {
        seal_key_info(s, i, &k);
        files += *k.file != '\0';
        if (*k.file)
            rc = seal_claim(s, i, &claimed[i], e);
    }
    if (rc == 0 && files)
        rc = count_rows(c, &t, e);
    for (unsigned i = 1; i < count && rc == 0; i++) {
        bool stays = false;
        seal_key_info(s, i, &k);
        if (*k.file)
            rc = prune_one(c, s, i, rows_of(&t, k.id), claimed[i], &stays, e);
        *ret_stays = *ret_stays || stays;
    }
    free(claimed);
    if (rc == 0 && !files)
        puts("There is no file of an older key.");
    return rc;
}

static int run(const struct config *c, const char *what)
{
    struct seal *s = NULL;
    struct err e;
    bool stays = false;
    int rc = open_keys(c, &s, &e);

    if (rc == 0)
        rc = strcmp(what, "rotate") == 0  ? rotate(c, s, &e)
             : strcmp(what, "prune") == 0 ? prune(c, s, &stays, &e)
                                          : status(c, s, &e);
    seal_free(&s);
    if (rc < 0)
        return cli_fail(&e);
    return stays ? CLI_TRY_AGAIN : CLI_OK;
}

int cmd_key(int argc, char **argv)
{
    static const char *const verbs[] = {"status", "rotate", "prune"};
    bool named = argc > 1 && argv[1][0] != '-', known = !named;
    const char *what = named ? argv[1] : "status";
    struct config *c = config_new();
    int code = CLI_OK;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        known = known || strcmp(what, verbs[i]) == 0;
    if (!known)
        code = cli_fail_with(CLI_USAGE,
                             "there is no `maya key %.40s`, but status, rotate, prune", what);
    else if (cli_options("key", c, argc - named, argv + named, &code))
        code = run(c, what);
    config_free(&c);
    return code;
}

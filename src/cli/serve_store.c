/* The key that seals and the store that keeps: opened, and what is to be said of them. */
#include "cli/serve_int.h"

#include "base/alloc.h"
#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"
#include "ops/ops.h"
#include "seal/seal.h"
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static void on_store_wake(void *ctx)
{
    struct serve *s = ctx;

    store_reap(s->store);
}

static void on_commit(void *ctx, uint64_t us, unsigned writes)
{
    struct serve *s = ctx;

    if (s->ops)
        ops_count_commit(s->ops, us, writes);
}

static void wake_loop(void *ctx)
{
    loop_wake_up(ctx);
}

static void say_key(const struct seal *seal, const char *data_dir)
{
    static const char *const meaning[] = {
        [SEAL_KEY_GIVEN] = "given in MAYA_MASTER_KEY",
        [SEAL_KEY_PASSPHRASE] = "made from the passphrase in MAYA_MASTER_KEY and the salt file",
        [SEAL_KEY_FILE] = "read from the data folder",
        [SEAL_KEY_MADE] = "made now and kept in the data folder",
    };
    enum seal_key_from from = seal_key_from(seal);
    struct seal_key_info key;

    seal_key_info(seal, 0, &key);
    log_info("seal", "key", "id=%s older=%u from=\"%s\"", key.id, seal_key_count(seal) - 1,
             meaning[from]);
    if (from == SEAL_KEY_MADE)
        log_warn("seal", "key_kept",
                 "file=\"%s/master.key\" note=\"whoever has this file and the store can read "
                 "the sessions, and without it nobody can; set MAYA_MASTER_KEY to keep the key "
                 "elsewhere\"",
                 data_dir);
}

/* The sessions are still there, but this start cannot read one of them. With older keys at hand
 * it is not known yet: sealing again will tell. */
static void say_key_lost(const struct serve *s)
{
    struct store_stats stats;

    store_stats(s->store, &stats);
    if (seal_key_from(s->seal) == SEAL_KEY_MADE && seal_key_count(s->seal) == 1 &&
        stats.rows > 0)
        log_warn("seal", "key_lost",
                 "sessions=%llu note=\"these were sealed with another key; stop, and put its "
                 "file or MAYA_MASTER_KEY back to read them again\"",
                 (unsigned long long)stats.rows);
}

int serve__store(struct serve *s, struct err *e)
{
    const char *dir = config_text(s->config, C_DATA_DIR);
    char *path;
    int rc;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_set(e, ERR_IO, errno, "the data folder '%s' cannot be made", dir);
    if (cli_seal(s->config, &s->seal, e) < 0 || seal_hold(s->seal, e) < 0)
        return -1;
    say_key(s->seal, dir);
    path = xprintf("%s/maya.db", dir);
    s->store_wake = loop_wake_new(s->loop, on_store_wake, s);
    struct store_cfg cfg = {.path = path,
                            .wake = wake_loop,
                            .wake_ctx = s->store_wake,
                            .on_commit = on_commit,
                            .commit_ctx = s};
    rc = store_open_sqlite(&cfg, &s->store, e);
    free(path);
    if (rc == 0)
        say_key_lost(s);
    return rc;
}

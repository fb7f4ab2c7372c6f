/*
 * `maya sample`: can this build read what is stored, and another build what this one writes?
 * `write LIVE` takes rows by chance from another data folder, which it only reads, opens each
 * as a session, as a turn does, and commits it into its own data folder. `read` opens what is
 * there. One line of JSON tells how it went; nothing of a session is printed.
 */
#include "cli/cli.h"

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/strs.h"
#include "config/config.h"
#include "seal/seal.h"
#include "session/session.h"
#include "store/store.h"

#include <jansson.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT 50
#define COUNT_MAX 10000

struct sample {
    struct config *config;
    struct seal *seal;
    struct store *store;
    struct session_table *table;
    sem_t woken;
    bool write;
    char **ids;
    unsigned count, failed, newer, pending;
    char why[240]; /* of the first that failed */
    struct err fault;
};

static void failed(struct sample *s, const struct err *e)
{
    if (s->failed++ == 0)
        snprintf(s->why, sizeof(s->why), "%s", e->msg);
    s->newer += e->code == ERR_NEWER;
}

static void wake(void *self)
{
    sem_post(&((struct sample *)self)->woken);
}

static void settle(struct sample *s)
{
    while (s->pending) {
        while (sem_wait(&s->woken) < 0) {
        }
        store_reap(s->store);
    }
}

static void keep_id(struct sample *s, const char *id)
{
    s->ids = xrealloc(s->ids, (s->count + 1) * sizeof(*s->ids));
    s->ids[s->count++] = xstrdup(id);
}

static bool on_found(void *self, const char *id, const struct store_row *row)
{
    (void)row;
    keep_id(self, id);
    return true;
}

static void on_copied(void *self, uint64_t version, const struct err *e)
{
    struct sample *s = self;

    (void)version;
    s->pending--;
    if (e)
        s->fault = *e;
}

static bool on_live(void *self, const char *id, const struct store_row *row)
{
    struct sample *s = self;

    if (store_put(s->store, id, 0, row->used_at_s, row->data, row->len, on_copied, s,
                  &s->fault) < 0)
        return false;
    s->pending++;
    keep_id(s, id);
    return true;
}

/* One session */

struct opened {
    struct session_wait wait;
    struct sample *sample;
    struct session *session;
};

static void on_committed(void *self, const struct err *e)
{
    struct opened *o = self;

    o->sample->pending--;
    if (e)
        failed(o->sample, e);
}

static void on_ready(struct session_wait *w, struct session *session, const struct err *e)
{
    struct opened *o = LIST_ITEM(w, struct opened, wait);

    o->sample->pending--;
    o->session = session;
    if (e)
        failed(o->sample, e);
}

static void try_one(struct sample *s, const char *id)
{
    struct opened o = {.wait = {.ready = on_ready}, .sample = s};
    int64_t now = (int64_t)time(NULL);
    struct err e = {0};

    s->pending = 1;
    session_open(s->table, id, SESSION_LOOK, now, &o.wait);
    settle(s);
    if (!o.session)
        return;
    if (s->write) {
        s->pending = 1;
        if (session_commit(o.session, now, on_committed, &o, &e) < 0) {
            s->pending = 0;
            failed(s, &e);
        }
        settle(s);
    }
    session_leave(o.session);
}

static int open_table(struct sample *s, const char *keys, struct err *e)
{
    const struct config *c = s->config;
    char *path = xprintf("%s/maya.db", config_text(c, C_DATA_DIR));
    const struct store_cfg store = {.path = path, .wake = wake, .wake_ctx = s};
    int rc =
        seal_new(config_text(c, C_MASTER_KEY), keys, config_text(c, C_SALT_FILE), &s->seal, e);

    if (rc == 0)
        rc = seal_add_older(s->seal, config_text(c, C_MASTER_KEY_OLD), e);
    if (rc == 0)
        rc = store_open_sqlite(&store, &s->store, e);
    free(path);
    if (rc < 0)
        return -1;
    const struct session_cfg cfg = {
        .budget = (size_t)(config_number(c, C_BUDGET_MB) * 1048576.0),
        .max_resident = COUNT_MAX,
        .expiry_s = INT32_MAX,
        .hibernate_s = INT32_MAX,
        .max_waiters = 1,
        .policy = SESSION_RESERVED,
        .threshold = config_number(c, C_THRESHOLD),
        .state_ops = agent_state_ops(),
        .store = s->store,
        .seal = s->seal,
        .seed = seal_random_u64(),
    };
    return session_table_new(&cfg, &s->table, e);
}

static int run(struct sample *s, const char *live, unsigned count, struct err *e)
{
    const char *folder = s->write ? live : config_text(s->config, C_DATA_DIR);
    char *file = xprintf("%s/maya.db", folder);
    bool there = access(file, F_OK) == 0;
    uint64_t cursor = 0;

    free(file);
    if (!there)
        return 0; /* nobody was ever here, and no key is to be made */
    int rc = open_table(s, live, e);

    if (rc == 0 && s->write) {
        char *path = xprintf("%s/maya.db", live);
        rc = store_sample_sqlite(path, count, on_live, s, e);
        free(path);
        settle(s);
        if (rc == 0 && s->fault.code) {
            *e = s->fault;
            rc = -1;
        }
    } else if (rc == 0) {
        rc = store_scan(s->store, &cursor, COUNT_MAX, on_found, s, e);
    }
    for (unsigned i = 0; rc == 0 && i < s->count; i++)
        try_one(s, s->ids[i]);
    return rc;
}

static void print(const struct sample *s)
{
    json_t *root = json_pack("{s:i, s:i, s:i, s:s}", "sessions", (int)s->count, "failed",
                             (int)s->failed, "newer", (int)s->newer, "why", s->why);
    char *text = json_dumps(root, JSON_COMPACT);

    MUST(text);
    puts(text);
    free(text);
    json_decref(root);
}

static void release(struct sample *s)
{
    session_table_free(&s->table);
    store_close(&s->store);
    seal_free(&s->seal);
    config_free(&s->config);
    for (unsigned i = 0; i < s->count; i++)
        free(s->ids[i]);
    free(s->ids);
    sem_destroy(&s->woken);
}

int cmd_sample(int argc, char **argv)
{
    struct sample s = {.write = argc > 1 && strcmp(argv[1], "write") == 0};
    bool read = argc == 3 && strcmp(argv[1], "read") == 0;
    int64_t count = COUNT;
    struct err e = {0};
    int code = CLI_OK;

    if (cli_wants_help(argc, argv))
        return cli_usage("sample", "For `maya deploy`, in containers of both versions.\n");
    if ((!read && !s.write) || argc < 3 || argc > 4 ||
        (argc == 4 && (!str_to_int(argv[3], &count) || count < 1 || count > COUNT_MAX)))
        return cli_fail_with(CLI_USAGE, "usage: maya sample write LIVE [COUNT], read LIVE");
    sem_init(&s.woken, 0, 0);
    s.config = config_new();
    if (cli_options("sample", s.config, 1, argv, &code)) {
        if (run(&s, argv[2], (unsigned)count, &e) < 0)
            code = cli_fail(&e);
        else
            print(&s);
    }
    release(&s);
    return code;
}

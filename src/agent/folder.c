/* The agent folder: who the agent is. Read once at start, checked with file and line. */
#include "agent/agent_int.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/strs.h"
#include "yaml/yaml.h"

#include <stdlib.h>
#include <string.h>

static int read_who(struct agent *a, const char *folder, struct err *e)
{
    static const char *const known[] = {"name", "greeting", "persona", "voice", NULL};
    char *path = xprintf("%s/agent.yaml", folder);
    const char *name, *greeting, *persona;
    struct yaml *y = NULL;
    int rc = -1;

    if (yaml_load(path, &y, e) < 0)
        goto out;
    const struct yaml_node *root = yaml_root(y);
    if (!root || yaml_kind(root) != YAML_MAP) {
        err_set(e, ERR_AGENT, 0, "%s:1: wanted name:, greeting: and persona:", path);
        goto out;
    }
    if (yaml_only_keys(root, known, e) < 0 || yaml_need_text(root, "name", &name, e) < 0 ||
        yaml_need_text(root, "greeting", &greeting, e) < 0 ||
        yaml_need_text(root, "persona", &persona, e) < 0 || agent__read_voice(a, root, e) < 0)
        goto out;
    if (!*name || strlen(name) > 64) {
        yaml_err(yaml_get(root, "name"), e, "a name has 1 to 64 bytes");
        goto out;
    }
    a->name = xstrdup(name);
    a->greeting = xstrdup(greeting);
    a->persona = xstrdup(persona);
    rc = 0;
out:
    yaml_close(&y);
    free(path);
    return rc;
}

/* What cannot be searched is not searched, and all else works. */
static int read_knowledge(struct agent *a, const struct agent_cfg *cfg, struct err *e)
{
    if (knowledge_load(cfg->folder, cfg->knowledge_bytes > 0, &a->knowledge, e) < 0)
        return -1;
    const char *problem = knowledge_problem(a->knowledge);
    if (problem)
        log_warn("agent", "knowledge_off",
                 "problem=\"%s\" note=\"the documents of the agent folder are not searched\"",
                 problem);
    return 0;
}

int agent_load(const struct agent_cfg *cfg, struct agent **ret, struct err *e)
{
    struct agent *a = xalloc(sizeof(*a));

    a->cfg = *cfg;
    a->seed = cfg->seed;
    list_init(&a->folding);
    histogram_init(&a->stats.turn_seconds, histogram_seconds, histogram_seconds_count);
    histogram_init(&a->stats.first_word_seconds, histogram_seconds, histogram_seconds_count);
    histogram_init(&a->stats.session_bytes, histogram_bytes, histogram_bytes_count);
    histogram_init(&a->stats.search_seconds, histogram_seconds, histogram_seconds_count);
    if (read_who(a, cfg->folder, e) < 0 || bar_menu_load(cfg->folder, &a->menu, e) < 0 ||
        phrases_load(cfg->folder, &a->phrases, e) < 0 ||
        safety_load(cfg->folder, &a->safety, e) < 0 || read_knowledge(a, cfg, e) < 0) {
        agent_free(&a);
        return -1;
    }
    const struct mind_cfg alone = {.choice = MIND_CHOOSE_HOUSE};
    a->mind = mind_new(cfg->mind ? cfg->mind : &alone, a->persona, a->menu, a->phrases);
    a->fold_rules = fold__rules_new();
    *ret = a;
    return 0;
}

void agent_free(struct agent **a)
{
    if (!*a)
        return;
    if ((*a)->mind)
        mind_free(&(*a)->mind);
    fold__rules_free(&(*a)->fold_rules);
    safety_free(&(*a)->safety);
    knowledge_free(&(*a)->knowledge);
    if ((*a)->phrases)
        phrases_free(&(*a)->phrases);
    if ((*a)->menu)
        bar_menu_free(&(*a)->menu);
    agent__free_voice(*a);
    free((*a)->name);
    free((*a)->greeting);
    free((*a)->persona);
    free(*a);
    *a = NULL;
}

void agent_listen(struct agent *a, const struct agent_listener *l)
{
    a->listener = *l;
}

void agent_set_sessions(struct agent *a, struct session_table *t)
{
    a->sessions = t;
}

const struct bar_menu *agent_menu(const struct agent *a)
{
    return a->menu;
}

const char *agent_name(const struct agent *a)
{
    return a->name;
}

const char *agent_greeting(const struct agent *a)
{
    return a->greeting;
}

const struct knowledge *agent_knowledge(const struct agent *a)
{
    return a->knowledge;
}

const char *agent_mind_name(const struct agent *a, const struct session *s)
{
    (void)a;
    /* One that is being read, or removed, has no state yet or no more. */
    return s && s->agent ? mind_name((enum mind_id)agent__state(s)->by) : "none";
}

void agent_set_speaker(struct agent *a, const struct voice *v)
{
    a->speaker = v;
}

const char *agent_voice_name(const struct agent *a, const struct session *s)
{
    const char *name = !a->speaker        ? ""
                       : s && s->cartesia ? voice_name_own(a->speaker)
                                          : voice_name(a->speaker);

    return *name ? name : "off";
}

struct safety *agent_safety(const struct agent *a)
{
    return a->safety;
}

const struct agent_stats *agent_stats(const struct agent *a)
{
    return &a->stats;
}

void agent_set_mind_keys(struct agent *a, const struct mind_cfg *cfg)
{
    mind_set_keys(a->mind, cfg);
}

void agent_mind_stats(const struct agent *a, struct mind_provider_stats *ret)
{
    mind_stats(a->mind, ret);
}

/* splitmix64 (Steele, Lea, Flood 2014): one good number after another from one seed. */
uint64_t agent__seed(struct agent *a)
{
    uint64_t z = (a->seed += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t agent__now_ms(const struct agent *a)
{
    return a->cfg.now_ms(a->cfg.clock_ctx);
}

int64_t agent__now_s(const struct agent *a)
{
    return a->cfg.now_s(a->cfg.clock_ctx);
}

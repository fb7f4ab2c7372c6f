/* What was read, for who asks. */
#include "config/config_int.h"

const char *config_warning(const struct config *c, unsigned i)
{
    return i < c->n_warnings ? c->warnings[i] : NULL;
}

bool config_wants_help(const struct config *c)
{
    return c->help;
}

const char *config_text(const struct config *c, enum config_id id)
{
    return c->values[id].text;
}

int64_t config_int(const struct config *c, enum config_id id)
{
    MUST(config__rows[id].type == CONFIG_INT);
    return c->values[id].whole;
}

bool config_bool(const struct config *c, enum config_id id)
{
    MUST(config__rows[id].type == CONFIG_BOOL);
    return c->values[id].on;
}

double config_number(const struct config *c, enum config_id id)
{
    MUST(config__rows[id].type == CONFIG_NUMBER || config__rows[id].type == CONFIG_INT);
    return c->values[id].number;
}

bool config_given(const struct config *c, enum config_id id)
{
    return c->values[id].from != CONFIG_DEFAULT;
}

enum config_from config_from(const struct config *c, enum config_id id)
{
    return c->values[id].from;
}

void config_describe(const struct config *c, enum config_id id, struct buf *out)
{
    const struct config_value *v = &c->values[id];
    char room[CONFIG__PLACE];

    if (config__rows[id].type == CONFIG_SECRET)
        buf_printf(out, "%s: %s", config__rows[id].env, v->text ? "set" : "not set");
    else
        buf_printf(out, "%s=%s", config__rows[id].env, v->text ? v->text : "");
    if (v->from == CONFIG_DEFAULT)
        buf_str(out, " (default)");
    else
        buf_printf(out, " (from %s)", config__place(c, id, room, sizeof(room)));
}

void config_about(enum config_id id, struct config_about *ret)
{
    const struct config_row *r = &config__rows[id];

    *ret = (struct config_about){r->env, r->flag, r->unit, r->choices, r->help, r->type};
}

/* What stands beside the conversation: the menu, who talks here, health, metrics. */
#include "api/api_int.h"

#include "bar/bar.h"
#include "ops/ops.h"

#include <string.h>
#include <unistd.h>

#define CONTAINER_ID 12 /* hex digits */

/* Menu. */

/* `array` with `value` (taken) behind; NULL, and neither left, when memory was refused. */
static json_t *with(json_t *array, json_t *value)
{
    if (array && json_array_append_new(array, value) == 0)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *item_json(const struct bar_item *item)
{
    json_t *tags = json_array();

    for (const char *const *tag = item->tags; tag && *tag; tag++)
        tags = with(tags, json_string(*tag));
    return json_pack("{s:s, s:f, s:s, s:o}", "name", item->name, "price",
                     (double)item->price_cents / 100.0, "description", item->description,
                     "tags", tags);
}

/* The list of the category `name`, made when it is new; borrowed. */
static json_t *category_items(json_t *categories, const char *name)
{
    json_t *category;
    size_t i;

    json_array_foreach(categories, i, category)
    {
        if (strcmp(json_string_value(json_object_get(category, "name")), name) == 0)
            return json_object_get(category, "items");
    }
    category = json_pack("{s:s, s:[]}", "name", name, "items");
    if (json_array_append_new(categories, category) < 0)
        return NULL;
    return json_object_get(category, "items");
}

void api__menu(struct api *a, struct http_req *req)
{
    const struct bar_menu *menu = agent_menu(a->cfg.agent);
    json_t *categories = json_array();
    size_t n;
    const struct bar_item *items = bar_menu_items(menu, &n);

    for (size_t i = 0; i < n && categories; i++) {
        if (json_array_append_new(category_items(categories, items[i].category),
                                  item_json(&items[i])) < 0) {
            json_decref(categories);
            categories = NULL;
        }
    }
    api__answer_json(
        req, NULL,
        json_pack("{s:s, s:o}", "house", bar_menu_house(menu), "categories", categories));
}

/* The list with one more text; NULL when there is no memory for it, or was none before. */
static json_t *with_text(json_t *list, const char *text)
{
    if (!list || json_array_append_new(list, json_string(text)) == 0)
        return list;
    json_decref(list);
    return NULL;
}

/* Who speaks, and as what; null where nobody does. */
static json_t *voice_json(const struct voice *v)
{
    json_t *formats;

    if (!v || !*voice_name(v))
        return json_null();
    formats = json_array();
    for (unsigned i = 0; i < VOICE_FORMAT__COUNT; i++)
        formats = with_text(formats, voice_format_text((enum voice_format)i));
    return json_pack("{s:s, s:o}", "name", voice_name(v), "formats", formats);
}

/* Who hears, and what; `ready` without a key of one's own. Null where nobody does. */
static json_t *ears_json(const struct ears *n)
{
    json_t *encodings;

    if (!n || ears_off(n))
        return json_null();
    encodings = json_array();
    for (unsigned i = 0; i < EARS_ENCODING__COUNT; i++)
        encodings = with_text(encodings, ears_encoding_text((enum ears_encoding)i));
    return json_pack("{s:s, s:b, s:o}", "name", ears_text((enum ears_id)0), "ready",
                     ears_have_key(n), "encodings", encodings);
}

void api__agent(struct api *a, struct http_req *req)
{
    api__answer_json(req, NULL,
                     json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", agent_name(a->cfg.agent),
                               "greeting", agent_greeting(a->cfg.agent), "house",
                               bar_menu_house(agent_menu(a->cfg.agent)), "voice",
                               voice_json(a->cfg.voice), "ears", ears_json(a->cfg.ears)));
}

/* For those who run it. */

void api__healthz(struct api *a, struct http_req *req)
{
    struct buf body = BUF_INIT;
    int status = ops_health(a->cfg.ops, loop_unix_s(), &body);

    http_header(req, "Cache-Control", "no-store");
    api__answer_buf(req, status, API_JSON, &body);
    buf_release(&body);
}

/* Whose figures these are, behind a gateway: an engine names a container by its id. The name of
 * another machine is nobody's business. */
static void name_container(struct http_req *req)
{
    char name[CONTAINER_ID + 2] = "";

    if (gethostname(name, sizeof(name) - 1) == 0 && strlen(name) == CONTAINER_ID &&
        strspn(name, "0123456789abcdef") == CONTAINER_ID)
        http_header(req, "X-Container", "%s", name);
}

void api__metrics(struct api *a, struct http_req *req)
{
    struct buf body = BUF_INIT, names = BUF_INIT;
    bool old =
        http_req_param(req, "names", &names) && strcmp(buf_text(&names), "predecessor") == 0;

    ops_metrics(a->cfg.ops, loop_unix_s(), old, &body);
    body.full |= names.full;
    name_container(req);
    api__answer_buf(req, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    buf_release(&names);
    buf_release(&body);
}

void api__openapi(struct api *a, struct http_req *req)
{
    struct buf body = BUF_INIT;

    (void)a;
    api_openapi(&body);
    api__answer_buf(req, 200, API_JSON, &body);
    buf_release(&body);
}

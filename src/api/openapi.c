/* The routes table as an OpenAPI 3.1 description, and as Markdown for docs/api.md. */
#include "api/api_int.h"

#include "base/json_text.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *name, *type, *schema;
} schemas[] = {
#define SCHEMA(name, type, text) {#name, type, text},
#include "api/schema.def"
#undef SCHEMA
};

static const char *const route_ids[ROUTE_ASSET] = {
#define ROUTE(id, method, path, handler, summary, request, response) #id,
#include "api/route.def"
#undef ROUTE
};

/* The last row of schema.def. */
#define SCHEMA_OF_ERRORS (ARRAY_LEN(schemas) - 1)

static const char *full_path(const char *path, char *room, size_t size)
{
    snprintf(room, size, "%s%s", path[0] == '~' ? "/api/v1" : "", path + (path[0] == '~'));
    return room;
}

static void content(struct buf *out, int schema)
{
    buf_printf(out, "\"content\":{\"%s\":{\"schema\":%s}}", schemas[schema].type,
               schemas[schema].schema);
}

/*
 * What requests may carry beside their body: `under` is part of the path of those that may, or
 * behind "=" the whole of it.
 */
static const struct {
    const char *under;
    bool get_only;
    const char *name, *in, *text;
} parameters[] = {
    {"/session/", false, "X-Session-ID", "header", "the session; without it a new one is made"},
    {"/payments/", false, "X-Session-ID", "header",
     "the session; without it a new one is made"},
    {"/chat", false, "X-Session-ID", "header", "the session; without it a new one is made"},
    {"/chat", false, "Idempotency-Key", "header",
     "a repeated message with the same key gets the first answer again"},
    {"/chat", true, "message", "query", "what the person says"},
    {"/chat", true, "user_input", "query", "the same, when there is no message"},
    {"/chat", true, "session_id", "query", "the session, where no header can be sent"},
    {"/session/events", true, "session_id", "query",
     "the session, where no header can be sent"},
    {"/session/events", true, "Last-Event-ID", "header", "tell what came after this turn"},
    {"/session/events", true, "last_event_id", "query",
     "the same, where no header can be sent"},
    {"/chat/stream", false, "Last-Event-ID", "header", "go on behind this event"},
    {"/chat", true, "voice", "query", "1: as audio too, in events of their own"},
    {"/chat", true, "audio", "query", "the same, as wav, pcm, opus or mp3"},
    {"/chat", true, "interrupt", "query", "1: end what runs in this session first"},
    {"=~/voice", true, "session_id", "query", "the session; without it a new one is made"},
    {"/speech", true, "X-Session-ID", "header", "the session"},
    {"/speech", true, "session_id", "query", "the session, where no header can be sent"},
    {"{turn}", false, "turn", "path", "the number of the turn whose reply is read out"},
    {"/speech", true, "format", "query", "wav (the default), pcm, opus or mp3"},
    {"{id}", false, "id", "path", "the session"},
    {"=~/ops/sessions", true, "sort", "query", "memory (the default), idle or age"},
    {"=~/ops/sessions", true, "order", "query", "desc (the default) or asc"},
    {"=~/ops/sessions", true, "state", "query", "only these: loading, idle, busy or ending"},
    {"=~/ops/sessions", true, "limit", "query", "sessions a page, 1 to 1000; 50 unless told"},
    {"=~/ops/sessions", true, "after", "query", "the next of the page before"},
    {"/metrics", true, "names", "query",
     "predecessor: also the names that promtool finds fault with"},
};

static void add_parameters(struct buf *out, const struct api_route_row *r)
{
    const char *before = ",\"parameters\":[";

    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        const char *under = parameters[i].under;
        if (*under == '=' ? strcmp(r->path, under + 1) != 0 : !strstr(r->path, under))
            continue;
        if (parameters[i].get_only && r->method != HTTP_GET)
            continue;
        buf_printf(out, "%s{\"name\":\"%s\",\"in\":\"%s\",\"schema\":{\"type\":\"string\"},",
                   before, parameters[i].name, parameters[i].in);
        if (strcmp(parameters[i].in, "path") == 0)
            buf_str(out, "\"required\":true,");
        buf_printf(out, "\"description\":\"%s\"}", parameters[i].text);
        before = ",";
    }
    if (*before == ',' && !before[1])
        buf_char(out, ']');
}

static void lower(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_char(out, (char)tolower((unsigned char)*text));
}

static void operation(struct buf *out, const struct api_route_row *r, const char *id)
{
    buf_char(out, '"');
    lower(out, http_method_text(r->method));
    buf_str(out, "\":{\"operationId\":\"");
    lower(out, id);
    buf_str(out, "\",\"summary\":");
    json_text(out, r->summary, strlen(r->summary), false);
    add_parameters(out, r);
    if (api__for_operator(r)) /* with the token, or from this machine */
        buf_str(out, ",\"security\":[{\"operator\":[]},{}]");
    if (schemas[r->request].type[0]) {
        buf_str(out, ",\"requestBody\":{");
        content(out, r->request);
        buf_char(out, '}');
    }
    buf_str(out, ",\"responses\":{\"200\":{\"description\":\"OK\",");
    content(out, r->response);
    buf_str(
        out,
        "},\"default\":{\"description\":\"An error: detail for people, code for programs\",");
    content(out, (int)SCHEMA_OF_ERRORS);
    buf_str(out, "}}}");
}

void api_openapi(struct buf *out)
{
    char path[64], other[64];

    buf_str(out,
            "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Maya\",\"version\":\"" MAYA_VERSION
            "\",\"description\":\"Every path under /api/v1 stands under /api too.\"},"
            "\"paths\":{");
    for (int i = 0; i < ROUTE_ASSET; i++) {
        full_path(api__routes[i].path, path, sizeof(path));
        if (i > 0 &&
            strcmp(path, full_path(api__routes[i - 1].path, other, sizeof(other))) == 0)
            continue; /* written with the row before */
        buf_printf(out, "%s\"%s\":{", i ? "," : "", path);
        operation(out, &api__routes[i], route_ids[i]);
        if (i + 1 < ROUTE_ASSET &&
            strcmp(path, full_path(api__routes[i + 1].path, other, sizeof(other))) == 0) {
            buf_char(out, ',');
            operation(out, &api__routes[i + 1], route_ids[i + 1]);
        }
        buf_char(out, '}');
    }
    buf_str(out, "},\"components\":{\"securitySchemes\":{\"operator\":{\"type\":\"http\","
                 "\"scheme\":\"bearer\",\"description\":\"MAYA_ADMIN_TOKEN; where none is "
                 "set, only this machine itself may ask\"}}}}");
}

/* The messages of ~/voice, which OpenAPI has no words for. */
static void socket_markdown(struct buf *out)
{
    static const char *const said[][3] = {
#define SAID(name, type, handler, members, what) {type, members, what},
#include "api/socket_said.def"
#undef SAID
    };
    static const char *const told[][3] = {
#define TOLD(type, members, what) {type, members, what},
#include "api/socket_told.def"
#undef TOLD
    };

    buf_str(out, "\n## The messages of `~/voice`\n\n"
                 "A text message is one JSON object with its `type`, at most 64 KiB. How a "
                 "conversation goes is told\n[for those who write a client]"
                 "(clients.md#a-spoken-conversation).\n\n"
                 "A client says, and sends its audio as binary messages:\n\n"
                 "| type | members | what |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        buf_printf(out, "| `%s` | %s | %s |\n", said[i][0], said[i][1], said[i][2]);
    buf_str(out, "\nThe `encoding` of its audio, each binary message whole:\n\n"
                 "| encoding | a binary message is |\n|---|---|\n");
    for (unsigned i = 0; i < EARS_ENCODING__COUNT; i++)
        buf_printf(out, "| `%s` | %s |\n", ears_encoding_text((enum ears_encoding)i),
                   ears_encoding_what((enum ears_encoding)i));
    buf_str(out,
            "\nIt is told, always with `session_id`, and within a reply with its `turn`:\n\n"
            "| type | members | what |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        buf_printf(out, "| `%s` | %s | %s |\n", told[i][0], told[i][1], told[i][2]);
}

void api_markdown(struct buf *out)
{
    buf_str(out, "# The HTTP interface\n\n"
                 "Made from the routes table; `/openapi.json` has the schemas. `~` stands for "
                 "`/api/v1` and `/api`.\nWhat is under `~/ops/` is for the operator "
                 "([how to ask](operations.md#looking-at-sessions)).\n\n"
                 "| method | path | what | takes | gives |\n|---|---|---|---|---|\n");
    for (int i = 0; i < ROUTE_ASSET; i++) {
        const struct api_route_row *r = &api__routes[i];
        buf_printf(out, "| %s | `%s` | %s | %s | %s |\n", http_method_text(r->method), r->path,
                   r->summary, schemas[r->request].type, schemas[r->response].type);
    }
    socket_markdown(out);
}

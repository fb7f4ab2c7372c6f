/*
 * The wire of Gemini's generateContent, streamed with alt=sse; the same on the Developer API
 * and on Vertex. Parts of the model's turn go back exactly as they came, signatures and all.
 */
#include "mind/cloud_int.h"

#include "bar/bar.h"
#include "base/json_text.h"

#include <stdlib.h>
#include <string.h>

static void write_tools(struct cloud_prompt *p)
{
    size_t count;
    const struct bar_tool *tools = bar_tools(&count);

    buf_str(&p->tools, "[{\"functionDeclarations\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&p->tools,
                   "%s{\"name\":\"%s\",\"description\":\"%s\",\"parametersJsonSchema\":%s}",
                   i ? "," : "", tools[i].name, tools[i].description, tools[i].schema);
    buf_str(&p->tools, "]}]");
}

static void content(struct buf *out, const char *role, struct str text)
{
    buf_printf(out, "{\"role\":\"%s\",\"parts\":[{\"text\":", role);
    json_text(out, text.data, text.len, false);
    buf_str(out, "}]}");
}

static void write_request(const struct cloud_request *r, struct buf *out)
{
    const struct mind_turn *t = r->turn;
    size_t first = 0;

    buf_str(out, "{\"systemInstruction\":{\"parts\":[{\"text\":");
    cloud__prompt_write(r->prompt, t, out);
    buf_str(out, "}]},\"contents\":[");
    while (first < t->past_count && t->past[first].role != MIND_USER)
        first++; /* the first word is the person's */
    for (size_t i = first; i < t->past_count; i++) {
        content(out, t->past[i].role == MIND_USER ? "user" : "model", t->past[i].text);
        buf_char(out, ',');
    }
    content(out, "user", t->text);
    buf_add(out, buf_text(r->rounds), r->rounds->len);
    buf_str(out, "],\"tools\":");
    buf_add(out, r->prompt->tools.data, r->prompt->tools.len);
    buf_printf(out, ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"%s\"}}}",
               r->last ? "NONE" : "AUTO");
}

/* Reading. */

static void read_call(struct cloud_answer *a, const json_t *call)
{
    const json_t *args = json_object_get(call, "args");
    const char *id = json_string_value(json_object_get(call, "id"));
    const char *name = json_string_value(json_object_get(call, "name"));
    struct cloud_tool *t = cloud__answer_tool(a, a->tool_count);

    if (!t) {
        a->malformed |= !a->full;
        return;
    }
    buf_str(&t->id, id ? id : "");
    buf_str(&t->name, name ? name : "");
    if (args)
        json_region_dump(args, JSON_COMPACT | JSON_ENCODE_ANY, &t->args);
    a->full |= t->id.full || t->name.full || t->args.full;
}

static void read_part(struct cloud_answer *a, const json_t *part)
{
    const json_t *text = json_object_get(part, "text");
    const json_t *call = json_object_get(part, "functionCall");

    if (json_is_true(json_object_get(part, "thought")) || !json_is_object(part))
        return;
    if (json_string_length(text) || call || json_object_get(part, "thoughtSignature")) {
        if (a->parts.len)
            buf_char(&a->parts, ',');
        json_region_dump(part, JSON_COMPACT, &a->parts);
        a->full |= a->parts.full;
    }
    if (json_is_string(text))
        cloud__answer_text(a, json_string_value(text), json_string_length(text));
    if (json_is_object(call))
        read_call(a, call);
}

static void read_finish(struct cloud_answer *a, const json_t *candidate)
{
    static const struct {
        const char *reason;
        enum cloud_finish finish;
    } known[] = {
        {"STOP", CLOUD_STOP},
        {"MAX_TOKENS", CLOUD_LENGTH},
        {"CONTINUATION", CLOUD_LENGTH},
        {"MALFORMED_FUNCTION_CALL", CLOUD_BOTCHED},
        {"MALFORMED_RESPONSE", CLOUD_BOTCHED},
        {"UNEXPECTED_TOOL_CALL", CLOUD_BOTCHED},
        {"TOO_MANY_TOOL_CALLS", CLOUD_BOTCHED},
        {"SAFETY", CLOUD_BLOCK},
        {"RECITATION", CLOUD_BLOCK},
        {"LANGUAGE", CLOUD_BLOCK},
        {"BLOCKLIST", CLOUD_BLOCK},
        {"PROHIBITED_CONTENT", CLOUD_BLOCK},
        {"SPII", CLOUD_BLOCK},
    };
    const char *reason = json_string_value(json_object_get(candidate, "finishReason"));

    if (!reason || strcmp(reason, "FINISH_REASON_UNSPECIFIED") == 0)
        return;
    a->finish = CLOUD_STOP; /* a reason that is not known ends it as well */
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].reason, reason) == 0)
            a->finish = known[i].finish;
    if (a->finish == CLOUD_BLOCK || a->finish == CLOUD_BOTCHED)
        cloud__code(a->note, sizeof(a->note), reason);
}

static void read_usage(struct cloud_answer *a, const json_t *usage)
{
    if (!json_is_object(usage))
        return;
    a->tokens[MIND_TOKEN_PROMPT] = cloud__count_of(usage, "promptTokenCount") +
                                   cloud__count_of(usage, "toolUsePromptTokenCount");
    a->tokens[MIND_TOKEN_CACHED] = cloud__count_of(usage, "cachedContentTokenCount");
    a->tokens[MIND_TOKEN_THOUGHT] = cloud__count_of(usage, "thoughtsTokenCount");
    a->tokens[MIND_TOKEN_ANSWER] = cloud__count_of(usage, "candidatesTokenCount");
}

static void read_response(struct cloud_answer *a, const json_t *root)
{
    const json_t *error = json_object_get(root, "error");
    const json_t *candidate = json_array_get(json_object_get(root, "candidates"), 0);
    const json_t *parts = json_object_get(json_object_get(candidate, "content"), "parts");
    const char *blocked = json_string_value(
        json_object_get(json_object_get(root, "promptFeedback"), "blockReason"));

    if (!json_is_object(root)) {
        a->malformed = true;
        return;
    }
    if (json_is_object(error)) {
        cloud__answer_error(a, (int)json_integer_value(json_object_get(error, "code")),
                            json_string_value(json_object_get(error, "status")));
        return;
    }
    for (size_t i = 0; i < json_array_size(parts); i++)
        read_part(a, json_array_get(parts, i));
    read_finish(a, candidate);
    if (blocked) {
        a->finish = CLOUD_BLOCK;
        cloud__code(a->note, sizeof(a->note), blocked);
    }
    read_usage(a, json_object_get(root, "usageMetadata"));
}

static void read_event(struct cloud_answer *a, const char *text, size_t len)
{
    json_t *root = cloud__json(text, len, &a->full);

    if (a->full)
        return;
    if (json_is_array(root)) /* a server that does not know alt=sse */
        for (size_t i = 0; i < json_array_size(root); i++)
            read_response(a, json_array_get(root, i));
    else
        read_response(a, root);
    json_decref(root);
}

/* All results of a step in one turn of the person's, as many and in the same order. */
static void write_round(const struct cloud_answer *a, const struct cloud_result *results,
                        struct buf *rounds)
{
    buf_str(rounds, ",{\"role\":\"model\",\"parts\":[");
    buf_add(rounds, buf_text(&a->parts), a->parts.len);
    buf_str(rounds, "]},{\"role\":\"user\",\"parts\":[");
    for (size_t i = 0; i < a->tool_count; i++) {
        const struct cloud_tool *t = &a->tools[i];
        buf_printf(rounds, "%s{\"functionResponse\":{", i ? "," : "");
        if (t->id.len) {
            buf_str(rounds, "\"id\":");
            json_text(rounds, t->id.data, t->id.len, false);
            buf_char(rounds, ',');
        }
        buf_str(rounds, "\"name\":");
        json_text(rounds, buf_text(&t->name), t->name.len, false);
        buf_printf(rounds, ",\"response\":{\"%s\":", results[i].error ? "error" : "output");
        buf_add(rounds, results[i].text, results[i].len);
        buf_str(rounds, "}}}");
    }
    buf_str(rounds, "]}");
}

/* "22s", "10.5s" */
static int64_t delay_of(const char *text)
{
    char *end;

    if (!text)
        return 0;
    double s = strtod(text, &end);
    return s > 0 && s < 86400 && strcmp(end, "s") == 0 ? (int64_t)(s * 1000) : 0;
}

static bool is_daily(const json_t *detail)
{
    const json_t *all = json_object_get(detail, "violations");
    bool daily = false;

    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(all, i), "quotaId"));
        daily |= id && strstr(id, "PerDay");
    }
    return daily;
}

static void read_refusal(const json_t *body, struct cloud_refusal *ret)
{
    const json_t *error =
        json_object_get(json_is_array(body) ? json_array_get(body, 0) : body, "error");
    const json_t *details = json_object_get(error, "details");

    cloud__code(ret->code, sizeof(ret->code),
                json_string_value(json_object_get(error, "status")));
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *d = json_array_get(details, i);
        int64_t ms = delay_of(json_string_value(json_object_get(d, "retryDelay")));
        const char *reason = json_string_value(json_object_get(d, "reason"));
        if (ms)
            ret->retry_ms = ms;
        if (reason)
            cloud__code(ret->code, sizeof(ret->code), reason);
        ret->final |= is_daily(d);
    }
}

const struct cloud_codec cloud__gemini = {write_tools, write_request, read_event, write_round,
                                          read_refusal};

/*
 * The wire of OpenAI-compatible servers: POST <base>/chat/completions, streamed. Where the
 * servers differ (llama.cpp, Ollama, vLLM, OpenAI) what any of them does is understood.
 */
#include "mind/cloud_int.h"

#include "bar/bar.h"
#include "base/json_text.h"

#include <stdio.h>
#include <string.h>

static void write_tools(struct cloud_prompt *p)
{
    size_t count;
    const struct bar_tool *tools = bar_tools(&count);

    buf_char(&p->tools, '[');
    for (size_t i = 0; i < count; i++)
        buf_printf(&p->tools,
                   "%s{\"type\":\"function\",\"function\":{\"name\":\"%s\",\"description\":"
                   "\"%s\",\"parameters\":%s}}",
                   i ? "," : "", tools[i].name, tools[i].description, tools[i].schema);
    buf_char(&p->tools, ']');
}

static void message(struct buf *out, const char *role, struct str text)
{
    buf_printf(out, ",{\"role\":\"%s\",\"content\":", role);
    json_text(out, text.data, text.len, false);
    buf_char(out, '}');
}

static void write_request(const struct cloud_request *r, struct buf *out)
{
    const struct mind_turn *t = r->turn;

    buf_str(out, "{\"model\":");
    json_text(out, r->model, strlen(r->model), false);
    buf_str(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":["
                 "{\"role\":\"system\",\"content\":");
    cloud__prompt_write(r->prompt, t, out);
    buf_char(out, '}');
    for (size_t i = 0; i < t->past_count; i++)
        message(out, t->past[i].role == MIND_USER ? "user" : "assistant", t->past[i].text);
    message(out, "user", t->text);
    buf_add(out, buf_text(r->rounds), r->rounds->len);
    buf_str(out, "],\"tools\":");
    buf_add(out, r->prompt->tools.data, r->prompt->tools.len);
    buf_printf(out, ",\"tool_choice\":\"%s\"}", r->last ? "none" : "auto");
}

/* Reading. */

static void set_once(struct buf *dst, const char *text)
{
    if (!text || !*text)
        return;
    buf_clear(dst);
    buf_str(dst, text);
}

/* A fragment of a call: id and name come once or every time, arguments grow. */
static void read_call(struct cloud_answer *a, const json_t *fragment, size_t place)
{
    const json_t *index = json_object_get(fragment, "index");
    const json_t *function = json_object_get(fragment, "function");
    const json_t *args = json_object_get(function, "arguments");
    json_int_t n = json_is_integer(index) ? json_integer_value(index) : (json_int_t)place;
    struct cloud_tool *t = n < 0 ? NULL : cloud__answer_tool(a, (size_t)n);

    if (!t) {
        a->malformed |= !a->full;
        return;
    }
    set_once(&t->id, json_string_value(json_object_get(fragment, "id")));
    set_once(&t->name, json_string_value(json_object_get(function, "name")));
    if (json_is_string(args))
        buf_add(&t->args, json_string_value(args), json_string_length(args));
    else if (json_is_object(args)) /* not as the protocol says, but what is meant is clear */
        json_region_dump(args, JSON_COMPACT, &t->args);
    a->full |= t->id.full || t->name.full || t->args.full;
}

static void read_delta(struct cloud_answer *a, const json_t *delta)
{
    const json_t *content = json_object_get(delta, "content");
    const json_t *calls = json_object_get(delta, "tool_calls");

    if (json_is_string(content))
        cloud__answer_text(a, json_string_value(content), json_string_length(content));
    for (size_t i = 0; i < json_array_size(calls); i++)
        read_call(a, json_array_get(calls, i), i);
}

static void read_finish(struct cloud_answer *a, const char *reason)
{
    if (!reason)
        return;
    if (strcmp(reason, "content_filter") == 0)
        a->finish = CLOUD_BLOCK;
    else if (strcmp(reason, "length") == 0)
        a->finish = CLOUD_LENGTH;
    else if (strcmp(reason, "abort") == 0)
        cloud__answer_error(a, 500, "abort");
    else
        a->finish = CLOUD_STOP; /* "tool_calls" or not: the calls themselves tell */
}

static void read_usage(struct cloud_answer *a, const json_t *usage)
{
    const json_t *more = json_object_get(usage, "completion_tokens_details");

    if (!json_is_object(usage))
        return;
    a->tokens[MIND_TOKEN_PROMPT] = cloud__count_of(usage, "prompt_tokens");
    a->tokens[MIND_TOKEN_CACHED] =
        cloud__count_of(json_object_get(usage, "prompt_tokens_details"), "cached_tokens");
    a->tokens[MIND_TOKEN_THOUGHT] = cloud__count_of(more, "reasoning_tokens");
    a->tokens[MIND_TOKEN_ANSWER] = cloud__count_of(usage, "completion_tokens");
    if (a->tokens[MIND_TOKEN_ANSWER] >= a->tokens[MIND_TOKEN_THOUGHT])
        a->tokens[MIND_TOKEN_ANSWER] -= a->tokens[MIND_TOKEN_THOUGHT];
}

/* The name of an error: OpenAI has it in `code`, llama.cpp and vLLM in `type`. */
static const char *code_of(const json_t *body)
{
    const json_t *error = json_object_get(body, "error");
    const json_t *at = json_is_object(error) ? error : body;
    const json_t *code = json_object_get(at, "code");

    return json_string_value(json_is_string(code) ? code : json_object_get(at, "type"));
}

static bool read_error(struct cloud_answer *a, const json_t *root)
{
    const json_t *error = json_object_get(root, "error");
    const json_t *code = json_object_get(json_is_object(error) ? error : root, "code");
    /* vLLM's older ones, FastAPI's, and llama.cpp's behind "error:" are flat. */
    bool flat = !json_object_get(root, "choices") &&
                (json_object_get(root, "message") || json_object_get(root, "detail"));

    if ((!error || json_is_null(error)) && !flat)
        return false;
    cloud__answer_error(a, (int)json_integer_value(code), code_of(root));
    return true;
}

static void read_event(struct cloud_answer *a, const char *text, size_t len)
{
    struct str trimmed = str_trim((struct str){text, len});

    if (str_eq(trimmed, "[DONE]")) {
        a->ended = true;
        if (a->finish == CLOUD_RUNNING)
            a->finish = CLOUD_STOP;
        return;
    }
    json_t *root = cloud__json(text, len, &a->full);
    if (!json_is_object(root)) {
        a->malformed = !a->full;
        json_decref(root);
        return;
    }
    if (!read_error(a, root)) {
        const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
        const json_t *delta = json_object_get(choice, "delta");
        if (!json_is_object(delta)) /* a server that does not stream */
            delta = json_object_get(choice, "message");
        read_delta(a, delta);
        read_finish(a, json_string_value(json_object_get(choice, "finish_reason")));
        read_usage(a, json_object_get(root, "usage"));
    }
    json_decref(root);
}

/* The next round. */

/* Templates parse what they are given back, so that only an object may stand there. */
static void write_args(const struct cloud_tool *t, struct buf *out)
{
    json_t *args = cloud__json(buf_text(&t->args), t->args.len, &out->full);

    if (json_is_object(args))
        json_text(out, t->args.data, t->args.len, false);
    else
        buf_str(out, "\"{}\"");
    json_decref(args);
}

static void write_id(const struct cloud_tool *t, size_t i, struct buf *out)
{
    char made[24];

    snprintf(made, sizeof(made), "call_%zu", i + 1);
    if (t->id.len)
        json_text(out, t->id.data, t->id.len, false);
    else
        json_text(out, made, strlen(made), false);
}

static void write_round(const struct cloud_answer *a, const struct cloud_result *results,
                        struct buf *rounds)
{
    buf_str(rounds, ",{\"role\":\"assistant\",\"content\":");
    json_text(rounds, buf_text(&a->text), a->text.len, false);
    buf_str(rounds, ",\"tool_calls\":[");
    for (size_t i = 0; i < a->tool_count; i++) {
        const struct cloud_tool *t = &a->tools[i];
        buf_printf(rounds, "%s{\"id\":", i ? "," : "");
        write_id(t, i, rounds);
        buf_str(rounds, ",\"type\":\"function\",\"function\":{\"name\":");
        json_text(rounds, buf_text(&t->name), t->name.len, false);
        buf_str(rounds, ",\"arguments\":");
        write_args(t, rounds);
        buf_str(rounds, "}}");
    }
    buf_str(rounds, "]}");
    for (size_t i = 0; i < a->tool_count; i++) {
        buf_str(rounds, ",{\"role\":\"tool\",\"tool_call_id\":");
        write_id(&a->tools[i], i, rounds);
        buf_str(rounds, ",\"content\":");
        json_text(rounds, results[i].text, results[i].len, false);
        buf_char(rounds, '}');
    }
}

static void read_refusal(const json_t *body, struct cloud_refusal *ret)
{
    cloud__code(ret->code, sizeof(ret->code), code_of(body));
    ret->final = strcmp(ret->code, "insufficient_quota") == 0;
}

const struct cloud_codec cloud__openai = {write_tools, write_request, read_event, write_round,
                                          read_refusal};

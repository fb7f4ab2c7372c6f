#!/usr/bin/env python3
"""The vendors' own SDKs, run apart from the tests by test_minds_sdk.py: sdk_peer.py COMMAND,
with its arguments as JSON on stdin and its answer as JSON on stdout.

Types are taken at their word here: a field that the SDK does not know is a complaint, though the
SDK itself would let it pass.
"""
import collections.abc
import json
import sys
import types
import typing

import typing_extensions


# -- OpenAI: requests are TypedDicts

def complaints(value, kind, at="body"):
    """What is wrong with the value as this type, or nothing."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing_extensions.Required, typing_extensions.NotRequired, typing.Annotated,
                  typing.Required, typing.NotRequired):
        return complaints(value, args[0], at)
    if kind in (typing.Any, object):
        return []
    if origin in (typing.Union, types.UnionType):
        found = [complaints(value, a, at) for a in args]
        return [] if [] in found else min(found, key=lambda f: (len(f), -max(map(len, f))))
    if origin in (typing.Literal, typing_extensions.Literal):
        return [] if value in args else [f"{at}: {value!r} is none of {args}"]
    if typing_extensions.is_typeddict(kind):
        return dict_complaints(value, kind, at)
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
        if not isinstance(value, list):
            return [f"{at}: is no list"]
        return [c for i, v in enumerate(value) for c in complaints(v, args[0], f"{at}[{i}]")]
    if origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            return [f"{at}: is no object"]
        return [c for k, v in value.items() for c in complaints(v, args[1], f"{at}.{k}")]
    if kind in (None, type(None)):
        return [] if value is None else [f"{at}: is not null"]
    if kind is float:
        kind = (int, float)
    return [] if isinstance(value, kind) else [f"{at}: {value!r} is no {kind}"]


def dict_complaints(value, kind, at):
    if not isinstance(value, dict):
        return [f"{at}: is no object"]
    known = typing_extensions.get_type_hints(kind, include_extras=True)
    required = kind.__required_keys__ | {  # which does not see through quoted annotations
        k for k, v in known.items()
        if typing.get_origin(v) in (typing.Required, typing_extensions.Required)}
    found = [f"{at}: has no {k}" for k in required if k not in value]
    for k, v in value.items():
        found += complaints(v, known[k], f"{at}.{k}") if k in known else [f"{at}.{k}: unknown"]
    return found


def openai_requests(*bodies):
    from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
    return [complaints(body, CompletionCreateParamsStreaming) for body in bodies]


def model_complaints(make, values):
    import pydantic
    found = []
    for i, value in enumerate(values):
        try:
            made = make(value)
        except pydantic.ValidationError as e:
            found += [f"{i}: {e}"]
        else:
            found += [f"{i}: {x}" for x in extras(made)]
    return found


def extras(model, at="chunk"):
    """Fields that the SDK's models do not name but keep."""
    import pydantic
    if isinstance(model, (list, tuple)):
        return [x for i, m in enumerate(model) for x in extras(m, f"{at}[{i}]")]
    if not isinstance(model, pydantic.BaseModel):
        return []
    found = [f"{at}.{k}: unknown" for k in (model.model_extra or {})]
    for name in type(model).model_fields:
        found += extras(getattr(model, name), f"{at}.{name}")
    return found


def openai_chunks(*chunks):
    from openai.types.chat import ChatCompletionChunk
    return model_complaints(ChatCompletionChunk.model_validate, chunks)


def openai_ask(url, key, error=False):
    import openai
    client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
    answer = {"text": "", "calls": {}, "finish": None, "usage": None}
    try:
        stream = client.chat.completions.create(
            model="m1", stream=True, stream_options={"include_usage": True},
            messages=[{"role": "user", "content": "two negronis please"}])
        for chunk in stream:
            answer["usage"] = chunk.usage.model_dump() if chunk.usage else answer["usage"]
            for choice in chunk.choices:
                answer["text"] += choice.delta.content or ""
                answer["finish"] = choice.finish_reason or answer["finish"]
                for call in choice.delta.tool_calls or []:
                    name, args = answer["calls"].get(call.index, ("", ""))
                    answer["calls"][call.index] = (name + (call.function.name or ""),
                                                   args + (call.function.arguments or ""))
    except openai.APIStatusError as e:
        return {"error": type(e).__name__, "status": e.status_code, "code": e.code}
    return answer


# -- Gemini: pydantic models, that refuse what they do not know

def gemini_requests(*bodies):
    return [gemini_request(body) for body in bodies]


def gemini_request(body):
    from google.genai import types as g
    parts = {"contents": (g.Content, True), "tools": (g.Tool, True),
             "systemInstruction": (g.Content, False), "toolConfig": (g.ToolConfig, False),
             "generationConfig": (g.GenerationConfig, False),
             "safetySettings": (g.SafetySetting, True)}
    found = [f"body.{k}: unknown" for k in body if k not in parts]
    for name, (kind, many) in parts.items():
        if name in body:
            values = body[name] if many else [body[name]]
            found += [f"{name} {c}" for c in model_complaints(
                lambda v: kind.model_validate_json(json.dumps(v)), values)]
    return found


def gemini_chunks(*chunks):
    from google.genai import types as g
    return model_complaints(
        lambda v: g.GenerateContentResponse.model_validate_json(json.dumps(v)), chunks)


def gemini_client(url, key):
    from google import genai
    return genai.Client(api_key=key, http_options={"base_url": url, "api_version": "v1beta"})


def gemini_ask(url, key):
    from google.genai import errors
    answer = {"text": "", "calls": [], "finish": None, "usage": None, "signatures": 0}
    client = gemini_client(url, key)  # closes when nobody holds it
    try:
        for chunk in client.models.generate_content_stream(
                model="gemini-test", contents="two negronis please"):
            answer["usage"] = chunk.usage_metadata.total_token_count
            for candidate in chunk.candidates or []:
                answer["finish"] = candidate.finish_reason or answer["finish"]
                for part in (candidate.content.parts or []) if candidate.content else []:
                    answer["text"] += part.text or ""
                    answer["signatures"] += bool(part.thought_signature)
                    if part.function_call:
                        answer["calls"].append((part.function_call.name, part.function_call.args))
    except errors.APIError as e:
        return {"error": type(e).__name__, "status": e.code, "code": e.status}
    return answer


def gemini_models(url, key):
    from google.genai import errors
    client = gemini_client(url, key)
    try:
        return {"models": [m.name for m in client.models.list(config={"page_size": 1})]}
    except errors.APIError as e:
        return {"error": type(e).__name__, "status": e.code, "code": e.status}


if __name__ == "__main__":
    command = globals()[sys.argv[1]]
    json.dump(command(*json.load(sys.stdin)), sys.stdout, default=str)

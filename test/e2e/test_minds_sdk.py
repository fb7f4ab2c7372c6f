"""The wire against the vendors' own SDKs: what Maya asks is what their types say, and what our
scripted providers answer is what their clients take. So the providers of these tests are checked
by the SDKs, and Maya by the providers. make peers installs them."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from node import ROOT
from provider import (Provider, failure, gemini_call, gemini_calls, gemini_words, openai_calls,
                      openai_words)

SDKS = ROOT / "build/peers/python"
pytestmark = pytest.mark.skipif(
    not ((SDKS / "openai").exists() and (SDKS / "google/genai").exists()),
    reason="make peers was not run")
HERE = pathlib.Path(__file__).resolve().parent
TWO = {"item_name": "Negroni", "quantity": 2}
TWO_SAID = "two negronis please"
KEY = "AIza-a-key-that-no-log-line-may-hold"


def sdk(command, *args):
    p = subprocess.run([sys.executable, HERE / "sdk_peer.py", command], input=json.dumps(args),
                       capture_output=True, text=True, check=False,
                       env={**os.environ, "PYTHONPATH": str(SDKS), "PYTHONDONTWRITEBYTECODE": "1",
                            "GOOGLE_API_KEY": "", "NO_PROXY": "*"})
    assert p.returncode == 0, p.stderr[-3000:]
    return json.loads(p.stdout)


def chunks(*answers):
    """The JSON of their events."""
    lines = b"".join(p for a in answers for p in a.pieces).decode().split("\n")
    data = [x[6:].strip() for x in lines if x.startswith("data: ")]
    return [json.loads(x) for x in data if x != "[DONE]"]


CALLS = (("add_to_order", TWO), ("get_order", {}))
OPENAI = [openai_words("Two ", "Negronis."), openai_calls(*CALLS, first=["Hm. "])]
SIGNED = [gemini_call("add_to_order", TWO, "QUJD", "f1"), gemini_call("get_order", {})]
GEMINI = [gemini_words("Two ", "Negronis."), gemini_calls(*SIGNED, first=["Hm. "])]


def test_the_checker_finds_what_is_wrong():
    good = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    said = sdk("openai_requests", good, {**good, "max_token": 5},
               {**good, "messages": [{"role": "guest"}]}, {**good, "stream": "yes"},
               {"model": "m", "stream": True},
               {**good, "messages": [{"role": "tool", "content": "x"}]})
    assert said[0] == [] and all(said[1:]), said
    good = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    said = sdk("gemini_requests", good, {**good, "system": {}},
               {"contents": [{"parts": [{"test": "hi"}]}]},
               {"contents": [{"parts": [{"functionCall": {"arguments": {}}}]}]})
    assert said[0] == [] and all(said[1:]), said
    assert sdk("openai_chunks", {"id": "c1", "choices": []})
    assert sdk("gemini_chunks", {"candidates": [{"finish_reasons": "STOP"}]})


def conversation(n, p):
    """What Maya asked in a talk with tools in two rounds, and words."""
    n.say("good evening", "x")
    n.say(TWO_SAID, "x")
    n.say("thank you", "x")
    return [a.json() for a in p.asked]


def test_openai_requests(nodes):
    with Provider(openai_words("Good evening."), openai_calls(*CALLS, first=["Hm. "]),
                  openai_calls(("no_such_tool", "{")), otherwise=openai_words("There.")) as p:
        n = nodes({"MAYA_MIND": "openai", "MAYA_OPENAI_BASE_URL": p.url + "/v1"})
        asked = conversation(n, p)
        assert len(asked) == 5 and any(m["role"] == "tool" for m in asked[2]["messages"])
        assert sdk("openai_requests", *asked) == [[]] * 5


def test_gemini_requests(nodes):
    with Provider(gemini_words("Good evening."), gemini_calls(*SIGNED, first=["Hm. "]),
                  gemini_calls(gemini_call("no_such_tool", {})),
                  otherwise=gemini_words("There.")) as p:
        n = nodes({"MAYA_MIND": "gemini", "MAYA_GEMINI_BASE_URL": p.url, "GEMINI_API_KEY": KEY})
        asked = conversation(n, p)
        assert len(asked) == 5 and "functionResponse" in json.dumps(asked[2])
        assert sdk("gemini_requests", *asked) == [[]] * 5


def test_our_providers_chunks():
    assert sdk("openai_chunks", *chunks(*OPENAI)) == []
    assert sdk("gemini_chunks", *chunks(*GEMINI)) == []


def test_openai_client_takes_our_provider(nodes):
    limit = {"error": {"message": "slow down", "type": "requests", "param": None,
                       "code": "rate_limit_exceeded"}}
    with Provider(*OPENAI, failure(429, limit), openai_words("Yes.")) as p:
        said = sdk("openai_ask", p.url, KEY)
        assert said["text"] == "Two Negronis." and said["finish"] == "stop"
        assert said["usage"]["total_tokens"] == 32
        said = sdk("openai_ask", p.url, KEY)
        assert said["text"] == "Hm. " and said["finish"] == "tool_calls"
        assert [(n, json.loads(a)) for n, a in said["calls"].values()] == [
            (n, a) for n, a in CALLS]
        assert sdk("openai_ask", p.url, KEY) == {"error": "RateLimitError", "status": 429,
                                                 "code": "rate_limit_exceeded"}
        n = nodes({"MAYA_MIND": "openai", "MAYA_OPENAI_BASE_URL": p.url + "/v1",
                   "MAYA_OPENAI_API_KEY": KEY, "MAYA_OPENAI_MODEL": "m1"})
        n.say("good evening", "x")
        same_door(p, "authorization", "content-type")


def test_gemini_client_takes_our_provider(nodes):
    limit = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
    with Provider(*GEMINI, otherwise=failure(429, limit)) as p:
        said = sdk("gemini_ask", p.url, KEY)
        assert said["text"] == "Two Negronis." and "STOP" in said["finish"]
        assert said["usage"] == 180
        said = sdk("gemini_ask", p.url, KEY)
        assert said["calls"] == [["add_to_order", TWO], ["get_order", {}]]
        assert said["signatures"] == 1
    with Provider(otherwise=failure(403, {"error": {
            "code": 403, "message": "no", "status": "PERMISSION_DENIED"}})) as p:
        assert sdk("gemini_ask", p.url, KEY) == {"error": "ClientError", "status": 403,
                                                 "code": "PERMISSION_DENIED"}
        n = nodes({"MAYA_MIND": "gemini", "MAYA_GEMINI_BASE_URL": p.url, "GEMINI_API_KEY": KEY,
                   "MAYA_GEMINI_MODEL": "gemini-test"})
        n.say("good evening", "x")
        same_door(p, "x-goog-api-key", "content-type")


def test_a_key_is_checked_as_the_sdk_would(nodes):
    models = {"models": [{"name": "models/gemini-x"}]}
    with Provider(failure(200, models), otherwise=failure(200, models)) as p:
        assert sdk("gemini_models", p.url, KEY) == {"models": ["models/gemini-x"]}
        n = nodes({"MAYA_GEMINI_BASE_URL": p.url, "MAYA_KEY_CHECK_SECONDS": "20"})
        n.never_logged(KEY)
        reply = n.post("/api/v1/session/keys", {"gemini_key": KEY}, session="mine")
        assert reply.json()["keys"]["gemini"] == {"state": "valid"}
        same_door(p, "x-goog-api-key")


def same_door(p, *headers):
    """Maya's last request went where the SDK's first one did, with the same key."""
    theirs, ours = p.asked[0], p.asked[-1]
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    for name in headers:
        assert ours.headers[name] == theirs.headers[name], name

"""Gemini, on the Developer API and on Vertex, against scripted providers on real sockets."""
import base64
import json
import pathlib
import subprocess
import urllib.parse

import pytest

from node import until
from provider import (GEMINI_USAGE, Answer, Endless, Provider, failure, gemini_call,
                      gemini_calls, gemini_chunk, gemini_words, openai_words, sse)

KEY = "AIza-a-key-that-no-log-line-may-hold"
TWO = {"item_name": "Negroni", "quantity": 2}
TWO_SAID = "two negronis please"
MODEL = "gemini-test"


@pytest.fixture
def bar(nodes):
    def make(provider, **env):
        n = nodes({"MAYA_MIND": "auto", "MAYA_GEMINI_BASE_URL": provider.url,
                   "MAYA_GEMINI_MODEL": MODEL, "GEMINI_API_KEY": KEY, "MAYA_MIND_RETRIES": "0",
                   **{k: v for k, v in env.items() if v is not None}})
        if env.get("GEMINI_API_KEY", KEY) is None:
            n.stop()
            del n.env["GEMINI_API_KEY"]
            n.start()
        n.never_logged(KEY)
        return n

    return make


def order(reply):
    return {line["name"]: line["quantity"] for line in reply["current_order"]}


def test_words(bar):
    with Provider(gemini_words("Coming ", "up.")) as p:
        n = bar(p)
        said = n.say("good evening to you", "words")
        assert said["response_text"] == "Coming up." and said["mind"] == "gemini"
        asked = p.asked[0]
        assert asked.path == f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
        assert asked.headers["x-goog-api-key"] == KEY and "authorization" not in asked.headers
        body = asked.json()
        assert set(body) == {"systemInstruction", "contents", "tools", "toolConfig"}
        assert body["contents"] == [{"role": "user", "parts": [{"text": "good evening to you"}]}]
        declared = body["tools"][0]["functionDeclarations"]
        assert {"add_to_order", "pay_bill"} <= {d["name"] for d in declared}
        assert all(set(d) == {"name", "description", "parametersJsonSchema"} for d in declared)
        tokens = {k: n.metric("maya_mind_tokens_total", mind="gemini", kind=k)
                  for k in ("prompt", "answer", "thought")}
        assert tokens == {"prompt": 41, "answer": 22, "thought": 117}


def test_parallel_calls_and_signatures(bar):
    parts = [{"text": "Let me see.", "thoughtSignature": "VEVYVA=="},
             gemini_call("add_to_order", TWO, "QUJD", "fc1"), gemini_call("get_order", {}, id="fc2")]
    tip = gemini_call("add_tip", {"percentage": 10}, "REVG")
    with Provider(gemini_calls(*parts), gemini_calls(tip), gemini_words("All done.")) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert said["response_text"] == "Let me see. All done."
        assert order(said) == {"Negroni": 2}
        assert said["payment_summary"]["tip_amount"] == 2.2
        contents = p.asked[1].json()["contents"]
        assert contents[1] == {"role": "model", "parts": parts}  # exactly as it came
        answers = [x["functionResponse"] for x in contents[2]["parts"]]
        assert contents[2]["role"] == "user"
        assert [(x["id"], x["name"]) for x in answers] == [("fc1", "add_to_order"),
                                                            ("fc2", "get_order")]
        assert answers[0]["response"]["output"]["status"] == "ok"
        contents = p.asked[2].json()["contents"]
        assert contents[3]["parts"] == [tip]
        assert "id" not in contents[4]["parts"][0]["functionResponse"]


def test_calls_over_several_chunks(bar):
    with Provider(Answer([gemini_chunk(gemini_call("add_to_order", TWO, "QUJD")),
                          gemini_chunk(gemini_call("get_order", {})),
                          gemini_chunk({"text": "", "thoughtSignature": "RU5E"}, finish="STOP")]),
                  gemini_words("There.")) as p:
        assert order(bar(p).say(TWO_SAID, "x")) == {"Negroni": 2}
        contents = p.asked[1].json()["contents"]
        assert contents[1]["parts"][2] == {"text": "", "thoughtSignature": "RU5E"}
        assert len(contents[2]["parts"]) == 2


def test_calls_in_the_wrong_order(bar):
    """A tip before the order, and an answer before both are known: what is wrong stays undone."""
    with Provider(gemini_calls(gemini_call("pay_bill", {}), gemini_call("add_to_order", TWO),
                               first=["Paid. "]),
                  Answer([gemini_chunk({"text": ""}, finish="STOP"),
                          gemini_chunk(gemini_call("get_order", {}))]),
                  gemini_words("Two Negronis.")) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert order(said) == {"Negroni": 2}
        bill = said["payment_summary"]
        assert bill["tab_amount"] == 22 and bill["balance"] == 978  # nothing was there to pay
        answers = [x["functionResponse"]["response"]
                   for x in p.asked[1].json()["contents"][2]["parts"]]
        assert "error" in answers[0] and "output" in answers[1]


def test_history_begins_with_the_person(bar):
    with Provider(otherwise=lambda _: gemini_words("Yes.")) as p:
        n = bar(p)
        for i in range(12):
            n.say(f"sentence number {i}", "long")
        roles = [c["role"] for c in p.asked[-1].json()["contents"]]
        assert roles[0] == "user" and roles[-1] == "user" and "model" in roles


def test_split_at_every_byte(bar):
    with Provider(gemini_calls(gemini_call("add_to_order", TWO, "QUJD")).bytewise(),
                  gemini_words("Två ", "\U0001f378").bytewise()) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert said["response_text"] == "Två \U0001f378" and order(said) == {"Negroni": 2}


@pytest.mark.parametrize("end", ["cut", "reset", "whole"])
def test_cut_off_at_every_chunk(bar, end):
    first = gemini_calls(gemini_call("add_to_order", TWO, "QUJD"), first=["Well. "])
    second = gemini_words("Two ", "Negronis.")
    with Provider() as p:
        n = bar(p)
        for count in range(len(second.pieces)):
            p.then(first, second.cut(count, end))
            said = n.say(TWO_SAID, f"second-{count}")
            assert order(said) == {"Negroni": 2} and said["mind"] == "gemini"
            assert "2x Negroni" in said["response_text"]
        n.restart()
        for count in range(len(first.pieces)):
            p.then(first.cut(count, end))
            said = n.say(TWO_SAID, f"first-{count}")
            # Where it had begun to speak nobody else orders; before that the house mind does.
            assert order(said) == ({} if said["mind"] == "gemini" else {"Negroni": 2}), said
            assert said["mind_why"].startswith("gemini: ")


@pytest.mark.parametrize("answer", [
    Answer([sse({"promptFeedback": {"blockReason": "SAFETY"},
                 "usageMetadata": {"promptTokenCount": 5}}, "\r\n\r\n")]),
    Answer([gemini_chunk(finish="SAFETY", usage=GEMINI_USAGE)]),
    Answer([sse({"candidates": [{"finishReason": "PROHIBITED_CONTENT", "index": 0}]})]),
    Answer([gemini_chunk({"text": "Well, "}), gemini_chunk(finish="SAFETY")]),
])
def test_blocked(bar, answer):
    with Provider(answer) as p:
        n = bar(p)
        said = n.say("something quite improper", "x")
        assert said["mind"] == "gemini" and "does not answer this" in said["mind_why"]
        assert said["response_text"]
        assert n.metric("maya_mind_requests_total", mind="gemini", outcome="blocked") == 1


def test_max_tokens_without_content(bar):
    with Provider(Answer([sse({"candidates": [{"finishReason": "MAX_TOKENS"}]})])) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert said["mind"] == "house" and order(said) == {"Negroni": 2}


def test_botched_calls_get_one_more_try(bar):
    botched = Answer([gemini_chunk(finish="MALFORMED_FUNCTION_CALL")])
    with Provider(botched, gemini_words("There."), botched, botched, gemini_words("No.")) as p:
        n = bar(p, MAYA_MIND_RETRIES="3")
        assert n.say("good evening", "x")["response_text"] == "There."
        said = n.say(TWO_SAID, "x")
        assert said["mind"] == "house" and order(said) == {"Negroni": 2}
        assert len(p.asked) == 4


def exhausted(*details):
    return failure(429, {"error": {"code": 429, "message": "You exceeded", "status":
                                   "RESOURCE_EXHAUSTED", "details": list(details)}})


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.05s"}
DAILY = {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
         "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}


def test_quota(bar):
    with Provider(exhausted(RETRY), gemini_words("There.")) as p:
        assert bar(p, MAYA_MIND_RETRIES="2").say("good evening", "x")["mind"] == "gemini"
    with Provider(exhausted(DAILY, RETRY), gemini_words("No.")) as p:
        said = bar(p, MAYA_MIND_RETRIES="2").say("good evening", "x")
        assert said["mind_why"] == "gemini: it answers 429 RESOURCE_EXHAUSTED"
        assert len(p.asked) == 1
    with Provider(exhausted({**RETRY, "retryDelay": "90s"}), gemini_words("No.")) as p:
        n = bar(p, MAYA_MIND_RETRIES="2")
        assert n.say("good evening", "x")["mind"] == "house"
        assert n.say("good evening", "x")["mind"] == "house" and len(p.asked) == 1


def test_bad_key(bar):
    with Provider(failure(400, {"error": {
            "code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
            "details": [{"reason": "API_KEY_INVALID"}]}})) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert said["mind_why"] == "gemini: it answers 400 API_KEY_INVALID"


def test_errors_in_the_stream(bar):
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    with Provider(Answer([sse(error, "\r\n\r\n")]),
                  Answer([json.dumps([error]).encode()], content_type="application/json")) as p:
        n = bar(p)
        for _ in range(2):
            said = n.say(TWO_SAID, "x")
            assert said["mind_why"] == "gemini: it reports an error UNAVAILABLE"


def test_without_sse(bar):
    whole = [json.loads(piece[6:]) for piece in gemini_words("Not ", "a stream.").pieces]
    with Provider(Answer([json.dumps(whole).encode()], content_type="application/json")) as p:
        assert bar(p).say("good evening", "x")["response_text"] == "Not a stream."


@pytest.mark.parametrize("pieces", [
    [b"data: {\"candidates\": [\r\n\r\n"], [b"data: 17\r\n\r\n"], [],
    [gemini_chunk(*[gemini_call("get_menu", {})] * 40, finish="STOP")],
    [gemini_chunk({"functionCall": 3}, "nonsense", finish="STOP")],
])
def test_malformed(bar, pieces):
    with Provider(Answer(pieces)) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert said["mind"] == "house" and order(said) == {"Negroni": 2}


def test_endless(bar):
    with Provider(Endless(gemini_chunk({"text": "and so on, " * 50}))) as p:
        said = bar(p).say("tell me a story", "x")
        assert said["mind"] == "gemini" and len(said["response_text"]) < 80000
        until("it is let go", p.asked[0].gone.is_set)


def test_wrong_arguments(bar):
    with Provider(gemini_calls(gemini_call("add_to_order", {"item_name": "Negroni",
                                                            "quantity": "many"}),
                               gemini_call("add_to_order", [1])),
                  gemini_calls(gemini_call("add_to_order", TWO)), gemini_words("There.")) as p:
        assert order(bar(p).say(TWO_SAID, "x")) == {"Negroni": 2}
        answers = [x["functionResponse"]["response"]
                   for x in p.asked[1].json()["contents"][2]["parts"]]
        assert "a whole number" in answers[0]["error"]["message"]
        assert "not a JSON object" in answers[1]["error"]["message"]


def test_a_sessions_own_key(bar):
    own = "AIza-a-test-key-of-somebodys-own"
    with Provider(otherwise=lambda _: gemini_words("Yes.")) as p:
        n = bar(p, GEMINI_API_KEY=None)
        n.never_logged(own)
        assert n.say("good evening", "mine")["mind"] == "house"  # nobody's key
        assert n.post("/api/v1/session/keys", {"gemini_key": own}, session="mine").status == 200
        assert n.say("good evening", "mine")["mind"] == "gemini"
        assert p.asked[-1].headers["x-goog-api-key"] == own
        assert n.say("good evening", "other")["mind"] == "house"
        n.restart()
        assert n.say("good evening", "mine")["mind"] == "gemini"
        assert p.asked[-1].headers["x-goog-api-key"] == own and len(p.asked) == 2


def test_own_key_before_the_bars(bar):
    own = "AIza-a-test-key-of-somebodys-own"
    with Provider(failure(400), gemini_words("Yes.")) as p:
        n = bar(p)
        n.post("/api/v1/session/keys", {"gemini_key": own}, session="mine")
        assert n.say("good evening", "mine")["mind"] == "house"
        assert n.say("good evening", "other")["mind"] == "gemini"
        assert [a.headers["x-goog-api-key"] for a in p.asked] == [own, KEY]


def test_gemini_comes_before_openai(bar):
    with Provider(gemini_words("Gemini.")) as p, Provider(otherwise=openai_words("No.")) as other:
        n = bar(p, MAYA_OPENAI_BASE_URL=other.url)
        assert n.say("good evening", "x")["mind"] == "gemini"
        n.restart(MAYA_MIND="openai")
        assert n.say("good evening", "x")["mind"] == "openai"


# -- Vertex

VERTEX = {"GEMINI_API_KEY": None, "GCP_PROJECT": "a-bar", "GCP_LOCATION": "europe-west1"}


def test_vertex_with_a_token(bar):
    token = "ya29.a-token-that-no-log-line-may-hold"
    with Provider(gemini_words("Yes.")) as p:
        n = bar(p, **VERTEX, MAYA_VERTEX_TOKEN=token)
        n.never_logged(token)
        assert n.say("good evening", "x")["mind"] == "gemini"
        assert p.asked[0].path == ("/v1/projects/a-bar/locations/europe-west1/publishers/google/"
                                   f"models/{MODEL}:streamGenerateContent?alt=sse")
        assert p.asked[0].headers["authorization"] == f"Bearer {token}"


def test_own_key_beside_vertex(bar):
    own = "a-key-of-somebodys-own"
    with Provider(gemini_words("Yes.")) as p:
        n = bar(p, **VERTEX, MAYA_VERTEX_TOKEN="t" * 20)
        n.post("/api/v1/session/keys", {"gemini_key": own}, session="mine")
        assert n.say("good evening", "mine")["mind"] == "gemini"
        assert p.asked[0].path.startswith("/v1beta/models/")
        assert p.asked[0].headers["x-goog-api-key"] == own
        assert "authorization" not in p.asked[0].headers


def token_answer(token, seconds=3600):
    return failure(200, {"access_token": token, "expires_in": seconds, "token_type": "Bearer"})


def test_vertex_with_the_metadata_server(bar):
    with Provider(token_answer("one"), token_answer("two")) as meta, \
            Provider(gemini_words("Yes."), gemini_words("Yes."), failure(401),
                     gemini_words("Again.")) as p:
        n = bar(p, **VERTEX, GCE_METADATA_HOST=f"127.0.0.1:{meta.port}")
        n.say("good evening", "x")
        n.say("good evening", "x")
        assert len(meta.asked) == 1 and meta.asked[0].headers["metadata-flavor"] == "Google"
        assert n.say("good evening", "x")["response_text"] == "Again."  # after a new token
        assert [a.headers["authorization"] for a in p.asked] == [
            "Bearer one"] * 3 + ["Bearer two"]


def test_vertex_with_a_service_account(bar, tmp_path):
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "key.pem", "2048"], check=True,
                   capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", tmp_path / "key.pem", "-pubout", "-out",
                    tmp_path / "pub.pem"], check=True, capture_output=True)
    with Provider(token_answer("one")) as oauth, Provider(gemini_words("Yes.")) as p:
        account = {"type": "service_account", "client_email": "maya@a-bar", "token_uri":
                   oauth.url + "/token", "private_key_id": "k1",
                   "private_key": (tmp_path / "key.pem").read_text()}
        (tmp_path / "account.json").write_text(json.dumps(account))
        n = bar(p, **VERTEX, GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "account.json"))
        assert n.say("good evening", "x")["mind"] == "gemini"
        assert p.asked[0].headers["authorization"] == "Bearer one"
        form = urllib.parse.parse_qs(oauth.asked[0].body.decode())
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        assert verified(form["assertion"][0], tmp_path) == {
            "iss": "maya@a-bar", "aud": account["token_uri"],
            "scope": "https://www.googleapis.com/auth/cloud-platform"}


def verified(jwt, folder):
    """Its claims but the times, once openssl has checked the signature."""
    head, claims, signature = jwt.split(".")
    decode = lambda s: base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))  # noqa: E731
    assert json.loads(decode(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    (folder / "text").write_text(f"{head}.{claims}")
    (folder / "signature").write_bytes(decode(signature))
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", folder / "pub.pem", "-signature",
                    folder / "signature", folder / "text"], check=True, capture_output=True)
    claims = json.loads(decode(claims))
    assert claims.pop("exp") - claims.pop("iat") == 3600
    return claims


@pytest.mark.parametrize("text, said", [
    (None, "cannot be read"), ("[]", "not a JSON object"), ("{\"type\": \"robot\"}", "robot"),
    ("{\"type\": \"service_account\", \"private_key\": \"x\"}", "PEM"),
])
def test_vertex_with_a_wrong_account(bar, tmp_path, text, said):
    path = pathlib.Path(tmp_path / "account.json")
    if text:
        path.write_text(text)
    with Provider() as p:
        n = bar(p, **VERTEX, GOOGLE_APPLICATION_CREDENTIALS=str(path))
        reply = n.say(TWO_SAID, "x")
        assert reply["mind"] == "house" and order(reply) == {"Negroni": 2}
        assert reply["mind_why"] == "gemini: there is no token for it"
        assert said in n.log()


def test_vertex_with_a_user(bar, tmp_path):
    with Provider(token_answer("one")) as oauth, Provider(gemini_words("Yes.")) as p:
        (tmp_path / "a.json").write_text(json.dumps({
            "type": "authorized_user", "client_id": "me", "client_secret": "s&p",
            "refresh_token": "1//r", "token_uri": oauth.url}))
        n = bar(p, **VERTEX, GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "a.json"))
        assert n.say("good evening", "x")["mind"] == "gemini"
        assert urllib.parse.parse_qs(oauth.asked[0].body.decode()) == {
            "grant_type": ["refresh_token"], "client_id": ["me"], "client_secret": ["s&p"],
            "refresh_token": ["1//r"]}


def test_vertex_without_tokens(bar):
    with Provider(failure(503)) as meta, Provider() as p:
        n = bar(p, **VERTEX, GCE_METADATA_HOST=f"127.0.0.1:{meta.port}")
        said = n.say(TWO_SAID, "x")
        assert said["mind_why"] == "gemini: there is no token for it" and p.asked == []
        assert order(said) == {"Negroni": 2}

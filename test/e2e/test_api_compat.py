"""What clients of the predecessor rely on, field for field, below /api/v1 and /api alike."""
import json
import re

import pytest

ID = re.compile(r"^sess_[A-Za-z0-9_-]{16}$")
CODE = re.compile(r"^[a-z_]+$")
KEY = "test-gemini-key-000000000000000000000"


@pytest.fixture(params=["/api/v1", "/api"])
def api(request, node):
    """A client of one of the two prefixes: api("GET", "/session/status", ...)."""
    def ask(method, path, body=None, **more):
        return node.request(method, request.param + path, body=body, **more)
    ask.prefix = request.param
    return ask


def refused(reply, status, detail, code=None):
    assert reply.status == status, reply
    body = reply.json()
    assert body["detail"] == detail
    assert CODE.match(body["code"])
    if code:
        assert body["code"] == code
    assert reply.headers["content-type"].startswith("application/json")


def invalid(reply, kind, loc, msg, **more):
    """A 422 with one entry of the shape that clients of the predecessor parse."""
    assert reply.status == 422, reply
    body = reply.json()
    assert body["code"] == "validation_error"
    assert len(body["detail"]) == 1, body
    entry = body["detail"][0]
    assert entry["type"] == kind
    assert entry["loc"][:len(loc)] == loc
    assert entry["msg"] == msg
    for name, value in more.items():
        assert entry[name] == value


# -- session


def test_status_of_a_new_person(api):
    reply = api("GET", "/session/status")
    assert reply.status == 200
    assert list(reply.json()) == ["session_id", "has_valid_keys", "is_active"]
    assert ID.match(reply.json()["session_id"])
    assert reply.session == reply.json()["session_id"]
    assert reply.json()["has_valid_keys"] is False
    assert reply.json()["is_active"] is True


def test_two_new_people_are_two(api):
    assert api("GET", "/session/status").session != api("GET", "/session/status").session


def test_an_id_of_ones_own_is_kept_and_trimmed(api):
    reply = api("GET", "/session/status", session="  test-123 ")
    assert reply.json() == {"session_id": "test-123", "has_valid_keys": False, "is_active": True}
    assert reply.session == "test-123"


def test_a_blank_id_is_none(api):
    assert ID.match(api("GET", "/session/status", session="   ").session)


@pytest.mark.parametrize("bad", ["x" * 129, "a b", "a/b", "../../etc/passwd", "semi;colon", "é"])
def test_what_does_not_look_like_an_id(api, bad):
    reply = api("GET", "/session/status", headers={"X-Session-ID": bad.encode("utf-8")})
    assert reply.status == 400
    assert reply.json()["code"] == "invalid_session_id"


def test_json_is_compact_and_not_escaped(api):
    reply = api("GET", "/session/status", session="compact-1")
    assert reply.body == b'{"session_id":"compact-1","has_valid_keys":false,"is_active":true}'


def test_keys(api):
    reply = api("POST", "/session/keys", {"gemini_key": KEY, "cartesia_key": None},
                session="keys-1")
    assert reply.status == 200
    assert reply.body.startswith(
        b'{"status":"success","session_id":"keys-1","has_valid_keys":true,"keys":{')
    assert api("GET", "/session/status", session="keys-1").json()["has_valid_keys"] is True


@pytest.mark.parametrize("body", [{}, {"gemini_key": None}, {"gemini_key": "  "},
                                  {"cartesia_key": "only"}])
def test_keys_without_a_gemini_key(api, body):
    refused(api("POST", "/session/keys", body, session="keys-2"), 400,
            "Gemini API key is required.", "api_key_required")


def test_keys_of_another_type(api):
    invalid(api("POST", "/session/keys", {"gemini_key": 5}, session="keys-3"), "string_type",
            ["body", "gemini_key"], "Input should be a valid string", input=5)


def test_reset_forgets_everything_but_the_id(api):
    sid = "reset-" + api.prefix.strip("/").replace("/", "-")
    api("POST", "/session/keys", {"gemini_key": KEY}, session=sid)
    api("POST", "/chat", {"user_input": "Two martinis please"}, session=sid)
    reply = api("POST", "/session/reset", session=sid)
    assert reply.body == b'{"status":"success","session_id":"%s"}' % sid.encode()
    assert api("GET", "/session/status", session=sid).json()["has_valid_keys"] is False
    assert api("GET", "/payments/tab", session=sid).json()["tab_amount"] == 0
    after = api("POST", "/chat", {"user_input": "hello there"}, session=sid).json()
    assert [m["role"] for m in after["history"]] == ["user", "assistant"]
    assert after["current_order"] == []


# -- tab and tip


def test_tab_of_somebody_new(api):
    reply = api("GET", "/payments/tab")
    assert reply.body == (b'{"tab_amount":0.0,"balance":1000.0,"tip_percentage":null,'
                          b'"tip_amount":0.0,"status":"pending"}')
    assert ID.match(reply.session)


def test_tip_follows_the_tab(api):
    sid = "tip-" + api.prefix.strip("/").replace("/", "-")
    api("POST", "/session/reset", session=sid)
    api("POST", "/chat", {"user_input": "two martinis please"}, session=sid)
    reply = api("POST", "/payments/tip", {"tip_percentage": 20}, session=sid)
    assert reply.body == (b'{"tab_amount":26.0,"balance":974.0,"tip_percentage":20,'
                          b'"tip_amount":5.2,"status":"pending"}')
    api("POST", "/chat", {"user_input": "and an IPA"}, session=sid)
    tab = api("GET", "/payments/tab", session=sid).json()
    assert (tab["tab_amount"], tab["tip_percentage"], tab["tip_amount"]) == (32.0, 20, 6.4)
    tab = api("POST", "/payments/tip", {"tip_amount": 7.5}, session=sid).json()
    assert (tab["tip_percentage"], tab["tip_amount"]) == (None, 7.5)


@pytest.mark.parametrize("body", [{}, {"tip_percentage": None, "tip_amount": None}])
def test_tip_of_nothing_changes_nothing(api, body):
    sid = "tip-none"
    api("POST", "/payments/tip", {"tip_percentage": 15}, session=sid)
    before = api("GET", "/payments/tab", session=sid).body
    assert api("POST", "/payments/tip", body, session=sid).body == before


def test_both_tips(api):
    refused(api("POST", "/payments/tip", {"tip_percentage": 10, "tip_amount": 5}), 400,
            "Provide either tip_percentage or tip_amount, not both.", "invalid_tip")


@pytest.mark.parametrize("percentage", [25, 0, -10, 100, 2 ** 40])
def test_other_percentages(api, percentage):
    refused(api("POST", "/payments/tip", {"tip_percentage": percentage}), 400,
            "Tip percentage must be 10, 15, or 20", "invalid_tip")


def test_negative_tip(api):
    invalid(api("POST", "/payments/tip", {"tip_amount": -5}), "greater_than_equal",
            ["body", "tip_amount"], "Input should be greater than or equal to 0",
            input=-5.0, ctx={"ge": 0.0})


def test_numbers_may_come_as_text(api):
    sid = "tip-text"
    api("POST", "/session/reset", session=sid)
    api("POST", "/chat", {"user_input": "a martini please"}, session=sid)
    tab = api("POST", "/payments/tip", {"tip_percentage": "15"}, session=sid).json()
    assert tab["tip_percentage"] == 15
    assert api("POST", "/payments/tip", {"tip_amount": "3.25"},
               session=sid).json()["tip_amount"] == 3.25


def test_a_percentage_with_a_fraction(api):
    reply = api("POST", "/payments/tip", {"tip_percentage": 15.5})
    assert reply.status == 422
    assert reply.json()["detail"][0]["type"] == "int_from_float"


# -- chat


def test_chat(api):
    sid = "chat-" + api.prefix.strip("/").replace("/", "-")
    api("POST", "/session/reset", session=sid)
    reply = api("POST", "/chat", {"user_input": "two dry martinis please", "streaming": False,
                                  "avatar_path": "x.jpg", "unknown": [1]}, session=sid)
    assert reply.status == 200
    assert reply.session == sid
    body = reply.json()
    assert list(body) == ["response_text", "history", "current_order", "audio_base64",
                          "payment_summary", "quota_error_html",
                          "mind"]  # ours, behind what the predecessor's clients know
    assert body["response_text"]
    assert body["history"] == [{"role": "user", "content": "two dry martinis please"},
                               {"role": "assistant", "content": body["response_text"]}]
    assert body["current_order"] == [{"name": "Martini", "price": 26.0, "modifiers": "dry",
                                      "quantity": 2}]
    assert list(body["current_order"][0]) == ["name", "price", "modifiers", "quantity"]
    assert body["payment_summary"] == {"tab_amount": 26.0, "balance": 974.0,
                                       "tip_percentage": None, "tip_amount": 0.0}
    assert body["audio_base64"] is None and body["quota_error_html"] is None
    assert b'"price":26.0' in reply.body and b'"balance":974.0' in reply.body


def test_chat_without_modifiers(api):
    order = api("POST", "/chat", {"user_input": "an ipa please"}).json()["current_order"]
    assert order == [{"name": "IPA", "price": 6.0, "modifiers": "no modifiers", "quantity": 1}]


def test_chat_needs_no_keys(api):
    assert api("POST", "/chat", {"user_input": "hello there"}).status == 200


def test_chat_without_words(api):
    sid = "wordless"
    reply = api("POST", "/chat", {"user_input": ""}, session=sid)
    assert reply.status == 200
    assert reply.json()["response_text"] == "Please tell me what you'd like to order."
    assert reply.json()["history"] == []


def test_unicode_comes_back_as_it_went(api):
    said = "naïve café 🍸 – “one” 日本"
    reply = api("POST", "/chat", {"user_input": said})
    assert reply.json()["history"][0]["content"] == said
    assert said.encode() in reply.body


def test_chat_without_user_input(api):
    invalid(api("POST", "/chat", {}), "missing", ["body", "user_input"], "Field required",
            input={})


def test_chat_with_a_number(api):
    invalid(api("POST", "/chat", {"user_input": 5}), "string_type", ["body", "user_input"],
            "Input should be a valid string", input=5)


def test_empty_body(api):
    invalid(api("POST", "/chat", ""), "missing", ["body"], "Field required", input=None)


def test_body_that_is_no_json(api):
    invalid(api("POST", "/chat", '{"user_input": ', headers={"Content-Type": "application/json"}),
            "json_invalid", ["body"], "JSON decode error", input={})


def test_body_of_another_content_type(api):
    invalid(api("POST", "/chat", '{"user_input":"hi"}', headers={"Content-Type": "text/plain"}),
            "model_attributes_type", ["body"],
            "Input should be a valid dictionary or object to extract fields from",
            input='{"user_input":"hi"}')


def test_body_that_is_a_list(api):
    invalid(api("POST", "/chat", [1]), "model_attributes_type", ["body"],
            "Input should be a valid dictionary or object to extract fields from", input=[1])


# -- stream


@pytest.mark.parametrize("ask", [
    {"method": "POST", "body": {"message": "two martinis please"}},
    {"method": "POST", "body": {"user_input": "two martinis please"}},
    {"method": "POST", "body": {"message": "two martinis please", "user_input": "no"}},
    {"method": "POST", "query": {"message": "two martinis please"}},
    {"method": "POST", "body": "not json", "query": {"user_input": "two martinis please"}},
    {"method": "GET", "query": {"message": "two martinis please", "user_input": "no"}},
    {"method": "GET", "query": {"user_input": "two martinis please"}},
])
def test_stream_takes_the_message_from(node, api, ask):
    with node.stream(path=api.prefix + "/chat/stream", **ask) as s:
        assert s.status == 200
        assert s.headers["content-type"] == "text/event-stream; charset=utf-8"
        sid = s.headers["x-session-id"]
        node.never_logged(sid)
        events = [e.json() for e in s]
    assert [e["type"] for e in events][0] == "session"
    assert events[0] == {"type": "session", "session_id": sid}
    assert events[-1]["type"] == "complete"
    assert node.tab(sid)["tab_amount"] == 26.0


def test_stream_session_from_header_before_query(node, api):
    with node.stream("hello there", session="in-header", query={"session_id": "in-query"},
                     path=api.prefix + "/chat/stream") as s:
        assert next(iter(s)).json()["session_id"] == "in-header"
    with node.stream(method="GET", query={"session_id": "in-query", "message": "hi"},
                     path=api.prefix + "/chat/stream") as s:
        assert next(iter(s)).json()["session_id"] == "in-query"


@pytest.mark.parametrize("body", [None, {}, {"message": ""}, {"message": "  "}])
def test_stream_without_words(api, body):
    refused(api("POST", "/chat/stream", body), 400,
            "Message parameter or body payload is required for streaming.")


def test_stream_of_a_number_is_no_server_error(api):
    assert api("POST", "/chat/stream", {"message": 5}).status in (400, 422)


def test_viseme_is_the_last_letter(node, api):
    shapes = {"a": "a", "h": "a", "e": "e", "i": "e", "y": "e", "o": "o", "u": "o", "w": "o"}
    with node.stream("what do you have on the menu?", path=api.prefix + "/chat/stream") as s:
        for e in (e.json() for e in s):
            content = e.get("content", "").strip()
            if not content:
                continue
            last = content[-1].lower()
            want = "mouth_closed" if last in "mbp" else "mouth_talk_" + shapes.get(last, "a")
            assert e["viseme"] == want, e


# -- errors of every route


@pytest.mark.parametrize("method, path, allow", [
    ("POST", "/session/status", "GET"), ("GET", "/session/keys", "POST"),
    ("DELETE", "/session/reset", "POST"), ("PUT", "/payments/tab", "GET"),
    ("GET", "/payments/tip", "POST"), ("GET", "/chat", "POST"), ("PATCH", "/chat", "POST"),
])
def test_wrong_method(api, method, path, allow):
    reply = api(method, path)
    refused(reply, 405, "Method Not Allowed", "method_not_allowed")
    assert allow in [m.strip() for m in reply.headers["allow"].split(",")]


@pytest.mark.parametrize("path", ["/nothing", "/session", "/chat/", "/chat/stream/x", "/session/status/"])
def test_unknown_path(api, path):
    refused(api("GET", path), 404, "Not Found", "not_found")


def test_ready_made_description(node):
    reply = node.get("/openapi.json")
    assert reply.status == 200
    described = reply.json()
    assert described["openapi"].startswith("3.")
    for path, method in (("/api/v1/chat", "post"), ("/api/v1/chat/stream", "get"),
                         ("/api/v1/session/status", "get"), ("/api/v1/session/keys", "post"),
                         ("/api/v1/session/reset", "post"), ("/api/v1/payments/tab", "get"),
                         ("/api/v1/payments/tip", "post"), ("/healthz", "get"),
                         ("/metrics", "get")):
        assert method in described["paths"][path], path
    json.dumps(described)


def test_cors_preflight(node):
    reply = node.request("OPTIONS", "/api/v1/chat", headers={
        "Origin": "https://bar.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-session-id"})
    assert reply.status in (200, 204)
    assert reply.headers["access-control-allow-origin"] in ("*", "https://bar.example")
    assert "POST" in reply.headers["access-control-allow-methods"]


def test_a_page_of_another_origin_may_read_its_session(node):
    reply = node.get("/api/v1/session/status", headers={"Origin": "https://bar.example"})
    assert reply.headers["access-control-allow-origin"] in ("*", "https://bar.example")
    exposed = reply.headers.get("access-control-expose-headers", "").lower()
    assert "x-session-id" in exposed

"""The minds that are asked over the network, against scripted providers on real sockets."""
import json
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from certs import PAST, certificate
from node import PATIENCE_S, until
from provider import (Answer, Endless, Provider, failure, openai_calls, openai_delta,
                      openai_usage, openai_words, sse)

KEY = "sk-a-key-that-no-log-line-may-hold"
TWO = ("add_to_order", {"item_name": "Negroni", "quantity": 2})
TWO_SAID = "two negronis please"


@pytest.fixture
def bar(nodes):
    """bar(provider, ...) starts a Maya that asks it."""

    def make(provider, **env):
        url = provider if isinstance(provider, str) else provider.url + "/v1"
        n = nodes({"MAYA_MIND": "auto", "MAYA_OPENAI_BASE_URL": url, "MAYA_OPENAI_MODEL": "m1",
                   "MAYA_OPENAI_API_KEY": KEY, "MAYA_MIND_RETRIES": "0",
                   "MAYA_MIND_CONNECT_SECONDS": "25", **env})
        n.never_logged(KEY)
        return n

    return make


def order(reply):
    return {line["name"]: line["quantity"] for line in reply["current_order"]}


def test_words(bar):
    with Provider(openai_words("Coming ", "right", " up.")) as p:
        n = bar(p)
        said = n.say("good evening to you", "words")
        assert said["response_text"] == "Coming right up."
        assert said["mind"] == "openai" and "mind_why" not in said
        asked = p.asked[0]
        assert asked.path == "/v1/chat/completions"
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        body = asked.json()
        assert body["model"] == "m1" and body["stream"] is True
        system, user = body["messages"]
        assert system["role"] == "system" and "Negroni $11.00" in system["content"]
        assert user == {"role": "user", "content": "good evening to you"}
        assert {t["function"]["name"] for t in body["tools"]} >= {"add_to_order", "pay_bill"}
        assert n.metric("maya_mind_requests_total", mind="openai", outcome="ok") == 1
        assert n.metric("maya_mind_tokens_total", mind="openai", kind="prompt") == 20
        assert n.metric("maya_mind_tokens_total", mind="openai", kind="answer") == 12
        assert n.metric("maya_mind_first_word_seconds_count", mind="openai") == 1
        assert n.metric("maya_mind_answers_total", mind="openai") == 1


def test_the_conversation_goes_along(bar):
    with Provider(openai_words("Hello."), openai_calls(TWO), openai_words("Poured."),
                  openai_words("Indeed.")) as p:
        n = bar(p)
        n.say("a first sentence", "talk")
        n.say(TWO_SAID, "talk")
        n.say("and a third one", "talk")
        body = p.asked[3].json()
        assert [m["content"] for m in body["messages"][1:]] == [
            "a first sentence", "Hello.", TWO_SAID, "Poured.", "and a third one"]
        assert "2 x Negroni $22.00" in body["messages"][0]["content"]
        # Kept alive; the second is for the round that began before the first answer's last byte.
        assert p.connections <= 2


def test_no_round_waits_for_the_last_byte(bar):
    ended = threading.Event()
    held = openai_calls(TWO)
    held.pieces.append(lambda: ended.wait(PATIENCE_S) and b"")
    with Provider(held, openai_words("Poured."), openai_words("Indeed.")) as p:
        n = bar(p)
        said = n.say(TWO_SAID, "talk")
        assert said["response_text"] == "Poured." and order(said) == {"Negroni": 2}
        assert p.connections == 2
        ended.set()
        assert n.say("and a second one", "talk")["response_text"] == "Indeed."
        assert p.connections == 2


def test_stream_of_events(bar):
    with Provider(openai_words("One. ", "Two.")) as p:
        n = bar(p)
        with n.stream("good evening to you", "events") as s:
            events = [e.json() for e in s]
        assert [e["type"] for e in events][0] == "session"
        assert "".join(e["content"] for e in events if e["type"] == "text_chunk") == "One. Two."
        assert events[-1]["type"] == "complete" and events[-1]["mind"] == "openai"


def test_tools_in_parallel_and_in_rounds(bar):
    with Provider(openai_calls(TWO, ("get_order", {}), first=["Let me see."]),
                  openai_calls(("add_tip", {"percentage": 10})),
                  openai_words("Two Negronis", " and a tip.")) as p:
        n = bar(p)
        said = n.say(TWO_SAID, "rounds")
        assert said["response_text"] == "Let me see. Two Negronis and a tip."
        assert order(said) == {"Negroni": 2}
        assert said["payment_summary"]["tip_amount"] == 2.2
        second = p.asked[1].json()["messages"]
        assert second[2]["content"] == "Let me see."
        calls = second[2]["tool_calls"]
        assert [c["function"]["name"] for c in calls] == ["add_to_order", "get_order"]
        assert json.loads(calls[0]["function"]["arguments"]) == TWO[1]
        for call, result in zip(calls, second[3:5], strict=True):
            assert result["role"] == "tool" and result["tool_call_id"] == call["id"]
            assert json.loads(result["content"])["status"] == "ok"
        assert len(p.asked[2].json()["messages"]) == 7
        assert n.metric("maya_tool_calls_total", tool="add_to_order", outcome="ok") == 1


def test_split_at_every_byte(bar):
    with Provider(openai_calls(TWO, first=["Så, "]).bytewise(),
                  openai_words("två Negroni ", "\U0001f378.").bytewise()) as p:
        said = bar(p).say(TWO_SAID, "bytes")
        assert said["response_text"] == "Så, två Negroni \U0001f378."
        assert order(said) == {"Negroni": 2} and said["mind"] == "openai"


@pytest.mark.parametrize("end", ["cut", "reset", "whole"])
def test_cut_off_at_every_chunk(bar, end):
    """Whatever was lost: two Negronis, once, and a reply."""
    first, second = openai_calls(TWO), openai_words("Two ", "Negronis.")
    with Provider() as p:
        n = bar(p, MAYA_MIND_FIRST_SECONDS="20")
        for count in range(len(first.pieces)):
            p.then(first.cut(count, end), second)
            said = n.say(TWO_SAID, f"first-{count}")
            assert order(said) == {"Negroni": 2}, (count, said)
            whole = end == "whole" and count == len(first.pieces) - 1  # no [DONE], but finished
            assert said["mind"] == ("openai" if whole else "house"), (count, said)
            assert ("mind_why" in said) != whole
            while not p.answers.empty():
                p.answers.get()
            if count % 4 == 3:  # before the breaker opens
                n.restart()
        n.restart()
        for count in range(len(second.pieces)):
            p.then(first, second.cut(count, end))
            said = n.say(TWO_SAID, f"second-{count}")
            assert order(said) == {"Negroni": 2}, (count, said)
            assert said["mind"] == "openai"
            if "mind_why" in said:
                assert "2x Negroni" in said["response_text"] and "$22.00" in said["response_text"]
            if count % 4 == 3:
                n.restart()


def test_cut_off_after_a_word(bar):
    with Provider(openai_words("Once upon ", "a time", " there was").cut(3)) as p:
        said = bar(p).say("tell me a story", "story")
        assert said["response_text"].startswith("Once upon a time ")
        assert said["mind"] == "openai" and said["mind_why"].startswith("openai: ")
        assert said["current_order"] == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_asked_again(bar, status):
    with Provider(failure(status), openai_words("There.")) as p:
        n = bar(p, MAYA_MIND_RETRIES="1")
        said = n.say("good evening to you", "again")
        assert said["response_text"] == "There." and said["mind"] == "openai"
        assert len(p.asked) == 2
        assert n.metric("maya_mind_retries_total", mind="openai") == 1


def test_asked_again_when_it_broke_off(bar):
    with Provider(Answer(end="reset"), openai_words("x").cut(1), openai_words("There.")) as p:
        assert bar(p, MAYA_MIND_RETRIES="2").say("good evening", "x")["mind"] == "openai"


def test_429_with_its_own_delay(bar):
    with Provider(failure(429, headers={"retry-after-ms": "40"}), openai_words("There.")) as p:
        assert bar(p, MAYA_MIND_RETRIES="1").say("good evening", "x")["mind"] == "openai"
    # Nobody waits a minute in silence, and nobody asks before it is over.
    with Provider(failure(429, headers={"Retry-After": "60"}), openai_words("Too early.")) as p:
        n = bar(p, MAYA_MIND_RETRIES="2")
        said = n.say(TWO_SAID, "x")
        assert said["mind"] == "house" and said["mind_why"] == "openai: it answers 429"
        assert order(said) == {"Negroni": 2}
        assert n.say("good evening", "x")["mind"] == "house"
        assert len(p.asked) == 1
        assert n.metric("maya_mind_breaker_state", mind="openai") == 2


def http_date(ahead_s, form):
    """RFC 9110, 5.6.7: the form to write, and the two old ones that must be read."""
    at = datetime.now(timezone.utc) + timedelta(seconds=ahead_s)
    return at.strftime({"fixed": "%a, %d %b %Y %H:%M:%S GMT", "rfc850": "%A, %d-%b-%y %H:%M:%S GMT",
                        "asctime": "%a %b %d %H:%M:%S %Y"}[form])


@pytest.mark.parametrize("form", ["fixed", "rfc850", "asctime"])
def test_429_with_a_date(bar, form):
    headers = {"Retry-After": http_date(600, form)}
    with Provider(failure(429, headers=headers), openai_words("Too early.")) as p:
        n = bar(p, MAYA_MIND_RETRIES="2")
        assert [n.say("good evening", "x")["mind"] for _ in range(2)] == ["house"] * 2
        assert len(p.asked) == 1 and n.metric("maya_mind_breaker_state", mind="openai") == 2


@pytest.mark.parametrize("value", [
    http_date(-600, "fixed"), "Thu, 32 Foo 2026 99:99:99 GMT", "Soon", "Thu, 01 Jan 9999 00:00:00 GMT",
    "-5", "1e300", "A" * 5000, "", "\x01"],
    ids=["over", "no-date", "no-word", "far", "negative", "huge", "long", "empty", "control"])
def test_429_with_no_use_of_a_delay(bar, value):
    """A date that is over, or none at all, is no delay: it is asked again after the own pause."""
    with Provider(failure(429, headers={"Retry-After": value}), openai_words("There.")) as p:
        assert bar(p, MAYA_MIND_RETRIES="1").say("good evening", "x")["mind"] == "openai"


@pytest.mark.parametrize("answer, why", [
    (failure(400, {"error": {"message": "no", "type": "invalid_request_error",
                             "code": "model_not_found"}}), "it answers 400 model_not_found"),
    (failure(401, {"error": {"code": 401, "message": f"bad key {KEY}",
                             "type": "authentication_error"}}),
     "it answers 401 authentication_error"),
    (failure(429, {"error": {"message": "pay", "code": "insufficient_quota"}}),
     "it answers 429 insufficient_quota"),
    (failure(422, {"detail": [{"msg": "x"}]}), "it answers 422"),
    (failure(404, b"<html>nothing here</html>"), "it answers 404"),
])
def test_not_asked_again(bar, answer, why):
    with Provider(answer, openai_words("No.")) as p:
        n = bar(p, MAYA_MIND_RETRIES="2")
        said = n.say(TWO_SAID, "x")
        assert said["mind"] == "house" and said["mind_why"] == f"openai: {why}"
        assert order(said) == {"Negroni": 2}
        assert len(p.asked) == 1
        assert n.metric("maya_mind_fallbacks_total") == 1


def test_errors_inside_the_stream(bar):
    inside = sse({"error": {"code": 400, "message": "context", "type": "exceed_context"}})
    with Provider(Answer([inside, sse("[DONE]")])) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert said["mind_why"] == "openai: it reports an error exceed_context"
        assert order(said) == {"Negroni": 2}
    with Provider(Answer([b'error: {"code":500,"message":"x","type":"server_error"}\n\n'])) as p:
        assert "server_error" in bar(p).say("good evening", "x")["mind_why"]
    with Provider(Answer([openai_delta({"content": "So I"}), inside])) as p:
        said = bar(p).say("good evening", "x")
        assert said["mind"] == "openai" and said["response_text"].startswith("So I ")


@pytest.mark.parametrize("pieces", [
    [b"data: {\"choices\": [{\"delta\": {\"content\": \n\n"],
    [b"data: nonsense\n\n"],
    [b"data: []\n\n"],
    [b"data: \xff\xfe\n\n"],
    [openai_delta({"tool_calls": [{"index": 99, "function": {"name": "get_menu"}}]})],
    [openai_delta({"tool_calls": [{"index": -1, "function": {"name": "get_menu"}}]})],
    [sse("[DONE]")],
    [openai_delta(finish="stop"), sse("[DONE]")],
    [b"<html>a login page</html>"],
    [],
])
def test_malformed(bar, pieces):
    with Provider(Answer(pieces)) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert said["mind"] == "house" and said["mind_why"].startswith("openai: ")
        assert order(said) == {"Negroni": 2}


@pytest.mark.parametrize("answer", [
    Endless(openai_delta({"content": "and so on, " * 20}), [openai_delta({"content": "Well,"})]),
    Endless(openai_delta({"reasoning_content": "hm " * 1000}), []),
    Endless(b": still here\n" * 2000, []),
    Endless(b"x" * 20000, []),
])
def test_endless(bar, answer):
    with Provider(answer) as p:
        n = bar(p)
        said = n.say("tell me a story", "endless")
        assert len(said["response_text"]) < 80000
        assert said["mind_why"].startswith("openai: ")
        until("it is let go", lambda: p.asked[0].gone.is_set())


def test_tool_calls_in_the_wrong_order(bar):
    pieces = [
        openai_delta({"tool_calls": [{"index": 1, "function": {"arguments": "{\"percentage\":"}}]}),
        openai_delta({"tool_calls": [{"index": 0, "id": "a", "function": {
            "name": "add_to_order", "arguments": "{\"item_name\":\"Negroni\","}}]}),
        openai_delta({"tool_calls": [{"index": 1, "id": "b", "function": {
            "name": "add_tip", "arguments": "10}"}}]}),
        openai_delta({"tool_calls": [{"index": 0, "id": "a", "function": {
            "name": "add_to_order", "arguments": "\"quantity\":2}"}}]}),
        openai_delta(finish="stop"), sse("[DONE]")]
    with Provider(Answer(pieces), openai_words("Done.")) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert order(said) == {"Negroni": 2}
        assert said["payment_summary"]["tip_amount"] == 2.2


def test_whole_calls_and_one_chunk_answers(bar):
    """Ollama sends a call whole; some send everything at once; some do not stream at all."""
    whole = Answer([sse({"choices": [{"index": 0, "delta": {
        "role": "assistant", "content": "", "tool_calls": [
            {"id": "call_x", "index": 0, "type": "function", "function": {
                "name": TWO[0], "arguments": json.dumps(TWO[1])}}]},
        "finish_reason": "tool_calls"}]}), sse("[DONE]")])
    once = Answer([sse({"choices": [{"index": 0, "delta": {
        "role": "assistant", "content": "All at once."}, "finish_reason": "stop"}]})])
    plain = failure(200, {"choices": [{"index": 0, "message": {
        "role": "assistant", "content": "Not a stream."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    with Provider(whole, once, plain) as p:
        n = bar(p)
        said = n.say(TWO_SAID, "x")
        assert order(said) == {"Negroni": 2} and said["response_text"] == "All at once."
        assert n.say("good evening", "x")["response_text"] == "Not a stream."


def test_wrong_arguments_go_back_in_words(bar):
    with Provider(openai_calls(("add_to_order", "{\"item_name\": \"Negr"),
                               ("add_to_order", {"item_name": "Negroni", "quantity": 0}),
                               ("pour", {}), ("add_to_order", "[1]")),
                  openai_calls(TWO), openai_words("There.")) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert order(said) == {"Negroni": 2} and said["mind"] == "openai"
        sent = p.asked[1].json()["messages"]
        results = [json.loads(m["content"]) for m in sent if m["role"] == "tool"]
        assert [r["status"] for r in results] == ["error"] * 4
        assert "not a JSON object" in results[0]["message"]
        assert "no tool 'pour'" in results[2]["message"]
        # What comes back to a template is always an object.
        for call in sent[2]["tool_calls"]:
            assert isinstance(json.loads(call["function"]["arguments"]), dict)


def test_rounds_have_a_bound(bar):
    with Provider(otherwise=openai_calls(("get_menu", {}))) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert len(p.asked) == 8
        assert [a.json()["tool_choice"] for a in p.asked] == ["auto"] * 7 + ["none"]
        assert said["mind"] == "house" and order(said) == {"Negroni": 2}


def test_nothing_said_after_a_tool(bar):
    with Provider(openai_calls(TWO), openai_words()) as p:
        said = bar(p).say(TWO_SAID, "x")
        assert order(said) == {"Negroni": 2} and "2x Negroni" in said["response_text"]


def test_thoughts_are_not_spoken(bar):
    with Provider(Answer([
            openai_delta({"reasoning_content": "They want a drink."}),
            openai_delta({"reasoning": "Surely."}),
            openai_delta({"content": "<th"}), openai_delta({"content": "ink>deep</thi"}),
            openai_delta({"content": "nk>\n\nCheers"}), openai_delta({"content": " <"}),
            openai_delta({"content": "3"}), openai_delta(finish="stop"), sse("[DONE]")])) as p:
        assert bar(p).say("good evening", "x")["response_text"] == "Cheers <3"


def test_content_filter(bar):
    with Provider(openai_words(finish="content_filter")) as p:
        said = bar(p).say("something quite improper", "x")
        assert said["mind"] == "openai" and "does not answer this" in said["mind_why"]
        assert said["response_text"]


# One deadline at a time: what is to come before it may come late.
BEGINS_LATE = {"MAYA_MIND_FIRST_SECONDS": "0.2", "MAYA_MIND_SILENCE_SECONDS": "25"}
FALLS_SILENT = {"MAYA_MIND_FIRST_SECONDS": "25", "MAYA_MIND_SILENCE_SECONDS": "0.2"}


def test_deadlines(bar):
    with Provider(Answer(end="hang"), Answer([openai_delta({"content": "Well"})], end="hang")) as p:
        n = bar(p, **BEGINS_LATE)
        said = n.say(TWO_SAID, "x")
        assert said["mind_why"] == "openai: it took too long" and order(said) == {"Negroni": 2}
        assert n.metric("maya_mind_requests_total", mind="openai", outcome="timeout") == 1
        p.wait_for(1)  # it may come to that only now
        n.restart(**FALLS_SILENT)
        assert n.say("good evening", "x")["response_text"].startswith("Well ")
        assert n.metric("maya_mind_requests_total", mind="openai", outcome="timeout") == 1
    assert "said nothing for 0.2 s" in n.log() and "fell silent for 0.2 s" in n.log()


def ping():
    time.sleep(0.02)  # the provider's pace
    return b": ping\n\n"


def test_comments_are_no_words(bar):
    with Provider(Endless(ping), Endless(ping, [openai_delta({"content": "Well"})])) as p:
        n = bar(p, **BEGINS_LATE)
        said = n.say(TWO_SAID, "x")
        assert said["mind_why"] == "openai: it took too long" and order(said) == {"Negroni": 2}
        p.wait_for(1)  # it may come to that only now
        n.restart(**FALLS_SILENT)
        assert n.say("good evening", "x")["response_text"].startswith("Well ")


def test_a_turn_has_an_end(bar):
    def word():
        time.sleep(0.02)
        return openai_delta({"content": "and "})

    wordless = Endless(lambda: time.sleep(0.02) or openai_delta())
    with Provider(wordless, otherwise=Endless(word)) as p:
        n = bar(p, MAYA_MIND_TURN_SECONDS="0.4")

        def story():
            """None where the provider came to say less than two words in its time."""
            said = n.say("tell me a story", "x")
            assert "mind_why" in said
            return said if said["response_text"].startswith("and and ") else None

        said = n.say(TWO_SAID, "x")
        assert order(said) == {"Negroni": 2} and said["mind"] == "house"
        assert said["mind_why"] == "openai: it took too long"
        said = until("a story", story)
        assert said["mind"] == "openai" and said["mind_why"] == "openai: it took too long"


def test_the_server_says_whether_to_try_again(bar):
    with Provider(failure(400, headers={"x-should-retry": "true"}), openai_words("There."),
                  failure(500, headers={"x-should-retry": "false"}), openai_words("No.")) as p:
        n = bar(p, MAYA_MIND_RETRIES="1")
        assert n.say("good evening", "x")["mind"] == "openai"
        assert n.say("good evening", "x")["mind"] == "house" and len(p.asked) == 3


def test_proxies(bar):
    with Provider(openai_words("Direct."), openai_words("Through.")) as p:
        dead = "http://127.0.0.1:9"
        n = bar(p, http_proxy=dead, HTTP_PROXY=dead, ALL_PROXY=dead)
        assert n.say("good evening", "x")["response_text"] == "Direct."
        n.restart(MAYA_PROXY=p.url, MAYA_OPENAI_BASE_URL="http://nobody.invalid/v1")
        assert n.say("good evening", "x")["response_text"] == "Through."
        assert p.asked[1].path == "http://nobody.invalid/v1/chat/completions"


def test_nobody_there(bar):
    n = bar("http://127.0.0.1:9/v1")
    said = n.say(TWO_SAID, "x")
    assert said["mind_why"] == "openai: it cannot be reached" and order(said) == {"Negroni": 2}
    n = bar("http://nobody.invalid/v1")
    assert n.say(TWO_SAID, "x")["mind"] == "house"
    assert "the name of nobody.invalid is not known" in n.log()


def test_left_alone_after_failures(bar):
    with Provider(otherwise=failure(500)) as p:
        n = bar(p)
        for i in range(5):
            assert n.metric("maya_mind_breaker_opened_total", mind="openai") == 0
            assert n.say("good evening", f"s{i}")["mind"] == "house"
        assert len(p.asked) == 5
        assert n.metric("maya_mind_breaker_opened_total", mind="openai") == 1

        def left_alone():
            """It is tried again after five seconds, then after ten: this may come too late."""
            before = len(p.asked)
            assert n.say("good evening", "late")["mind"] == "house"
            state = n.metric("maya_mind_breaker_state", mind="openai")
            return state == 2 and len(p.asked) == before

        until("nobody asks it", left_alone)
        assert n.metric("maya_mind_requests_total", mind="openai", outcome="skipped") >= 1


def test_client_gone_ends_the_providers_stream(bar):
    with Provider(Answer([openai_delta({"content": "Once "})], end="hang"),
                  openai_words("Yes?")) as p:
        n = bar(p)
        s = n.stream("tell me a story", "gone")
        for event in s:
            if event.json()["type"] == "text_chunk":
                break
        s.leave()
        until("the provider's connection is closed", p.asked[0].gone.is_set)
        assert n.say("good evening", "gone")["history"] == [
            {"role": "user", "content": "good evening"},
            {"role": "assistant", "content": "Yes?"}]
        assert n.metric("maya_mind_requests_total", mind="openai", outcome="stopped") == 1


def test_client_gone_after_a_tool_undoes_it(bar):
    with Provider(openai_calls(TWO), Answer(end="hang"), openai_words("Yes?")) as p:
        n = bar(p)
        s = n.stream(TWO_SAID, "gone")
        p.wait_for(2)
        s.leave()
        until("it is undone", lambda: n.metric("maya_turns_total", outcome="stopped") == 1)
        assert order(n.say("good evening", "gone")) == {}


def test_house_and_provider_share_a_conversation(bar):
    with Provider(openai_calls(TWO), openai_words("Poured."), failure(500), failure(500),
                  openai_words("As you say.")) as p:
        n = bar(p)
        assert n.say(TWO_SAID, "mid")["mind"] == "openai"
        said = n.say("and a martini", "mid")
        assert said["mind"] == "house" and order(said) == {"Negroni": 2, "Martini": 1}
        assert n.say("what is on my tab", "mid")["mind"] == "house"
        assert n.say("thank you", "mid")["mind"] == "openai"
        assert "1 x Martini" in p.asked[-1].json()["messages"][0]["content"]


def test_the_same_answer_twice(bar):
    with Provider(failure(500)) as p:
        n = bar(p)
        key = {"Idempotency-Key": "one"}
        first = n.chat(TWO_SAID, "twice", headers=key).json()
        again = n.chat(TWO_SAID, "twice", headers=key).json()
        assert first == again and first["mind"] == "house" and first["mind_why"]
        assert len(p.asked) == 1


def test_who_gave_an_older_reply(bar):
    """Each reply keeps its mind, over a restart: for streams that come back, and for watchers."""
    with Provider(openai_words("One."), failure(500), openai_words("Three.")) as p:
        n = bar(p)
        minds = [n.say(f"good evening {i}", "x")["mind"] for i in range(3)]
        assert minds == ["openai", "house", "openai"]
        n.restart()
        for turn, mind in enumerate(minds, 1):
            with n.stream(f"good evening {turn - 1}", "x",
                          headers={"Last-Event-ID": f"{turn}-0-0"}) as s:
                last = [e.json() for e in s][-1]
            assert last["type"] == "complete" and last["mind"] == mind
        with n.stream(session="x", method="GET", path="/api/v1/session/events",
                      headers={"Last-Event-ID": "0"}) as s:
            events = (e.json() for e in s)
            told = [next(e for e in events if e["type"] == "turn") for _ in minds]
        assert [t["mind"] for t in told] == minds
        assert len(p.asked) == 3


def test_house_only(bar):
    with Provider(otherwise=openai_words("Never.")) as p:
        n = bar(p, MAYA_MIND="house")
        assert n.say(TWO_SAID, "x")["mind"] == "house"
        assert p.asked == []
        maps = open(f"/proc/{n.pid}/maps").read()
        assert "libcurl" not in maps


def test_nothing_configured(nodes):
    n = nodes({"MAYA_MIND": "auto"})
    said = n.say(TWO_SAID, "x")
    assert said["mind"] == "house" and "mind_why" not in said
    assert "libcurl" not in open(f"/proc/{n.pid}/maps").read()


def test_small_budget_falls_back(bar):
    with Provider(otherwise=openai_words("Never.")) as p:
        n = bar(p, MAYA_DEFAULT_SESSION_MEMORY_MB="0.03125")
        said = n.say(TWO_SAID, "small")
        assert said["mind"] == "house" and "memory budget" in said["mind_why"]
        assert order(said) == {"Negroni": 2}


@pytest.mark.parametrize("kib", range(36, 100, 4))
def test_any_budget(bar, kib):
    """Where a request, its answer or a tool's does not fit, the house mind answers."""
    def answer(asked):
        done = asked.json()["messages"][-1]["role"] == "tool"
        return openai_words("Two ", "Negronis.") if done else openai_calls(TWO)

    with Provider(otherwise=answer) as p:
        n = bar(p, MAYA_DEFAULT_SESSION_MEMORY_MB=str(kib / 1024))
        for i in (1, 2):
            said = n.say(TWO_SAID, "small")
            assert order(said) == {"Negroni": 2 * i} and said["response_text"]
        assert said["mind"] == "openai" or "memory budget" in said["mind_why"]


def test_tls(bar, tmp_path):
    path, context = certificate(tmp_path / "tls")
    with Provider(openai_words("Safe."), openai_words("Still."), tls=context) as p:
        n = bar(p, MAYA_CA_FILE=str(path))
        assert n.say("good evening", "x")["response_text"] == "Safe."
        assert n.say("good evening", "x")["response_text"] == "Still."
        assert p.connections == 1


@pytest.mark.parametrize("mind", ["openai", "gemini"])
@pytest.mark.parametrize("how", [{}, {"name": "DNS:elsewhere.example"}, {"ends": PAST}],
                         ids=["self-signed", "wrong-host", "expired"])
def test_certificate_that_does_not_verify(bar, tmp_path, how, mind):
    """Where it is trusted, only the name or the date is wrong."""
    path, context = certificate(tmp_path / "tls", **how)
    with Provider(otherwise=openai_words("Never."), tls=context) as p:
        n = bar(p, MAYA_MIND=mind, MAYA_GEMINI_BASE_URL=p.url, GEMINI_API_KEY="x" * 20,
                MAYA_MIND_RETRIES="2", **({"MAYA_CA_FILE": str(path)} if how else {}))
        said = n.say(TWO_SAID, "x")
        assert said["mind"] == "house"
        assert said["mind_why"] == f"{mind}: its certificate does not verify"
        assert order(said) == {"Negroni": 2}
        assert p.asked == []  # no key went there
        assert n.metric("maya_mind_requests_total", mind=mind, outcome="unreachable") == 1
    assert "does not verify" in n.log()


def test_many_at_once(bar):
    with Provider(otherwise=lambda _: openai_words("Coming ", "up ", "now.")) as p:
        n = bar(p, MAYA_SESSIONS_PER_CONTAINER="60", MAYA_DEFAULT_SESSION_MEMORY_MB="1")
        streams = [n.stream("good evening", f"many-{i}") for i in range(50)]
        for s in streams:
            events = [e.json() for e in s]
            assert events[-1]["full_response"] == "Coming up now."
            s.__exit__()


def test_usage_details(bar):
    usage = openai_usage(100, 50, prompt_tokens_details={"cached_tokens": 60},
                         completion_tokens_details={"reasoning_tokens": 30})
    with Provider(Answer([openai_delta({"content": "Hm."}), openai_delta(finish="stop"), usage,
                          sse("[DONE]")])) as p:
        n = bar(p)
        n.say("good evening", "x")
        tokens = {k: n.metric("maya_mind_tokens_total", mind="openai", kind=k)
                  for k in ("prompt", "cached", "answer", "thought")}
        assert tokens == {"prompt": 100, "cached": 60, "answer": 20, "thought": 30}


@pytest.mark.parametrize("folds, kept", [
    (openai_words("Ana may not eat", " peanuts."), "Ana may not eat peanuts."),
    (failure(500), "The guest said:\nHello, my name is Ana."),
    (openai_calls(TWO), "The guest said:\nHello, my name is Ana."),
    (openai_words("Half of a sum").cut(2), "The guest said:\nHello, my name is Ana."),
], ids=["by the mind", "it fails", "it calls a tool", "it breaks off"])
def test_folds(bar, folds, kept):
    """A long conversation is folded by who thinks; and by rule when that comes to nothing."""
    def answer(asked):
        last = asked.json()["messages"][-1]["content"]
        return folds if last.startswith("Do not answer the conversation above") else openai_words("Yes.")

    with Provider(otherwise=answer) as p:
        n = bar(p, MAYA_DEFAULT_SESSION_MEMORY_MB="0.25")
        n.say("Hello, my name is Ana.", "folding-session")
        for i in range(16):
            n.say(f"What do you think of number {i}? " * 150, "folding-session")
        body = n.get("/api/v1/session/history", session="folding-session").json()
        assert body["folded"] > 0 and body["folded"] + len(body["history"]) == 34
        assert body["summary"].startswith(kept), body["summary"]
        assert body["current_order"] == []
        asked = [a.json() for a in p.asked]
        last = asked[-1]["messages"]
        assert kept.split("\n")[-1] in last[0]["content"]  # and is told of what was folded
        by = "mind" if kept.startswith("Ana") else "rule"
        assert n.metric("maya_sessions_folded_total", by=by) >= 1

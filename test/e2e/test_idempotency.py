"""The same Idempotency-Key: the same answer, and nothing ordered twice."""
import concurrent.futures

import pytest

KEY = {"Idempotency-Key": "8b9c7a3e-0001"}


def test_a_repeat_gets_the_first_answer(node):
    sid = "repeat-00000001"
    first = node.chat("two martinis please", sid, headers=KEY)
    again = node.chat("two martinis please", sid, headers=KEY)
    assert first.status == again.status == 200
    assert again.body == first.body
    assert node.tab(sid)["tab_amount"] == 26.0


def test_a_repeat_after_other_turns(node):
    sid = "repeat-00000002"
    first = node.chat("two martinis please", sid, headers=KEY)
    node.say("an ipa please", sid)
    again = node.chat("two martinis please", sid, headers=KEY)
    assert again.json()["response_text"] == first.json()["response_text"]
    assert again.json()["current_order"] == first.json()["current_order"]
    assert node.tab(sid)["tab_amount"] == 32.0


def test_another_key_is_another_turn(node):
    sid = "repeat-00000003"
    for n in range(3):
        node.say("an ipa please", sid, headers={"Idempotency-Key": f"key-{n}"})
    assert node.tab(sid)["tab_amount"] == 18.0


def test_a_key_belongs_to_its_session(node):
    node.say("an ipa please", "repeat-00000004", headers=KEY)
    node.say("two martinis please", "repeat-00000005", headers=KEY)
    assert node.tab("repeat-00000004")["tab_amount"] == 6.0
    assert node.tab("repeat-00000005")["tab_amount"] == 26.0


def test_a_key_with_another_message(node):
    sid = "repeat-00000006"
    node.say("an ipa please", sid, headers=KEY)
    reply = node.chat("ten martinis please", sid, headers=KEY)
    assert reply.status == 422
    assert reply.json()["code"] == "idempotency_key_reused"
    assert node.tab(sid)["tab_amount"] == 6.0


@pytest.mark.parametrize("round_", range(5))
def test_repeats_at_the_same_time(node, round_):
    sid = f"repeat-at-once-{round_}"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: node.chat("two martinis please", sid, headers=KEY),
                                range(4)))
    bodies = {r.body for r in replies if r.status == 200}
    assert len(bodies) == 1, replies
    assert all(r.status in (200, 409, 429) for r in replies)
    assert node.tab(sid)["tab_amount"] == 26.0


def test_a_repeat_over_a_restart(nodes):
    node = nodes()
    first = node.chat("two martinis please", "repeat-00000007", headers=KEY)
    node.kill()
    node.start()
    again = node.chat("two martinis please", "repeat-00000007", headers=KEY)
    assert again.body == first.body
    assert node.tab("repeat-00000007")["tab_amount"] == 26.0


def test_a_repeat_as_a_stream(node):
    sid = "repeat-00000008"
    with node.stream("two martinis please", sid, headers=KEY) as s:
        first = [e.json() for e in s]
    with node.stream("two martinis please", sid, headers=KEY) as s:
        again = [e.json() for e in s]
    assert first[-1]["type"] == again[-1]["type"] == "complete"
    assert again[-1]["full_response"] == first[-1]["full_response"]
    assert node.tab(sid)["tab_amount"] == 26.0


@pytest.mark.parametrize("key", ["x" * 300, "bad\x01key"])
def test_keys_that_are_no_keys(node, key):
    reply = node.chat("an ipa please", "repeat-00000009", headers={"Idempotency-Key": key})
    assert reply.status in (400, 422)
    assert node.tab("repeat-00000009")["tab_amount"] == 0

"""How many sessions there may be, how big one may be, and that they outlive the process."""
import concurrent.futures
import json
import re
import sqlite3
import threading

import pytest

from node import until


def rejected(node, reason="session_limit"):
    return node.metric("maya_sessions_rejected_total", reason=reason)


def open_many(node, count, name="guest"):
    """One turn of each of `count` new sessions, several at a time."""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda i: node.chat("good evening to you", f"{name}-{i:03}-session"),
                             range(count)))


def refused(reply):
    assert reply.status == 503, reply
    assert reply.json()["detail"] == "Session limit reached"
    assert reply.json()["code"] == "session_limit"
    assert int(reply.headers["retry-after"]) > 0


def test_the_fifty_first_is_told_so(nodes):
    node = nodes()
    assert [r.status for r in open_many(node, 50)] == [200] * 50
    assert node.metric("maya_active_sessions") == 50
    assert node.metric("maya_session_utilization") == 1
    refused(node.chat("one more", "late-guest-0001"))
    assert rejected(node) == 1
    # In a stream too, and before any event.
    with node.stream("one more", session="late-guest-0002") as s:
        assert s.status == 503
        assert s.headers["retry-after"]
    assert rejected(node) == 2
    # Who is inside does not notice.
    assert node.chat("still here", "guest-007-session").status == 200
    assert rejected(node) == 2
    assert node.get("/healthz").status == 200


def test_after_expiry_there_is_room(nodes):
    node = nodes({"MAYA_SESSION_EXPIRY_SECONDS": "4", "MAYA_CLEANUP_INTERVAL_SECONDS": "1",
                  "MAYA_SESSIONS_PER_CONTAINER": "10"})
    refused(until("nobody has left before the last one comes", lambda: one_too_many(node)))
    until("room for one more", lambda: node.chat("me now?", "late-guest-0001").status == 200)
    assert node.metric("maya_sessions_expired_total") >= 1
    until("all others gone", lambda: node.metric("maya_active_sessions") <= 1)
    assert node.metric("maya_sessions_expired_total") >= 10


def one_too_many(node):
    """What the eleventh is answered; None when it found the bar empty, or a place: that the first
    one had left, since coming took longer than a session lasts."""
    until("an empty bar", lambda: node.metric("maya_active_sessions") == 0)
    assert [r.status for r in open_many(node, 10)] == [200] * 10
    reply = node.chat("one more", "late-guest-0001")
    return None if reply.status == 200 else reply


def test_an_expired_session_starts_anew(nodes):
    node = nodes({"MAYA_SESSION_EXPIRY_SECONDS": "1", "MAYA_CLEANUP_INTERVAL_SECONDS": "1"})
    node.say("two martinis please", "short-lived-0001")
    until("its end", lambda: node.metric("maya_sessions_expired_total") == 1)
    assert node.tab("short-lived-0001")["tab_amount"] == 0
    assert len(node.say("hello again", "short-lived-0001")["history"]) == 2


def test_a_look_is_no_use(nodes):
    """Status and tab of ids nobody talked with neither fill the bar nor make rows."""
    node = nodes({"MAYA_SESSIONS_PER_CONTAINER": "3"})
    for i in range(20):
        assert node.get("/api/v1/session/status", session=f"looker-{i:08}").status == 200
        assert node.tab(f"looker-{i:08}")["balance"] == 1000.0
    assert node.metric("maya_active_sessions") == 0
    assert node.metric("maya_sessions_created_total") == 0
    assert node.chat("hello", "somebody-real-1").status == 200


SMALL = {"MAYA_DEFAULT_SESSION_MEMORY_MB": "0.0625"}


def test_over_budget(nodes):
    node = nodes(SMALL)
    budget = 65536
    node.say("two martinis please", "hungry-0000001")
    node.say("an ipa please", "neighbour-00001")
    reply = node.chat("a martini " * 20000, "hungry-0000001")
    assert reply.status == 413, reply
    assert reply.json()["code"] == "session_memory_exceeded"
    assert reply.json()["detail"]
    assert node.metric("maya_sessions_over_budget_total") == 1
    # The refused turn left nothing, the session goes on, and nobody else noticed.
    assert node.tab("hungry-0000001")["tab_amount"] == 26.0
    after = node.say("and an ipa please", "hungry-0000001")
    assert after["payment_summary"]["tab_amount"] == 32.0
    assert [m["content"] for m in after["history"] if m["role"] == "user"] == \
        ["two martinis please", "and an ipa please"]
    assert node.tab("neighbour-00001")["tab_amount"] == 6.0
    assert node.metric("maya_sessions_memory_bytes") <= 2 * budget
    assert node.metric("maya_sessions_reserved_bytes") == 2 * budget


def test_over_budget_in_a_stream(nodes):
    node = nodes(SMALL)
    with node.stream("a martini " * 20000, session="hungry-0000002") as s:
        assert s.status == 413
    assert node.say("hello there", "hungry-0000002")["current_order"] == []


def test_a_budget_holds_under_many_turns(nodes):
    """A long evening in a small budget: old words are let go, the order is not."""
    node = nodes(SMALL)
    node.say("two martinis please", "talker-00000001")
    for i in range(120):
        said = f"turn {i}: tell me something about the weather, and the sea, and " + "so on " * 60
        reply = node.chat(said, "talker-00000001")
        assert reply.status == 200, (i, reply)
        assert node.metric("maya_sessions_memory_bytes") <= 65536
    after = node.say("what did I order?", "talker-00000001")
    assert after["current_order"][0]["quantity"] == 2
    assert after["payment_summary"]["tab_amount"] == 26.0
    assert len(after["history"]) < 200


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_session_outlives_its_process(nodes, how):
    node = nodes()
    sid = node.get("/api/v1/session/status").session
    node.post("/api/v1/session/keys", {"gemini_key": "test-key-kept-over-a-restart"}, session=sid)
    before = node.say("two dry martinis please", sid)
    node.post("/api/v1/payments/tip", {"tip_percentage": 20}, session=sid)
    tab = node.tab(sid)
    getattr(node, how)()
    node.start()
    assert node.tab(sid) == tab
    assert node.get("/api/v1/session/status", session=sid).json()["has_valid_keys"] is True
    after = node.say("and an ipa please", sid)
    assert after["history"][:2] == before["history"]
    assert after["current_order"][0] == before["current_order"][0]
    assert after["payment_summary"]["tip_amount"] == 6.4
    assert node.metric("maya_sessions_woken_total") == 1
    assert node.metric("maya_sessions_created_total") == 0


def test_what_is_stored_is_sealed(nodes):
    node = nodes()
    sid = node.say("hello there", "sealed-session-1") and "sealed-session-1"
    node.say("a very particular sentence about kingfishers", sid)
    node.stop()
    stored = b"".join(p.read_bytes() for p in node.data.rglob("*") if p.is_file())
    assert b"kingfishers" not in stored
    keys = [p for p in node.data.rglob("*") if "key" in p.name and p.is_file()]
    assert keys and all(p.stat().st_mode & 0o777 == 0o600 for p in keys)


def test_another_key_opens_nothing(nodes):
    node = nodes({"MAYA_MASTER_KEY": "a passphrase of the first evening"})
    node.say("two martinis please", "locked-session-1")
    node.stop()
    node.env["MAYA_MASTER_KEY"] = "another passphrase altogether"
    node.unsaid |= {"a passphrase of the first evening", "another passphrase altogether"}
    try:
        node.start()
    except AssertionError:
        assert re.search(r"MAYA_MASTER_KEY|master key", node.log())
        return
    reply = node.chat("hello there", "locked-session-1")
    assert reply.status in (500, 503), reply
    assert reply.json()["code"] == "session_unreadable"
    assert node.chat("hello there", "another-session-1").status == 200


def test_a_lost_key_is_told_at_the_start(nodes):
    node = nodes()
    node.say("two martinis please", "locked-session-2")
    node.stop()
    (key,) = node.data.glob("master.key")
    kept = key.read_bytes()
    key.unlink()
    node.start()
    assert re.search(r"warning seal +key_lost sessions=1 ", node.log())
    assert node.chat("hello", "locked-session-2").json()["code"] == "session_unreadable"
    assert re.search(r"warning api +failed code=session_unreadable session=locked-s\S+ error=",
                     node.log())
    node.stop()
    key.write_bytes(kept)
    node.start()
    assert node.tab("locked-session-2")["tab_amount"] == 26


def test_the_store_is_whole_after_a_stop(nodes):
    node = nodes()
    open_many(node, 20)
    node.stop()
    files = stores(node)
    assert files
    for f in files:
        with sqlite3.connect(f) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def stores(node):
    return [p for p in node.data.rglob("*") if p.is_file()
            and p.read_bytes()[:15] == b"SQLite format 3"]


def test_two_messages_at_once_are_answered_in_turn(nodes):
    node = nodes()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(node.chat, "an ipa please", "impatient-00001") for _ in range(4)]
        replies = [j.result() for j in jobs]
    done = [r for r in replies if r.status == 200]
    assert all(r.status in (200, 429) for r in replies), replies
    assert node.tab("impatient-00001")["tab_amount"] == 6.0 * len(done)
    lengths = sorted(len(r.json()["history"]) for r in done)
    assert lengths == [2 * (i + 1) for i in range(len(done))]


def test_a_sleeper_wakes(nodes):
    """Idle sessions leave memory; whoever comes back notices nothing."""
    node = nodes({"MAYA_SESSION_HIBERNATE_SECONDS": "1"})
    node.say("two negronis please", "sleeper-0000001")
    until("all asleep", lambda: node.metric("maya_active_sessions") == 0)
    assert node.metric("maya_sessions_hibernated_total", reason="idle") == 1
    assert node.metric("maya_sessions_memory_bytes") == 0
    assert node.metric("maya_stored_sessions") == 1
    assert node.say("and one more", "sleeper-0000001")["current_order"][0]["quantity"] == 3
    assert node.metric("maya_sessions_woken_total") == 1


def test_room_is_made_for_those_who_talk(nodes):
    """More people than places, but not all at once: nobody is turned away."""
    node = nodes({"MAYA_SESSIONS_PER_CONTAINER": "3", "MAYA_SESSION_HIBERNATE_SECONDS": "1"})
    for i in range(12):
        reply = node.chat("an ipa please", f"guest-{i:08}")
        if reply.status == 503:  # everybody in there spoke within this second
            until("a place is free", lambda: node.metric("maya_active_sessions") < 3)
            reply = node.chat("an ipa please", f"guest-{i:08}")
        assert reply.status == 200
    for i in range(12):
        until("a place is free", lambda: node.metric("maya_active_sessions") < 3)
        assert node.tab(f"guest-{i:08}")["tab_amount"] == 6.0


def test_what_takes_long_lets_others_come_first(nodes):
    """Two large messages on one connection, one behind the other: both are answered, in order,
    and between them the connection rested."""
    node = nodes({"MAYA_MAX_BODY_BYTES": "4194304", "MAYA_DEFAULT_SESSION_MEMORY_MB": "32",
                  "MAYA_SESSIONS_PER_CONTAINER": "4"})
    assert node.metric("maya_http_rests_total") == 0

    def large(word):
        body = json.dumps({"user_input": f"{word} " * 200000}).encode()
        return (b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nX-Session-ID: large-session-01\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
    asked = (large("olives") + large("lemons")
             + b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    s = node.raw()
    # It reads while it asks: an answer that nobody takes would keep the next question out.
    sender = threading.Thread(target=s.sendall, args=(asked,))
    sender.start()
    data = b""
    while piece := s.recv(1 << 20):
        data += piece
    sender.join()
    s.close()
    answers = data.count(b"HTTP/1.1 ")
    assert answers == 3 and data.count(b"HTTP/1.1 200 ") == 3, data[:300]
    assert data.rindex(b'"status":"ready"') > data.index(b"lemons") > data.index(b"olives")
    assert node.metric("maya_http_rests_total") >= 2

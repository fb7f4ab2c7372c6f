"""Streams of /session/events: they outlive sleep, wake, expiry and slow readers, and end with
the container."""
import contextlib
import socket

import pytest

from node import PATIENCE_S, until

PATH = "/api/v1/session/events"


class Watcher:
    """An open stream of session events; next() gives the next event."""

    def __init__(self, node, session, last=None, query=False):
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        more = {"query": {"session_id": session}} if query else {"session": session}
        self.stream = node.stream(method="GET", path=PATH, headers=headers, **more)
        self.status = self.stream.status
        self.events = iter(self.stream)
        if self.status == 200:
            first = self.next("session")
            assert first["session_id"] == session

    def next(self, kind=None):
        self.event = next(self.events)
        told = self.event.json()
        assert kind is None or told["type"] == kind, told
        return told

    def rest(self):
        return [e for e in self.events if e.data]

    def close(self):
        self.stream.__exit__()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def streams(node):
    return node.metric("maya_http_streams")


def asleep(node):
    return node.metric("maya_active_sessions") == 0


def test_two_watch_what_a_third_does(node):
    sid = "watched-by-two-1"
    node.say("hello there, my friend", sid)
    with Watcher(node, sid) as one, Watcher(node, sid, query=True) as two:
        said = node.say("two dry martinis please", sid)
        with node.stream("an ipa please, if you can", sid) as s:
            ended = list(s)[-1].json()
        for w in one, two:
            told = w.next("turn")
            assert w.event.id == "2" and told["turn"] == 2 and told["session_id"] == sid
            assert told["user_input"] == "two dry martinis please"
            assert told["full_response"] == said["response_text"]
            assert told["current_order"] == said["current_order"]
            assert told["payment_summary"] == said["payment_summary"]
            assert told["mind"] == said["mind"] == "house"
            told = w.next("turn")
            assert w.event.id == "3"
            for name in "full_response", "current_order", "payment_summary":
                assert told[name] == ended[name]
        node.post("/api/v1/payments/tip", {"tip_percentage": 20}, session=sid)
        key = "AIzaSyA-very-secret-key-0123456789"
        node.never_logged(key)
        node.post("/api/v1/session/keys", {"gemini_key": key}, session=sid)
        node.post("/api/v1/session/reset", session=sid)
        for w in one, two:
            told = w.next("changed")
            assert told["change"] == "tip" and told["payment_summary"]["tip_percentage"] == 20
            told = w.next("changed")
            assert told["change"] == "keys" and told["has_valid_keys"] is True
            assert key not in w.event.data
            told = w.next("changed")
            assert told["change"] == "reset" and told["current_order"] == []


def test_a_turn_whose_client_left(node):
    """The committed ones are told though nobody waited; what was undone is not."""
    sid = "watched-leavers-1"
    with Watcher(node, sid) as w:
        for i in range(5):
            node.stream("an ipa please, if you can", sid).leave()
        node.say("what do I owe you, please?", sid)
        told = []
        while not told or told[-1]["user_input"] != "what do I owe you, please?":
            told.append(w.next("turn"))
        assert [t["turn"] for t in told] == list(range(1, len(told) + 1))
        assert told[-1]["payment_summary"] == node.get(
            "/api/v1/session/history", session=sid).json()["payment_summary"]


def test_nothing_is_made(node):
    """Watching an unknown session makes none; without an id a new one is told."""
    rows = node.metric("maya_stored_sessions")
    resident = node.metric("maya_active_sessions")
    with Watcher(node, "never-heard-of-1"):
        assert node.metric("maya_stored_sessions") == rows
        assert node.metric("maya_active_sessions") == resident
    with node.stream(method="GET", path=PATH) as s:
        first = next(iter(s)).json()
        assert first["session_id"] == s.headers["X-Session-ID"]
    reply = node.request("HEAD", PATH, session="never-heard-of-1")
    assert reply.status == 405 and reply.headers["Allow"] == "GET"


def test_asleep_and_awake(nodes):
    node = nodes({"MAYA_SESSION_HIBERNATE_SECONDS": "1"})
    sid = "sleeping-watched-1"
    with Watcher(node, sid) as w:
        for turn in range(1, 4):
            node.say("an ipa please, if you can", sid)
            assert w.next("turn")["turn"] == turn
            until("its sleep", lambda: asleep(node))
            assert streams(node) == 1
        # Who comes back while it sleeps does not wake it.
        with Watcher(node, sid, last=2) as again:
            again.next("reload")
            assert asleep(node)
        assert node.metric("maya_sessions_woken_total") == 2


@pytest.mark.parametrize("hibernate_s", ["1", "300"])
def test_expiry(nodes, hibernate_s):
    """Told of a session in memory and of one that sleeps, to who saw it live and who came late."""
    node = nodes({"MAYA_SESSION_HIBERNATE_SECONDS": hibernate_s,
                  "MAYA_SESSION_EXPIRY_SECONDS": "3"})
    sid = "expiring-watched-1"
    with Watcher(node, sid) as w, Watcher(node, "never-said-a-word") as other:
        # On a busy machine it may have ended before the late one came: then once more.
        until("a late one that is told", lambda: _ends_for_a_late_one(node, sid, w, hibernate_s))
        node.say("hello there, my friend", "never-said-a-word")
        assert other.next("turn")["turn"] == 1


def _ends_for_a_late_one(node, sid, w, hibernate_s):
    """Whether who came after the turn was told of the session's end; all others are, each time."""
    node.say("an ipa please, if you can", sid)
    assert w.next("turn")["turn"] == 1
    if hibernate_s == "1":
        until("its sleep", lambda: asleep(node))
    with Watcher(node, sid) as late:
        w.next("ended")
        assert w.event.id == "0"
        node.say("hello there, my friend", sid)
        told = w.next("turn")
        assert told["turn"] == 1 and told["current_order"] == []
        first = late.next()
        in_time = first["type"] == "ended"
        assert (late.next("turn") if in_time else first) == told
    if not in_time:
        w.next("ended")
    return in_time


def test_coming_back(node):
    sid = "coming-back-00001"
    said = [node.say(f"{n} dry martinis please", sid) for n in ("two", "three", "four")]
    with Watcher(node, sid, last=1) as w:
        for turn in 2, 3:
            told = w.next("turn")
            assert w.event.id == str(turn) == str(told["turn"])
            assert told["full_response"] == said[turn - 1]["response_text"]
            assert told["user_input"] == f"{('two', 'three', 'four')[turn - 1]} dry martinis please"
        assert w.next("changed")["payment_summary"] == said[2]["payment_summary"]
        node.say("an ipa please, if you can", sid)
        assert w.next("turn")["turn"] == 4
    with Watcher(node, sid, last=9) as w:
        w.next("reload")
    with Watcher(node, sid, last="nonsense") as w:
        node.say("an ipa please, if you can", sid)
        assert w.next("turn")["turn"] == 5
    node.post("/api/v1/session/reset", session=sid)
    with Watcher(node, sid, last=4) as w:
        w.next("reload")


def test_coming_back_after_a_restart(nodes):
    node = nodes()
    sid = "coming-back-00002"
    node.say("two dry martinis please", sid)
    with Watcher(node, sid) as w:
        node.kill()
        with contextlib.suppress(OSError):
            assert not w.rest()
    node.start()
    with Watcher(node, sid, last=1) as w:  # all sessions sleep now
        w.next("reload")
        node.say("an ipa please, if you can", sid)
        assert w.next("turn")["turn"] == 2


def test_the_session_goes_on_in_another_container(nodes):
    """Two share a store: who watches a session here is sent on to where it is."""
    here, there = nodes(), nodes(start=False)
    there.data = here.data
    there.start()
    sid = "goes-on-elsewhere-1"
    here.say("two dry martinis please", sid)
    with Watcher(here, "stays-where-it-is-1") as still, Watcher(here, sid, last=1) as w, \
            Watcher(here, sid) as lost:
        w.next("changed")  # it missed nothing
        there.say("an ipa please, if you can", sid)
        assert not w.rest()
        assert lost.next("reload") and not lost.rest()  # it heard nothing to come back with
        with Watcher(there, sid, last=1) as w:
            assert w.next("turn")["user_input"] == "an ipa please, if you can"
            w.next("changed")
            here.say("a glass of water", sid)
            assert not w.rest()
        here.say("hello", "stays-where-it-is-1")
        assert still.next("turn")["turn"] == 1
    with Watcher(here, sid, last=2) as w:
        assert w.next("turn")["turn"] == 3


def test_a_drain_ends_them_at_once(nodes):
    node = nodes({"MAYA_DRAIN_SECONDS": "3600"})
    watchers = [Watcher(node, f"drained-watcher-{i}") for i in range(20)]
    node.stop()  # which fails when it takes as long as the drain may
    retries = set()
    for w in watchers:
        body = w.stream.response.read().decode()
        retries |= {line for line in body.splitlines() if line.startswith("retry: ")}
        w.close()
    assert len(retries) == 20  # they do not all come back in the same moment


def test_too_many(node):
    sid = "watched-by-many-1"
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            assert stack.enter_context(Watcher(node, sid)).status == 200
        reply = node.get(PATH, session=sid)
        assert reply.status == 429 and reply.headers["Retry-After"]
        assert reply.json()["code"] == "too_many_watchers" and "16" in reply.json()["detail"]
        with Watcher(node, "watched-by-none-1") as w:
            assert w.status == 200
    until("a free place", lambda: node.get("/api/v1/session/status", session=sid).status == 200
          and _may_watch(node, sid))


def _may_watch(node, sid):
    with Watcher(node, sid) as w:
        return w.status == 200


def slow_reader(node, sid):
    """A watcher that takes next to nothing and never reads."""
    node.never_logged(sid)
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.connect((node.host, node.port))
    s.sendall(f"GET {PATH} HTTP/1.1\r\nHost: a\r\nX-Session-ID: {sid}\r\n\r\n".encode())
    return s


def test_a_slow_reader_is_cut_off(nodes):
    """It has its own queue, and a bound; the others hear everything."""
    node = nodes({"MAYA_DEFAULT_SESSION_MEMORY_MB": "16"})
    sid = "watched-slowly-01"
    said = "hello there " * 10000
    with Watcher(node, sid) as w:
        turn, cuts, queued = 0, 0, 0
        while queued <= 1024 * 1024:  # it was given its queue, or cut by a busy machine's clock
            assert cuts < 5, "it is not given its queue"
            with slow_reader(node, sid) as slow:
                until("the slow one's stream", lambda: streams(node) == 2)
                queued = 0
                while streams(node) == 2:
                    turn += 1
                    queued += len(said)
                    assert queued < 100 * len(said), "it is never cut off"
                    assert node.chat(said, sid).status == 200
                    assert w.next("turn")["turn"] == turn
                cuts += 1
                assert node.metric("maya_http_closed_total", reason="stalled") == cuts
                with contextlib.suppress(ConnectionResetError):
                    while slow.recv(65536):
                        pass
        node.say("an ipa please, if you can", sid)
        assert w.next("turn")["turn"] == turn + 1


def test_a_thousand(nodes):
    """Idle streams of a thousand sessions, some of them of the same one, all hear what comes."""
    node = nodes({"MAYA_SESSIONS_PER_CONTAINER": "100", "MAYA_DEFAULT_SESSION_MEMORY_MB": "1",
                  "MAYA_SESSION_HIBERNATE_SECONDS": "1"})
    node.never_logged("a-thousand-ears-")
    socks = []
    with contextlib.ExitStack() as stack:
        for i in range(1000):
            sid = f"a-thousand-ears-{i // 10}"
            s = stack.enter_context(node.raw(
                f"GET {PATH}?session_id={sid} HTTP/1.1\r\nHost: a\r\n\r\n".encode()))
            socks.append(s)
        until("all streams", lambda: streams(node) == 1000)
        rss = node.rss()
        for i in range(100):
            node.say("an ipa please, if you can", f"a-thousand-ears-{i}")
        for s in socks:
            data = b""
            while b'"type": "turn"' not in data or not data.endswith(b"\r\n"):
                part = s.recv(65536)
                assert part
                data += part
            assert data.count(b'"type": "turn"') == 1
        assert node.rss() - rss < 64 << 20
    until("their end", lambda: streams(node) == 0)


def test_heartbeats(nodes):
    """A comment within the time in which proxies give up."""
    node = nodes()
    with node.raw(f"GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), timeout=PATIENCE_S) as s:
        data = b""
        while b"\r\n:\n\n\r\n" not in data:
            part = s.recv(4096)
            assert part
            data += part

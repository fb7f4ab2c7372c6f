"""Every allocation fails in turn: the server answers, and the sessions are intact.

A small library (fail_alloc.c) stands in front of malloc in the real program. For each request
of a representative kind the first, the second, the third ... allocation is refused until the
request comes through without meeting a refusal, and each time it must get its right answer,
one clear error, or a closed connection; the session holds that turn once or not at all, and
nobody else notices.
"""
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import mmap
import os
import signal
import struct

import pytest

from node import SANITIZED, Node, parse_metrics, read_all, replies, until

LIBRARY = os.environ.get("MAYA_FAIL_ALLOC", "")
pytestmark = [
    pytest.mark.skipif(SANITIZED, reason="a sanitizer's own allocator stands there already"),
    pytest.mark.skipif(not LIBRARY, reason="MAYA_FAIL_ALLOC is not set: make test-e2e sets it"),
]

ORDER = "two martinis please"
NEIGHBOUR = "neighbour-00001"
AT_ONCE = 50  # sessions that are made ready at the same time


class Allocations:
    """The file that the library and the test share; see struct plan in fail_alloc.c."""

    FIELDS = ("armed", "fail_at", "onward", "seen", "failed", "size")

    def __init__(self, path):
        path.write_bytes(bytes(8 * len(self.FIELDS)))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def set(self, **fields):
        for name, value in fields.items():
            struct.pack_into("<Q", self.map, 8 * self.FIELDS.index(name), value)

    def get(self, name):
        return struct.unpack_from("<Q", self.map, 8 * self.FIELDS.index(name))[0]

    @contextlib.contextmanager
    def fail(self, nth, onward=False):
        """Inside, the Nth allocation fails, and with `onward` all after it."""
        self.set(fail_at=nth, onward=onward, seen=0, failed=0)
        self.set(armed=1)
        try:
            yield
        finally:
            self.set(armed=0)


@pytest.fixture(scope="module")
def bar(tmp_path_factory):
    """A node in which allocations can be made to fail, and a neighbour who must not notice."""
    folder = tmp_path_factory.mktemp("alloc")
    node = Node(folder, {"LD_PRELOAD": LIBRARY, "FAIL_ALLOC": str(folder / "plan"),
                         "MAYA_SESSIONS_PER_CONTAINER": "5000", "MAYA_MAX_SESSIONS": "0",
                         "MAYA_VOICE": "off",  # libespeak-ng does not survive it
                         "MAYA_DEFAULT_SESSION_MEMORY_MB": "0.0625"})
    node.allocations = Allocations(folder / "plan")
    node.start()
    node.say("an ipa please", NEIGHBOUR)
    yield node
    node.close()


def history(node, session):
    reply = node.get("/api/v1/session/history", session=session)
    assert reply.status == 200, reply
    return reply.json()


def error(status, body, headers=None):
    """One sentence, a code, and when to try again."""
    assert (status, body["code"]) == (503, "out_of_memory"), (status, body)
    assert isinstance(body["detail"], str) and len(body["detail"]) > 20, body
    assert headers is None or headers["retry-after"], dict(headers)
    return "refused"


def chat(node, session, connection=None):
    """The order, with a key, as one answer."""
    reply = node.chat(ORDER, session, headers={"Idempotency-Key": session},
                      connection=connection)
    body = reply.json()
    if reply.status != 200:
        return error(reply.status, body, reply.headers)
    assert body["history"][-2] == {"role": "user", "content": ORDER}, body
    assert body["history"][-1]["content"] == body["response_text"]
    return body["current_order"], body["payment_summary"]


def stream(node, session, connection=None):
    """The order, with a key, as events."""
    with node.stream(ORDER, session, headers={"Idempotency-Key": session}) as s:
        if s.status != 200:
            return error(s.status, json.loads(s.response.read()), s.headers)
        events = [e.json() for e in s]
    if not events or events[-1]["type"] not in ("complete", "error"):
        return "closed"
    last = events[-1]
    if last["type"] == "error":
        return error(503, {"detail": last["content"], "code": last["code"]})
    said = "".join(e["content"] for e in events if e["type"] == "text_chunk")
    assert said == last["full_response"]
    return last["current_order"], last["payment_summary"]


def attempt(ask):
    """What was asked for, "refused", or "closed"."""
    try:
        return ask()
    except (http.client.HTTPException, ConnectionError):
        return "closed"


def turn_is_whole(node, session, before, got, how):
    """Whatever the request met, its turn counts once or not at all."""
    after, told = history(node, session), before["history"]
    if after == before:
        assert isinstance(got, str), f"{how}: answered and not kept"
    else:
        assert [m["role"] for m in after["history"][len(told):]] == ["user", "assistant"], how
    # Asked again with the same key it is there, once.
    again = node.say(ORDER, session, headers={"Idempotency-Key": session})
    assert again["history"][:len(told)] == told, how
    assert len(again["history"]) == len(told) + 2, how
    order = [(line["name"], line["quantity"]) for line in before["current_order"]]
    assert [(line["name"], line["quantity"]) for line in again["current_order"]] == \
        [*order, ("Martini", 2)], how
    if not isinstance(got, str):
        assert got == (again["current_order"], again["payment_summary"]), how
    after = history(node, session)
    assert after["history"] == again["history"], how
    assert after["payment_summary"] == again["payment_summary"], how


def ready_sessions(node, name, fresh=False, asleep=False):
    """(session, its history) without end, to be asked one after the other."""
    made = 0

    def make(i):
        session = f"{name}-{i:08}"
        if not fresh:
            node.say("an ipa please", session)
        return session, history(node, session)

    while True:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            ready = list(pool.map(make, range(made, made + AT_ONCE)))
        made += AT_ONCE
        if asleep:
            node.restart()
        yield from ready


def each_allocation(node, sessions, ask, check, kept=False, onward=False):
    """
    Fail the first, the second, ... allocation of one request, each in a session of its own;
    with `onward` all after it too. Returns how many there were. Where there are few a timer's
    allocation may have stood in for each that is not made good: then begin again.
    """
    nth, quiet, rounds, said = 0, 0, 1, set()
    neighbour = history(node, NEIGHBOUR)
    for session, before in sessions:
        nth += 1
        connection = node.connection() if kept else None
        if kept:
            node.get("/readyz", connection=connection)
        with node.allocations.fail(nth, onward):
            got = attempt(lambda: ask(node, session, connection))
        failed = node.allocations.get("failed")
        if kept:
            connection.close()
        said.add(got if isinstance(got, str) else "answered")
        how = f"allocation {nth} of {node.allocations.get('size')} bytes, got {got!r}"
        assert node.process.poll() is None, f"{how}: the server ended; {node.log()[-3000:]}"
        until("health", lambda: node.get("/healthz").status == 200)
        check(node, session, before, got, how)
        assert history(node, NEIGHBOUR) == neighbour, how
        quiet = quiet + 1 if not failed else 0
        if quiet == 3:  # a timer's allocation may have stood in for the last of the request's
            if "refused" in said or rounds == 10:
                break
            nth, quiet, rounds = 0, 0, rounds + 1
    assert {"answered", "refused"} <= said, said
    return nth - quiet


# How it is asked, and what the session is.
TURNS = {
    "resident": (chat, {}),
    "woken": (chat, {"asleep": True}),
    "fresh": (chat, {"fresh": True}),
    "stream": (stream, {}),
    "stream-woken": (stream, {"asleep": True}),
    "stream-fresh": (stream, {"fresh": True}),
}


@pytest.mark.parametrize("name", TURNS)
def test_every_allocation_of_a_turn(bar, name):
    ask, more = TURNS[name]
    assert each_allocation(bar, ready_sessions(bar, name, **more), ask, turn_is_whole) > 25


@pytest.mark.parametrize("name", ["resident", "woken", "fresh"])
def test_memory_that_is_gone_for_a_while(bar, name):
    """From the Nth allocation on nothing is given; then there is memory again."""
    ask, more = TURNS[name]
    sessions = ready_sessions(bar, "gone-" + name, **more)
    assert each_allocation(bar, sessions, ask, turn_is_whole, kept=True, onward=True) > 20


def test_who_comes_meanwhile_waits(bar):
    """There is no memory for a connection: it is taken when there is."""
    kept = bar.connection()
    assert bar.get("/readyz", connection=kept).status == 200
    with bar.allocations.fail(1, onward=True):
        late = [bar.raw(b"GET /api/v1/agent HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                for _ in range(20)]
        until("a refusal", lambda: bar.allocations.get("failed"))
        reply = bar.get("/readyz", connection=kept)
        assert error(reply.status, reply.json(), reply.headers) == "refused"
    for s in late:
        ((status, _, body),) = replies(read_all(s))
        assert status == 200 and json.loads(body)["name"] == "Maya"
        s.close()


# Everything else that is answered.

def look(path):
    """A GET: the same answer every time."""
    def ask(node, session, connection):
        reply = node.get(path, session=session, connection=connection)
        if reply.status != 200:
            return error(reply.status, reply.json(), reply.headers)
        if path.startswith("/metrics"):
            return sorted(str(series) for series in parse_metrics(reply.body.decode()))
        if path == "/healthz":
            return (reply.json()["status"],)
        return (reply.body,)
    return ask


def looks_the_same(right):
    def check(_, session, __, got, how):
        if got not in ("refused", "closed"):
            assert got == right, how
    return check


@pytest.mark.parametrize("path", [
    "/api/v1/session/status", "/api/v1/session/history", "/api/v1/payments/tab",
    "/api/v1/menu", "/api/v1/agent", "/healthz", "/readyz", "/metrics",
    "/metrics?names=predecessor", "/openapi.json", "/"])
def test_every_allocation_of_a_look(bar, path):
    session = "looked-at-0000001"
    bar.say(ORDER, session)
    right = look(path)(bar, session, None)
    each_allocation(bar, itertools.repeat((session, None)), look(path), looks_the_same(right))


def change(path, body):
    def ask(node, session, connection):
        reply = node.post(path, body, session=session, connection=connection)
        if reply.status != 200:
            return error(reply.status, reply.json(), reply.headers)
        return (reply.json(),)
    return ask


def tip_is_whole(node, session, before, got, how):
    tab = node.tab(session)
    assert tab["tip_amount"] in (0, 1.2), how
    if not isinstance(got, str):
        assert (tab,) == got and tab["tip_amount"] == 1.2, how
    assert history(node, session)["history"] == before["history"], how


def key_is_whole(node, session, before, got, how):
    keys = node.get("/api/v1/session/status", session=session).json()["has_valid_keys"]
    assert isinstance(got, str) or (keys and got[0]["has_valid_keys"]), how
    assert history(node, session) == before, how


def reset_is_whole(node, session, before, got, how):
    after = history(node, session)
    assert after == before or (after["history"] == [] and after["current_order"] == []), how
    assert isinstance(got, str) or after["history"] == [], how


CHANGES = {
    "tip": (change("/api/v1/payments/tip", {"tip_percentage": 20}), tip_is_whole),
    "keys": (change("/api/v1/session/keys", {"gemini_key": "a-key-that-nobody-has"}),
             key_is_whole),
    "reset": (change("/api/v1/session/reset", None), reset_is_whole),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_allocation_of_a_change(bar, name):
    ask, check = CHANGES[name]
    assert each_allocation(bar, ready_sessions(bar, "change-" + name), ask, check) > 10


@pytest.mark.parametrize("nth", range(1, 13))
def test_the_first_job_without_memory(tmp_path, nth):
    """The first look for secrets, soon after the start: libuv makes no thread for it then."""
    node = Node(tmp_path / "node", {"LD_PRELOAD": LIBRARY, "FAIL_ALLOC": str(tmp_path / "plan"),
                                    "MAYA_VOICE": "off"})
    allocations = Allocations(tmp_path / "plan")
    node.start()
    try:
        with allocations.fail(nth):
            until("a refusal", lambda: allocations.get("failed"))
        assert node.get("/healthz").status == 200
    finally:
        node.close()


def test_secrets_change_without_memory(tmp_path):
    """Whatever is refused while they are read and taken over, in the end the new one counts."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    token = secrets / "maya_admin_token"

    def put(n):
        (secrets / ".fresh").write_text(f"operators-token-number-{n:04}")
        os.replace(secrets / ".fresh", token)

    put(0)
    node = Node(tmp_path / "node", {"LD_PRELOAD": LIBRARY, "FAIL_ALLOC": str(tmp_path / "plan"),
                                    "MAYA_VOICE": "off", "MAYA_SECRETS_DIR": str(secrets)})
    allocations = Allocations(tmp_path / "plan")
    node.start()
    try:
        for nth in itertools.count(1):
            with allocations.fail(nth):
                put(nth)
                os.kill(node.pid, signal.SIGUSR1)
                until(f"token {nth}", lambda: node.log().count("secrets changed") +
                      node.log().count("secrets  changed") >= nth)
            asked = {"Authorization": f"Bearer operators-token-number-{nth:04}"}
            assert node.get("/api/v1/ops/sessions", headers=asked).status == 200
            if not allocations.get("failed"):
                break
        assert nth > 10
    finally:
        node.close()

"""Every allocation of a spoken turn fails in turn, those of its sockets among them: the person gets
an answer, one clear error or a closed socket, and the order is never wrong."""
import queue

import pytest
from websockets.exceptions import InvalidState

from cartesia_stt import CartesiaSTT
from node import Node, until
from socket_peer import Conversation, Refused
from test_alloc import Allocations, LIBRARY, pytestmark  # noqa: F401

PCM = {"encoding": "pcm_s16le", "sample_rate": 16000}
ENDS = ("complete", "error")
MOST = 5000


@pytest.fixture
def bar(tmp_path):
    with CartesiaSTT() as stt:
        n = Node(tmp_path / "node", {
            "LD_PRELOAD": LIBRARY, "FAIL_ALLOC": str(tmp_path / "plan"), "MAYA_VOICE": "off",
            "MAYA_CARTESIA_URL": stt.url, "MAYA_MIND_CONNECT_SECONDS": "0.5",
            "MAYA_SESSIONS_PER_CONTAINER": "5000", "MAYA_DEFAULT_SESSION_MEMORY_MB": "0.5"})
        n.allocations = Allocations(tmp_path / "plan")
        n.stt = stt
        n.start()
        yield n
        n.close()


def first(c, *kinds):
    """The first of these events, or "closed"."""
    while True:
        event = c.events.get(timeout=30)
        if event is None:
            return "closed"
        if event["type"] in kinds:
            return event["type"]


def converse(bar, session):
    """How it ended."""
    try:
        c = Conversation(bar, session)
    except (Refused, OSError, AssertionError, queue.Empty):
        return "refused"
    with c:
        try:
            c.say(type="start", audio=PCM)
            c.audio(bytes(3200))
        except InvalidState:
            return "closed"
        came = first(c, "listening", "error")
        if came != "listening":
            return came
        try:
            while not (s := bar.stt.stream()).headers["authorization"].endswith(session):
                pass  # one of a conversation that had ended before it was open
            s.turn("two negronis please")
        except (OSError, InvalidState):
            pass  # it was let go meanwhile
        return first(c, *ENDS)


def test_every_allocation(bar):
    outcomes = {}
    for nth in range(1, MOST):
        session = f"allocation-{nth:05}"
        reply = bar.post("/api/v1/session/keys",
                         {"gemini_key": "x" * 20, "cartesia_key": f"key-of-{session}"}, session=session)
        assert reply.status == 200, reply
        with bar.allocations.fail(nth):
            ended = converse(bar, session)
            failed = bar.allocations.get("failed")
        outcomes[ended] = outcomes.get(ended, 0) + 1
        tab = bar.tab(session)["tab_amount"]
        assert tab in ((22,) if ended == "complete" else (0, 22)), (nth, ended, tab)
        if ended == "complete" and not failed:  # not one that ended early, since it was slow
            break
    assert nth > 100 and outcomes["complete"] >= 1, (nth, outcomes)
    assert set(outcomes) <= {"complete", "error", "closed", "refused"}
    until("a socket stays", lambda: bar.metric("maya_http_websockets") == 0)
    until("a hearing stays", lambda: bar.metric("maya_ears_hearings") == 0)
    with Conversation(bar, "afterwards-0001") as c:
        c.say(type="text", text="a beer")
        c.until("complete")

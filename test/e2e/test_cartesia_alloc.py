"""Every allocation of an answer that Cartesia speaks fails in turn: the person gets an answer, with
its audio or without, one clear error, or a closed connection; and the next one is spoken to."""
import base64
import http.client

import pytest

from cartesia_tts import Cartesia, pcm
from node import Node, until
from test_alloc import Allocations, LIBRARY, pytestmark  # noqa: F401

MOST = 4000
ASKED_AGAIN_S = 150  # the breaker waits two minutes at most


@pytest.fixture(params=["websocket", "http"])
def bar(request, tmp_path):
    # libespeak-ng does not survive it, so it is not there.
    (tmp_path / "libespeak-ng.so.1").write_bytes(b"not a library")
    with Cartesia(websocket=request.param == "websocket") as c:
        n = Node(tmp_path / "node", {
            "LD_PRELOAD": LIBRARY, "FAIL_ALLOC": str(tmp_path / "plan"),
            "LD_LIBRARY_PATH": str(tmp_path), "CARTESIA_API_KEY": "x" * 20,
            "MAYA_CARTESIA_URL": c.url, "MAYA_MIND_RETRIES": "0",
            "MAYA_MIND_CONNECT_SECONDS": "0.5", "MAYA_VOICE_FIRST_SECONDS": "0.5",
            "MAYA_VOICE_SILENCE_SECONDS": "0.5", "MAYA_SESSIONS_PER_CONTAINER": "5000",
            "MAYA_DEFAULT_SESSION_MEMORY_MB": "0.5"})
        n.allocations, n.cartesia = Allocations(tmp_path / "plan"), c
        n.start()
        yield n
        n.close()


def ask(bar, session):
    return bar.post("/api/v1/chat", {"user_input": "hello there", "audio": "pcm"}, session=session)


def spoken(bar, session):
    """Sooner or later: who is slow for half a second is not heard, and after several left alone."""
    for _ in range(200):
        if ask(bar, session).json()["audio_base64"]:
            return True
        until("it is asked again", lambda: bar.metric(
            "maya_voice_breaker_state", voice="cartesia") != 2, ASKED_AGAIN_S)
    return False


def test_every_allocation(bar):
    until("eSpeak NG is not there", lambda: "libespeak-ng" in bar.log())
    assert spoken(bar, "warm-up")
    outcomes = set()
    for nth in range(1, MOST):
        whole = False
        with bar.allocations.fail(nth):
            try:
                reply = ask(bar, f"allocation-{nth:05}")
            except (http.client.HTTPException, OSError):
                reply = None
            failed = bar.allocations.get("failed")
        if reply is None or reply.status != 200:
            outcomes.add(reply.status if reply else "closed")
            assert reply is None or reply.json()["code"], (nth, reply)
        elif reply.json()["audio_base64"]:
            outcomes.add("spoken")
            whole = True
            audio = base64.b64decode(reply.json()["audio_base64"])
            assert any(audio.startswith(pcm(line)[:480]) for line in bar.cartesia.lines), nth
        else:
            outcomes.add("silent")
        bar.cartesia.lines.clear()
        if nth % 10 == 0:  # or the breaker would open for good
            assert spoken(bar, f"between-{nth:05}"), "it is not asked any more"
        bar.cartesia.lines.clear()
        if whole and not failed:  # not one that ended early, since somebody was slow
            break
    else:
        pytest.fail(f"still refused at {MOST}")
    assert {"spoken", "silent"} <= outcomes, outcomes
    assert nth > 100
    assert spoken(bar, "afterwards")

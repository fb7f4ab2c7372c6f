"""Every allocation of a turn with a provider fails in turn, libcurl's among them: the person gets
an answer, one clear error, or a closed connection, and the order is never wrong."""
import http.client

import pytest

from node import Node, until
from provider import Provider, failure, gemini_call, gemini_calls, gemini_words
from test_alloc import Allocations, LIBRARY, pytestmark  # noqa: F401

TWO = gemini_call("add_to_order", {"item_name": "Negroni", "quantity": 2}, "QUJD", "f1")
MOST = 5000


@pytest.fixture
def bar(tmp_path):
    def answer(asked):
        last = asked.json()["contents"][-1]["parts"][0]
        return gemini_words("Two ", "Negronis.") if "functionResponse" in last else \
            gemini_calls(TWO)

    with Provider(otherwise=answer) as p:
        yield from serving(tmp_path, p)


def serving(tmp_path, p, **env):
    n = Node(tmp_path / "node", {
        "LD_PRELOAD": LIBRARY, "FAIL_ALLOC": str(tmp_path / "plan"), "MAYA_MIND": "gemini",
        "MAYA_VOICE": "off",  # libespeak-ng does not survive it
        "MAYA_GEMINI_BASE_URL": p.url, "MAYA_MIND_RETRIES": "0", "MAYA_MIND_CONNECT_SECONDS": "0.5",
        "MAYA_MIND_FIRST_SECONDS": "0.5", "MAYA_MIND_SILENCE_SECONDS": "0.5",
        "MAYA_SESSIONS_PER_CONTAINER": "5000", "MAYA_DEFAULT_SESSION_MEMORY_MB": "0.5", **env})
    n.allocations = Allocations(tmp_path / "plan")
    n.start()
    yield n
    n.close()


@pytest.fixture
def keyed(tmp_path):
    def answer(asked):
        return failure(200, {"models": []} if "models" in asked.path else {"data": []})

    with Provider(otherwise=answer) as p:
        yield from serving(tmp_path, p, MAYA_KEY_CHECK_SECONDS="1", MAYA_CARTESIA_URL=p.url)


def ready(bar, session):
    """With a key of its own: what fails with it does not make the breaker open for others."""
    reply = bar.post("/api/v1/session/keys", {"gemini_key": "x" * 20}, session=session)
    assert reply.status == 200, reply


def test_every_allocation(bar):
    ready(bar, "warm-up")
    bar.say("two negronis please", "warm-up")
    outcomes = set()
    for nth in range(1, MOST):
        session = f"allocation-{nth:05}"
        ready(bar, session)
        with bar.allocations.fail(nth):
            try:
                reply = bar.chat("two negronis please", session)
            except (http.client.HTTPException, OSError):
                reply = None
            failed = bar.allocations.get("failed")
        tab = bar.tab(session)["tab_amount"]
        if reply is None or reply.status != 200:
            outcomes.add(reply.status if reply else "closed")
            assert tab in (0, 22), (nth, reply)
            assert reply is None or reply.json()["code"], (nth, reply)
        else:
            outcomes.add(reply.json()["mind"])
            assert tab == 22 and reply.json()["response_text"], (nth, reply)
        # Where the provider was too late the turn asked for less than it does.
        if not failed and reply and "mind_why" not in reply.json():
            break
    else:
        pytest.fail(f"still refused at {MOST}")
    assert reply.json()["mind"] == "gemini"
    assert outcomes >= {"gemini", "house"}, outcomes
    assert nth > 100, "the provider's turn was not met"
    ready(bar, "afterwards")
    until("the provider in time",
          lambda: bar.say("two negronis please", "afterwards")["mind"] == "gemini")


def test_every_allocation_of_a_key(keyed):
    """A key is kept, or it is refused in words and not kept; who could not be asked is said."""
    keys = {"gemini_key": "g" * 20, "cartesia_key": "c" * 20}
    keyed.post("/api/v1/session/keys", keys, session="warm-up-of-keys")
    outcomes = set()
    for nth in range(1, MOST):
        session = f"allocation-{nth:05}"
        with keyed.allocations.fail(nth):
            try:
                reply = keyed.post("/api/v1/session/keys", keys, session=session)
            except (http.client.HTTPException, OSError):
                reply = None
            failed = keyed.allocations.get("failed")
        kept = keyed.get("/api/v1/session/status", session=session).json()["has_valid_keys"]
        if reply is None or reply.status != 200:
            outcomes.add(reply.status if reply else "closed")
            assert reply is None or reply.json()["code"], (nth, reply)
            assert reply is None or not kept, (nth, reply)
        else:
            assert kept, (nth, reply)
            states = {v["state"] for v in reply.json()["keys"].values()}
            outcomes |= states
            if not failed and states == {"valid"}:  # and neither was too late
                break
    else:
        pytest.fail(f"still refused at {MOST}")
    assert outcomes >= {"valid", "not_checked", 503} and "invalid" not in outcomes, outcomes
    assert nth > 50, "the questions were not met"

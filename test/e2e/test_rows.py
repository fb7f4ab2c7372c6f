"""A stored row that is damaged costs its session a clear error, and nobody else anything."""
import contextlib
import sqlite3

import pytest

SESSIONS = {name: f"row-{name}-00001" for name in
            ("flipped", "cut", "stub", "empty", "swapped", "rotten")}
WHOLE = "row-whole-000001"
ORDER = "two martinis please"


def damage(path):
    """Each session's row in a way of its own; `rotten` is changed in the file, behind SQLite."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = {name: db.execute("SELECT data FROM session WHERE id = ?", (sid,)).fetchone()[0]
                for name, sid in SESSIONS.items()}
        flipped = bytearray(rows["flipped"])
        flipped[len(flipped) // 2] ^= 1
        for name, data in {"flipped": bytes(flipped), "cut": rows["cut"][:-1],
                           "stub": rows["stub"][:20], "empty": b"",
                           "swapped": rows["rotten"]}.items():
            db.execute("UPDATE session SET data = ? WHERE id = ?", (data, SESSIONS[name]))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = bytearray(path.read_bytes())
    places = [i for i in range(len(file)) if file.startswith(rows["rotten"][:60], i)]
    assert places
    for at in places:  # the swapped row too: it is another's in any case
        file[at + 50] ^= 0x10
    path.write_bytes(file)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    from node import Node

    node = Node(tmp_path_factory.mktemp("rows"))
    node.start()
    for sid in [*SESSIONS.values(), WHOLE]:
        node.say(ORDER, sid)
    node.stop()
    (path,) = node.data.glob("*.db")
    damage(path)
    node.start()
    yield node
    node.close()


def unreadable(reply):
    assert reply.status == 500, reply
    assert reply.json()["code"] == "session_unreadable"
    assert len(reply.json()["detail"]) > 20


@pytest.mark.parametrize("name", SESSIONS)
def test_a_damaged_row(damaged, name):
    node, sid = damaged, SESSIONS[name]
    before = node.metric("maya_sessions_unreadable_total")
    unreadable(node.chat("and an ipa please", sid))
    with node.stream("and an ipa please", session=sid) as s:
        assert s.status == 500
        assert b"session_unreadable" in s.response.read()
    unreadable(node.get("/api/v1/session/history", session=sid))
    unreadable(node.get("/api/v1/payments/tab", session=sid))
    unreadable(node.post("/api/v1/payments/tip", {"tip_percentage": 20}, session=sid))
    unreadable(node.post("/api/v1/session/keys", {"gemini_key": "some-key-of-theirs"},
                         session=sid))
    assert node.metric("maya_sessions_unreadable_total") == before + 6
    # It takes no place in memory, the container is well, and the neighbour talks on.
    assert node.metric("maya_sessions_memory_bytes") <= 65536
    assert node.get("/healthz").status == 200
    assert node.tab(WHOLE)["tab_amount"] == 26.0
    # Who wants to begins anew, in the same place.
    assert node.post("/api/v1/session/reset", session=sid).status == 200
    after = node.say("an ipa please", sid)
    assert len(after["history"]) == 2
    assert after["payment_summary"]["tab_amount"] == 6.0


def test_a_session_begun_anew_stays(damaged):
    """Over a restart too: the damaged row is gone for good."""
    sid = SESSIONS["empty"]
    assert damaged.post("/api/v1/session/reset", session=sid).status == 200
    damaged.say("an ipa please", sid)
    damaged.restart()
    assert damaged.tab(sid)["tab_amount"] == 6.0
    assert damaged.tab(WHOLE)["tab_amount"] == 26.0

"""A long evening in a small session: it folds, and what matters is still there at its end."""
from node import SANITIZED, until

SMALL = {"MAYA_DEFAULT_SESSION_MEMORY_MB": "0.0625", "MAYA_SESSION_HIBERNATE_SECONDS": "1"}
TURNS = 240 if SANITIZED else 400
SID = "a-long-evening-at-the-bar"
BUDGET = 65536

CHATTER = ["And how is the weather over there tonight, in {}?", "Tell me a joke, number {}.",
           "My favourite number is {}.", "You said my name is Maya number {}.",
           "It was busy here in {}, and everybody sang until the morning came."]


def history(node, sid=SID):
    reply = node.get("/api/v1/session/history", session=sid)
    assert reply.status == 200, reply
    return reply.json()


def talk(node, numbers):
    connection = node.connection()
    for i in numbers:
        said = CHATTER[i % len(CHATTER)].format(10000 + i)
        key = {"Idempotency-Key": f"long-{i}"}
        reply = node.chat(said, SID, headers=key, connection=connection)
        assert reply.status == 200, (i, reply)
        if i % 10 == 0:
            again = node.chat(said, SID, headers=key, connection=connection)
            assert again.body == reply.body, i
    connection.close()


def hibernate(node):
    def gone():
        return node.metric("maya_active_sessions") == 0
    until("the session hibernates", gone)


def check(node, turns):
    body = history(node)
    assert body["folded"] % 2 == 0
    assert body["folded"] + len(body["history"]) == 2 * turns
    lines = body["summary"].split("\n")
    assert lines[0] == "The guest said:"
    assert "Good evening, my name is Ana-Lucía!" in lines
    assert "I'm allergic to peanuts, so please be careful." in lines
    assert not any("Maya number" in line for line in lines)
    assert lines[-1] == f"Turns folded: {body['folded'] // 2}."
    return lines


def test_a_long_evening(nodes):
    node = nodes(SMALL)
    assert "folded" not in history(node) and "summary" not in history(node)
    node.say("Good evening, my name is Ana-Lucía!", SID)
    node.say("I'm allergic to peanuts, so please be careful.", SID)
    node.say("Two negronis please.", SID)
    node.say("I'd like to pay now.", SID)
    assert "summary" not in history(node)
    talk(node, range(TURNS // 4))
    hibernate(node)
    talk(node, range(TURNS // 4, TURNS // 2))
    lines = check(node, 4 + TURNS // 2)
    assert lines[-2] == "Ordered so far: 2 Negroni. Paid $22.00."
    before = history(node)
    hibernate(node)
    assert history(node) == before
    node.restart()
    assert history(node) == before
    node.say("An IPA and a negroni please.", SID)
    node.kill()
    node.start()
    talk(node, range(TURNS // 2, TURNS))
    lines = check(node, 5 + TURNS)
    assert lines[-2] == "Ordered so far: 3 Negroni, 1 IPA. Paid $22.00."
    node.say("Scratch the IPA.", SID)  # what was taken off was never ordered
    assert "Ordered so far: 3 Negroni. Paid $22.00." in history(node)["summary"]
    assert node.metric("maya_sessions_over_budget_total") == 0
    assert node.metric("maya_sessions_folded_total", by="rule") > 3
    assert node.metric("maya_sessions_folded_total", by="mind") == 0
    # After a second of silence there is nothing in memory.
    used = until("it is in memory", lambda: history(node) and
                 node.metric("maya_sessions_memory_bytes"))
    assert 0 < used <= BUDGET


def test_a_reset_forgets_the_summary(nodes):
    node = nodes(SMALL)
    node.say("Good evening, my name is Ana-Lucía!", SID)
    talk(node, range(100))
    assert "Ana-Lucía" in history(node)["summary"]
    assert node.post("/api/v1/session/reset", session=SID).status == 200
    assert "summary" not in history(node) and "folded" not in history(node)


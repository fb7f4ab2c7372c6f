"""kill -9 under load, again and again: no acknowledged turn is missing, the store is whole."""
import http.client
import random
import sqlite3
import threading

from node import SANITIZED, Node

ROUNDS = 20 if SANITIZED else 100
CLIENTS = 6


class Guest(threading.Thread):
    """Talks in one session until the server is gone, and remembers what was acknowledged."""

    def __init__(self, node, name, enough):
        super().__init__(daemon=True)
        self.node, self.session, self.enough = node, name, enough
        self.heard, self.last, self.fault = [], None, None

    def run(self):
        try:
            self.talk()
        except (OSError, http.client.HTTPException):
            pass  # the server was killed: what is meant to happen
        except AssertionError as e:
            self.fault = e
            self.enough.release()

    def talk(self):
        c = self.node.connection()
        for i in range(10000):
            self.last = f"{self.session} says number {i}, an ipa please"
            reply = self.node.chat(self.last, self.session, connection=c,
                                   headers={"Idempotency-Key": f"{self.session}-{i}"})
            assert reply.status == 200, reply
            self.heard.append(self.last)
            self.last = None
            self.enough.release()


def said(history):
    return [m["content"] for m in history if m["role"] == "user"]


def check(node, guest):
    """After the restart: everything acknowledged once and in order; the last one at most once."""
    assert guest.fault is None, guest.fault
    if guest.last:
        # The client never heard the answer: asked again with its key, it counts once.
        number = guest.last.split("number ")[1].split(",")[0]
        reply = node.chat(guest.last, guest.session,
                          headers={"Idempotency-Key": f"{guest.session}-{number}"})
        assert reply.status == 200, reply
        guest.heard.append(guest.last)
    body = node.say("what do I owe you?", guest.session)
    assert said(body["history"])[:-1] == guest.heard
    assert body["payment_summary"]["tab_amount"] == 6.0 * len(guest.heard)


def integrity(node):
    found = 0
    for f in node.data.rglob("*"):
        if f.is_file() and f.read_bytes()[:15] == b"SQLite format 3":
            with sqlite3.connect(f) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found += 1
    assert found


def kill_under_load(node, rounds):
    """Returns how many turns were acknowledged; none of them is lost, or it fails."""
    dice = random.Random(20240223)
    guests, acknowledged = [], 0
    for round_ in range(rounds):
        node.start()
        for guest in guests:
            check(node, guest)
        enough = threading.Semaphore(0)
        guests = [Guest(node, f"guest-{round_:03}-{i}-at-the-bar", enough) for i in range(CLIENTS)]
        for guest in guests:
            guest.start()
        for _ in range(dice.randrange(1, 40)):
            assert enough.acquire(timeout=60), "nobody was answered"
        node.kill()
        for guest in guests:
            guest.join(60)
            assert not guest.is_alive()
        acknowledged += sum(len(guest.heard) for guest in guests)
        if round_ % 10 == 0:
            integrity(node)
    node.start()
    for guest in guests:
        check(node, guest)
    node.stop()
    integrity(node)
    return acknowledged


def test_kill_under_load(nodes):
    node: Node = nodes({"MAYA_LOG_LEVEL": "warning"}, start=False)
    assert kill_under_load(node, ROUNDS) > ROUNDS

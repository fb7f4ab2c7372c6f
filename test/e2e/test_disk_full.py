"""A disk that is really full: turns are refused, none that was acknowledged is lost, and when
there is room again everything goes on by itself."""
import subprocess

import pytest

from node import until

SIZE = 2 << 20
STORY = "listen to this: " + "so it went on and on, " * 900  # makes every later row large


class Disk:
    """A file system of its own for a node's data, and a file that takes all that is left."""

    def __init__(self, folder):
        self.folder, self.ballast = folder, folder / "ballast"
        folder.mkdir(parents=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs",
                               str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as f:
            for size in (65536, 4096, 1):
                while True:
                    try:
                        f.write(bytes(size))
                    except OSError:
                        break

    def free(self):
        self.ballast.unlink()

    def close(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def bar(tmp_path_factory):
    from node import Node

    node = Node(tmp_path_factory.mktemp("full"))
    node.disk = Disk(node.data)
    try:
        node.start()
        yield node
        node.close()
    finally:
        if node.process:
            node.kill()
        node.disk.close()


def history(node, session):
    """What the person said, as it is kept."""
    reply = node.get("/api/v1/session/history", session=session)
    assert reply.status == 200, reply
    return [m["content"] for m in reply.json()["history"] if m["role"] == "user"]


class Guest:
    """Somebody who remembers what was acknowledged."""

    def __init__(self, node, name):
        self.node, self.session, self.heard = node, name, []

    def tell(self):
        self.node.say(STORY, self.session)
        self.heard.append(STORY)
        return self

    def talk(self):
        """Another turn; whether it was taken. One that was not is asked again, with its key."""
        reply = self.node.chat("an ipa please", self.session,
                               headers={"Idempotency-Key": f"turn-{len(self.heard)}"})
        if reply.status == 200:
            self.heard.append("an ipa please")
            return True
        assert (reply.status, reply.json()["code"]) == (503, "store_unavailable"), reply
        assert reply.json()["detail"] == "The store cannot be used right now."
        assert int(reply.headers["retry-after"]) > 0
        return False

    def check(self):
        assert history(self.node, self.session) == self.heard
        assert self.node.tab(self.session)["tab_amount"] == 6.0 * (len(self.heard) - 1)


def health(node):
    reply = node.get("/healthz")
    return reply.status, reply.json()["checks"]


def until_full(node, guests):
    """Talk until the disk refuses; what the store has laid by for itself is used up first."""
    node.disk.fill()
    turns = 0
    while guests[turns % len(guests)].talk():
        turns += 1
        assert turns < 200
        node.disk.fill()
    until("bad health", lambda: health(node) == (503, ["Store is not writable"]))
    for guest in guests:
        node.disk.fill()
        assert not guest.talk()
        guest.check()


def recovers(node, guests):
    node.disk.free()
    until("good health", lambda: health(node) == (200, []))
    for guest in guests:
        guest.check()
        assert guest.talk()
        guest.check()


def test_a_full_disk(bar):
    guests = [Guest(bar, f"patient-{i:08}").tell() for i in range(3)]
    until_full(bar, guests)
    # Nobody new comes in, and nothing is made of it.
    assert bar.chat(STORY, "newcomer-000001").json()["code"] == "store_unavailable"
    assert history(bar, "newcomer-000001") == []
    assert bar.metric("maya_store_failures_total") > 0
    recovers(bar, guests)
    bar.restart()
    for guest in guests:
        guest.check()


def test_a_full_disk_and_a_kill(bar):
    guests = [Guest(bar, f"patient-{i:08}").tell() for i in range(3)]
    until_full(bar, guests)
    bar.kill()
    bar.disk.fill()
    bar.start()
    for guest in guests:
        guest.check()
        bar.disk.fill()
        assert not guest.talk()
        guest.check()
    recovers(bar, guests)

"""Another gateway takes the place of the one that runs, and nobody notices."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import threading
import time

import pytest

from apps import People, Place, wait_for
from docker import PATIENCE_S, EngineError
from node import MAYA

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

AHEAD = pathlib.Path(os.environ.get("MAYA_AHEAD", MAYA.parent / "test/maya_ahead"))  # another build
BAR = "bar.example.org"
IDLE_S = 1  # docs/gateway.md: the one before closes what was idle for so long
LONG_MS = 4000  # longer than the one before is kept beside the next


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("replace"))
    made.deploy("web", {"VERSION": "one"})
    yield made
    made.close()


class Kept(People):
    """They keep their connections for as long as they are let, and ask nothing a second time: but
    where they said nothing for a second, in which the one before may have closed what was idle."""

    connected = 0

    def talk(self, i):
        c = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=2 * PATIENCE_S)
        asked = now = time.monotonic()
        while not self.over.is_set():
            kept, before = c.sock is not None, asked
            self.connected += not kept
            asked = time.monotonic()
            try:
                c.request("GET", "/")
                now = time.monotonic()
                r = c.getresponse()
                body = r.read()
                if r.status != 200:
                    self.failed.append((r.status, body))
            except (OSError, http.client.HTTPException) as e:
                closed = kept and isinstance(e, ConnectionError)
                if not closed or max(now, asked) - before < IDLE_S:
                    self.failed.append(repr(e))
                c.close()
            self.asked += 1
            self.over.wait(0.01)


class Long(threading.Thread):
    """One long answer."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.place, self.got = place, None
        self.start()

    def run(self):
        try:
            self.got = self.place.ask(f"/slow/{LONG_MS}")
        except OSError as e:
            self.got = repr(e)


def gateways(place):
    """All there were: container's id -> what the engine says of its state."""
    found = {}
    for c in place.engine.json("GET", "/containers/json?all=1"):
        if c["Labels"].get("com.docker.swarm.service.name") == "maya-gateway":
            with contextlib.suppress(EngineError):  # the Swarm forgets all but the last few
                found[c["Id"]] = place.engine.inspect(c["Id"])["State"]
    return found


def running(place):
    return {key for key, state in gateways(place).items() if state["Running"]}


def service(place):
    return place.engine.json("GET", "/services/maya-gateway")


def replace(place):
    place.engine.replace("maya-gateway")
    wait_for(lambda: (service(place).get("UpdateStatus") or {}).get("State") == "completed")


def ask_gateway(place, command):
    path = place.engine.folder / "data/volumes/maya-front/_data/runtime.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


def test_nobody_notices(place):
    was = running(place)
    assert len(was) == 1
    with People(place) as people, Kept(place) as kept:
        for _ in range(3):
            long = Long(place)
            replace(place)
            now = running(place) - was
            assert len(now) == 1, gateways(place)
            long.join()
            assert long.got == (200, "one")
            wait_for(lambda: running(place) == now)
            was = now
    assert people.failed == [] and kept.failed == []
    assert kept.connected < kept.asked / 2
    ended = [state["ExitCode"] for state in gateways(place).values() if not state["Running"]]
    assert len(ended) >= 3 and not any(ended), ended


def test_one_that_cannot_start(place):
    """The one before goes on, and the deploy says so."""
    was, spec = running(place), service(place)["Spec"]
    file = place.engine.folder / "data/volumes/maya-front/_data/haproxy.cfg"
    right = file.read_bytes()
    file.write_bytes(b"nonsense\n")
    with People(place) as people:
        p = place.start("deploy", "-f", place.write("web", {"VERSION": "two"}), "-y", "--http", str(place.port),
                        program=AHEAD)
        out, err = p.communicate(timeout=300)
    assert p.returncode == 1, out + err + place.state()
    assert "the gateway of this build does not start, and the one before it goes on" in err.splitlines()[-1], err
    assert people.failed == [] and set(people.seen) == {"one"}
    wait_for(lambda: running(place) == was)  # of the other one the last try may just be ending
    assert service(place)["Spec"] == spec
    assert place.services("web") == {1: "stable"} and not place.locks()
    file.write_bytes(right)
    with People(place) as people:
        p = place.start("deploy", "-f", place.write("web", {"VERSION": "two"}), "-y", program=AHEAD)
        out, err = p.communicate(timeout=300)
        assert p.returncode == 0, out + err + place.state()
        assert people.hear() == {"two"}
    assert people.failed == []
    wait_for(lambda: not running(place) & was)


def chat(place, session):
    c = http.client.HTTPConnection("127.0.0.1", place.port, timeout=2 * PATIENCE_S)
    c.request("POST", "/api/v1/chat", json.dumps({"user_input": "a martini please"}),
              {"Content-Type": "application/json", "Host": BAR, "X-Session-ID": session})
    r = c.getresponse()
    body = r.read()
    assert r.status == 200, body
    c.close()


def test_who_is_where_and_who_watches(place):
    path = place.folder / "bar.yaml"
    path.write_text(json.dumps({"name": "bar", "size": "small", "memory": 256, "sessions": 8, "hostnames": [BAR],
                                "min_containers": 2, "max_containers": 2, "drain": 2, "health": {"watch": 0}}))
    place.maya("deploy", "-f", str(path))
    names = [f"guest-{i}" for i in range(6)]
    for name in names:
        chat(place, name)

    def table():
        return dict(re.findall(r"key=(\S+) .*server_key=(\S+)", ask_gateway(place, "show table app-bar")))

    before, was = table(), running(place)
    assert set(before) == set(names) and len(set(before.values())) == 2, before
    c = http.client.HTTPConnection("127.0.0.1", place.port, timeout=2 * PATIENCE_S)
    c.request("GET", f"/api/v1/session/events?session_id={names[0]}", headers={"Host": BAR})
    events = c.getresponse()
    assert events.status == 200
    # A process that was started less than 5 seconds ago hands over nothing.
    wait_for(lambda: int(re.search(r"Uptime_sec: (\d+)", ask_gateway(place, "show info"))[1]) > 5)
    replace(place)
    wait_for(lambda: table() == before)
    assert was < running(place)  # for the one who watches
    chat(place, names[0])
    assert any(b"martini" in line for line in iter(events.readline, b""))
    events.close()
    c.close()

    def gone():
        chat(place, names[0])  # that nobody watches any more is seen when there is something to tell
        return not running(place) & was

    wait_for(gone)
    assert [gateways(place)[key]["ExitCode"] for key in was] == [0]

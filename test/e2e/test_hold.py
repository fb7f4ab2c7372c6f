"""An app's only container is killed, and those who talk to it wait a little, on a real engine."""
import collections
import http.client
import json
import threading

import pytest

from other_app import Site, wait_for

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

HOST, GUESTS = "bar.example.org", 12


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("hold"))
    (made.folder / "bar.yaml").write_text(json.dumps({
        "name": "bar", "size": "small", "memory": 256, "sessions": 64, "session_memory": 0.5, "max_containers": 1,
        "hostnames": [HOST], "env": {"MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0",
                                     "MAYA_BURST_LIMIT": "0"}}))
    made.deploy(str(made.folder / "bar.yaml"))
    wait_for("people may come", lambda: made.ask(HOST, "/api/v1/agent")[0] == 200)
    yield made
    made.close()


class Guests:
    """Each says one thing after the other, whose words tell which it is."""

    def __init__(self, site):
        self.site, self.over = site, threading.Event()
        self.said, self.failed = collections.Counter(), []
        self.threads = [threading.Thread(target=self.talk, args=(f"guest-{i}",), daemon=True)
                        for i in range(GUESTS)]

    def talk(self, session):
        while not self.over.is_set():
            text = f"{session} says {self.said[session]}."
            headers = {"X-Session-ID": session, "Content-Type": "application/json"}
            try:
                status, _, body = self.site.ask(HOST, "/api/v1/chat", "POST", json.dumps({"user_input": text}),
                                                headers=headers)
            except (OSError, http.client.HTTPException) as e:
                status, body = 0, repr(e)
            if status != 200:
                self.failed.append((session, status, body))
            self.said[session] += status == 200
            self.over.wait(0.1)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()

    def another(self):
        """Everybody was answered once more."""
        before = dict(self.said)
        wait_for("everybody is answered", lambda: self.failed or all(
            self.said[f"guest-{i}"] > before.get(f"guest-{i}", 0) + 1 for i in range(GUESTS)))


def history(site, session):
    status, _, body = site.ask(HOST, "/api/v1/session/history", headers={"X-Session-ID": session})
    assert status == 200, body
    return [m["content"] for m in json.loads(body)["history"] if m["role"] == "user"]


def running(site):
    return [t for t in site.tasks("bar") if t["Status"]["State"] == "running"]


def test_nobody_notices_that_the_only_container_was_killed(site):
    with Guests(site) as guests:
        for _ in range(3):
            guests.another()
            (task,) = running(site)
            site.engine.call("POST", f"/containers/{task['Status']['ContainerStatus']['ContainerID']}"
                                     "/kill?signal=KILL")
            wait_for("another container", lambda: [t["ID"] for t in running(site)] not in ([], [task["ID"]]))
        guests.another()
    assert guests.failed == [], site.state()
    for session, n in guests.said.items():
        said = history(site, session)
        assert said and said == [f"{session} says {i}." for i in range(n)][-len(said):]


class Watched:
    """A session, and a stream that tells what happens in it."""

    def __init__(self, site, session):
        self.site, self.session = site, session
        self.connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
        self.connection.request("GET", f"/api/v1/session/events?session_id={session}", headers={"Host": HOST})
        self.stream = self.connection.getresponse()
        assert self.stream.status == 200

    def say(self, text):
        status, _, body = self.site.ask(HOST, "/api/v1/chat", "POST", json.dumps({"user_input": text}),
                                        headers={"X-Session-ID": self.session, "Content-Type": "application/json"})
        assert status == 200, body

    def heard(self, text):
        return any(text.encode() in line for line in iter(self.stream.readline, b""))


def restart_keeper(site):
    begun = len([row for row in site.keeper_log() if row["event"] == "scale_stay"])
    site.engine.replace("maya-keeper")
    wait_for("another keeper has looked", lambda: len(
        {c["Id"] for c in site.engine.json("GET", "/containers/json?all=1") if "maya-keeper" in c["Names"][0]}) > 1
        and len([row for row in site.keeper_log() if row["event"] == "scale_stay"]) > begun)


def test_a_new_keeper_leaves_everybody_where_they_are(site):
    path = site.folder / "bar.yaml"
    path.write_text(json.dumps({**json.loads(path.read_text()), "min_containers": 3, "max_containers": 3}))
    site.deploy(str(path))
    wait_for("three containers", lambda: len(running(site)) == 3)
    wait_for("all are up", lambda: any(row["event"] == "ready" and row["serve"] == 3 for row in site.keeper_log()))
    watched = [Watched(site, f"watched-{i}") for i in range(9)]
    for w in watched:
        w.say("hello, one")
        assert w.heard("hello, one")
    restart_keeper(site)
    for w in watched:
        w.say("hello, two")
        assert w.heard("hello, two")

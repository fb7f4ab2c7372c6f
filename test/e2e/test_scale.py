"""The number of an app's containers follows what is asked of them, on a real engine."""
import contextlib
import itertools
import json
import threading

import pytest

from docker import EngineError
from other_app import PATIENCE_S, Site, wait_for

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

HOST, BAR = "app.example.org", "bar.example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("scale"))
    yield made
    made.close()


class Held:
    """Requests that are under way until they are let go; all must be answered."""

    turns = itertools.count()

    def __init__(self, site, count):
        self.site, self.said, self.file = site, [], f"go-{next(self.turns)}"
        self.threads = [threading.Thread(target=self.ask) for _ in range(count)]
        for t in self.threads:
            t.start()

    def ask(self):
        path = f"/hold?s={PATIENCE_S - 10}&until={self.file}"
        self.said.append(self.site.json(HOST, path)["container"])

    def let_go(self):
        for t in self.site.tasks("other"):
            who = t["Status"]["ContainerStatus"]["ContainerID"]
            with contextlib.suppress(EngineError):  # one that has nothing to do may go just now
                self.site.make_file(who, "/tmp/" + self.file)
        for t in self.threads:
            t.join()
        assert len(self.said) == len(self.threads)
        return self.said


def log(site, event):
    return [row for row in site.keeper_log() if row["event"] == event]


def count(site):
    return len(site.tasks("other"))


def test_more_when_more_is_under_way_and_fewer_afterwards(site):
    site.deploy(site.write("other", hostnames=[HOST], sessions=4, max_containers=2, scaledown_window=4))
    wait_for("people may come", lambda: site.ask(HOST)[0] == 200)
    assert count(site) == 1
    held = Held(site, 4)
    wait_for("another container", lambda: count(site) == 2)
    held.let_go()
    row = log(site, "scale_out")[0]
    assert (row["from"], row["to"], row["need"], row["room"], row["out"]) == (1, 2, 2, 4, 1)
    assert row["used"] >= 2 and row["why"] == "more is reserved"
    wait_for("one has gone", lambda: count(site) == 1 and log(site, "scaled_in"))
    row = log(site, "scale_in")[0]
    assert (row["from"], row["to"], row["peak"], row["in"]) == (2, 1, 1, 1)


@pytest.mark.parametrize("turn", [1, 2])
def test_the_one_with_the_least_to_do_goes_and_no_other(site, turn):
    done = len(log(site, "scaled_in"))
    held = Held(site, 4)
    wait_for("another container", lambda: count(site) == 2)
    wait_for("both answer", lambda: len({site.json(HOST)["container"] for _ in range(6)}) == 2)
    # One of the two has this; the other one is to go.
    long = Held(site, 1)
    held.let_go()
    wait_for("one has gone", lambda: len(log(site, "scaled_in")) > done)
    (stays,) = long.let_go()
    wait_for("one is left", lambda: count(site) == 1)
    assert {site.json(HOST)["container"] for _ in range(4)} == {stays}


def test_to_zero_and_the_first_request_is_held(site):
    site.deploy(site.write("other", hostnames=[HOST], min_containers=0, max_containers=2,
                           scaledown_window=3))
    wait_for("nobody is left", lambda: site.roles("other") == ["stable"] and count(site) == 0)
    assert site.json(HOST)["says"] == "hello"
    assert any(row["why"] == "a request waits" for row in log(site, "scale_out"))
    wait_for("nobody is left again", lambda: count(site) == 0)
    answers = []
    many = [threading.Thread(target=lambda: answers.append(
        site.ask(HOST, "/", "POST", b"z" * 300000))) for _ in range(6)]
    for t in many:
        t.start()
    for t in many:
        t.join()
    assert [(status, len(body)) for status, _, body in answers] == [(200, 300000)] * 6


def test_maya_by_what_is_reserved_and_her_sessions_outlive_it(site):
    path = site.folder / "bar.yaml"
    path.write_text(json.dumps({
        "name": "bar", "size": "small", "memory": 256, "sessions": 4, "session_memory": 1,
        "min_containers": 0, "max_containers": 2, "scaledown_window": 12, "hostnames": [BAR]}))
    site.deploy(str(path))
    wait_for("people may come", lambda: site.ask(BAR, "/api/v1/agent")[0] == 200)
    sessions = [say(site, f"I am guest {i}") for i in range(4)]
    assert len(set(sessions)) == 4
    row = wait_for("more for those four", lambda: [r for r in log(site, "scale_out") if r["app"] == "bar"])[0]
    assert (row["to"], row["room"], row["why"]) == (2, 4 << 20, "more is reserved")
    # Or it saw two or three of them, and that there would soon be more.
    assert row["used"] > 3 << 20 or row["used"] >= 2 << 20 and row["expected"] >= 4 << 20
    wait_for("nobody is left", lambda: not site.tasks("bar"))
    for i, session in enumerate(sessions):
        status, _, body = site.ask(BAR, "/api/v1/session/history", headers={"X-Session-ID": session})
        assert status == 200 and f"I am guest {i}" in body.decode()
    assert say(site, "And one more", sessions[0]) == sessions[0]


def say(site, text, session=None):
    headers = {"Content-Type": "application/json", **({"X-Session-ID": session} if session else {})}
    status, said, body = site.ask(BAR, "/api/v1/chat", "POST", json.dumps({"user_input": text}), headers=headers)
    assert status == 200, body
    return said["X-Session-ID"]

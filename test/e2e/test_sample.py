"""Stored sessions are tried before a version of Maya takes over."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import sqlite3
import subprocess

import pytest

from apps import Place, SlowSocket
from docker import PATIENCE_S
from node import MAYA, ROOT

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

# A build whose sessions have a form that this one does not know.
AHEAD = pathlib.Path(os.environ.get("MAYA_AHEAD", MAYA.parent / "test/maya_ahead"))
OTHER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def sample(*words, folder, code=0, **env):
    done = subprocess.run([MAYA, "sample", *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "MAYA_DATA_DIR": str(folder), **env}, cwd=folder)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def everything(folder):
    return {f.name: f.read_bytes() for f in folder.iterdir() if not f.name.endswith("-shm")}


def test_a_sample_is_read_and_written_anew(nodes, tmp_path):
    node = nodes()
    for _ in range(5):
        node.say("a martini please")
    live = node.folder / "data" if (node.folder / "data").is_dir() else node.folder
    assert (live / "maya.db").exists(), list(node.folder.iterdir())
    before = everything(live)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert sample("write", live, folder=one) == {"sessions": 5, "failed": 0, "newer": 0, "why": ""}
    assert sample("read", live, folder=one)["failed"] == 0
    assert sample("write", live, 3, folder=two)["sessions"] == 3
    assert everything(live) == before  # not a byte of it is touched
    said = sample("read", live, folder=two, MAYA_MASTER_KEY=OTHER_KEY)
    assert said["failed"] == 0  # the live folder's key still opens them
    node.stop()
    for left in ("maya.db-wal", "maya.db-shm"):
        assert not (live / left).exists()
    three = tmp_path / "three"
    three.mkdir()
    assert sample("write", live, folder=three)["sessions"] == 5  # nobody has it open


def test_what_a_newer_build_wrote_is_told(nodes, tmp_path):
    node = nodes()
    node.say("a martini please")
    live = node.folder / "data" if (node.folder / "data").is_dir() else node.folder
    lost = tmp_path / "lost"
    lost.mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert sample("write", empty, folder=lost)["sessions"] == 0
    assert list(empty.iterdir()) == []  # no key is made by asking
    sample("write", live, folder=lost)
    said = sample("read", empty, folder=lost, MAYA_MASTER_KEY=OTHER_KEY)
    assert (said["sessions"], said["failed"]) == (1, 1)
    assert "martini" not in json.dumps(said)
    assert "usage: maya sample" in sample("look", live, folder=lost, code=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("sample"))
    yield made
    made.close()


def chat(place, session=None, host="localhost"):
    c = http.client.HTTPConnection("127.0.0.1", place.port, timeout=2 * PATIENCE_S)
    c.request("POST", "/api/chat", json.dumps({"user_input": "a martini please"}),
              {"Content-Type": "application/json", "Host": host,
               **({"X-Session-ID": session} if session else {})})
    r = c.getresponse()
    body = r.read()
    assert r.status == 200, body
    return r.headers["X-Session-ID"]


def test_before_a_rollout(place):
    path = place.folder / "deploy.yaml"

    def deploy(env, *flags, code=0):
        path.write_text(json.dumps({"name": "bar", "size": "small", "memory": 512, "sessions": 8,
                                    "max_containers": 1, "drain": 2, "health": {"watch": 0}, "env": env}))
        p = place.start("deploy", "-f", str(path), "--http", str(place.port), "-y", *flags)
        out, err = p.communicate(timeout=200)
        assert p.returncode == code, out + err + place.state()
        return err

    deploy({})
    ids = [chat(place) for _ in range(3)]
    said = deploy({"MAYA_LOG_LEVEL": "info"})
    assert "v2 reads 3 stored sessions, and v1 reads them back" in said
    chat(place, ids[0])
    # A row that nobody can read.
    store = place.engine.folder / "data/volumes/bar-data/_data/maya.db"
    with contextlib.closing(sqlite3.connect(store, timeout=20)) as db, db:
        db.execute("INSERT INTO session(id, version, used_at, data) VALUES('odd', 1, 9e9, x'00')")
    why = deploy({"MAYA_LOG_LEVEL": "warning"}, code=1)
    assert "v3 cannot take over 1 of 4 stored sessions" in why and "--force" in why, why
    assert place.services("bar") == {2: "stable"}
    deploy({"MAYA_LOG_LEVEL": "warning"}, "--force")
    assert place.services("bar") == {3: "stable"}
    assert "cannot take over 1 of 4" in place.maya("app", "rollback", "bar", code=1)
    chat(place, ids[1])
    # Stopped while they are tried.
    before = place.all_there_is()
    assert not [name for names in before.values() for name in names if "sample" in name]
    path.write_text(path.read_text().replace("warning", "error"))
    # It does not get to hear how that ends.
    there = str(place.engine.folder / "slow")
    slow = SlowSocket(place.engine.socket, there, b"/tasks?", begun=False)
    p = place.start("deploy", "-f", str(path),
                    env={**place.engine.env, "DOCKER_HOST": f"unix://{there}"})
    assert slow.stuck.wait(PATIENCE_S)
    assert any("sample" in name for name in place.all_there_is()["services"])
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=PATIENCE_S)[1]
    slow.close()
    assert (p.returncode, err) == (1, "maya: stopped, before anything of bar was changed\n")
    assert place.all_there_is() == before and not place.locks()


def test_a_build_whose_sessions_have_another_form(place):
    host, path = "form.example.org", place.folder / "form.yaml"

    def deploy(level, *flags, program=MAYA, code=0):
        path.write_text(json.dumps({"name": "its.form", "size": "small", "memory": 256, "sessions": 8,
                                    "hostnames": [host], "max_containers": 1, "drain": 2,
                                    "health": {"watch": 0}, "env": {"MAYA_LOG_LEVEL": level}}))
        p = place.start("deploy", "-f", str(path), "--http", str(place.port), *flags, program=program,
                        cwd=ROOT)  # where agents/maya is
        out, err = p.communicate(timeout=200)
        assert p.returncode == code, out + err + place.state()
        return err.strip().splitlines()[-1]

    deploy("info")
    ids = [chat(place, host=host) for _ in range(2)]
    kept = place.all_there_is()
    # The old build cannot read back what the new one writes.
    assert deploy("info", program=AHEAD, code=1) == (
        "maya: v1 cannot read back 2 of 2 sessions that v2 writes, which have a newer form, so there would "
        "be no way back; --force deploys it all the same")
    assert place.all_there_is() == kept
    deploy("info", "--force", program=AHEAD)
    assert place.services("its.form") == {2: "stable"}
    chat(place, ids[0], host)
    kept = place.all_there_is()
    # The old build comes again, and cannot read what the newer one has written.
    says = ("cannot take over 1 of 2 stored sessions (this session has format 99, this build reads up to 3; "
            "use a newer build); --force deploys it all the same")
    assert deploy("debug", code=1) == f"maya: v3 {says}"
    assert place.maya("app", "rollback", "its.form", code=1).strip().splitlines()[-1] == f"maya: v3 {says}"
    assert place.all_there_is() == kept
    assert place.services("its.form") == {2: "stable"} and not place.locks()
    chat(place, ids[0], host)

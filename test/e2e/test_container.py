"""`maya container` on a real Docker Engine in Swarm mode."""
import json
import os
import pty
import select
import subprocess
import time

import pytest

from docker import PATIENCE_S, start_engine
from node import MAYA

PROGRAMS = ("sh", "cat", "sleep", "stty", "echo")


@pytest.fixture(scope="module")
def swarm():
    made = start_engine(swarm=True)
    yield made
    made.stop()


def maya(engine, *words, code=0, stdin=""):
    done = subprocess.run([MAYA, *words], env=engine.env, capture_output=True, text=True,
                          input=stdin, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def containers(engine, *more):
    return json.loads(maya(engine, "container", "list", "--json", *more))


def wait_for(look):
    end = time.monotonic() + PATIENCE_S
    while True:
        got = look()
        if got:
            return got
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)  # between two looks


def running(engine, app, n):
    def look():
        rows = [c for c in containers(engine, "--app", app) if c["state"] == "running"]
        return rows if len(rows) == n else None
    return wait_for(look)


@pytest.fixture(scope="module")
def app(swarm):
    """Two containers of version 3 of an app, and one of another app."""
    image = swarm.base_image("sleeper:1", PROGRAMS)
    sleep = ["/bin/sh", "-c", "trap 'exit 0' TERM; echo there; while :; do sleep 1; done"]
    for name, version, n in (("bar", "3", 2), ("other", "1", 1)):
        swarm.json("POST", "/services/create", {
            "Name": f"{name}-v{version}", "Labels": {"maya.app": name, "maya.version": version},
            "TaskTemplate": {"ContainerSpec": {"Image": image, "Command": sleep},
                             "RestartPolicy": {"Condition": "any", "Delay": 0}},
            "Mode": {"Replicated": {"Replicas": n}}})
    return "bar"


def test_list_shows_the_containers_of_apps(swarm, app):
    rows = running(swarm, app, 2)
    assert {(c["app"], c["version"]) for c in rows} == {("bar", "v3")}
    running(swarm, "other", 1)
    assert [c["app"] for c in containers(swarm)] == ["bar", "bar", "other"]
    lines = maya(swarm, "container", "list").splitlines()
    assert lines[0].startswith("Container ID  App") and rows[0]["container_id"][:12] in lines[1]
    assert maya(swarm, "container", "list", "--app", "none").startswith("No containers run")


def test_tab_knows_containers(swarm, app):
    rows = running(swarm, app, 2) + running(swarm, "other", 1)
    assert set(maya(swarm, "complete", "--", "container", "stop", "").splitlines()) == {
        f"{c['container_id'][:12]}\t{c['app']}" for c in rows}


def test_a_stopped_one_is_replaced(swarm, app):
    before = {c["container_id"] for c in running(swarm, app, 2)}
    gone = sorted(before)[0]
    wait_for(lambda: "there" in swarm.logs(gone))  # before, it does not hear of a SIGTERM
    assert "--yes" in maya(swarm, "container", "stop", gone, code=1)
    said = maya(swarm, "container", "stop", "-y", gone[:12])
    assert said == f"The container {gone[:12]} has stopped; its app gets another one.\n"
    assert swarm.inspect(gone)["State"]["ExitCode"] == 0  # it was asked, not killed
    wait_for(lambda: {c["container_id"] for c in running(swarm, app, 2)} - before)


@pytest.mark.parametrize("who, why", [
    ("xyz", "is no container's id"),
    ("", "is no container's id"),
    ("ffffffffffffffff", "no container of an app begins with"),
])
def test_a_container_that_is_not_there(swarm, app, who, why):
    for words in (["stop", "-y", who], ["exec", who, "echo"]):
        done = subprocess.run([MAYA, "container", *words], env=swarm.env, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=60)
        assert done.returncode in (1, 2) and why in done.stderr


def one_of(swarm, app):
    return running(swarm, app, 2)[0]["container_id"][:12]


def test_exec_brings_output_input_and_the_exit_code(swarm, app):
    who = one_of(swarm, app)
    assert maya(swarm, "container", "exec", who, "--", "/bin/echo", "-n", "hi") == "hi"
    done = subprocess.run([MAYA, "container", "exec", who, "--", "/bin/sh", "-c",
                           "cat; echo oops >&2; exit 7"], env=swarm.env, capture_output=True,
                          input=b"x" * 300000 + b"\xff\0", timeout=60)
    assert done.returncode == 7 and done.stderr == b"oops\n"
    assert done.stdout == b"x" * 300000 + b"\xff\0"


def test_flags_behind_the_command_are_its_own(swarm, app):
    who = one_of(swarm, app)
    exec_ = ("container", "exec", "--engine", swarm.host, who)
    assert maya(swarm, *exec_, "/bin/echo", "-n", "--help", "--", "x") == "--help -- x"
    assert maya(swarm, *exec_, "--", "/bin/echo", "-n", "hi") == "hi"
    assert "flags behind COMMAND are its own" in maya(swarm, "container", "exec", who, "--help", "/bin/echo")
    assert "has no flag '--nonsense'" in maya(swarm, "container", "exec", who, "--nonsense",
                                              "/bin/echo", code=2)


def test_exec_of_what_is_not_there(swarm, app):
    done = subprocess.run([MAYA, "container", "exec", one_of(swarm, app), "/nonexistent"],
                          env=swarm.env, capture_output=True, text=True, timeout=60)
    assert done.returncode in (126, 127)  # as a shell says it
    assert "/nonexistent" in done.stdout + done.stderr


def test_exec_on_a_terminal_has_its_size(swarm, app):
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "77"], stdin=slave, check=True)
    p = subprocess.Popen([MAYA, "container", "exec", one_of(swarm, app), "/bin/sh"],
                         env=swarm.env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""

    def until(words):
        nonlocal said
        end = time.monotonic() + PATIENCE_S
        while words not in said:
            assert select.select([master], [], [], end - time.monotonic())[0], said
            said += os.read(master, 4096)

    until(b"# ")
    # The size arrives behind the start.
    os.write(master, b"while test \"$(stty size)\" != '33 77'; do sleep 0.05; done; echo a''b\n")
    until(b"ab\r\n")
    os.write(master, b"exit 5\n")
    assert p.wait(PATIENCE_S) == 5
    os.close(master)


def test_what_containers_take(swarm, app, tmp_path):
    """Memory of each, and of a Maya how many sessions it has."""
    (tmp_path / "deploy.yaml").write_text("name: maya\n")
    image = maya(swarm, "image", "build", "-f", str(tmp_path / "deploy.yaml")).split()[0].rstrip(",")
    made = swarm.json("POST", "/services/create", {
        "Name": "maya-v4", "Labels": {"maya.app": "maya", "maya.version": "4"},
        "TaskTemplate": {"ContainerSpec": {
            "Image": image, "Env": ["MAYA_DATA_DIR=/tmp/d", "MAYA_SESSIONS_PER_CONTAINER=7",
                                    "MAYA_DEFAULT_SESSION_MEMORY_MB=1"],
            "Healthcheck": {"Test": ["NONE"]},
            "Mounts": [{"Type": "tmpfs", "Target": "/tmp"}]}},
        "EndpointSpec": {"Ports": [
            {"Protocol": "tcp", "TargetPort": port, "PublishMode": "host"}
            for port in (8000, 8001)]}})["ID"]
    try:
        row = wait_for(lambda: next((c for c in running(swarm, "maya", 1) if c["sessions"]), None))
        assert row["sessions"] == "0" and 1 << 20 < int(row["memory"]) < 1 << 30

        def lines():
            said = maya(swarm, "container", "list", "--app", "maya").splitlines()
            assert said[0].endswith("Sessions  Memory")
            return "  0 of 7    " in said[1]  # unless she did not answer at once

        wait_for(lines)
    finally:
        swarm.call("DELETE", f"/services/{made}")
    for row in running(swarm, app, 2):
        assert row["sessions"] is None and int(row["memory"]) > 0

"""`maya app logs` and `maya app dashboard` on a real Docker Engine in Swarm mode."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from docker import PATIENCE_S, start_engine
from node import MAYA

PROGRAMS = ("sh", "sleep", "echo")


@pytest.fixture(scope="module")
def swarm():
    made = start_engine(swarm=True)
    made.base_image("talker:1", PROGRAMS)
    yield made
    made.stop()


def maya(engine, *words, code=0):
    done = subprocess.run([MAYA, "app", *words], env=engine.env, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return (done.stdout if code == 0 else done.stderr).decode(errors="replace")


def wait_for(look):
    end = time.monotonic() + PATIENCE_S
    while True:
        got = look()
        if got:
            return got
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)  # between two looks


def start(engine, app, version, script, n=1):
    """A version of an app: containers that run a script of sh, and go on until they are told."""
    return engine.json("POST", "/services/create", {
        "Name": f"{app}-v{version}", "Labels": {"maya.app": app, "maya.version": str(version)},
        "TaskTemplate": {
            "ContainerSpec": {"Image": "talker:1", "StopGracePeriod": 0, "Command":
                              ["/bin/sh", "-c", script + "\nwhile :; do sleep 60; done"]},
            "RestartPolicy": {"Condition": "none"}},
        "Mode": {"Replicated": {"Replicas": n}}})["ID"]


def says(engine, app, text, *more):
    return wait_for(lambda: text in maya(engine, "logs", app, *more))


@pytest.fixture(scope="module")
def app(swarm):
    # The engine reads stdout and stderr apart, and in any order when both have something.
    start(swarm, "bar", 1, "for i in 1 2 3 4 5; do echo one $i; done; "
          "until test -e /tmp/on; do sleep 0.1; done; echo bad >&2")
    says(swarm, "bar", "one 5")
    one, = swarm.json("GET", "/containers/json")
    assert swarm.exec(one["Id"], "/bin/sh", "-c", ": > /tmp/on")[0] == 0
    says(swarm, "bar", "bad")
    start(swarm, "bar", 2, "echo two 1; echo two 2; echo '{\"ts\":\"2025-01-01T00:00:00.000Z\","
          "\"level\":\"info\",\"part\":\"net\",\"event\":\"listening\",\"port\":8000,"
          "\"note\":\"a b\"}'; printf 'odd \\377 \\033[31m'; echo; echo end")
    says(swarm, "bar", "end")
    start(swarm, "other", 1, "echo other")
    return "bar"


ALL = ["one 1", "one 2", "one 3", "one 4", "one 5", "bad", "two 1", "two 2"]


def test_all_versions_by_time(swarm, app):
    lines = maya(swarm, "logs", app).splitlines()
    assert lines[:8] == ALL and lines[8].startswith('{"ts":') and lines[-1] == "end"
    assert "other" not in lines and len(lines) == 11
    assert maya(swarm, "logs", app, "-n", "1") == "end\n"
    assert maya(swarm, "logs", app, "--tail", "0") == ""
    assert maya(swarm, "logs", app, "--since", "1h").splitlines() == lines
    assert maya(swarm, "logs", app, "--until", "1h") == ""
    assert maya(swarm, "logs", app, "--grep", "two").splitlines() == ["two 1", "two 2"]
    assert maya(swarm, "logs", app, "--grep", "one", "-n", "2").splitlines() == ["one 4", "one 5"]
    stamped = maya(swarm, "logs", app, "--timestamps", "--grep", "one").splitlines()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z one \d", s) for s in stamped)


def test_one_container(swarm, app):
    rows = json.loads(subprocess.run([MAYA, "container", "list", "--json", "--app", app],
                                     env=swarm.env, capture_output=True, check=True).stdout)
    two = next(r["container_id"] for r in rows if r["version"] == "v2")
    assert maya(swarm, "logs", app, "--container", two[:12]).splitlines()[:2] == ALL[6:]
    assert "begins with 'ffff" in maya(swarm, "logs", app, "--container", "ffffffffffff", code=1)


def test_json_is_a_line_each(swarm, app):
    rows = [json.loads(line) for line in maya(swarm, "logs", app, "--json").splitlines()]
    assert [r["text"] for r in rows[:8]] == ALL
    assert [r["stream"] for r in rows[4:6]] == ["stdout", "stderr"]
    assert rows[8]["event"] == "listening" and "text" not in rows[8]  # as it was
    assert rows[7]["version"] == "v2" and re.fullmatch("[0-9a-f]{64}", rows[7]["container"])


def on_a_terminal(engine, *words):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(MAYA, [MAYA, "app", *words], engine.env)
    out = b""
    while select.select([fd], [], [], PATIENCE_S)[0]:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        out += piece
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return out.decode()


def test_a_person_sees_where_it_is_from(swarm, app):
    lines = on_a_terminal(swarm, "logs", app).splitlines()
    assert re.fullmatch(r"v1 [0-9a-f]{12} \| one 1", lines[0])
    assert re.fullmatch(r'v2 [0-9a-f]{12} \| info    net listening port=8000 note="a b"', lines[8])
    assert re.search(r"\| odd . \[31m$", lines[9])  # what would be a command to the terminal is none


class Follower:
    def __init__(self, engine, *words):
        self.p = subprocess.Popen([MAYA, "app", "logs", *words, "-f"], env=engine.env,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.p.stdout.fileno(), False)
        self.seen = ""

    def until(self, text, times=1):
        def look():
            self.seen += (self.p.stdout.read() or b"").decode()
            return self.seen.count(text) >= times
        wait_for(look)

    def end(self, signum=signal.SIGINT):
        self.p.send_signal(signum)
        said = self.p.stderr.read()
        assert self.p.wait(PATIENCE_S) == 0 and said == b"", said
        self.p.stdout.close()
        self.p.stderr.close()


def test_following_goes_over_a_rollout(swarm):
    tick = "i=0; while :; do i=$((i+1)); echo {} $i; sleep 0.1; done"
    old = start(swarm, "roll", 1, tick.format("old"), n=2)
    f = Follower(swarm, "roll")
    f.until("old 3\n", times=2)  # of both
    start(swarm, "roll", 2, tick.format("new"))
    f.until("new 3\n")
    swarm.call("DELETE", f"/services/{old}")
    mark = len(f.seen)
    wait_for(lambda: "new" in (f.until("new") or f.seen[mark:]))
    f.until("new 30\n")
    f.end()
    # Each line once, in its order, from the first on.
    new = re.findall(r"new (\d+)\n", f.seen)
    assert new == [str(i + 1) for i in range(len(new))]
    first = [int(i) for i in re.findall(r"old (\d+)\n", f.seen)]
    assert first.count(1) == 2 and first.count(2) == 2 and first.count(3) == 2


def test_who_reads_may_go_away(swarm, app):
    p = subprocess.Popen([MAYA, "app", "logs", app, "-f"], env=swarm.env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    assert p.stdout.readline() == b"one 1\n"
    p.stdout.close()
    assert p.wait(PATIENCE_S) == 0  # although nothing more is said
    assert p.stderr.read() == b""
    p.stderr.close()


def test_long_lines_and_many_of_them(swarm):
    start(swarm, "long", 1, "x=0123456789; x=$x$x$x$x$x$x$x$x$x$x; x=$x$x$x$x$x$x$x$x$x$x; "
          "x=$x$x$x$x$x$x$x$x$x$x; echo $x$x$x$x; i=0; "
          "while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done; echo end")
    says(swarm, "long", "end", "-n", "1")
    lines = maya(swarm, "logs", "long", "--since", "1h").splitlines()
    assert lines[0] == "0123456789" * 4000
    assert lines[1:] == [*(str(i) for i in range(1, 20001)), "end"]
    assert maya(swarm, "logs", "long", "-n", "3").splitlines() == ["19999", "20000", "end"]


@pytest.mark.parametrize("words, why, code", [
    (["none"], "there is no app 'none'", 1),
    (["bar", "--since", "soon"], "--since is 'soon'", 2),
    (["bar", "--since", "-2h"], "--since is '-2h'", 2),
    (["bar", "-n", "-1"], "--tail is '-1'", 2),
    (["bar", "-f", "--until", "1h"], "give one", 2),
    (["bar", "--container", "xyz"], "no container's id", 2),
])
def test_mistakes(swarm, app, words, why, code):
    said = maya(swarm, "logs", *words, code=code)
    assert why in said and said.count("\n") == 1


def test_an_app_that_was_stopped(swarm):
    made = start(swarm, "gone", 1, "echo here")
    says(swarm, "gone", "here")
    swarm.json("POST", "/configs/create", {"Name": "gone-v1", "Data": "e30=", "Labels":
                                           {"maya.app": "gone", "maya.version": "1"}})
    swarm.call("DELETE", f"/services/{made}")
    done = subprocess.run([MAYA, "app", "logs", "gone"], env=swarm.env, capture_output=True,
                          text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no containers of gone are left" in done.stderr
    p = subprocess.Popen([MAYA, "app", "logs", "gone", "-f"], env=swarm.env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    assert "no containers of gone are left to hear; what begins is waited for" in p.stderr.readline()
    p.send_signal(signal.SIGINT)
    assert p.communicate(timeout=PATIENCE_S) == ("", "") and p.returncode == 0


def test_dashboard(swarm, app, tmp_path):
    """The address is printed; where there is a screen it is opened, too."""
    swarm.json("POST", "/configs/create", {"Name": "bar-v2", "Data": "e30=", "Labels":
                                           {"maya.app": "bar", "maya.version": "2"}})
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/opened\n')
    opener.chmod(0o755)
    env = {k: v for k, v in swarm.env.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    for more, opened in (({}, False), ({"DISPLAY": ":9"}, True)):
        done = subprocess.run([MAYA, "app", "dashboard", app], env={**env, **more}, text=True,
                              capture_output=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(r"http://[\w.]+:\d+\n", done.stdout)
        assert (tmp_path / "opened").exists() == opened
    assert (tmp_path / "opened").read_text() == done.stdout
    assert "there is no app 'none'" in maya(swarm, "dashboard", "none", code=1)

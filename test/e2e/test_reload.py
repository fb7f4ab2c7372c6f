"""`maya serve --reload`: what changed is served, and nobody notices the change itself."""
import contextlib
import http.client
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from node import MAYA, PATIENCE_S, ROOT, SANITIZED, Node, free_port, until
from test_events import Watcher

FIRST_NAME = "Sandra"


class Reloaded(Node):
    """A Maya that reloads, with a program, an agent folder and a page of its own to change."""

    def __init__(self, folder, env=None, args=()):
        super().__init__(folder, env, args)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.agent = self.folder / "agent"
        shutil.copytree(ROOT / "agents" / "maya", self.agent)
        shutil.copytree(ROOT / "web", self.folder / "web")
        self.program = self.folder / "bin" / "maya"
        self.program.parent.mkdir()
        shutil.copy(MAYA, self.program)
        (self.folder / ".env").write_text("MAYA_MAX_BODY_BYTES=2000\n")

    def command(self):
        return [str(self.program), "serve", "--reload", "--host", "127.0.0.1", "--port", "0",
                "--data-dir", str(self.data), "--agent", str(self.agent), *self.args]

    def count(self, line):
        return len(re.findall(line, self.log()))

    def child(self):
        """The one that serves now."""
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                stat = open(f"/proc/{int(entry)}/stat").read().rpartition(")")[2].split()
                if int(stat[1]) == self.pid and stat[0] != "Z":
                    found.append((int(stat[19]), int(entry)))  # the youngest, whatever its number
        return max(found)[1] if found else None

    @contextlib.contextmanager
    def reloading(self, times=1):
        before = self.count("reload  took_over")
        yield
        until(f"{times} reloads", lambda: self.count("reload  took_over") >= before + times)

    def put(self, path, text):
        """As editors do it: a new file in the place of the old one."""
        fresh = path.with_name(path.name + ".new~")
        fresh.write_text(text)
        os.replace(fresh, path)


@pytest.fixture
def node(tmp_path):
    n = Reloaded(tmp_path / "node").start()
    yield n
    n.close()


def orders(n, session):
    """What was said in all, and how much of each drink is on the tab."""
    told = n.get("/api/v1/session/history", session=session).json()
    return told["turn"], {i["name"]: i["quantity"] for i in told["current_order"]}


def test_agent_folder(node):
    session = "reloading-guest-1"
    node.say("a negroni, please", session)
    text = (node.agent / "agent.yaml").read_text()
    assert "name: Maya" in text
    with node.reloading():
        node.put(node.agent / "agent.yaml", text.replace("name: Maya", f"name: {FIRST_NAME}", 1))
    assert node.get("/api/v1/agent").json()["name"] == FIRST_NAME
    node.say("and a manhattan", session)
    assert orders(node, session) == (2, {"Negroni": 1, "Manhattan": 1})


def many_writes(node):
    """How often it started anew for them. False: this thread was held up while it wrote, and 0.3 s
    without a change are the end of them."""
    path = node.agent / "menu.yaml"
    text = path.read_text()
    started, times = node.count("serve   start"), [time.monotonic()]
    with node.reloading():
        for i in range(20):
            path.write_text(text + f"\n# {i}\n")
            times.append(time.monotonic())
    node.say("a negroni, please")
    pauses = [b - a for a, b in itertools.pairwise(times)]
    return max(pauses) < 0.1 and node.count("serve   start") - started


def test_many_writes_are_one_restart(tmp_path):
    fresh = itertools.count()

    def once():
        with contextlib.closing(Reloaded(tmp_path / f"node-{next(fresh)}")) as n:
            return many_writes(n.start())

    assert until("twenty writes without a pause", once) == 1


def test_env_file(node):
    big = {"user_input": "x" * 3000}
    assert node.post("/api/v1/chat", big).status == 413
    with node.reloading():
        node.put(node.folder / ".env", "MAYA_MAX_BODY_BYTES=200000\n")
    assert node.post("/api/v1/chat", big).status != 413


def test_program(node):
    """A linker removes the old one, writes the new one piece by piece, makes it executable."""
    session = "reloading-guest-1"
    node.say("a negroni, please", session)
    data = MAYA.read_bytes()
    with node.reloading():
        node.program.unlink()
        with open(node.program, "wb") as f:
            f.write(data[:len(data) // 2])
            f.flush()
            node.say("and a manhattan", session)  # the old one serves meanwhile
            os.chmod(node.program, 0o755)  # executable, and half of it
            f.write(data[len(data) // 2:])
    node.say("one more manhattan", session)
    assert orders(node, session) == (3, {"Negroni": 1, "Manhattan": 2})


def test_half_a_program_is_waited_for(node):
    data = MAYA.read_bytes()
    first = node.child()
    half = node.program.with_name("half")
    half.write_bytes(data[:4096])
    half.chmod(0o755)
    os.replace(half, node.program)
    until("it cannot start", lambda: "reload  kept" in node.log())
    assert node.child() == first
    node.say("a negroni, please")
    with node.reloading():
        whole = node.program.with_name("whole")
        shutil.copy(MAYA, whole)
        os.replace(whole, node.program)
    assert node.child() != first


def asked(port, text=b"100%"):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        s.sendall(text)
        return s.makefile("rb").read()


def test_the_gateway_is_told_the_room_of_the_new_one(tmp_path):
    """Also while the old one still ends what it began: a body of which half has come."""
    port = free_port()
    n = Reloaded(tmp_path / "node", env={"MAYA_AGENT_CHECK_PORT": str(port),
                                         "MAYA_DRAIN_SECONDS": str(2 * PATIENCE_S),
                                         "MAYA_BODY_TIMEOUT_SECONDS": str(2 * PATIENCE_S)})
    with contextlib.closing(n.start()), \
            socket.create_connection(("127.0.0.1", n.port), timeout=PATIENCE_S) as slow:
        slow.sendall(b"POST /api/v1/chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 40\r\n\r\n{\"user_input\":")
        old = n.child()
        assert asked(port) == b"up 100%\n"
        with n.reloading():
            os.utime(n.agent / "agent.yaml")
        assert n.child() != old and os.path.exists(f"/proc/{old}")
        assert asked(port) == b"up 100%\n"
        slow.sendall(b"\"a negroni, please\"}".ljust(26))
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        assert n.count("reload  ended") == 0


def test_web_file(node):
    """The page shows it without a build, and open pages learn of it."""
    page = node.get("/")
    assert b"/reload.js" in page.body and page.headers["cache-control"] == "no-store"
    assert page.headers["content-security-policy"]
    first = node.get("/reload.id").body
    assert node.get("/reload.id").body == first
    style = node.folder / "web" / "style.css"
    node.put(style, style.read_text() + "\n.fresh { color: red }\n")
    assert b".fresh" in node.get("/style.css").body
    second = node.get("/reload.id").body
    assert second != first
    with node.reloading():
        os.utime(node.agent / "agent.yaml")
    assert node.get("/reload.id").body not in (first, second)
    style.unlink()
    assert node.get("/style.css").body == (ROOT / "web" / "style.css").read_bytes()


def test_without_reload_the_page_is_as_built(nodes):
    n = nodes()
    assert b"reload.js" not in n.get("/").body
    assert n.get("/reload.id").status == 404


def test_broken_agent_folder_keeps_the_old_one(node):
    session = "reloading-guest-1"
    node.say("a negroni, please", session)
    path = node.agent / "menu.yaml"
    whole, child = path.read_text(), node.child()
    lines = whole.count("\n")
    node.put(path, whole + "broken: [\n")
    until("it is told", lambda: "reload  kept" in node.log())
    told = re.search(r"menu\.yaml:(\d+): ", node.log())
    assert told and int(told[1]) >= lines, node.log()[-2000:]
    assert node.child() == child
    node.say("and a manhattan", session)
    with node.reloading():
        node.put(path, whole)
    assert node.child() != child
    assert orders(node, session) == (2, {"Negroni": 1, "Manhattan": 1})


def test_event_stream_resumes(node):
    session = "reloading-guest-1"
    node.say("a negroni, please", session)
    with Watcher(node, session) as w:
        node.say("and a manhattan", session)
        assert w.next("turn")["user_input"] == "and a manhattan"
        last = w.event.id
        with node.reloading():
            os.utime(node.agent / "agent.yaml")
        assert not any(e.data for e in w.rest())  # only asked to come again
    node.say("one more manhattan", session)
    with Watcher(node, session, last=last) as w:
        assert w.next("turn")["user_input"] == "one more manhattan"


def test_open_answer_is_finished(node):
    """What the old one has begun it ends: here an answer whose reader takes its time."""
    with node.stream("a negroni, please", "reloading-guest-1") as s:
        events = iter(s)
        first = next(events).json()
        with node.reloading():
            os.utime(node.agent / "agent.yaml")
        rest = [e.json()["type"] for e in events]
    assert first["type"] == "session" and rest[-1] == "complete"


def test_no_request_fails(node):
    """Steady requests of several guests over ten reloads: all answered, all in order."""
    over = threading.Event()
    faults, done = [], []

    def guest(session):
        said, kept = 0, node.connection() if session.endswith("0") else None
        before = time.monotonic()
        while not over.is_set() or said <= 10:
            asked = time.monotonic()
            try:
                reply = node.chat(f"this is number {said}", session, connection=kept)
            except (OSError, http.client.HTTPException) as e:
                # Who has a connection and asks nothing for half a second is let go.
                closed = isinstance(e, (BrokenPipeError, ConnectionResetError))
                if closed and time.monotonic() - before > 0.4:
                    kept = kept and node.connection()
                    before = time.monotonic()
                    continue
                faults.append(e)
                return
            before = asked
            if reply.status != 200:
                faults.append(reply)
                return
            said += 1
        done.append((session, said))

    guests = [threading.Thread(target=guest, args=(f"steady-guest-{i}",)) for i in range(3)]
    for g in guests:
        g.start()
    try:
        for _ in range(3 if SANITIZED else 10):
            with node.reloading():
                os.utime(node.agent / "agent.yaml")
    finally:
        over.set()
        for g in guests:
            g.join(PATIENCE_S)
    assert not faults
    assert len(done) == 3
    for session, said in done:
        told = node.get("/api/v1/session/history", session=session).json()
        assert told["turn"] == said > 10
        kept = [m["content"] for m in told["history"] if m["role"] == "user"]
        assert kept == [f"this is number {i}" for i in range(said - len(kept), said)]


def test_killed_child_is_started_again(node):
    session = "reloading-guest-1"
    node.say("a negroni, please", session)
    for times in (1, 2):
        first = node.child()
        os.kill(first, signal.SIGKILL)
        until("it is gone", lambda: node.child() != first)
        # The socket is the parent's: who comes now waits, and is not refused.
        node.say("and a manhattan", session)
        assert node.child() != first
        assert node.count(r"reload  ended signal=9") == times
    pauses = [int(p) for p in re.findall(r"ended signal=9 again_in_ms=(\d+)", node.log())]
    assert pauses == sorted(pauses) and pauses[0] < pauses[1]


def test_killed_parent_ends_the_child(node):
    child, port = node.child(), node.port
    node.kill()
    until("the child ends", lambda: not os.path.exists(f"/proc/{child}"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_both(node, signum):
    """Ctrl-C comes to the whole group of the terminal."""
    child = node.child()
    node.process.send_signal(signum)
    assert node.process.wait(PATIENCE_S) == 0
    assert not os.path.exists(f"/proc/{child}")
    assert node.count("serve   end") == 1
    node._ended()


def test_cannot_start_at_first(tmp_path):
    """It waits for the repair; what is wrong on the command line ends it at once."""
    n = Reloaded(tmp_path / "node")
    whole = (n.agent / "menu.yaml").read_text()
    (n.agent / "menu.yaml").write_text("broken: [\n")

    def repair():
        until("it is told", lambda: "reload  waits" in n.log())
        n.put(n.agent / "menu.yaml", whole)

    t = threading.Thread(target=repair)
    t.start()
    n.start()
    t.join()
    n.say("a negroni, please")
    n.stop()
    r = subprocess.run([str(MAYA), "serve", "--reload", "--port", "x"], capture_output=True,
                       text=True, timeout=PATIENCE_S, cwd=tmp_path)
    assert r.returncode == 2 and "PORT" in r.stderr


def test_socket_file(tmp_path):
    n = Reloaded(tmp_path / "node")
    path = n.folder / "s"
    command = [*n.command(), "--host", f"unix:{path}"]
    with open(n.log_path, "wb") as log:
        p = subprocess.Popen(command, cwd=n.folder, env=n.environment(), stdout=subprocess.PIPE,
                             stderr=log, text=True)
    try:
        assert p.stdout.readline() == f"maya: listening on unix:{path}\n"
        with n.reloading():
            os.utime(n.agent / "agent.yaml")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE_S)
            s.connect(str(path))
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert s.recv(64).startswith(b"HTTP/1.1 200")
    finally:
        p.terminate()
        assert p.wait(PATIENCE_S) == 0
        p.stdout.close()
    assert not path.exists()
    n.check_log()

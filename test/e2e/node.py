"""One running `maya serve`, started, asked and ended by a test.

A Node has a data folder of its own, listens on a free port of 127.0.0.1, keeps all that the
program wrote, and when it ends looks in there for what must never be there: a sanitizer's
report, a key, a session id, or what somebody said. It ends only the process it started.
"""
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import queue
import random
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAYA = pathlib.Path(os.environ.get("MAYA_BIN", ROOT / "build" / "maya")).resolve()
SANITIZED = "/san/" in str(MAYA)
READY = re.compile(r"^maya: listening on http://([^:/ ]+):(\d+)$")
# How long something that must happen may take before the test calls it failed.
PATIENCE_S = 60 if SANITIZED else 30
REPORTS = ("ERROR: AddressSanitizer", "runtime error:", "ERROR: LeakSanitizer",
           "AddressSanitizer:DEADLYSIGNAL", "maya: bug:")


def until(what, says, patience_s=PATIENCE_S, between_s=0.01):
    """Ask `says()` until it is true, and return that; fails with `what` when it never is."""
    end = time.monotonic() + patience_s
    while True:
        said = says()
        if said:
            return said
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(between_s)  # between two looks, not instead of one


def has_ipv6():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


IPV6 = has_ipv6()
PORTS = itertools.count(random.randrange(500))


def free_port():
    """One that nobody gets by chance before we have it: below those that the kernel gives to
    whoever connects, of a range of this process's own, and another one each time."""
    for n in PORTS:
        port = 12000 + os.getpid() % 40 * 500 + n % 500
        with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)):
            return port


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def session(self):
        return self.headers.get("x-session-id")

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:400]!r}>"


class Event:
    """One server-sent event: its id, its name ('message' when it has none), its data."""

    def __init__(self, lines):
        self.id, self.name, self.retry, data = None, "message", None, []
        for line in lines:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "id":
                self.id = value
            elif field == "event":
                self.name = value
            elif field == "retry":
                self.retry = value
            elif field == "data":
                data.append(value)
        self.data = "\n".join(data)

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"<{self.id} {self.name} {self.data}>"


class Stream:
    """An open event stream: iterate over it, or leave it."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.status, self.headers = response.status, response.headers

    def __iter__(self):
        lines = []
        while True:
            line = self.response.readline()
            if not line:
                return
            line = line.decode().rstrip("\r\n")
            if line:
                if not line.startswith(":"):
                    lines.append(line)
            elif lines:
                yield Event(lines)
                lines = []

    def leave(self):
        """Close without reading the rest. A reset, so that the server must notice."""
        sock = self.connection.sock or self.response.fp.raw._sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.response.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.response.close()
        self.connection.close()


class Node:
    # Small budgets, so that the tests run on small machines too; and nobody outside is asked.
    DEFAULTS = {
        "MAYA_MIND": "house", "MAYA_KEY_CHECK_SECONDS": "0",
        "MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0", "MAYA_BURST_LIMIT": "0",
        "MAYA_DEFAULT_SESSION_MEMORY_MB": "4", "MAYA_LOG_LEVEL": "debug",
    }

    def __init__(self, folder, env=None, args=(), before=()):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.log_path = self.folder / "maya.log"
        self.env, self.args, self.before = dict(env or {}), list(args), list(before)
        self.process = None
        self.unsaid = set()  # texts that no log line may hold
        self.running_argv = None

    # -- life

    def environment(self):
        keep = {k: v for k, v in os.environ.items()
                if k in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR")}
        return {**keep, "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
                "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
                **self.DEFAULTS, **self.env}

    def command(self):
        return [*self.before, str(MAYA), "serve", "--host", "127.0.0.1", "--port", "0",
                "--data-dir", str(self.data), "--agent", str(ROOT / "agents" / "maya"),
                *self.args]

    def start(self):
        assert self.process is None, "it is already running"
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = queue.Queue()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout, lines),
                                       daemon=True)
        self.reader.start()
        try:
            first = lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            first = None
        ready = first and READY.match(first)
        if not ready:
            self.process.kill()
            self.process.wait()
            self.process = None
            raise AssertionError(f"no ready line but {first!r}; log:\n{self.log()[-4000:]}")
        self.host, self.port = ready[1], int(ready[2])
        self.url = f"http://{self.host}:{self.port}"
        return self

    def _read(self, pipe, lines):
        with open(self.log_path, "ab") as log:
            for line in pipe:
                log.write(line)
                log.flush()
                lines.put(line.decode(errors="replace").rstrip("\n"))
        lines.put(None)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """Ask it to end, as an engine would; everything it wrote is looked through."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
            raise AssertionError(f"still there {PATIENCE_S} s after SIGTERM") from None
        finally:
            self._ended()
        assert status == 0, f"exit {status}; log:\n{self.log()[-4000:]}"
        self.check_log()

    def kill(self):
        """SIGKILL: no chance to write anything down."""
        self.process.kill()
        self.process.wait()
        self._ended()

    def _ended(self):
        self.reader.join(PATIENCE_S)
        self.process.stdout.close()
        self.process = None

    def restart(self, **env):
        if self.process:
            self.stop()
        self.env.update(env)
        return self.start()

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop()
            return
        self.check_log()
        died = -self.process.returncode if self.process else 0
        assert died <= 0, f"died of signal {died}; log:\n{self.log()[-4000:]}"

    # -- what it wrote

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def check_log(self):
        text = self.log()
        for report in REPORTS:
            assert report not in text, text[max(0, text.index(report) - 200):][:6000]
        for said in self.unsaid:
            assert said not in text, f"the log holds {said!r}"

    # -- asking

    def connection(self, timeout=PATIENCE_S):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def request(self, method, path, body=None, session=None, headers=None, connection=None):
        headers = dict(headers or {})
        if session is not None:
            headers["X-Session-ID"] = session
            self.never_logged(session)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        c = connection or self.connection()
        try:
            c.request(method, path, body=body, headers=headers)
            response = c.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        finally:
            if connection is None:
                c.close()
        if reply.session:
            self.never_logged(reply.session)
        return reply

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body=body, **more)

    def never_logged(self, text):
        """Keys, ids and sentences: what is too short would be found by chance."""
        if len(text) >= 14:
            self.unsaid.add(text)

    def chat(self, text, session=None, **more):
        self.never_logged(text)
        return self.post("/api/v1/chat", {"user_input": text}, session=session, **more)

    def say(self, text, session=None, **more):
        """A turn that must work: its answer as a dictionary."""
        reply = self.chat(text, session, **more)
        assert reply.status == 200, reply
        return reply.json()

    def tab(self, session):
        reply = self.get("/api/v1/payments/tab", session=session)
        assert reply.status == 200, reply
        return reply.json()

    def stream(self, text=None, session=None, headers=None, method="POST", query=None, body=None,
               path="/api/v1/chat/stream"):
        headers = {"Accept": "text/event-stream", **(headers or {})}
        if session is not None:
            headers["X-Session-ID"] = session
            self.never_logged(session)
        if text is not None:
            self.never_logged(text)
            if method == "POST" and body is None:
                body = {"message": text}
            elif query is None:
                query = {"message": text}
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        c = self.connection()
        c.request(method, path, body=body, headers=headers)
        return Stream(c, c.getresponse())

    def raw(self, data=b"", timeout=PATIENCE_S):
        s = socket.create_connection((self.host, self.port), timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if data:
            s.sendall(data)
        return s

    def ask_raw(self, data, timeout=PATIENCE_S):
        """All that comes back until the server closes: say Connection: close, or be wrong."""
        with self.raw(data, timeout) as s:
            return read_all(s)

    # -- numbers

    def metrics_text(self):
        reply = self.get("/metrics")
        assert reply.status == 200, reply
        return reply.body.decode()

    def metrics(self):
        return parse_metrics(self.metrics_text())

    def metric(self, name, **labels):
        """One sample; 0 when there is none with these labels yet. The name must be one."""
        text = self.metrics_text()
        family = re.sub("_(bucket|sum|count)$", "", name)
        assert re.search(f"^# TYPE ({name}|{family}) ", text, re.MULTILINE), f"no metric {name}"
        return parse_metrics(text).get((name, frozenset(labels.items())), 0.0)

    def rss(self):
        return proc_kb(self.pid, "VmRSS") * 1024


def read_all(s):
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := s.recv(65536):
            parts.append(part)
    return b"".join(parts)


def replies(data):
    """The answers in what a connection gave, as (status, headers, body)."""
    found = []
    while data:
        head, sep, rest = data.partition(b"\r\n\r\n")
        assert sep, f"half an answer: {data[:200]!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        status = int(first.split()[1])
        if status == 100:
            data = rest
            continue
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size, _, rest = rest.partition(b"\r\n")
                n = int(size, 16)
                body, rest = body + rest[:n], rest[n + 2:]
                if n == 0:
                    break
        else:
            n = int(headers.get("content-length", 0))
            body, rest = rest[:n], rest[n:]
        found.append((status, headers, body))
        data = rest
    return found


SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')


def parse_metrics(text):
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            m = SAMPLE.match(line)
            assert m, f"not a sample: {line!r}"
            series = m[1], frozenset(LABEL.findall(m[2] or ""))
            assert series not in found, f"twice: {line!r}"
            found[series] = float(m[3])
    return found


def proc_kb(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {field}")

"""A real HAProxy with the configuration that Maya makes for a plan, started and ended by a test."""
import asyncio
import contextlib
import ctypes
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

from node import MAYA, PATIENCE_S, Node, free_port, until

PR_SET_PDEATHSIG = 1


def find_haproxy():
    unpacked = pathlib.Path(__file__).resolve().parents[2] / "build" / "tools"
    return (shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
            or next((str(p) for p in unpacked.glob("**/sbin/haproxy")), None))


HAPROXY = find_haproxy()


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def configuration(plan):
    """What `maya gateway config` prints; a refusal is a ValueError with its sentence."""
    r = subprocess.run([MAYA, "gateway", "config", "-"], input=json.dumps(plan), text=True,
                       capture_output=True, timeout=PATIENCE_S, check=False)
    if r.returncode:
        raise ValueError(r.stderr)
    return r.stdout


class View(Node):
    """What people see of it; it may hold them for as long as it takes until somebody is there."""

    def connection(self, timeout=4 * PATIENCE_S):
        return super().connection(timeout)


class Gateway:
    """`apps` are those of the plan; slots are filled while it runs."""

    def __init__(self, folder, apps, **plan):
        self.folder = pathlib.Path(folder)
        self.host, self.port = "127.0.0.1", free_port()
        # A socket's path must be short.
        self.runtime = str(self.folder / "g.sock")
        self.plan = {"runtime": self.runtime, "peer": str(self.folder / "p.sock"),
                     "bind": self.host, "http_port": self.port, "check_ms": 100, "apps": apps,
                     **plan}
        self.process = None
        self.old = []

    def write(self):
        config = self.folder / "haproxy.cfg"
        config.write_text(configuration(self.plan))
        (self.folder / "plan.json").write_text(json.dumps(self.plan))
        return config

    def start(self, *more):
        config = self.write()
        with open(self.folder / "haproxy.log", "ab") as log:
            self.process = subprocess.Popen([HAPROXY, "-db", "-f", str(config), *more],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        until("the gateway listens", self.listens)
        return self

    def listens(self):
        assert self.process.poll() is None, (self.folder / "haproxy.log").read_text()[-2000:]
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
            s.connect(self.runtime)
            s.sendall(b"show info\n")
            return f"Pid: {self.process.pid}\n".encode() in read_all(s)
        return False

    def reload(self):
        """As HAProxy does it: a new process takes the listeners and the table from the old. It
        hands the table over only when it has given up hope of one from before itself."""
        until("the gateway has all it gets", self.knows_peers)
        self.old.append(self.process)
        self.start("-x", self.runtime, "-sf", str(self.process.pid))

    def knows_peers(self):
        flags = re.search(r"id=gateway disabled=0 flags=0x([0-9a-f]+)", self.ask("show peers"))
        return int(flags[1], 16) & 3 == 3  # PEERS_F_RESYNC_LOCAL and _REMOTE: done

    def restart(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def close(self):
        for p in [*self.old, self.process]:
            if p and p.poll() is None:
                p.kill()
                p.wait()

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.runtime)
            s.sendall(command.encode() + b"\n")
            return read_all(s).decode()

    def set(self):
        """The plan's containers into the running gateway, by Maya's own client."""
        r = subprocess.run([MAYA, "gateway", "set", str(self.folder / "plan.json")], text=True,
                           capture_output=True, timeout=PATIENCE_S, check=False)
        assert r.returncode == 0, r.stderr

    def put(self, servers, app=0):
        self.plan["apps"][app]["servers"] = servers
        self.write()
        self.set()

    def show(self):
        r = subprocess.run([MAYA, "gateway", "show", self.runtime], text=True,
                           capture_output=True, timeout=PATIENCE_S, check=False)
        assert r.returncode == 0, r.stderr
        return r.stdout

    def up(self, slot, app="bar"):
        return any(line.startswith(f"slot app-{app}/s{slot} ") and " up " in line
                   for line in self.show().splitlines())

    def queued(self, app="bar"):
        """Requests that wait for their turn to wait."""
        head, *rows = self.ask("show stat").lstrip("# ").splitlines()
        names = head.split(",")
        return sum(int(fields["qcur"]) for fields in (dict(zip(names, row.split(","))) for row in rows)
                   if (fields.get("pxname"), fields.get("svname")) == (f"app-{app}", "wait"))

    def table(self, app="bar"):
        """Session to slot, as the gateway remembers it."""
        found = {}
        for line in self.ask(f"show table app-{app}").splitlines():
            fields = dict(w.split("=", 1) for w in line.split() if "=" in w)
            if "key" in fields and "server_id" in fields:
                found[fields["key"]] = int(fields["server_id"])
        return found

    def view(self):
        """With all that a Node can be asked."""
        seen = View(self.folder / "view")
        seen.host, seen.port = self.host, self.port
        seen.url = f"http://{self.host}:{self.port}"
        return seen


def read_all(s):
    parts = []
    while part := s.recv(65536):
        parts.append(part)
    return b"".join(parts)


def server(node, version="v1", **more):
    return {"version": version, "address": "127.0.0.1", "port": node.port, **more}


class Relay:
    """What an engine has in front of a container's port: when nobody is behind it any more, it
    still takes connections, and ends them."""

    def __init__(self, port):
        self.behind, self.gone, self.checks = port, False, 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.listener = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self.take, "127.0.0.1", 0, backlog=1024), self.loop).result()
        self.port = self.listener.sockets[0].getsockname()[1]

    async def take(self, reader, writer):
        check = False
        with contextlib.suppress(OSError):
            back, there = await self.reach()
            answers = asyncio.ensure_future(self.copy(back, writer))
            while data := await reader.read(65536):
                check = data.startswith(b"GET /readyz")
                self.checks += check
                there.write(data)
                if check:
                    break
            await answers
            there.close()
        self.checks -= check
        writer.close()

    async def reach(self):
        if self.gone:
            raise ConnectionRefusedError
        try:
            return await asyncio.open_connection("127.0.0.1", self.behind)
        except OSError:
            self.gone = True
            raise

    async def copy(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    def settle(self):
        """It has passed on all that had come."""
        async def turns():
            for _ in range(20):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(turns(), self.loop).result()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)


class Waiting:
    """The place where requests wait: it takes them, and ends them unanswered when told to."""

    def __init__(self, path):
        self.held, self.listener = [], socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        with contextlib.suppress(OSError):
            while True:
                self.held.append(self.listener.accept()[0])

    def let_go(self):
        while self.held:
            self.held.pop().close()

    def close(self):
        self.listener.close()
        self.let_go()


class Fake:
    """A container that is none of Maya's, or one that misbehaves: `answer(handler)` says how."""

    def __init__(self, answer):
        fake = self
        self.seen = []
        self.ready = lambda: None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path == "/readyz":
                    fake.ready()
                    self.reply(200, b"{}")
                    return
                fake.seen.append((self.command, self.path, dict(self.headers), body))
                answer(self, body)

            do_GET = do_POST = do

            def reply(self, status, body, **headers):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def pass_on(handler, body, port):
    """The same request to another container: its answer."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    c.request(handler.command, handler.path, body=body,
              headers={k: v for k, v in handler.headers.items() if k.lower() != "host"})
    r = c.getresponse()
    r.read()
    c.close()
    return r

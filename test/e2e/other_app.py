"""A second app that is not Maya, in Python, and an engine that is a Swarm to deploy it on."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from docker import PATH, EngineError, start_engine
from node import MAYA, free_port, until

PATIENCE_S = 90

# What the app does: it says who it is, waits until there is a file, or as long as it is told, and
# is ready or not.
SERVER = '''
import http.server, json, os, signal, socket, sys, time, urllib.parse

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/hold":
            told = urllib.parse.parse_qs(url.query)
            end = float(told["s"][0]) + time.monotonic()
            until = "/tmp/" + told.get("until", ["-"])[0]
            while time.monotonic() < end and not os.path.exists(until):
                time.sleep(0.05)
        ready = url.path != "/ready" or READY and not os.path.exists("/tmp/busy")
        body = json.dumps({"says": SAYS, "container": socket.gethostname(), "path": self.path,
                           "host": self.headers["Host"]}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), App)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server.serve_forever()
'''

# The modules that the server needs, asked of Python itself, without what has more libraries.
MODULES = """
import sys
sys.modules.update(ssl=None, _hashlib=None, _bz2=None, _lzma=None)
import encodings.idna, encodings.latin_1, http.server, json, os, signal, socket, time
print("\\n".join(f for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))))
"""


def python_image(engine):
    """An image with the distribution's Python and the modules of a small server."""
    python = os.path.realpath("/usr/bin/python3")
    if not os.path.exists(python):
        pytest.skip("/usr/bin/python3 is not there")
    said = subprocess.run([python, "-I", "-S", "-c", MODULES], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    files = {}
    for name in said.splitlines():
        if name.startswith("/"):
            files[name] = (0o644, pathlib.Path(name).read_bytes())
    return engine.base_image("python:1", (python,), files), "/bin/" + os.path.basename(python)


class Site:
    """One host: its engine, its gateway's ports, and the apps' folders."""

    def __init__(self, folder):
        if not shutil.which("haproxy", path=PATH):
            pytest.skip("haproxy is not there: tools/deps.sh test")
        self.engine = start_engine(swarm=True)
        if not self.engine.bridge:
            self.engine.stop()
            pytest.skip("no bridge can be made here, and containers' ports need one")
        self.folder, self.port, self.https = folder, free_port(), 0
        self.image, self.python = python_image(self.engine)

    def write(self, name, says="hello", ready=True, **spec):
        """An app's folder; the path of its deploy.yaml."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "server.py").write_text(f"SAYS, READY = {says!r}, {ready!r}\n{SERVER}")
        plan = {"name": name, "image": {"base": self.image, "files": {"server.py": "/app/server.py"}},
                "command": [self.python, "-S", "/app/server.py"], "memory": 64, "drain": 5,
                "max_containers": 3, "health": {"path": "/", "ready": "/ready", "within": 60, "watch": 0}, **spec}
        (folder / "deploy.yaml").write_text(json.dumps(plan))  # JSON is YAML
        return str(folder / "deploy.yaml")

    def maya(self, *words, code=0):
        done = subprocess.run([MAYA, *words], env=self.engine.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300, check=False)
        assert done.returncode == code, f"{done.stdout}{done.stderr}{self.state()}"
        return done.stdout if code == 0 else done.stderr

    def deploy(self, path, *more, code=0):
        ports = ["--http", str(self.port), "--https", str(self.https)]
        return self.maya("deploy", "-f", path, *ports, *more, code=code)

    def ask(self, host, path="/", method="GET", body=None, timeout=PATIENCE_S, headers=None):
        """Status, headers and body, through the gateway."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(c):
            c.request(method, path, body, {"Host": host, **(headers or {})})
            r = c.getresponse()
            return r.status, r.headers, r.read()

    def json(self, host, path="/"):
        status, _, body = self.ask(host, path)
        assert status == 200, (status, body)
        return json.loads(body)

    def tasks(self, app):
        """The tasks that run, of all versions."""
        services = {s["ID"] for s in self.engine.json("GET", "/services")
                    if s["Spec"]["Labels"].get("maya.app") == app}
        return [t for t in self.engine.json("GET", "/tasks")
                if t["ServiceID"] in services and t["Status"]["State"] == "running"
                and t["DesiredState"] == "running"]

    def pid(self, container):
        """Of its program, as this machine counts."""
        return self.engine.inspect(container)["State"]["Pid"]

    def make_file(self, container, path):
        code, said = self.engine.exec(container, self.python, "-S", "-c", f"open({path!r}, 'w')")
        assert code == 0, said

    def roles(self, app):
        return [s["Spec"]["Labels"]["maya.role"] for s in self.engine.json("GET", "/services")
                if s["Spec"]["Labels"].get("maya.app") == app]

    def keeper_log(self):
        """What its containers said, each line as an object."""
        rows = []
        for c in self.engine.json("GET", "/containers/json?all=1"):
            if not any("maya-keeper" in n for n in c["Names"]):
                continue
            with contextlib.suppress(EngineError):  # it may be removed just now
                for line in self.engine.logs(c["Id"]).splitlines():
                    with contextlib.suppress(ValueError):
                        rows.append(json.loads(line))
        return rows

    def state(self):
        """For a test that failed: what the containers said."""
        text = []
        with contextlib.suppress(Exception):
            for c in self.engine.json("GET", "/containers/json?all=1"):
                text.append(f"{c['Names']} {c['Status']}\n{self.engine.logs(c['Id'])[-2500:]}")
        return "\n".join(text)

    def close(self):
        self.engine.stop()


def wait_for(what, look):
    # A look asks the engine several times, and what the Swarm does takes seconds.
    return until(what, look, PATIENCE_S, between_s=0.1)

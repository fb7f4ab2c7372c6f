"""Deploying in tests: an engine that is a Swarm, an app that is not Maya, and people who talk
with it through the gateway all the time."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

from docker import PATH, PATIENCE_S, start_engine
from node import MAYA, free_port

APP_SERVER = pathlib.Path(os.environ.get("MAYA_APP_SERVER", MAYA.parent / "test/app_server"))


def wait_for(look, patience=PATIENCE_S):
    end = time.monotonic() + patience
    while True:
        got = look()
        if got:
            return got
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)  # between two looks


class Place:
    """An engine with its gateway's port, and a folder for each app's deploy.yaml."""

    def __init__(self, folder, swarm=True, disk=None):
        if not shutil.which("haproxy", path=PATH):
            pytest.skip("haproxy is not there: tools/deps.sh test")
        self.engine = start_engine(swarm=swarm, disk=disk)
        if not self.engine.bridge:
            self.engine.stop()
            pytest.skip("no bridge can be made here, and containers' ports need one")
        self.folder, self.port = folder, free_port()
        self.image = self.engine.base_image("server:1", (), {"/server": (0o755, APP_SERVER.read_bytes())})

    def write(self, name, env=None, **more):
        spec = {"name": name, "image": {"ready": self.image}, "command": ["/server"],
                "memory": 64, "max_containers": 2, "drain": 5, "user": "65532:65532",
                "health": {"ready": "/readyz", "within": PATIENCE_S, "watch": 0}, "env": env or {}}
        spec.update(more)
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(spec))  # JSON is YAML
        return str(path)

    def start(self, *words, program=MAYA, **more):
        more.setdefault("env", {**self.engine.env, "USER": "ann"})
        more.setdefault("cwd", self.folder)
        return subprocess.Popen([program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **more)

    def maya(self, *words, code=0, **more):
        p = self.start(*words, **more)
        try:
            out, err = p.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            raise AssertionError(f"it does not end: {out}{err}{self.state()}") from None
        assert p.returncode == code, f"{p.returncode}\n{out}{err}\n{self.state()}"
        return out if code == 0 else err

    def deploy(self, name, env=None, *flags, code=0, spec=None):
        return self.maya("deploy", "-f", self.write(name, env, **(spec or {})), "-y",
                         "--http", str(self.port), *flags, code=code)

    def services(self, app):
        """Version -> role."""
        return {int(s["Spec"]["Labels"]["maya.version"]): s["Spec"]["Labels"]["maya.role"]
                for s in self.engine.json("GET", "/services")
                if s["Spec"]["Labels"].get("maya.app") == app}

    def locks(self):
        return [c["Spec"]["Name"] for c in self.engine.json("GET", "/configs")
                if "maya.lock" in c["Spec"]["Labels"]]

    def all_there_is(self):
        """Names of all that a deploy could leave behind; Swarm's counter of changes is none."""
        def named(kind):
            return {x["Spec"]["Name"] for x in self.engine.json("GET", kind)}
        return {"images": set(self.engine.images()), "services": named("/services"),
                "configs": named("/configs"), "secrets": named("/secrets"),
                "volumes": {v["Name"] for v in self.engine.json("GET", "/volumes")["Volumes"] or []}}

    def history(self, app):
        return {row["version"]: row for row in
                json.loads(self.maya("app", "history", app, "--json"))}

    def state(self):
        """For a test that failed: what the keeper and the gateway said."""
        text = []
        with contextlib.suppress(Exception):
            for s in self.engine.json("GET", "/services"):
                text.append(json.dumps(s["Spec"]["Labels"]))
            for c in self.engine.json("GET", "/containers/json?all=1"):
                text.append(f"{c['Names']} {c['Status']}\n{self.engine.logs(c['Id'])[-1500:]}")
        return "\n".join(text)

    def keeper_said(self):
        """Its log, line by line."""
        keeper, = [c["Id"] for c in self.engine.json("GET", "/containers/json") if "keeper" in c["Names"][0]]
        return [json.loads(line) for line in self.engine.logs(keeper).splitlines()]

    def ask(self, path="/", host=None, timeout=PATIENCE_S + 30, **headers):
        """Status and body, through the gateway, which may hold a request for `health.within`."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request("GET", path, headers={**({"Host": host} if host else {}), **headers})
            r = c.getresponse()
            return r.status, r.read().decode()
        finally:
            c.close()

    def close(self):
        self.engine.stop()


class People:
    """Some who ask all the time. `with people:`; then failed and seen tell how it went."""

    def __init__(self, place, count=4, host=None):
        self.place, self.host = place, host
        self.failed, self.seen, self.asked = [], [], 0
        self.last = [(0.0, None)] * count  # of each: when it asked, and what it was answered
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.talk, args=(i,), daemon=True)
                        for i in range(count)]

    def talk(self, i):
        while not self.over.is_set():
            began = time.monotonic()
            try:
                status, body = self.place.ask(host=self.host)
            except (OSError, http.client.HTTPException) as e:
                status, body = 0, repr(e)
            if status != 200:
                self.failed.append((status, body))
            elif not self.seen or self.seen[-1] != body:
                self.seen.append(body)
            self.asked += 1
            self.last[i] = began, body
            self.over.wait(0.01)

    def hear(self):
        """What they are answered who ask from now on: an answer to each. Whoever was answered
        before and has not told of it yet has told then."""
        now = time.monotonic()
        wait_for(lambda: all(began > now for began, _ in self.last))
        return {body for _, body in self.last}

    def __enter__(self):
        for t in self.threads:
            t.start()
        wait_for(lambda: self.asked > 10)
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()


class SlowSocket:
    """The engine's socket, but for a request with these words: that is begun, no more."""

    def __init__(self, there, path, words=None, begun=True):
        """Not `begun`: the engine hears nothing of it until `go` is set."""
        self.there, self.path, self.words, self.begun = there, path, words, begun
        self.stuck, self.go = threading.Event(), threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def pass_on(self, client):
        with client, socket.socket(socket.AF_UNIX) as there, contextlib.suppress(OSError):
            there.connect(self.there)
            back = threading.Thread(target=self.copy, args=(there, client), daemon=True)
            back.start()
            self.copy(client, there, asks=True)
            back.join()

    def copy(self, source, to, asks=False):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                meant = asks and self.words and self.words in data
                if meant and not self.begun:
                    self.stuck.set()
                    self.go.wait()
                to.sendall(data)
                if meant and self.begun:
                    self.stuck.set()
                    while source.recv(65536):
                        pass  # until it is closed
                    break
            to.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()
        self.go.set()


@contextlib.contextmanager
def slow_socket(engine):
    """The engine as all find it, through a SlowSocket in the place of its own."""
    own = engine.socket + ".own"
    os.rename(engine.socket, own)  # whoever listens there goes on
    slow = SlowSocket(own, engine.socket, begun=False)
    try:
        yield slow
    finally:
        slow.close()
        os.rename(own, engine.socket)

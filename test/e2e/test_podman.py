"""Podman's socket in place of Docker's: what it lacks is said, what it has is used.

Podman itself where it is installed (apt-get install podman); everywhere a socket with what
Podman 4.3.1 answers, as it was recorded.
"""
import contextlib
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import tempfile
import threading

import pytest

from docker import PATH, PATIENCE_S, UnixConnection, die_with_parent
from node import MAYA, until

pytestmark = pytest.mark.plain

SAYS = ("maya: Podman answers at unix://%s; it runs containers but keeps no services, secrets and configs, "
        "which Maya's apps are made of. Point DOCKER_HOST at a Docker Engine\n")
VERSION = {
    "Platform": {"Name": "linux/amd64/debian-12"},
    "Components": [{"Name": "Podman Engine", "Version": "4.3.1",
                    "Details": {"APIVersion": "4.3.1", "Arch": "amd64", "MinAPIVersion": "4.0.0", "Os": "linux"}},
                   {"Name": "Conmon", "Version": "conmon version 2.1.6, commit: unknown",
                    "Details": {"Package": "Unknown"}}],
    "Version": "4.3.1", "ApiVersion": "1.41", "MinAPIVersion": "1.24", "GitCommit": "", "GoVersion": "go1.19.8",
    "Os": "linux", "Arch": "amd64"}


class Recorded(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        known = self.path == "/version" or self.path.endswith("/version")
        body = json.dumps(VERSION).encode() if known else b"Not Found\n"  # it has no list of services
        self.send_response(200 if known else 404)
        self.send_header("Server", "Libpod/4.3.1 (linux)")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *words):
        pass


class Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def answers(socket):
    with contextlib.suppress(OSError):
        c = UnixConnection(socket, 10)
        with contextlib.closing(c):
            c.request("GET", "/version")
            return json.loads(c.getresponse().read())
    return None


@contextlib.contextmanager
def recorded(folder):
    with Listener(f"{folder}/p.sock", Recorded) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield
        listener.shutdown()


@contextlib.contextmanager
def real(folder):
    program = shutil.which("podman", path=PATH)
    if not program or os.geteuid() != 0:
        pytest.skip("podman is not there, or this is not root: apt-get install podman")
    with open(f"{folder}/storage.conf", "w") as f:
        f.write(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n')
    log = open(f"{folder}/log", "wb")
    p = subprocess.Popen([program, "system", "service", "--time", "0", f"unix://{folder}/p.sock"],
                         env={**os.environ, "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf"},
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
    try:
        assert until("Podman answers", lambda: answers(f"{folder}/p.sock"))
        yield
    finally:
        p.terminate()
        p.wait(PATIENCE_S)
        log.close()


@pytest.fixture(scope="module", params=["recorded", "real"])
def podman(request):
    folder = tempfile.mkdtemp(prefix="maya-pm-")  # a socket's path must be short
    try:
        with (real if request.param == "real" else recorded)(folder):
            yield f"{folder}/p.sock", request.param == "real"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def maya(socket, folder, *words):
    return subprocess.run([MAYA, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, env={**os.environ, "DOCKER_HOST": f"unix://{socket}"})


@pytest.mark.parametrize("words", [
    ["deploy", "-y"], ["deploy"], ["app", "list"], ["app", "rollback", "bar"], ["secret", "list"],
    ["secret", "create", "keys", "A=b"], ["container", "list"],
])
def test_it_is_told_what_it_lacks(podman, tmp_path, words):
    (tmp_path / "deploy.yaml").write_text("name: bar\n")
    done = maya(podman[0], tmp_path, *words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", SAYS % podman[0])


def test_what_it_has_is_used(podman, tmp_path):
    """Images and volumes."""
    socket, is_real = podman
    if not is_real:
        pytest.skip("only what was recorded is there")
    (tmp_path / "deploy.yaml").write_text("name: bar\n")
    made, again = (json.loads(maya(socket, tmp_path, "image", "build", "--json").stdout) for _ in range(2))
    assert made["sent"] > 0 and again["ref"] == made["ref"] and again["sent"] == 0
    assert maya(socket, tmp_path, "volume", "create", "v1").returncode == 0
    assert [v["name"] for v in json.loads(maya(socket, tmp_path, "volume", "list", "--json").stdout)] == ["v1"]
    assert maya(socket, tmp_path, "volume", "delete", "v1", "-y").returncode == 0
    assert json.loads(maya(socket, tmp_path, "volume", "list", "--json").stdout) == []

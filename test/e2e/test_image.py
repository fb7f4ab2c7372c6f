"""Images: what `maya image build` makes, in a real engine, and what it says when it cannot."""
import base64
import contextlib
import gzip
import http.client
import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tarfile
import threading

import pytest

from docker import PATIENCE_S
from node import MAYA, ROOT, free_port, until

pytestmark = pytest.mark.plain

MIB = 1 << 20
MAYA_CONTAINER = {"Mounts": [{"Type": "volume", "Target": "/data"}], "Memory": 512 * MIB,
                  "MemorySwap": 512 * MIB}
SMALL = ["MAYA_SESSIONS_PER_CONTAINER=4", "MAYA_DEFAULT_SESSION_MEMORY_MB=4"]


def build(engine, folder, *args):
    return subprocess.run([MAYA, "image", "build", *args], cwd=folder, env=engine.env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)


def made(engine, folder, *args):
    p = build(engine, folder, "--json", *args)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def app(folder, text, **files):
    (folder / "deploy.yaml").write_text(text)
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def ask(engine, container, method, path, body=None, at=None):
    host, port = at or (engine.address(container), 8000)
    c = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    c.request(method, path, json.dumps(body) if body else None,
              {"Content-Type": "application/json"})
    answer = c.getresponse()
    return answer, answer.read()


def answers(engine, container, path="/healthz"):
    """The first answer, as soon as there is one; fails with its log when it ended."""
    def first():
        try:
            return ask(engine, container, "GET", path)
        except OSError:
            assert engine.inspect(container)["State"]["Running"], engine.logs(container)
            return None
    return until(f"an answer of {path}", first, PATIENCE_S)


@pytest.fixture(scope="module")
def own(engine, tmp_path_factory):
    """The name of Maya's own image in the engine."""
    return made(engine, app(tmp_path_factory.mktemp("own"), "name: My.Bar\n"))


def layer(engine, ref):
    """The one layer of an image, as bytes."""
    saved = engine.call("GET", f"/images/{ref}/get")
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        layers = json.load(tar.extractfile("manifest.json"))[0]["Layers"]
        assert len(layers) == 1
        return tar.extractfile(layers[0]).read()


def test_it_is_small_and_the_same_each_time(engine, own, tmp_path):
    assert re.fullmatch(r"maya/my-bar:[0-9a-f]{16}", own["ref"])
    assert own["sent"] > 0
    assert own["size"] == engine.image(own["ref"])["Size"]
    assert own["size"] < 30 * MIB
    again = made(engine, app(tmp_path, "name: My.Bar\n"))
    assert again["ref"] == own["ref"] and again["sent"] == 0
    other = made(engine, app(tmp_path, "name: My.Bar\nport: 8002\n"))
    assert other["ref"] != own["ref"]
    plan = subprocess.run([MAYA, "deploy", "--dry-run", "--json", "--name", "My.Bar"],
                          cwd=app(tmp_path, "name: x\n"), capture_output=True, text=True)
    assert json.loads(plan.stdout)["image"]["ref"] == own["ref"]  # without an engine


def test_what_is_in_it(engine, own):
    data = layer(engine, own["ref"])
    assert len(gzip.compress(data, 1)) < 15 * MIB
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        assert names == sorted(names, key=lambda n: n.encode())
        assert {m.mtime for m in tar} == {0}
        passwd = tar.extractfile("etc/passwd").read().decode()
        assert tar.getmember("data").uid == 65532
        program = tar.extractfile("usr/bin/maya").read()
    assert "maya:x:65532" in passwd
    # Debug sections stay behind, and neither a shell nor a sound card's libraries are there.
    assert b".debug_info" not in program
    for never in ("bin/sh", "libpulse", "libX11", "libsystemd"):
        assert not [n for n in names if never in n], never
    assert len([n for n in names if "libpcaudio" in n]) == 1
    config = engine.image(own["ref"])["Config"]
    assert config["Entrypoint"] == ["/usr/bin/maya"] and config["Cmd"] == ["serve"]
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/maya", "healthcheck", "--watch=10", "--timeout=5"]


@pytest.fixture
def running(engine, own):
    if not engine.bridge:
        pytest.skip("no bridge can be made here, so a container has no address")
    with engine.container(own["ref"], env=SMALL, **MAYA_CONTAINER) as c:
        yield c


def test_it_serves_as_nobody_with_nothing_to_write_to(engine, running):
    answer, body = answers(engine, running)
    assert answer.status == 200, body
    answer, body = ask(engine, running, "POST", "/api/v1/chat",
                       {"user_input": "a negroni, please"})
    assert answer.status == 200 and b"Negroni" in body
    assert engine.exec(running, "/usr/bin/maya", "healthcheck") == (0, "healthy\n")
    pid = engine.inspect(running)["State"]["Pid"]
    with open(f"/proc/{pid}/status") as f:
        status = f.read()
    assert "Uid:\t65532\t65532" in status and "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status
    until("healthy, as the engine sees it",
          lambda: health(engine, running)["Status"] == "healthy", PATIENCE_S)
    assert "error" not in engine.logs(running)


def health(engine, container):
    return engine.inspect(container)["State"]["Health"]


def test_one_that_hangs_is_not_well(engine, own):
    """The engine asks but now and then; what it started goes on asking."""
    watched = engine.image(own["ref"])["Config"]["Healthcheck"]
    watched["Test"][-2:] = ["--watch=1", "--timeout=1"]
    with engine.container(own["ref"], env=SMALL, config={"Healthcheck": watched}, **MAYA_CONTAINER) as c:
        def found(status):
            now = health(engine, c)
            return now["Status"] == status and [row["ExitCode"] for row in now["Log"]]

        assert until("it is well", lambda: found("healthy"), PATIENCE_S)[-1] == 0
        os.kill(engine.inspect(c)["State"]["Pid"], signal.SIGSTOP)
        assert until("it is not", lambda: found("unhealthy"), PATIENCE_S)[-3:] == [1, 1, 1]


@pytest.mark.parametrize("form, begins", [("wav", b"RIFF"), ("opus", b"OggS"), ("mp3", b"")])
def test_she_speaks_in_it(engine, running, form, begins):
    answers(engine, running)
    answer, body = ask(engine, running, "POST", "/api/v1/chat",
                       {"user_input": "hello", "audio": form})
    assert answer.status == 200, body
    audio = base64.b64decode(json.loads(body)["audio_base64"], validate=True)
    assert audio.startswith(begins) and len(audio) > 1000


@pytest.fixture
def untrusted(tmp_path):
    """The port of a server with a certificate that nobody has signed."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                    "-out", "cert.pem", "-days", "2", "-subj", "/CN=x", "-addext",
                    "subjectAltName=IP:127.0.0.1"], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                accepted, _ = listening.accept()
                with contextlib.suppress(OSError), accepted:  # ssl.SSLError is one
                    context.wrap_socket(accepted, server_side=True)

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.close()


def test_https_finds_its_certificates(engine, own, untrusted):
    """They are read, and this server is none of theirs; without them curl would not even ask."""
    port = free_port()
    with engine.container(own["ref"], env=[
            *SMALL, "HOST=127.0.0.1", f"PORT={port}", "MAYA_MIND=openai", "MAYA_MIND_RETRIES=0",
            f"MAYA_OPENAI_BASE_URL=https://127.0.0.1:{untrusted}/v1"],
            NetworkMode="host", **MAYA_CONTAINER) as c:
        def told():
            try:
                ask(engine, c, "POST", "/api/v1/chat", {"user_input": "hello"}, ("127.0.0.1", port))
            except ConnectionRefusedError:
                assert engine.inspect(c)["State"]["Running"], engine.logs(c)
                return False
            # The engine has what it says a moment later.
            return "self-signed certificate" in engine.logs(c)
        until("it says why", told, PATIENCE_S)


def test_a_language_of_ones_own(engine, own, tmp_path):
    german = made(engine, app(tmp_path, "name: bar\nimage: {languages: [en, de]}\n"))
    assert german["size"] > own["size"]
    p = build(engine, app(tmp_path, "name: bar\nimage: {languages: [xx]}\n"))
    assert p.returncode == 1
    assert "eSpeak NG has no language 'xx' on this machine" in p.stderr


# Somebody's base

def test_a_base_with_all_that_may_be_put_into_it(engine, tmp_path):
    fake = b"#!/bin/sh\necho \"$0 $*\" >> /ran\n"
    engine.base_image("base:tools", extra={"bin/apt-get": (0o755, fake), "bin/pip": (0o755, fake)})
    app(tmp_path, """
name: web
command: [sh, -c, "cat /ran /app/hello; echo $A; id -u; touch /srv/kept"]
image:
  base: base:tools
  packages: [curl]
  pip: ["flask>=2"]
  requirements: req.txt
  files: {src: /app}
  env: {A: "it's \\"so\\""}
  commands: ["echo built >> /ran"]
volumes: {web-data: /srv}
""", req__txt="", src__hello="hello from a file\n")
    (tmp_path / "req.txt").write_text("x\n")
    image = made(engine, tmp_path)
    with engine.container(image["ref"], Mounts=[{"Type": "volume", "Target": "/srv"}]) as c:
        assert engine.wait(c) == 0, engine.logs(c)
        said = engine.logs(c)
    assert "apt-get install -y --no-install-recommends curl" in said
    assert "pip install --no-cache-dir -r /tmp/requirements.txt" in said
    assert "pip install --no-cache-dir flask>=2" in said
    assert said.endswith("built\nhello from a file\nit's \"so\"\n65532\n")
    assert made(engine, tmp_path)["sent"] == 0
    (tmp_path / "src/hello").write_text("changed\n")
    assert made(engine, tmp_path)["ref"] != image["ref"]


def test_a_command_that_fails_is_named(engine, tmp_path):
    engine.base_image()
    p = build(engine, app(tmp_path, "name: web\ncommand: [sh]\n"
                          "image: {base: 'base:1', commands: ['echo about to fail; exit 7']}\n"))
    assert p.returncode == 1
    assert "`RUN echo about to fail; exit 7` failed" in p.stderr
    assert "returned a non-zero code: 7" in p.stderr.splitlines()[-1]
    assert "about to fail" in p.stderr  # the build's own words, as they came
    assert not [t for t in engine.images() if t.startswith("maya/web:") and "fail" in t]


# A Dockerfile

def test_a_dockerfile_and_what_it_may_copy(engine, tmp_path):
    engine.base_image()
    app(tmp_path, "name: web\nimage: {dockerfile: docker/Recipe, context: src}\n",
        src__keep__txt="", docker__Recipe="# one\nFROM base:1\nCOPY . /all\n"
        "CMD [\"sh\", \"-c\", \"cd /all && echo * .[a-z]*\"]\n")
    (tmp_path / "src/secret.pem").write_text("x")
    (tmp_path / "src/keep.txt").write_text("x")
    (tmp_path / "src/.dockerignore").write_text("*.pem\n")
    image = made(engine, tmp_path)
    with engine.container(image["ref"]) as c:
        assert engine.wait(c) == 0
        said = engine.logs(c)
    assert "keep.txt" in said and "secret.pem" not in said
    (tmp_path / "src/secret.pem").write_text("another")  # ignored: the same image
    assert made(engine, tmp_path)["ref"] == image["ref"]


@pytest.mark.parametrize("recipe, says", [
    ("FROM base:1\n\nRUN true \\\n && true\nRUN false\n",
     r"maya: Dockerfile:5: `RUN false` failed: The command '/bin/sh -c false' returned a non-zero "
     r"code: 1\n"),
    ("FROM base:1\nCOPY nothing /x\n", r"maya: Dockerfile:2: `COPY nothing /x` failed: .*nothing.*\n"),
    ("FROM base:1\nRUNN x\n", r"maya: Dockerfile:2: unknown instruction: RUNN\n"),
    ("FROM no-such-image-anywhere:1\n", r"maya: Dockerfile:1: `FROM no-such.*` failed: .*\n"),
])
def test_a_dockerfile_that_fails_says_where(engine, tmp_path, recipe, says):
    engine.base_image()
    app(tmp_path, "name: web\nimage: {dockerfile: Dockerfile}\n")
    (tmp_path / "Dockerfile").write_text(recipe)
    p = build(engine, tmp_path)
    assert p.returncode == 1
    assert re.search(r"(?m)^" + says, p.stderr), p.stderr


# As it is

def test_a_ready_image(engine, tmp_path):
    engine.base_image()
    image = made(engine, app(tmp_path, "name: web\nimage: {ready: 'base:1'}\n"))
    assert engine.image(image["ref"])["Id"] == engine.image("base:1")["Id"]
    p = build(engine, app(tmp_path, "name: web\nimage: {ready: 'no-such-image-anywhere:1'}\n"))
    assert p.returncode == 1
    assert re.match(r"maya: the image 'no-such-image-anywhere:1' is not in the engine and cannot "
                    r"be pulled: ", p.stderr)


def test_nobody_there(tmp_path):
    p = subprocess.run([MAYA, "image", "build", "--engine", f"unix://{tmp_path}/none"],
                       cwd=app(tmp_path, "name: x\n"), capture_output=True, text=True)
    assert p.returncode == 1
    assert p.stderr.count("\n") == 1 and "no Docker Engine answers" in p.stderr


def test_the_repositorys_own_file_can_be_planned():
    p = subprocess.run([MAYA, "deploy", "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    assert "maya/maya:" in p.stdout and "they fit" in p.stdout

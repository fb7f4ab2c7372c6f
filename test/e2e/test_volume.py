"""`maya volume` on a real Docker Engine in Swarm mode, and on one that lies."""
import hashlib
import http.server
import io
import json
import os
import pathlib
import signal
import socketserver
import subprocess
import tarfile
import threading
import time

import pytest

from docker import PATIENCE_S, start_engine
from node import MAYA, until

APP_USER = 65532  # of images of ours


@pytest.fixture(scope="module")
def swarm():
    made = start_engine(swarm=True)
    yield made
    made.stop()


def maya(engine, *words, code=0, **more):
    done = subprocess.run([MAYA, "volume", *words], env=engine.env, capture_output=True,
                          timeout=120, **{"stdin": subprocess.DEVNULL, **more})
    assert done.returncode == code, (done.stdout, done.stderr)
    return (done.stdout if code == 0 else done.stderr).decode()


@pytest.fixture
def volume(swarm, request):
    """The name of a new volume."""
    name = "v" + hashlib.md5(request.node.name.encode()).hexdigest()[:8]
    maya(swarm, "create", name)
    yield name
    maya(swarm, "delete", name, "-y", "--allow-missing")
    assert swarm.json("GET", '/containers/json?all=1&filters={"label":["maya.part=files"]}') == []


def inside(engine, name):
    """The volume's own folder on this machine."""
    return pathlib.Path(engine.json("GET", f"/volumes/{name}")["Mountpoint"])


def names(engine, *words):
    return [f["filename"] for f in json.loads(maya(engine, "ls", *words, "--json"))]


def test_volumes_are_made_listed_and_deleted(swarm):
    assert maya(swarm, "list").startswith("No volumes yet")
    swarm.json("POST", "/volumes/create", {"Name": "others"})
    maya(swarm, "create", "two")
    maya(swarm, "create", "one")
    assert "there is a volume 'one' already" in maya(swarm, "create", "one", code=1)
    rows = json.loads(maya(swarm, "list", "--json"))
    assert [(r["name"], r["used_by"]) for r in rows] == [("one", None), ("two", None)]
    assert "--yes" in maya(swarm, "delete", "one", code=1)
    assert maya(swarm, "delete", "one", "-y") == "The volume 'one' is gone.\n"
    maya(swarm, "delete", "two", "-y")
    for words in (["delete", "one", "-y"], ["delete", "others", "-y"], ["ls", "others"]):
        assert "there is no volume '" in maya(swarm, *words, code=1)
    assert maya(swarm, "delete", "one", "-y", "--allow-missing") == "There is no volume 'one'.\n"


def complete(engine, *words):
    done = subprocess.run([MAYA, "complete", "--", "volume", *words], env=engine.env,
                          capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    return [line.split("\t")[0] for line in done.stdout.decode().splitlines()]


def test_tab_knows_names_and_where_files_are(swarm, volume):
    assert complete(swarm, "ls", "") == [volume] == complete(swarm, "get", "--force", volume[:2])
    assert complete(swarm, "rm", "--engine", f"{swarm.host}x", "") == []  # nobody is there
    assert complete(swarm, "put", volume, "") == [":files"] == complete(swarm, "get", volume, "/", "")
    assert complete(swarm, "create", "") == [] == complete(swarm, "get", volume, "")


NAMES = ["a.txt", "sub/ü \"q\" $x", "sub/new\nline", "-y", "%41", "x" * 250,
         "sub/deep/" + "y" * 200]


def test_a_folder_goes_in_and_comes_back_as_it_was(swarm, volume, tmp_path):
    source = tmp_path / "it"
    for i, name in enumerate(NAMES):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(os.urandom(1000 * i))
    (source / "empty").mkdir()
    (source / "a.txt").chmod(0o640)
    os.utime(source / "a.txt", (1700000000, 1700000000))
    maya(swarm, "put", volume, str(source))
    there = inside(swarm, volume)
    assert (there / "it").stat().st_uid == APP_USER and there.stat().st_uid == APP_USER
    assert [p.name for p in there.iterdir()] == ["it"]  # nothing else is left
    assert set(names(swarm, volume, "-r")) == {"it", "it/sub", "it/empty", "it/sub/deep",
                                               *("it/" + n for n in NAMES)}
    back = tmp_path / "back"
    maya(swarm, "get", volume, "/it", str(back))
    for name in NAMES:
        assert (back / name).read_bytes() == (source / name).read_bytes()
    assert (back / "empty").is_dir()
    st = (back / "a.txt").stat()
    assert (st.st_mode & 0o777, st.st_mtime) == (0o640, 1700000000)
    # Into a folder that is there, and the volume as a whole.
    (tmp_path / "w").mkdir()
    maya(swarm, "get", volume, "it/sub", str(tmp_path / "w"))
    assert sorted(os.listdir(tmp_path / "w/sub")) == sorted(os.listdir(source / "sub"))
    maya(swarm, "get", volume, "/", str(tmp_path / "w"))
    assert sorted(os.listdir(tmp_path / "w" / volume / "it")) == sorted(os.listdir(source))


def test_ls_is_for_people_and_programs(swarm, volume, tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 1536)
    maya(swarm, "put", volume, str(tmp_path / "f"), "a/b/f")
    assert maya(swarm, "ls", volume) == "a\n"
    assert maya(swarm, "ls", volume, "/", "-r") == "a\na/b\na/b/f\n"
    row = json.loads(maya(swarm, "ls", volume, "a/b", "--json"))[0]
    assert (row["filename"], row["type"], row["size"]) == ("a/b/f", "file", "1536")
    assert names(swarm, volume, "/a/b/f") == ["a/b/f"]
    for path, why, code in (("nope", "there is no '/nope'", 1), ("../etc", "no '..'", 2),
                            ("a/b/f/x", "no folder", 2)):
        assert why in maya(swarm, "ls", volume, path, code=code)


def test_what_is_there_is_replaced_only_when_told(swarm, volume, tmp_path):
    (tmp_path / "d").mkdir()
    for name, text in (("one", "1"), ("two", "2")):
        (tmp_path / "d" / name).write_text(text)
    maya(swarm, "put", volume, str(tmp_path / "d"))
    (tmp_path / "d" / "one").write_text("new")
    (tmp_path / "d" / "three").write_text("3")
    assert "'/d/one' is there already; --force" in maya(swarm, "put", volume,
                                                        str(tmp_path / "d"), code=1)
    assert names(swarm, volume, "d") == ["d/one", "d/two"]  # none of it went in
    maya(swarm, "put", volume, str(tmp_path / "d"), "--force")
    assert {n: (inside(swarm, volume) / "d" / n).read_text() for n in os.listdir(tmp_path / "d")} \
        == {"one": "new", "two": "2", "three": "3"}
    one = str(tmp_path / "d" / "one")
    assert "--force" in maya(swarm, "put", volume, one, "d/one", code=1)
    assert "is a folder" in maya(swarm, "put", volume, one, "d", "--force", code=1)
    assert "is no folder" in maya(swarm, "put", volume, str(tmp_path / "d"), "d/one", "--force",
                                  code=1)
    maya(swarm, "put", volume, one, "d/new/")
    assert names(swarm, volume, "d/new") == ["d/new/one"]
    assert "--force" in maya(swarm, "get", volume, "d/one", one, code=1)
    maya(swarm, "get", volume, "d/two", one, "--force")
    assert (tmp_path / "d" / "one").read_text() == "2"
    maya(swarm, "get", volume, "d", str(tmp_path), "--force")
    assert (tmp_path / "d" / "one").read_text() == "new"
    assert sorted(os.listdir(tmp_path / "d")) == ["new", "one", "three", "two"]


def test_input_and_output(swarm, volume):
    data = os.urandom(300_000)
    maya(swarm, "put", volume, "-", "a/b.bin", input=data, stdin=None)
    done = subprocess.run([MAYA, "volume", "get", volume, "a/b.bin", "-"], env=swarm.env,
                          capture_output=True, check=True)
    assert done.stdout == data
    assert "the input has no name" in maya(swarm, "put", volume, "-", code=2)
    assert "is a folder" in maya(swarm, "get", volume, "a", "-", code=2)


def test_who_reads_may_go_away(swarm, volume):
    maya(swarm, "put", volume, "-", "f", input=bytes(4 << 20), stdin=None)
    with subprocess.Popen([MAYA, "volume", "get", volume, "f", "-"], env=swarm.env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        p.stdout.close()
        assert p.stderr.read() == "maya: write 'the output': Broken pipe\n" and p.wait() == 1


def test_rm(swarm, volume, tmp_path):
    (tmp_path / "keep").write_text("kept")
    there = inside(swarm, volume)
    (there / "d/e").mkdir(parents=True)
    (there / "d/e/f").write_text("x")
    (there / "d/out").symlink_to(tmp_path)
    (there / "d/up").symlink_to("/")
    (there / "l").symlink_to("d")
    assert "-r removes it" in maya(swarm, "rm", volume, "d", code=2)
    assert "is a link" in maya(swarm, "rm", volume, "l/e", "-r", "-y", code=2)
    maya(swarm, "rm", volume, "l")
    maya(swarm, "rm", volume, "d/e/f")
    assert "there is no '/d/e/f'" in maya(swarm, "rm", volume, "d/e/f", code=1)
    assert "--yes" in maya(swarm, "rm", volume, "d", "-r", code=1) and (there / "d").is_dir()
    assert maya(swarm, "rm", volume, "d", "-r", "-y") == f"'d' is gone from the volume '{volume}'.\n"
    assert os.listdir(there) == [] and (tmp_path / "keep").read_text() == "kept"
    (there / "x").mkdir(mode=0o000)
    os.chown(there / "x", 1234, 1234)
    assert "-r empties it" in maya(swarm, "rm", volume, "/", code=2)
    maya(swarm, "rm", volume, "/", "-r", "-y")
    assert os.listdir(there) == []


def test_links_lead_nowhere(swarm, volume, tmp_path):
    there = inside(swarm, volume)
    (there / "d").mkdir()
    (there / "d/real").write_text("real")
    os.link(there / "d/real", there / "d/twin")
    (there / "d/passwd").symlink_to("/etc/passwd")
    (there / "out").symlink_to("/")
    os.mkfifo(there / "d/fifo")
    (there / os.fsdecode(b"d/\xff")).write_text("odd")
    rows = {r["filename"]: r["type"] for r in json.loads(maya(swarm, "ls", volume, "d", "--json"))}
    assert rows == {"d/real": "file", "d/twin": "file", "d/passwd": "link", "d/fifo": "fifo",
                    "d/\\xff": "file"}
    why = maya(swarm, "get", volume, "d", str(tmp_path / "got"), code=1)
    assert "'d/passwd' is a link" in why and "'d/fifo' is a pipe" in why
    got = os.listdir(tmp_path / "got")
    assert len(got) == 2 and os.fsdecode(b"\xff") in got  # one name of the twins, and the odd one
    assert "is a link" in maya(swarm, "get", volume, "d/passwd", str(tmp_path), code=2)
    assert "is a link" in maya(swarm, "ls", volume, "out/etc", code=2)
    (tmp_path / "f").write_text("mine")
    assert "is a link" in maya(swarm, "put", volume, str(tmp_path / "f"), "out/tmp/f", code=2)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/link").symlink_to("/etc/passwd")
    assert "src/link' is a link" in maya(swarm, "put", volume, str(tmp_path / "src"), code=2)
    (tmp_path / "to_f").symlink_to("f")
    (tmp_path / "to_src").symlink_to("src")
    for link in ("to_f", "to_src", "to_src/"):
        assert f"{link}' is a link" in maya(swarm, "put", volume, f"{tmp_path}/{link}", code=2)
    maya(swarm, "put", volume, str(tmp_path / "f"), "d/passwd", "--force")
    assert (there / "d/passwd").is_symlink() is False
    assert sorted(os.listdir(there)) == ["d", "out"]


def app_with(engine, volume, replicas):
    return engine.json("POST", "/services/create", {
        "Name": "bar-v1", "Labels": {"maya.app": "bar", "maya.version": "1"},
        "TaskTemplate": {"ContainerSpec": {
            "Image": engine.base_image("sleeper:1", ("sh", "sleep")),
            "Command": ["/bin/sh", "-c", "sleep 600"], "StopGracePeriod": 0,
            "Mounts": [{"Type": "volume", "Source": volume, "Target": "/data"}]}},
        "Mode": {"Replicated": {"Replicas": replicas}}})["ID"]


def holders(engine, volume):
    """The containers that have it."""
    return engine.json("GET", f'/containers/json?all=1&filters={{"volume":["{volume}"]}}')


def test_one_in_use(swarm, volume, tmp_path):
    (tmp_path / "f").write_text("x")
    service = app_with(swarm, volume, 1)
    try:
        rows = json.loads(maya(swarm, "list", "--json"))
        assert [r["used_by"] for r in rows if r["name"] == volume] == ["bar"]
        assert "is used by bar" in maya(swarm, "delete", volume, "-y", code=1)
        done = subprocess.run([MAYA, "volume", "put", volume, tmp_path / "f"], env=swarm.env,
                              capture_output=True, text=True)
        assert done.returncode == 0 and "bar runs and uses this volume" in done.stderr
        assert names(swarm, volume) == ["f"]
        until("its container is there", lambda: holders(swarm, volume), PATIENCE_S)
    finally:
        swarm.call("DELETE", f"/services/{service}")
    until("its container is gone", lambda: not holders(swarm, volume), PATIENCE_S)
    image = swarm.base_image("sleeper:1", ("sh", "sleep"))
    with swarm.container(image, ["/bin/sh"], start=False, Binds=[f"{volume}:/d"]):
        assert "is used by the container" in maya(swarm, "delete", volume, "-y", code=1)


@pytest.mark.plain
def test_a_large_file_needs_little_memory(swarm, volume, tmp_path):
    size = 1 << 30
    with open(tmp_path / "large", "wb") as f:
        f.truncate(size)
        f.seek(size - 5)
        f.write(b"there")
    # The kernel's account of the most it took counts what the test had at the fork: a limit instead.
    limit = ["prlimit", f"--data={64 << 20}"]
    for words in (["put", volume, tmp_path / "large"], ["get", volume, "large", "-"]):
        with subprocess.Popen([*limit, MAYA, "volume", *words], env=swarm.env,
                              stdout=subprocess.PIPE) as p:
            got, last = 0, b""
            while piece := p.stdout.read(1 << 20):
                got, last = got + len(piece), piece[-5:]
        assert p.returncode == 0
    assert (got, last) == (size, b"there")


def test_a_full_disk(swarm, tmp_path):
    there = {"Name": "small", "Labels": {"maya.volume": "1"}, "Driver": "local",
             "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}
    swarm.json("POST", "/volumes/create", there)
    (tmp_path / "f").write_bytes(os.urandom(3 << 20))
    why = maya(swarm, "put", "small", str(tmp_path / "f"), code=1)
    assert "the disk that has the volume 'small' is full" in why and why.count("\n") == 1
    maya(swarm, "delete", "small", "-y")


def test_a_full_disk_here(swarm, volume, tmp_path):
    maya(swarm, "put", volume, "-", "f", input=os.urandom(1 << 20), stdin=None)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([MAYA, "volume", "get", volume, "f", "-"], env=swarm.env,
                              stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr == "maya: the disk here is full\n"


def test_an_interrupted_put_leaves_nothing(swarm, volume, tmp_path):
    with open(tmp_path / "large", "wb") as f:
        f.truncate(4 << 30)
    there = inside(swarm, volume)
    with subprocess.Popen([MAYA, "volume", "put", volume, tmp_path / "large"], env=swarm.env,
                          stderr=subprocess.PIPE, text=True) as p:
        end = time.monotonic() + PATIENCE_S
        while not os.listdir(there):
            assert time.monotonic() < end and p.poll() is None
            time.sleep(0.01)  # between two looks
        p.send_signal(signal.SIGINT)
        assert p.stderr.read() == "maya: stopped\n" and p.wait() == 1
    assert os.listdir(there) == []


@pytest.mark.parametrize("words, why", [
    (["create", "a/b"], "is no name for a volume"),
    (["create", "../x"], "is no name for a volume"),
    (["put", "x"], "usage: maya volume put NAME LOCAL [PATH]"),
    (["ls", "x", "--nonsense"], "has no flag '--nonsense'"),
])
def test_mistakes(swarm, words, why):
    assert why in maya(swarm, *words, code=2)


def test_a_file_that_is_not_here(swarm, volume, tmp_path):
    assert "No such file" in maya(swarm, "put", volume, str(tmp_path / "none"), code=1)
    assert "there is no '/none'" in maya(swarm, "get", volume, "none", str(tmp_path), code=1)
    maya(swarm, "put", volume, str(MAYA), "f")
    assert "No such file" in maya(swarm, "get", volume, "f", str(tmp_path / "no/where"), code=1)


# An engine that lies: what it sends as a tar goes nowhere but where it was asked to go.

class Liar(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def lying_engine(path, tar):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def say(self, body, status=200, **headers):
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self):
            if self.path.endswith("/version"):
                self.say(b'{"ApiVersion":"1.41","MinAPIVersion":"1.12"}')
            elif "/archive" in self.path:
                self.say(tar)
            elif self.path.endswith("/volumes"):
                self.say(b'{"Volumes":[{"Name":"v","Labels":{"maya.volume":"1"}}]}')
            elif "/images/" in self.path:
                self.say(b'{"Id":"sha256:0","Size":1}')
            else:
                self.say(b"{}")

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.say(b'{"Id":"c1"}', 201)

        def do_HEAD(self):
            self.say(b"", X_Docker_Container_Path_Stat="eyJtb2RlIjoyMTQ3NDg0MTQxLCJzaXplIjoxfQ==")

        def do_DELETE(self):
            self.say(b"")

        def log_message(self, *ignored):
            pass

        def address_string(self):
            return "here"

    server = Liar(str(path), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def tar_of(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, 0o755
            data = b"evil" if kind == tarfile.REGTYPE else b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


FILE, FOLDER, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE


@pytest.mark.parametrize("tar, why", [
    (tar_of(("d", FOLDER, ""), ("d/../../evil", FILE, "")), "which leads elsewhere"),
    (tar_of(("../evil", FILE, "")), "which leads elsewhere"),
    (tar_of(("d", FOLDER, ""), ("/evil", FILE, "")), "which leads elsewhere"),
    (tar_of(("d", FOLDER, ""), ("d/l", LINK, ".."), ("d/l/evil", FILE, "")), "open a folder"),
    (tar_of(("d", FOLDER, ""), ("d/f", FILE, ""))[:1600], "in part only"),
    (tar_of(("d", FOLDER, ""))[:1024], "in part only"),
    (b"x" * 2048, "is no tar"),
    (b"", "in part only"),
])
def test_an_engine_that_lies(tmp_path, tar, why):
    server = lying_engine(tmp_path / "s", tar)
    (tmp_path / "in/here").mkdir(parents=True)
    try:
        done = subprocess.run([MAYA, "volume", "get", "v", "d", "in/here", "--engine",
                               f"unix://{tmp_path}/s"], capture_output=True, text=True,
                              cwd=tmp_path, timeout=60)
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 1 and why in done.stderr, done.stderr
    assert not list(tmp_path.rglob("evil")) and not list(tmp_path.rglob(".maya*"))

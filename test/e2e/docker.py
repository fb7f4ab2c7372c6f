"""A Docker Engine of the tests' own: `engine`, one for the tests of a file.

It has a data root, a socket and a bridge of its own, below one folder, and it ends with the test
run: its parent's death ends it. Where it cannot run the tests are skipped with one line that
says why. Speak to it with `engine.call(...)`, or let `maya` do so with `engine.env`.
"""
import contextlib
import ctypes
import fcntl
import http.client
import io
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import tempfile
import time
import urllib.parse

import pytest

from node import free_port

PATIENCE_S = 60
PR_SET_PDEATHSIG = 1
MNT_DETACH = 2
CLONE_NEWNS, MS_BIND, MS_REC, MS_SLAVE = 0x20000, 4096, 16384, 1 << 19
PORTS_FILE = "/proc/sys/net/ipv4/ip_local_port_range"
SIOCBRADDBR, SIOCBRDELBR, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x89a0, 0x89a1, 0x8914, 0x8916, 0x891c
IFF_UP = 1
TOOLS = pathlib.Path(__file__).resolve().parents[2] / "build/tools"
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin", str(TOOLS / "usr/bin"),
                        str(TOOLS / "usr/sbin")])


def why_not():
    """Why no engine can run here, or None."""
    if os.geteuid() != 0:
        return "a Docker Engine needs root"
    for program in ("dockerd", "containerd", "runc"):
        if not shutil.which(program, path=PATH):
            return f"{program} is not there: tools/deps.sh test"
    return None


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ports_of_ones_own(file):
    """An engine publishes ports from the kernel's range, from its beginning, and gives up after
    ten that another engine has. It reads the range from a file; this process is to see ours."""
    libc = ctypes.CDLL(None)
    if libc.unshare(CLONE_NEWNS) == 0:
        libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None)
        libc.mount(os.fsencode(file), PORTS_FILE.encode(), None, MS_BIND, None)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class EngineError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:500]!r}")
        self.status, self.body = status, body


class Engine:
    def __init__(self, folder, extra=()):
        self.folder = pathlib.Path(folder)
        self.socket = str(self.folder / "d.sock")
        self.log = self.folder / "log"
        self.extra = list(extra)
        self.process = self.bridge = None

    @property
    def host(self):
        return "unix://" + self.socket

    @property
    def env(self):
        """The environment of a program that is to find this engine and no other."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}
        return {"MAYA_HAPROXY": shutil.which("haproxy", path=PATH) or "", **env,
                "DOCKER_HOST": self.host, "HOME": str(self.folder)}

    def make_bridge(self):
        """A bridge of its own, so that it meets no other engine's; containers' ports need one. Its
        network is of our choice: two engines that start at once may choose the same, and then what
        is sent to a container of the one comes to the other's."""
        name = f"maya{os.getpid() % 100000:x}{secrets.token_hex(2)}"
        network = f"10.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}."

        def address(text):  # struct ifreq with a sockaddr_in
            return struct.pack("16sHH4s16x", name.encode(), socket.AF_INET, 0, socket.inet_aton(text))

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                fcntl.ioctl(s, SIOCBRADDBR, name.encode() + b"\0")
                fcntl.ioctl(s, SIOCSIFADDR, address(network + "1"))
                fcntl.ioctl(s, SIOCSIFNETMASK, address("255.255.255.0"))
                fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh22x", name.encode(), IFF_UP))
            except OSError:
                return False
        self.bridge = name
        return True

    def remove_bridge(self):
        if not self.bridge:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s, \
                contextlib.suppress(OSError):
            # It must be down: struct ifreq with no flags.
            fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh22x", self.bridge.encode(), 0))
            fcntl.ioctl(s, SIOCBRDELBR, self.bridge.encode() + b"\0")

    def start(self):
        network = [f"--bridge={self.bridge}"] if self.make_bridge() else ["--bridge=none"]
        first = 33000 + os.getpid() % 54 * 500
        ports = self.folder / "ports"
        ports.write_text(f"{first}\t{first + 499}\n")

        def before_exec():
            die_with_parent()
            ports_of_ones_own(ports)

        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.folder / "data", "--exec-root",
                 self.folder / "exec", "-H", self.host, "--pidfile", self.folder / "pid",
                 *network, "--iptables=false", "--ip6tables=false", "--ip-masq=false",
                 "--shutdown-timeout=5", *self.extra],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PATH": PATH}, preexec_fn=before_exec)
        end = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError, EngineError):
                self.version = self.json("GET", "/version")
                return self
            if self.process.poll() is not None or time.monotonic() > end:
                words = self.last_words(3)
                self.stop()
                raise RuntimeError("dockerd does not start: " + words)
            time.sleep(0.05)  # between two looks

    def last_words(self, lines):
        return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-lines:])

    def stop(self):
        if self.process and self.process.poll() is None:
            for c in self.json("GET", "/containers/json?all=1"):
                with contextlib.suppress(OSError, EngineError):
                    self.call("DELETE", f"/containers/{c['Id']}?force=1&v=1")
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.remove_bridge()
        self.unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def mount_disk(self, mib):
        (self.folder / "data").mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"tmpfs", bytes(self.folder / "data"), b"tmpfs", 0, f"size={mib}m".encode()) < 0:
            shutil.rmtree(self.folder)
            raise RuntimeError(f"no disk can be mounted here: {os.strerror(ctypes.get_errno())}")

    def unmount(self):
        """What an engine leaves mounted below its folders: a namespace, and more when killed."""
        with open("/proc/self/mounts") as f:
            mounted = [line.split()[1] for line in f]
        for place in sorted((m for m in mounted if m.startswith(f"{self.folder}/")), reverse=True):
            ctypes.CDLL(None).umount2(place.encode(), MNT_DETACH)

    def open(self, method, path, body=None, content_type="application/json", timeout=120):
        """An open answer, to be read from; raises EngineError for 4xx and 5xx."""
        connection = UnixConnection(self.socket, timeout)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if body else {})
            answer = connection.getresponse()
        except OSError as e:
            if self.process and self.process.poll() is not None:
                raise RuntimeError(f"dockerd has ended with {self.process.returncode}: {self.last_words(30)}") from e
            raise
        if answer.status >= 400:
            raise EngineError(answer.status, answer.read())
        return answer

    def call(self, method, path, body=None, **more):
        with self.open(method, path, body, **more) as answer:
            return answer.read()

    def json(self, method, path, body=None, **more):
        text = self.call(method, path, body, **more)
        return json.loads(text) if text else None

    def lines(self, method, path, body=None, **more):
        """The answers of a call that gives one JSON object a line."""
        return [json.loads(line) for line in self.call(method, path, body, **more).splitlines()]

    # Services

    def change(self, service, how):
        """Post what `how` makes of its spec; anew when somebody else has changed it meanwhile."""
        while True:
            s = self.json("GET", f"/services/{service}")
            how(s["Spec"])
            try:
                return self.call("POST", f"/services/{s['ID']}/update?version={s['Version']['Index']}", s["Spec"])
            except EngineError as e:
                if "out of sequence" not in str(e):
                    raise

    def replace(self, service):
        """Its containers, as `docker service update --force` does."""
        def force(spec):
            spec["TaskTemplate"]["ForceUpdate"] = spec["TaskTemplate"].get("ForceUpdate", 0) + 1
        self.change(service, force)

    # Images

    def images(self):
        """Tag -> id."""
        return {tag: i["Id"] for i in self.json("GET", "/images/json")
                for tag in i["RepoTags"] or [] if tag != "<none>:<none>"}

    def image(self, name):
        return self.json("GET", f"/images/{name}/json")

    def base_image(self, tag="base:1", programs=("sh", "cat", "cp", "echo", "id", "ls", "mkdir", "chown", "chmod",
                                                 "rm", "touch", "true"), extra=None):
        """An image of some of this machine's programs: there is no registry in a test."""
        if tag in self.images():
            return tag
        files = {}
        for program in programs:
            path = shutil.which(program, path=PATH)
            files[path] = os.path.realpath(path)
            for word in subprocess.run(["ldd", path], capture_output=True, text=True).stdout.split():
                if word.startswith("/"):
                    files[word] = os.path.realpath(word)
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            for name, source in sorted(files.items()):
                info = tar.gettarinfo(source, name.lstrip("/"))
                if not name.startswith(("/lib", "/usr/lib")):
                    info.name = "bin/" + os.path.basename(name)
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", os.path.getsize(source)
                with open(source, "rb") as f:
                    tar.addfile(info, f)
            for name, (mode, data) in (extra or {}).items():
                info = tarfile.TarInfo(name.lstrip("/"))
                info.mode, info.size = mode, len(data)
                tar.addfile(info, io.BytesIO(data))
            for name, mode in (("tmp", 0o1777), ("etc", 0o755)):
                info = tarfile.TarInfo(name)
                info.type, info.mode = tarfile.DIRTYPE, mode
                tar.addfile(info)
        repo, _, version = tag.partition(":")
        self.call("POST", f"/images/create?fromSrc=-&repo={repo}&tag={version}"
                  f"&changes={urllib.parse.quote('ENV PATH=/bin')}", made.getvalue(),
                  content_type="application/x-tar")
        return tag

    # Containers

    @contextlib.contextmanager
    def container(self, image, cmd=None, port=None, start=True, env=(), config=None,
                  **host):
        """A container, as strictly held as those of an app are; removed at the end.

        `config` and `host` are members of the engine's own words: Config and HostConfig.
        """
        config = {
            **(config or {}), "Image": image, "Labels": {"maya.test": "1"}, "Env": list(env),
            "HostConfig": {"Memory": 512 << 20, "MemorySwap": 512 << 20, "ReadonlyRootfs": True,
                           "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
                           "PidsLimit": 256, "Init": False, **host}}
        if cmd is not None:
            config["Cmd"] = cmd
        if port:
            config["ExposedPorts"] = {f"{port}/tcp": {}}
        made = self.json("POST", "/containers/create", config)["Id"]
        try:
            if start:
                self.call("POST", f"/containers/{made}/start")
            yield made
        finally:
            with contextlib.suppress(EngineError):
                self.call("DELETE", f"/containers/{made}?force=1&v=1")

    def inspect(self, container):
        return self.json("GET", f"/containers/{container}/json")

    def address(self, container):
        """Where a container's ports are reached from this machine."""
        networks = self.inspect(container)["NetworkSettings"]["Networks"]
        return next((n["IPAddress"] for n in networks.values() if n["IPAddress"]), None)

    def wait(self, container):
        """The exit code, when it has ended."""
        return self.json("POST", f"/containers/{container}/wait")["StatusCode"]

    def logs(self, container):
        """What it wrote, both streams together."""
        data = self.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1")
        out = b""
        while len(data) >= 8:
            size = int.from_bytes(data[4:8], "big")
            out += data[8:8 + size]
            data = data[8 + size:]
        return out.decode(errors="replace")

    def exec(self, container, *argv):
        """Exit code and output of a program in a running container."""
        made = self.json("POST", f"/containers/{container}/exec",
                         {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True})["Id"]
        out = self.call("POST", f"/exec/{made}/start", {"Detach": False, "Tty": True})
        return self.json("GET", f"/exec/{made}/json")["ExitCode"], out.decode(errors="replace")


def start_engine(swarm=False, disk=None):
    """An engine; the caller stops it. Skips the test where there can be none.

    `disk`: all that it keeps lies on a disk of its own with so many MiB.
    """
    why = why_not()
    if why:
        pytest.skip(why)
    # A socket's path must be short, so it is not below pytest's own folder.
    made = Engine(tempfile.mkdtemp(prefix="maya-dk-"))
    try:
        if disk:
            made.mount_disk(disk)
        made.start()
    except RuntimeError as e:
        pytest.skip(str(e))
    if swarm:
        # Other engines of this machine may have the usual port.
        made.call("POST", "/swarm/init", {"ListenAddr": f"127.0.0.1:{free_port()}",
                                          "AdvertiseAddr": "127.0.0.1"})
    return made


@pytest.fixture(scope="module")
def engine():
    """A Docker Engine for the tests of a file."""
    made = start_engine()
    yield made
    made.stop()

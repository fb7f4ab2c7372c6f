"""What the benchmarks share: servers on a core of their own, the load on another, and rows."""
import contextlib
import http.client
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "test/e2e"), str(ROOT / "test/people")]
MIB, GIB = 2 ** 20, 2 ** 30
READY = re.compile(r"^maya: listening on http://([^:/ ]+):(\d+)$")
TICK = os.sysconf("SC_CLK_TCK")


class Row(typing.NamedTuple):
    """One line of the table. `must`: it is no timing, and a run that misses it has failed."""
    measure: str
    figure: str
    other: str = ""
    target: str = ""
    met: typing.Optional[bool] = None
    must: bool = False


class Bench(typing.NamedTuple):
    """What a group gets: the program, where to work, the two cores, and the arguments."""
    maya: str
    folder: str
    on: int
    off: int
    args: object

    def program(self, name):
        """A C program of test/bench, built beside maya."""
        return str(pathlib.Path(self.maya).parent / "bench" / name)

    def figures(self, name, *words):
        """Run one and return its "name value" lines."""
        p = subprocess.run([self.program(name), *map(str, words)], capture_output=True,
                           text=True, preexec_fn=pinned(self.on))
        if p.returncode:
            sys.exit(f"{name} {' '.join(map(str, words))}: {p.stdout}{p.stderr}")
        return {n: float(v) for n, v in (line.split() for line in p.stdout.splitlines()
                                        if not line.startswith("#"))}


def cores():
    """(core of the server, core of the generator); the same one when there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def pinned(core, group=None):
    """For preexec_fn: on this core, and in this memory cgroup."""
    def enter():
        os.sched_setaffinity(0, {core})
        if group:
            group.enter()
    return enter


def program(name):
    paths = [os.environ.get("PATH", ""), "/usr/sbin", str(ROOT / "build/tools/usr/bin"),
             str(ROOT / "build/tools/usr/sbin")]
    found = shutil.which(name, path=os.pathsep.join(paths))
    if not found:
        sys.exit(f"{name} is not there: tools/deps.sh bench")
    return found


class Server:
    """A running server on `core`: what it costs, and its end."""

    def cpu_us(self):
        """CPU time of all its threads so far, from /proc/PID/stat."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / TICK

    def threads_us(self):
        """CPU time by thread name, finer, where the kernel tells it."""
        found = {}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                name = (task / "comm").read_text().strip()
                ns = int((task / "schedstat").read_text().split()[0])
                found[name] = found.get(name, 0) + ns / 1000
        return found

    def status(self, field):
        """A field of /proc/PID/status in bytes: VmRSS, RssAnon."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1]) * 1024

    def rss(self):
        return self.status("VmRSS")

    def get(self, path="/healthz"):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request("GET", path)
        r = c.getresponse()
        body = r.read()
        c.close()
        return r.status, body

    def stop(self):
        self.process.send_signal(self.end)
        if self.process.wait(60) != 0:
            sys.exit(f"{self.name} ended with {self.process.returncode}")


class Client:
    """A connection that costs its own process little: one request after another."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @staticmethod
    def request(method, path, session, body=b""):
        return (f"{method} {path} HTTP/1.1\r\nHost: bench\r\nX-Session-ID: {session}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                ).encode() + body

    def send(self, request):
        """Status and body of the answer to such a request."""
        self.socket.sendall(request)
        said = b""
        while b"\r\n\r\n" not in said:
            said += self.more()
        head, _, body = said.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)^content-length: (\d+)", head, re.M)[1])
        while len(body) < length:
            body += self.more()
        return int(head.split(b" ", 2)[1]), body

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def chat(self, session, text):
        """One turn: status and answer."""
        status, body = self.send(self.request("POST", "/api/v1/chat", session,
                                              json.dumps({"user_input": text}).encode()))
        return status, json.loads(body)

    def get(self, path, session):
        status, body = self.send(self.request("GET", path, session))
        return status, json.loads(body)


class Maya(Server):
    name, end = "maya", signal.SIGTERM

    def __init__(self, binary, folder, core, group=None, **env):
        from node import parse_metrics
        self.parse = parse_metrics
        self.log = pathlib.Path(folder) / "maya.log"
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [binary, "serve", "--host", "127.0.0.1", "--port", "0",
                 "--data-dir", str(pathlib.Path(folder) / "data"),
                 "--agent", str(ROOT / "agents/maya")],
                env={"PATH": os.environ["PATH"], "MAYA_LOG_LEVEL": "warning",
                     "MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0",
                     "MAYA_BURST_LIMIT": "0", **env},
                cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
                preexec_fn=pinned(core, group))
        self.pid = self.process.pid
        for line in self.process.stdout:
            if m := READY.match(line.rstrip("\n")):
                self.port = int(m[2])
                break
        else:
            sys.exit("maya did not start:\n" + self.log.read_text())
        self.first_status = self.get("/readyz")[0]
        self.started_ms = (time.monotonic() - began) * 1000

    def kill(self):
        self.process.kill()
        self.process.wait()

    def metrics(self):
        return self.parse(self.get("/metrics")[1].decode())

    def metric(self, name, **labels):
        return self.metrics().get((name, frozenset(labels.items())), 0.0)

    def total(self, name, **labels):
        """The sum over all series of this name that have these labels; None without any."""
        found = [v for (n, have), v in self.metrics().items()
                 if n == name and have >= frozenset(labels.items())]
        return sum(found) if found else None

    def client(self):
        return Client(self.port)


class Nginx(Server):
    name, end = "nginx", signal.SIGTERM

    def __init__(self, folder, core, body):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        conf = pathlib.Path(folder) / "nginx.conf"
        text = body.decode().replace("'", "")
        conf.write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/nginx.log; worker_rlimit_nofile 30000;
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_timeout 600s; keepalive_requests 100000000;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location = /healthz {{ default_type application/json; return 200 '{text}'; }}
    }}
}}
""")
        self.process = subprocess.Popen(
            [program("nginx"), "-p", str(folder), "-c", str(conf), "-e", f"{folder}/nginx.log"],
            stderr=subprocess.DEVNULL, preexec_fn=pinned(core))
        self.pid = self.process.pid
        end = time.monotonic() + 10
        while True:
            try:
                self.get()
                return
            except OSError:
                if time.monotonic() > end:
                    sys.exit("nginx did not start")


def load(server, core, seconds, connections, path="/healthz", script=None, until=None, **env):
    """
    One run of wrk: requests a second, CPU us a request, p50 and p99 in ms, errors. It lasts
    `seconds`, or ends earlier when `until()` says so.
    """
    env = {**os.environ, **env}
    if script:
        env["BENCH_SCRIPT"] = str(HERE / script)
    cpu, threads = server.cpu_us(), server.threads_us()
    p = subprocess.Popen([program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}",
                          "--timeout", "60", "-s", str(HERE / "done.lua"),
                          f"http://127.0.0.1:{server.port}{path}"],
                         env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         preexec_fn=pinned(core))
    while until and p.poll() is None:
        if until():
            p.send_signal(signal.SIGINT)
            break
        time.sleep(0.1)  # between two looks
    said = p.communicate()[0]
    m = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", said)
    if not m:
        sys.exit(f"wrk failed: {said}")
    requests, duration_us, errors, p50, p99 = map(int, m.groups())
    return {"rate": requests * 1e6 / duration_us, "seconds": duration_us / 1e6,
            "cpu": (server.cpu_us() - cpu) / max(requests, 1),
            "threads": {n: (us - threads.get(n, 0)) / max(requests, 1)
                        for n, us in server.threads_us().items()},
            "p50": p50 / 1000, "p99": p99 / 1000, "errors": errors}


def median(runs, key):
    return statistics.median(r[key] for r in runs)


def percentile(values, share):
    """The smallest value that `share` of all do not pass."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def commit_us(folder):
    """What one durable write of 4 KiB costs on this disk: the floor under every commit."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as f:
        for _ in range(200):
            f.write(b"x" * 4096)
            f.flush()
            began = time.monotonic()
            os.fdatasync(f.fileno())
            times.append((time.monotonic() - began) * 1e6)
    return statistics.median(times)


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", text, re.M)
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, " \
           f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.0f} GiB, " \
           f"Linux {platform.release()}"

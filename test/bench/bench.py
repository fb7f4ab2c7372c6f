#!/usr/bin/env python3
"""Measure Maya, side by side with nginx, in one run: make bench

The server has one core and the load generator (wrk) another. What counts is the CPU time the
server needs for a request, because at these rates the generator is the limit. Rounds alternate,
so that a disturbance hits both; medians are shown. Prints a Markdown table.
"""
import argparse
import contextlib
import http.client
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
READY = re.compile(r"^maya: listening on http://([^:/ ]+):(\d+)$")
TICK = os.sysconf("SC_CLK_TCK")


def cores():
    """(core of the server, core of the generator); the same one when there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


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

    def rss(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", text, re.M)[1]) * 1024

    def get(self, path="/healthz"):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        c.request("GET", path)
        r = c.getresponse()
        body = r.read()
        c.close()
        return r.status, body

    def stop(self):
        self.process.send_signal(self.end)
        if self.process.wait(60) != 0:
            sys.exit(f"{self.name} ended with {self.process.returncode}")


class Maya(Server):
    name, end = "maya", signal.SIGTERM

    def __init__(self, binary, folder, core, **env):
        self.log = open(pathlib.Path(folder) / "maya.log", "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "serve", "--host", "127.0.0.1", "--port", "0",
             "--data-dir", str(pathlib.Path(folder) / "data"),
             "--agent", str(ROOT / "agents/maya")],
            env={"PATH": os.environ["PATH"], "MAYA_LOG_LEVEL": "warning",
                 "MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0",
                 "MAYA_BURST_LIMIT": "0", **env},
            cwd=folder, stdout=subprocess.PIPE, stderr=self.log, text=True,
            preexec_fn=pinned(core))
        self.pid = self.process.pid
        for line in self.process.stdout:
            if m := READY.match(line.rstrip("\n")):
                self.port = int(m[2])
                break
        else:
            sys.exit("maya did not start:\n" + (pathlib.Path(folder) / "maya.log").read_text())
        self.get()
        self.started_ms = (time.monotonic() - began) * 1000


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


def load(server, core, seconds, connections, path="/healthz", script=None, **env):
    """One run of wrk: requests a second, CPU us a request, p50 and p99 in ms, errors."""
    env = {**os.environ, **env}
    if script:
        env["BENCH_SCRIPT"] = str(HERE / script)
    cpu, threads = server.cpu_us(), server.threads_us()
    p = subprocess.run([program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}",
                        "-s", str(HERE / "done.lua"), f"http://127.0.0.1:{server.port}{path}"],
                       env=env, capture_output=True, text=True, preexec_fn=pinned(core))
    m = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", p.stdout)
    if not m:
        sys.exit(f"wrk failed: {p.stdout}{p.stderr}")
    requests, duration_us, errors, p50, p99 = map(int, m.groups())
    return {"rate": requests * 1e6 / duration_us,
            "cpu": (server.cpu_us() - cpu) / max(requests, 1),
            "threads": {n: (us - threads.get(n, 0)) / max(requests, 1)
                        for n, us in server.threads_us().items()},
            "p50": p50 / 1000, "p99": p99 / 1000, "errors": errors}


def median(runs, key):
    return statistics.median(r[key] for r in runs)


def idle_bytes(server, count):
    """Resident memory that one more idle keep-alive connection costs."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(count + 200, 1024),
                                                resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    ask = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    held = []

    def more(n):
        for _ in range(n):
            s = socket.create_connection(("127.0.0.1", server.port))
            s.sendall(ask)
            s.recv(4096)
            held.append(s)

    more(100)  # what is made once is not a connection's
    before = server.rss()
    more(count)
    grown = server.rss() - before
    for s in held:
        s.close()
    return grown / count


def commit_us(folder):
    """What one durable write of 4 KiB costs on this disk: the floor under every commit."""
    times = []
    with open(pathlib.Path(folder) / "probe", "wb") as f:
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
           f"Linux {platform.release()}"


def row(what, maya, other="", target="", met=None):
    mark = "" if met is None else ("yes" if met else "no")
    print(f"| {what} | {maya} | {other} | {target} | {mark} |", flush=True)


def bench_health(binary, folder, on, off, args):
    with tempfile.TemporaryDirectory(dir=folder) as a, tempfile.TemporaryDirectory(dir=folder) as b:
        maya = Maya(binary, a, on, MAYA_MAX_CONNECTIONS="20000")
        nginx = Nginx(b, on, maya.get()[1])
        runs = {"maya": [], "nginx": []}
        for _ in range(args.rounds):
            for s in (maya, nginx):
                runs[s.name].append(load(s, off, args.seconds, 64))
        m, n = median(runs["maya"], "cpu"), median(runs["nginx"], "cpu")
        row("GET /healthz, CPU us a request", f"{m:.2f}", f"{n:.2f}", "0.8 of nginx or better",
            n / m >= 0.8)
        row("the same, as a share of nginx", f"{n / m:.2f}", "1")
        row("GET /healthz, requests a second",
            *(f"{median(runs[k], 'rate'):.0f}" for k in ("maya", "nginx")))
        row("GET /healthz, p99 ms", *(f"{median(runs[k], 'p99'):.2f}" for k in ("maya", "nginx")))
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        count = 5000 if hard == resource.RLIM_INFINITY else min(5000, hard - 300)
        row(f"bytes of one idle connection ({count} of them)", f"{idle_bytes(maya, count):.0f}",
            f"{idle_bytes(nginx, count):.0f}")
        errors = sum(r["errors"] for k in runs for r in runs[k])
        maya.stop()
        nginx.stop()
        return errors


def bench_chat(binary, folder, on, off, args):
    with tempfile.TemporaryDirectory(dir=folder) as a:
        maya = Maya(binary, a, on, MAYA_SESSIONS_PER_CONTAINER="8000",
                    MAYA_DEFAULT_SESSION_MEMORY_MB="0.25")
        runs = []
        for i in range(args.rounds):
            runs.append(load(maya, off, args.seconds, 64, script="chat.lua",
                             BENCH_RUN=str(i), BENCH_SESSIONS="2000"))
        best = sorted(runs, key=lambda r: r["rate"])[len(runs) // 2]
        metrics = maya.get("/metrics")[1].decode()
        commits = re.search(r"^maya_store_commit_duration_seconds_count (\S+)$", metrics, re.M)
        took = re.search(r"^maya_store_commit_duration_seconds_sum (\S+)$", metrics, re.M)
        turns = re.search(r'^maya_turns_total\{outcome="completed"\} (\S+)$', metrics, re.M)
        row("durable chat turns a second, 64 connections", f"{best['rate']:.0f}", "",
            "5000", best["rate"] >= 5000)
        row("the same, p50 ms", f"{best['p50']:.2f}")
        row("the same, p99 ms", f"{best['p99']:.2f}", "", "under 20", best["p99"] < 20)
        row("CPU us a turn, all threads", f"{best['cpu']:.1f}")
        for name, us in sorted(best["threads"].items(), key=lambda x: -x[1]):
            if us >= 0.1:
                row(f"CPU us a turn, thread {name}", f"{us:.1f}")
        if commits and turns and took:
            row("turns in one commit", f"{float(turns[1]) / max(float(commits[1]), 1):.1f}")
            row("mean ms of a commit", f"{float(took[1]) / max(float(commits[1]), 1) * 1e3:.2f}")
        row("RSS MiB after it", f"{maya.rss() / 2 ** 20:.1f}")
        maya.stop()
        return sum(r["errors"] for r in runs)


def bench_start(binary, folder, on, args):
    times, rss = [], []
    for _ in range(args.starts):
        with tempfile.TemporaryDirectory(dir=folder) as a:
            maya = Maya(binary, a, on)
            times.append(maya.started_ms)
            rss.append(maya.rss() / 2 ** 20)
            maya.stop()
    row("exec to first 200, median ms", f"{statistics.median(times):.1f}", "", "under 20",
        statistics.median(times) < 20)
    row("exec to first 200, worst ms", f"{max(times):.1f}")
    row("RSS at start, MiB", f"{statistics.median(rss):.1f}", "", "under 15",
        statistics.median(rss) < 15)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maya", default=str(ROOT / "build/maya"))
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--folder", default=str(ROOT / "build"), help="on the disk to measure")
    args = parser.parse_args()
    binary = os.path.abspath(args.maya)
    on, off = cores()
    fs = subprocess.run(["stat", "-f", "-c", "%T", args.folder], capture_output=True, text=True)
    print(f"Machine: {machine()}; store on {fs.stdout.strip()}, fdatasync of 4 KiB "
          f"{commit_us(args.folder):.0f} us; server on core {on}, wrk on core {off}; "
          f"{args.rounds} rounds of {args.seconds} s; load of the machine before: "
          f"{os.getloadavg()[0]:.1f}.\n")
    print("| measure | Maya | nginx | target | met |\n|---|---|---|---|---|", flush=True)
    bench_start(binary, args.folder, on, args)
    errors = bench_health(binary, args.folder, on, off, args)
    errors += bench_chat(binary, args.folder, on, off, args)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(pathlib.Path(args.folder) / "probe")
    row("errors", str(errors), "", "0", errors == 0)
    return errors != 0


sys.exit(main())

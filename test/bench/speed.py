"""Requests and turns a second, with nginx and Maya by turns on the same core.

What counts is the CPU time the server needs for a request, because at these rates the generator
is the limit. Rounds alternate, so that a disturbance hits both; medians are shown.
"""
import resource
import socket
import statistics
import tempfile

from kit import MIB, Maya, Nginx, Row, load, median


def arguments(parser):
    parser.add_argument("--seconds", type=int, default=4, help="speed: of a round")
    parser.add_argument("--rounds", type=int, default=3, help="speed, neighbours: rounds")
    parser.add_argument("--starts", type=int, default=20, help="speed: starts of the program")


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


def start(bench):
    times, rss = [], []
    for _ in range(bench.args.starts):
        with tempfile.TemporaryDirectory(dir=bench.folder) as a:
            maya = Maya(bench.maya, a, bench.on)
            times.append(maya.started_ms)
            rss.append(maya.rss() / MIB)
            maya.stop()
    yield Row("exec to first 200, median ms", f"{statistics.median(times):.1f}", "", "under 20",
              statistics.median(times) < 20)
    yield Row("exec to first 200, worst ms", f"{max(times):.1f}")
    yield Row("RSS at start, MiB", f"{statistics.median(rss):.1f}", "", "under 15",
              statistics.median(rss) < 15)


def errors_of(runs):
    errors = sum(r["errors"] for r in runs)
    return Row("errors", str(errors), "", "0", errors == 0, must=True)


def health(bench):
    with tempfile.TemporaryDirectory(dir=bench.folder) as a, \
            tempfile.TemporaryDirectory(dir=bench.folder) as b:
        maya = Maya(bench.maya, a, bench.on, MAYA_MAX_CONNECTIONS="20000")
        nginx = Nginx(b, bench.on, maya.get()[1])
        runs = {"maya": [], "nginx": []}
        for _ in range(bench.args.rounds):
            for s in (maya, nginx):
                runs[s.name].append(load(s, bench.off, bench.args.seconds, 64))
        m, n = median(runs["maya"], "cpu"), median(runs["nginx"], "cpu")
        yield Row("GET /healthz, CPU us a request", f"{m:.2f}", f"{n:.2f} nginx",
                  "0.8 of nginx or better", n / m >= 0.8)
        yield Row("the same, as a share of nginx", f"{n / m:.2f}", "1")
        yield Row("GET /healthz, requests a second", f"{median(runs['maya'], 'rate'):.0f}",
                  f"{median(runs['nginx'], 'rate'):.0f} nginx")
        yield Row("GET /healthz, p99 ms", f"{median(runs['maya'], 'p99'):.2f}",
                  f"{median(runs['nginx'], 'p99'):.2f} nginx")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        count = 5000 if hard == resource.RLIM_INFINITY else min(5000, hard - 300)
        yield Row(f"bytes of one idle connection ({count} of them)",
                  f"{idle_bytes(maya, count):.0f}", f"{idle_bytes(nginx, count):.0f} nginx")
        maya.stop()
        nginx.stop()
        yield errors_of(runs["maya"] + runs["nginx"])


def chat(bench):
    with tempfile.TemporaryDirectory(dir=bench.folder) as a:
        maya = Maya(bench.maya, a, bench.on, MAYA_SESSIONS_PER_CONTAINER="8000",
                    MAYA_DEFAULT_SESSION_MEMORY_MB="0.25")
        runs = [load(maya, bench.off, bench.args.seconds, 64, script="chat.lua",
                     BENCH_RUN=str(i), BENCH_SESSIONS="2000") for i in range(bench.args.rounds)]
        best = sorted(runs, key=lambda r: r["rate"])[len(runs) // 2]
        commits = maya.metric("maya_store_commit_duration_seconds_count")
        took = maya.metric("maya_store_commit_duration_seconds_sum")
        turns = maya.metric("maya_turns_total", outcome="completed")
        yield Row("durable chat turns a second, 64 connections", f"{best['rate']:.0f}", "",
                  "5000", best["rate"] >= 5000)
        yield Row("the same, p50 ms", f"{best['p50']:.2f}")
        yield Row("the same, p99 ms", f"{best['p99']:.2f}", "", "under 20", best["p99"] < 20)
        yield Row("CPU us a turn, all threads", f"{best['cpu']:.1f}")
        for name, us in sorted(best["threads"].items(), key=lambda x: -x[1]):
            if us >= 0.1:
                yield Row(f"CPU us a turn, thread {name}", f"{us:.1f}")
        if commits:
            yield Row("turns in one commit", f"{turns / commits:.1f}")
            yield Row("mean ms of a commit", f"{took / commits * 1e3:.2f}")
        yield Row("RSS MiB after it", f"{maya.rss() / MIB:.1f}")
        maya.stop()
        yield errors_of(runs)


def rows(bench):
    yield from start(bench)
    yield from health(bench)
    yield from chat(bench)

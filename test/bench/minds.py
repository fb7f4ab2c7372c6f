#!/usr/bin/env python3
"""Measure what Maya adds to a provider: python3 test/bench/minds.py --maya build/maya

A provider that streams at a steady pace (test/bench/minds.c) is asked by guests directly, and by
as many guests through Maya, in the same run. Maya has one core; provider and guests have the
other. Ends with 1 when a turn failed.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "test/e2e"))
sys.dont_write_bytecode = True
STREAMS, TURNS = 100, 8
MANY, SECONDS, PACE = 1000, 10, 50


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


class Peers:
    """The program minds.c: built beside maya, or here."""

    def __init__(self, maya, folder, core):
        self.core, built = core, pathlib.Path(maya).parent / "bench" / "minds"
        self.program = str(built) if built.exists() else str(pathlib.Path(folder) / "minds")
        if not built.exists():
            subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", self.program,
                            str(HERE / "minds.c")], check=True)

    def provider(self, delay_us, tokens, interval_us):
        p = subprocess.Popen([self.program, "provider", str(delay_us), str(tokens),
                              str(interval_us)], stdout=subprocess.PIPE, text=True,
                             preexec_fn=pinned(self.core))
        return p, int(p.stdout.readline().split()[1])

    def guests(self, port, kind, count, turns, prefix):
        out = subprocess.run([self.program, "guests", str(port), kind, str(count), str(turns),
                              prefix], capture_output=True, text=True, check=False,
                             preexec_fn=pinned(self.core))
        if out.returncode:
            sys.exit(f"guests ({kind}): exit {out.returncode} {out.stderr}")
        return {n: float(v) for n, v in (line.split() for line in out.stdout.splitlines())}


class Maya:
    def __init__(self, program, folder, core, provider_port):
        env = {**{k: v for k, v in os.environ.items() if k != "MAYA_BIN"}, "MAYA_MIND": "openai", "MAYA_LOG_LEVEL": "error",
               "MAYA_OPENAI_BASE_URL": f"http://127.0.0.1:{provider_port}/v1",
               "MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0",
               "MAYA_BURST_LIMIT": "0", "MAYA_SESSIONS_PER_CONTAINER": "1200",
               "MAYA_DEFAULT_SESSION_MEMORY_MB": "1"}
        self.process = subprocess.Popen(
            [program, "serve", "--host", "127.0.0.1", "--port", "0", "--agent",
             str(ROOT / "agents/maya"), "--data-dir", str(pathlib.Path(folder) / "data"),
             "--env-file", "/dev/null"],
            stdout=subprocess.PIPE, text=True, env=env, cwd=folder, preexec_fn=pinned(core))
        self.port = int(re.search(r":(\d+)$", self.process.stdout.readline().strip())[1])

    def status(self, field):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1]) * 1024

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def row(measure, figure, target="", met=None):
    print(f"| {measure} | {figure} | {target} | "
          f"{'' if met is None else 'yes' if met else 'no'} |", flush=True)


def added_latency(peers, maya_program, folder, core):
    provider, port = peers.provider(100_000, 20, 20_000)
    maya = Maya(maya_program, folder, core, port)
    try:
        peers.guests(maya.port, "maya", 20, 1, "warm")
        direct = peers.guests(port, "direct", STREAMS, TURNS, "x")
        through = peers.guests(maya.port, "maya", STREAMS, TURNS, "latency")
    finally:
        provider.kill()
        provider.wait()
        maya.stop()
    for name, text in (("first_word", "first word, from the question on"),
                       ("under_way", "any word, from its sending on")):
        for p, most in (("p50", 1000), ("p99", 5000)):
            d, t = direct[f"{name}_{p}"], through[f"{name}_{p}"]
            row(f"{STREAMS} streams at once, {text}, {p}: direct, through Maya, added",
                f"{d / 1000:.2f} ms, {t / 1000:.2f} ms, {(t - d) / 1000:.2f} ms",
                f"added <= {most / 1000:.0f} ms", t - d <= most)
    return through["failed"]


def many_streams(peers, maya_program, folder, core):
    provider, port = peers.provider(0, SECONDS * PACE, 1_000_000 // PACE)
    maya = Maya(maya_program, folder, core, port)
    try:
        before, empty = maya.cpu_s(), maya.status("RssAnon")
        figures = peers.guests(maya.port, "maya", MANY, 1, "many")
        cpu, peak = maya.cpu_s() - before, maya.status("VmHWM")
    finally:
        provider.kill()
        provider.wait()
        maya.stop()
    slow = figures["duration_max"] / figures["duration_p50"]
    row(f"{MANY} streams of {PACE} words a second for {SECONDS} s: slowest / median stream",
        f"{figures['duration_max'] / 1e6:.2f} s / {figures['duration_p50'] / 1e6:.2f} s = "
        f"{slow:.3f}", "<= 1.2", slow <= 1.2)
    row("words that came", f"{figures['tokens']:.0f} of {MANY * SECONDS * PACE}")
    row("a word under way, p50, p99",
        f"{figures['under_way_p50'] / 1000:.1f} ms, {figures['under_way_p99'] / 1000:.1f} ms")
    row("CPU of Maya for a word", f"{cpu * 1e6 / max(figures['tokens'], 1):.1f} us")
    row("memory of Maya: empty, at most", f"{empty / 2**20:.0f} MiB, {peak / 2**20:.0f} MiB")
    return figures["failed"]


def gone(maya_program, folder, core):
    """From the client's leaving to the provider's connection being closed."""
    os.environ["MAYA_BIN"] = maya_program
    from node import Stream  # noqa: PLC0415
    from provider import Answer, Provider, openai_delta  # noqa: PLC0415
    import http.client  # noqa: PLC0415
    took = []
    answer = Answer([openai_delta({"content": "Once "})], end="hang")
    with Provider(otherwise=answer) as p:
        maya = Maya(maya_program, folder, core, p.port)
        for i in range(20):
            c = http.client.HTTPConnection("127.0.0.1", maya.port)
            c.request("POST", "/api/v1/chat/stream", '{"message": "hello"}',
                      {"Content-Type": "application/json", "X-Session-ID": f"gone-{i}"})
            s = Stream(c, c.getresponse())
            for event in s:
                if "text_chunk" in event.data:
                    break
            left = time.monotonic()
            s.leave()
            p.asked[i].gone.wait(10)
            took.append((time.monotonic() - left) * 1000)
        maya.stop()
    took.sort()
    row("client gone, provider's connection closed: median, longest of 20",
        f"{took[10]:.1f} ms, {took[-1]:.1f} ms", "<= 100 ms", took[-1] <= 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maya", default=str(ROOT / "build/maya"))
    args = parser.parse_args()
    maya = os.path.abspath(args.maya)
    cores = sorted(os.sched_getaffinity(0))
    folder = tempfile.mkdtemp(prefix="maya-minds-")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}; Maya on core {cores[0]}, "
          f"provider and guests on core {cores[-1]}\n\n| measure | figure | target | met |\n"
          "|---|---|---|---|")
    try:
        peers = Peers(maya, folder, cores[-1])
        failed = added_latency(peers, maya, folder, cores[0])
        failed += many_streams(peers, maya, folder, cores[0])
        gone(maya, folder, cores[0])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if failed:
        row("turns that failed", f"{failed:.0f}", "0", False)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())

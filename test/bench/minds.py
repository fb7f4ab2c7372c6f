#!/usr/bin/env python3
"""What Maya adds to a provider, and how many of its streams she carries at once.

    test/bench/minds.py --maya build/maya --mind-many 1000

Also a group of bench.py. A provider that streams at a steady pace (test/bench/minds.c) is asked
by guests directly, and by as many guests through Maya, in the same run. Maya has one core;
provider and guests have the other. Ends with 1 when a turn failed, a word was lost, or a session
passed its budget.
"""
import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from kit import MIB, Bench, Maya, Row, cores, machine, pinned

DELAY_MS, TOKENS, PACE = 100, 20, 50  # before the first word; words; of them a second
LATENCY_US = (("p50", 1000), ("p99", 5000))
SLOWEST, GONE_MS, LEAVERS = 1.2, 100, 20
BUDGET_MB = "1"


def arguments(parser):
    parser.add_argument("--mind-streams", type=int, default=100, help="minds: whose delay is measured")
    parser.add_argument("--mind-turns", type=int, default=8, help="minds: of each of these")
    parser.add_argument("--mind-many", type=int, default=1000, help="minds: streams at once")
    parser.add_argument("--mind-seconds", type=int, default=10, help="minds: their length")


class Provider:
    """minds.c as a provider, on the load's core."""

    def __init__(self, bench, delay_us, tokens, interval_us):
        self.process = subprocess.Popen(
            [bench.program("minds"), "provider", str(delay_us), str(tokens), str(interval_us)],
            stdout=subprocess.PIPE, text=True, preexec_fn=pinned(bench.off))
        self.port = int(self.process.stdout.readline().split()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def guests(bench, port, kind, count, turns, prefix):
    """minds.c as so many guests: its figures, times in microseconds."""
    p = subprocess.run([bench.program("minds"), "guests", str(port), kind, str(count), str(turns),
                        prefix], capture_output=True, text=True, preexec_fn=pinned(bench.off))
    if p.returncode:
        sys.exit(f"guests ({kind}): exit {p.returncode} {p.stdout}{p.stderr}")
    return {n: float(v) for n, v in (line.split() for line in p.stdout.splitlines())}


def served(bench, folder, provider_port, sessions):
    return Maya(bench.maya, folder, bench.on, MAYA_MIND="openai", MAYA_VOICE="off",
                MAYA_OPENAI_BASE_URL=f"http://127.0.0.1:{provider_port}/v1",
                MAYA_SESSIONS_PER_CONTAINER=str(sessions + 100),
                MAYA_DEFAULT_SESSION_MEMORY_MB=BUDGET_MB)


def added_latency(bench, folder):
    streams, turns = bench.args.mind_streams, bench.args.mind_turns
    with Provider(bench, DELAY_MS * 1000, TOKENS, 1_000_000 // PACE) as p:
        maya = served(bench, folder, p.port, streams)
        guests(bench, maya.port, "maya", 20, 1, "warm")
        direct = guests(bench, p.port, "direct", streams, turns, "x")
        through = guests(bench, maya.port, "maya", streams, turns, "latency")
        maya.stop()
    for name, text in (("first_word", "first word, from the question on"),
                       ("under_way", "any word, from its sending on")):
        for part, most in LATENCY_US:
            d, t = direct[f"{name}_{part}"], through[f"{name}_{part}"]
            yield Row(f"{streams} streams at once, {text}, {part} ms",
                      f"{t / 1000:.2f}: {(t - d) / 1000:.2f} more", f"{d / 1000:.2f} (direct)",
                      f"{most / 1000:.0f} more", t - d <= most)
    failed = direct["failed"] + through["failed"]
    yield Row("turns that failed", f"{failed:.0f}", "", "0", failed == 0, must=True)


def peaks(maya):
    """(most bytes of every session, its budget, requests refused for it)"""
    found, query = [], "?limit=500"
    while query:
        status, body = maya.get("/api/v1/ops/sessions" + query)
        page = json.loads(body)
        if status != 200:
            sys.exit(f"/ops/sessions: {status} {page}")
        found += page["sessions"]
        query = page["next"] and f"?limit=500&after={page['next']}"
    return ([s["peak_bytes"] for s in found], found[0]["budget_bytes"],
            sum(s["refused"] for s in found))


def many_streams(bench, folder):
    many, seconds = bench.args.mind_many, bench.args.mind_seconds
    with Provider(bench, 0, seconds * PACE, 1_000_000 // PACE) as p:
        maya = served(bench, folder, p.port, many)
        cpu, empty = maya.cpu_us(), maya.status("RssAnon")
        f = guests(bench, maya.port, "maya", many, 1, "many")
        cpu, peak, files = maya.cpu_us() - cpu, maya.status("VmHWM"), maya.status("RssFile")
        most, budget, refused = peaks(maya)
        maya.stop()
    slow, words = f["duration_max"] / f["duration_p50"], many * seconds * PACE
    yield Row(f"{many} streams of {PACE} words a second for {seconds} s: slowest, median, s",
              f"{f['duration_max'] / 1e6:.2f}, {f['duration_p50'] / 1e6:.2f}: {slow:.3f}", "",
              f"{SLOWEST}", slow <= SLOWEST)
    yield Row("words that came", f"{f['tokens']:.0f} of {words}", "", f"{words}",
              f["tokens"] == words, must=True)
    yield Row("turns that failed", f"{f['failed']:.0f}", "", "0", f["failed"] == 0, must=True)
    yield Row("a word under way, p50 and p99 ms",
              f"{f['under_way_p50'] / 1000:.1f}, {f['under_way_p99'] / 1000:.1f}")
    yield Row("CPU us of Maya for a word", f"{cpu / max(f['tokens'], 1):.1f}")
    yield Row("a stream's session, most KiB charged: median, largest",
              f"{statistics.median(most) / 1024:.0f}, {max(most) / 1024:.0f}",
              f"budget {budget / 1024:.0f}", f"{budget / 1024:.0f}",
              max(most) <= budget and not refused, must=True)
    yield Row("RSS of Maya for a stream at most, KiB",
              f"{(peak - files - empty) / 1024 / many:.0f}", "", f"{budget / 1024:.0f}",
              peak - files - empty <= many * budget)


def leavers(bench, folder):
    """From the client's leaving to the provider's connection being closed."""
    from node import Stream
    from provider import Answer, Provider as Scripted, openai_delta
    took = []
    with Scripted(otherwise=Answer([openai_delta({"content": "Once "})], end="hang")) as p:
        maya = served(bench, folder, p.port, LEAVERS)
        for i in range(LEAVERS):
            c = http.client.HTTPConnection("127.0.0.1", maya.port)
            c.request("POST", "/api/v1/chat/stream", '{"message": "hello"}',
                      {"Content-Type": "application/json", "X-Session-ID": f"gone-{i}"})
            s = Stream(c, c.getresponse())
            for event in s:
                if "text_chunk" in event.data:
                    break
            left = time.monotonic()
            s.leave()
            if not p.asked[i].gone.wait(10):
                sys.exit("the provider's stream was not closed within 10 s")
            took.append((time.monotonic() - left) * 1000)
        maya.stop()
    yield Row("client gone, provider's connection closed, ms: median, longest of "
              f"{LEAVERS}", f"{statistics.median(took):.1f}, {max(took):.1f}", "", f"{GONE_MS}",
              max(took) <= GONE_MS)


def rows(bench):
    for part in (added_latency, many_streams, leavers):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            yield from part(bench, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maya", default="build/maya")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments(parser)
    args = parser.parse_args()
    on, off = cores()
    print(f"Machine: {machine()}; load of the machine before: {os.getloadavg()[0]:.1f}.\n\n"
          "| measure | Maya | compared with | target | met |\n|---|---|---|---|---|", flush=True)
    failed = False
    for r in rows(Bench(os.path.abspath(args.maya), args.folder, on, off, args)):
        met = "" if r.met is None else ("yes" if r.met else "no")
        print(f"| {r.measure} | {r.figure} | {r.other} | {r.target} | {met} |", flush=True)
        failed = failed or (r.must and not r.met)
    return failed


if __name__ == "__main__":
    sys.exit(main())

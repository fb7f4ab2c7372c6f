#!/usr/bin/env python3
"""How soon Maya is heard: from the first full sentence of an answer to its first audio.

    test/bench/voice.py --maya build/maya --listeners 20

Also a group of bench.py. Both moments are when the bytes reach the client; a listener asks anew
when its answer has been spoken. With many listeners eSpeak NG, which speaks one sentence at a
time, has a queue.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.parse

from kit import MIB, Bench, Maya, Row, cores, machine, percentile

TARGET_MS = 150
TEXT = "what do you recommend?"


def arguments(parser):
    parser.add_argument("--listeners", type=int, default=20, help="voice: at the same time")
    parser.add_argument("--answers", type=int, default=10, help="voice: heard by each")


def listen(port, session, form):
    """One answer: (ms to its first audio, seconds of audio)."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    query = urllib.parse.urlencode({"message": TEXT, "audio": form, "session_id": session})
    c.request("GET", f"/api/v1/chat/stream?{query}")
    response = c.getresponse()
    said = first = None
    seconds = 0.0
    for line in response:
        if not line.startswith(b"data: "):
            continue
        now = time.perf_counter()
        head = line[:60]
        if said is None and b'"sentence"' in head:
            said = now
        elif b'"audio"' in head:
            first = first or now
            if b'"chunk": 0,' in line[:120]:
                seconds += json.loads(line[6:])["seconds"]
    c.close()
    return (first - said) * 1000, seconds


def run(maya, listeners, answers, form="wav"):
    """(ms to the first audio of every answer, seconds of audio, CPU s of it)."""
    cpu = maya.cpu_us()
    with concurrent.futures.ThreadPoolExecutor(listeners) as pool:
        def one(i):
            return [listen(maya.port, f"voice-{form}-{listeners}-{i}", form)
                    for _ in range(answers)]
        heard = [a for got in pool.map(one, range(listeners)) for a in got]
    return [ms for ms, _ in heard], sum(s for _, s in heard), (maya.cpu_us() - cpu) / 1e6


def rows(bench):
    args = bench.args
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        maya = Maya(bench.maya, folder, bench.on, MAYA_SESSIONS_PER_CONTAINER="500",
                    MAYA_DEFAULT_SESSION_MEMORY_MB="4")
        before = maya.rss()
        first, _ = listen(maya.port, "voice-first", "wav")
        yield Row("first audio of a container, its library not yet loaded, ms", f"{first:.0f}",
                  "", f"{TARGET_MS}", first < TARGET_MS)
        yield Row("RSS MiB before and after", f"{before / MIB:.1f}, {maya.rss() / MIB:.1f}")
        for listeners in (1, args.listeners):
            times, seconds, cpu = run(maya, listeners, args.answers)
            worst = percentile(times, 0.99)
            yield Row(f"first audio after the first full sentence, listeners: {listeners}, "
                      "p50 and p99 ms", f"{statistics.median(times):.1f}, {worst:.1f}", "",
                      f"{TARGET_MS}", worst < TARGET_MS)
            yield Row("seconds of audio for a second of CPU", f"{seconds / cpu:.0f}")
        for form in ("opus", "mp3"):
            times, seconds, cpu = run(maya, 1, args.answers, form)
            yield Row(f"the same as {form}, one listener, p50 ms; seconds a second of CPU",
                      f"{statistics.median(times):.1f}; {seconds / cpu:.0f}")
        maya.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maya", default="build/maya")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments(parser)
    args = parser.parse_args()
    on, off = cores()
    os.sched_setaffinity(0, {off})
    print(f"Machine: {machine()}; load of the machine before: {os.getloadavg()[0]:.1f}.\n\n"
          "| measure | Maya | target | met |\n|---|---|---|---|", flush=True)
    for r in rows(Bench(os.path.abspath(args.maya), args.folder, on, off, args)):
        met = "" if r.met is None else ("yes" if r.met else "no")
        print(f"| {r.measure} | {r.figure} | {r.target} | {met} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())

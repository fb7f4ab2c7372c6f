"""A hundred thousand sessions of ten real turns in one container inside a 4 GiB memory cgroup.

wrk says every message over HTTP to the house mind; nothing is seeded. The kernel's figures are
the cgroup's: anonymous memory and the kernel's own, and all that is charged, page cache counted.
"""
import random
import tempfile
import time

from kit import GIB, MIB, Maya, Row, load

CHARGED = {  # of the cgroup: v1's and v2's file, and the field in it when there are several
    "usage": (("memory.usage_in_bytes", None), ("memory.current", None)),
    "rss": (("memory.stat", "rss"), ("memory.stat", "anon")),
    "kernel": (("memory.kmem.usage_in_bytes", None), ("memory.stat", "kernel")),
    "cache": (("memory.stat", "cache"), ("memory.stat", "file")),
}


def arguments(parser):
    parser.add_argument("--container-sessions", type=int, default=100000,
                        help="container: sessions of ten turns")
    parser.add_argument("--container-mib", type=int, default=4096, help="container: its limit")


def charged(group):
    """What the kernel charges to the cgroup, in bytes by kind."""
    found = {}
    for kind, files in CHARGED.items():
        name, field = files[group.v2]
        try:
            text = group.read(name)
        except FileNotFoundError:
            found[kind] = 0  # this kernel does not tell it apart
            continue
        if field:
            text = dict(line.split() for line in text.splitlines())[field]
        found[kind] = int(text)
    # Where the kernel keeps no count of its own memory, it is what is left.
    found["kernel"] = max(found["kernel"], found["usage"] - found["rss"] - found["cache"])
    return found


def accounted(maya):
    """Bytes that Maya says it holds, by part of the process; at least its sessions'."""
    parts = {dict(labels)["part"]: v for (n, labels), v in maya.metrics().items()
             if n == "maya_process_memory_bytes"}
    return parts or {"sessions": maya.metric("maya_sessions_memory_bytes")}


def remembers(maya, sessions, turns, sample=200):
    """How many of a random sample of sessions do not have all their messages."""
    wrong = 0
    with maya.client() as c:
        for i in random.Random(20240223).sample(range(sessions), min(sample, sessions)):
            status, body = c.get("/api/v1/session/history", f"sess_full-{i:011}")
            wrong += status != 200 or len(body["history"]) != 2 * turns
    return wrong


def settle(bench, maya, sessions, turns, name):
    wanted = maya.total("maya_turns_total") + sessions * turns
    return load(maya, bench.off, 1800, 64, path="/readyz", script="evening.lua",
                until=lambda: maya.total("maya_turns_total") >= wanted,
                BENCH_NAME=name, BENCH_SESSIONS=str(sessions), BENCH_TURNS=str(turns))


def rest(maya):
    """Until what sessions hold does not change: idle ones may be tidied after a while."""
    held, since = -1, time.monotonic()
    while time.monotonic() - since < 15:
        now = maya.metric("maya_sessions_memory_bytes")
        if now != held:
            held, since = now, time.monotonic()
        time.sleep(0.5)  # between two looks


def rows(bench):
    from cgroup_helper import CgroupUnavailable, MemoryCgroup
    sessions, turns = bench.args.container_sessions, 10
    try:
        group = MemoryCgroup(bench.args.container_mib * MIB)
    except CgroupUnavailable as e:
        yield Row("sessions in a container", f"not measured: {e}")
        return
    with group, tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        maya = Maya(bench.maya, folder, bench.on, group,
                    MAYA_SESSIONS_PER_CONTAINER=str(2 * sessions),
                    MAYA_DEFAULT_SESSION_MEMORY_MB="0.25", MAYA_ADMISSION_POLICY="measured",
                    MAYA_SESSION_HIBERNATE_SECONDS="86400", MAYA_SESSION_EXPIRY_SECONDS="86400",
                    MODAL_MEMORY_MB=str(bench.args.container_mib))
        settle(bench, maya, 100, 1, "warm")  # what is made once is no session's
        before, held_before = charged(group), accounted(maya)
        run = settle(bench, maya, sessions, turns, "full")
        rest(maya)
        after, held, anon = charged(group), accounted(maya), maya.status("RssAnon")
        yield from report(bench, maya, group, run, (before, held_before), (after, held))
        yield from beside(after, held, anon)
        wrong = remembers(maya, sessions, turns)
        yield Row("of 200 random ones, without all of their messages", str(wrong), "", "0",
                  wrong == 0, must=True)
        maya.stop()


def report(bench, maya, group, run, at_first, at_last):
    (before, held_before), (after, held) = at_first, at_last
    sessions = bench.args.container_sessions
    resident = int(maya.metric("maya_active_sessions")) - 100
    anon = after["rss"] + after["kernel"]
    grown = anon - before["rss"] - before["kernel"]
    yield Row(f"small sessions (10 turns) resident in a {bench.args.container_mib} MiB container",
              str(resident), "50 (the predecessor), about 12 (a voice-agent framework)", "100000",
              resident >= 100000)
    yield Row("charged to the cgroup, MiB: anonymous + kernel; all with page cache",
              f"{after['rss'] / MIB:.0f} + {after['kernel'] / MIB:.0f}; "
              f"{after['usage'] / MIB:.0f}")
    yield Row("the same for each session, bytes, without page cache", f"{grown / sessions:.0f}")
    yield Row("by that, sessions that fit under the threshold of 4 GiB",
              f"{(0.8 * 4 * GIB - (anon - grown)) / (grown / sessions):.0f}")
    for what, left_out, target in (
            ("accounted bytes / the kernel's growth", (), 0.9),
            ("the same without what the allocator keeps free", ("heap_free",), None)):
        more = sum(held[p] - held_before[p] for p in held if p not in left_out)
        yield Row(what, f"{more / grown:.3f}", "-", str(target or ""),
                  more / grown >= target if target else None)
    yield Row("turns a second meanwhile", f"{sessions * 10 / run['seconds']:.0f}")
    bad = run["errors"] + int(maya.total("maya_sessions_rejected_total"))
    yield Row("rejections and errors", str(bad), "", "0", bad == 0, must=True)
    kills = group.oom_kills()
    yield Row("OOM kills", str(kills), "", "0", kills == 0, must=True)


def beside(after, held, anon):
    """The whole process, not its growth: what Maya says beside what the kernel says."""
    yield Row("accounted beside RssAnon and the cgroup's anonymous memory, MiB",
              f"{sum(held.values()) / MIB:.1f}", f"{anon / MIB:.1f}, {after['rss'] / MIB:.1f}")
    for part, size in sorted(held.items(), key=lambda x: -x[1]):
        yield Row(f"accounted to {part}, MiB", f"{size / MIB:.2f}")

"""An hour with ten times more sessions than fit, in virtual time and over HTTP.

hour.c drives the real table and the real store through an hour of virtual time, with a memory
that is the table's own sum. The other part is a minute for an hour: a maya in a small memory
cgroup, a hot set that talks steadily and a tail that comes once and then now and then, killed in
the end, and every session compared with what was acknowledged.
"""
import collections
import contextlib
import random
import tempfile
import threading
import time

from kit import MIB, Client, Maya, Row

ORDINARY = {"session_limit", "memory_pressure", "insufficient_memory"}
WORDS = ("an ipa please", "what do I owe you?", "two dry martinis please", "hello there",
         "how much is a negroni?")
CLIENTS = 4


def arguments(parser):
    parser.add_argument("--hour-hot", type=int, default=500, help="hour: hot sessions")
    parser.add_argument("--hour-cold", type=int, default=30000, help="hour: sessions of the tail")
    parser.add_argument("--hour-seconds", type=int, default=3600, help="hour: of virtual time")
    parser.add_argument("--hour-real-seconds", type=int, default=75,
                        help="hour: of the part over HTTP")
    parser.add_argument("--hour-real-mib", type=int, default=24,
                        help="hour: limit of the cgroup of that part")


def verdict(what, fits, counts, lost, kills, refused):
    """Two rows of a case: what went on, and whether it went well."""
    alive, resident, turns = counts
    yield Row(f"{what}: sessions alive, most resident, turns", f"{alive}, {resident}, {turns}", "",
              "10 times as many alive" if fits else "", alive >= 10 * resident if fits else None)
    yield Row(f"{what}: lost, OOM kills, rejected", f"{lost}, {kills}, {refused}", "-",
              "0, 0, 0" if fits else "0, 0, more", lost == kills == 0 and (refused == 0) == fits,
              must=True)


def virtual(bench, policy, fits):
    args, budget = bench.args, 64 * 1024
    hot = args.hour_hot if fits else 10 * args.hour_hot
    cold = args.hour_cold if fits else args.hour_hot
    cold_s = max(1, 3 * args.hour_cold // args.hour_seconds)  # all of them in a third of it
    # Room for the hot ones as large as they grow, or their budgets, and the tail's newest.
    each = (20 * 1024, 5 * 1024) if policy == "measured" else (budget, budget)
    limit = int((8 * MIB + args.hour_hot * each[0] + 45 * cold_s * each[1]) / 0.75)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        f = bench.figures("hour", policy, folder, f"hot={hot}", f"cold={cold}",
                          f"cold_per_s={cold_s}", f"limit={limit}",
                          f"seconds={args.hour_seconds if fits else args.hour_seconds // 4}")
    what = f"virtual hour, {policy}, " + ("hot set fits" if fits else "hot set too large")
    yield from verdict(what, fits, [int(f[k]) for k in ("alive", "resident", "turns")],
                       int(f["lost"]), int(f["over_limit"]), int(f["refused"]))
    yield Row(f"{what}: hibernated for idleness, for room, under pressure; expired",
              f"{f['idle']:.0f}, {f['room']:.0f}, {f['pressed']:.0f}; {f['expired']:.0f}")


class Crowd(threading.Thread):
    """Every session whose number leaves this remainder; what each of them was acknowledged."""

    def __init__(self, port, part, hot, cold, pace_s, over):
        super().__init__(daemon=True)
        self.port, self.part, self.hot, self.cold = port, part, hot, cold
        self.pace_s, self.over = pace_s, over
        self.acknowledged, self.refused, self.faults = {}, collections.Counter(), []

    def who(self):
        """One in four of the hot ones, by turns; of the tail everyone once, then by Zipf."""
        dice, greeted, at = random.Random(self.part), 0, 0
        while True:
            at += 1
            if at % 4 == 0 or not self.cold:
                number = at // 4 % self.hot if self.cold else at % self.hot
                yield f"hot-{self.part}-{number:08}"
            elif greeted < self.cold:
                greeted += 1
                yield f"cold-{self.part}-{greeted:08}"
            else:
                yield f"cold-{self.part}-{int(self.cold ** dice.random()):08}"

    def run(self):
        try:
            client = Client(self.port)
            began = time.monotonic()
            for n, session in enumerate(self.who()):
                ahead = began + n * self.pace_s - time.monotonic()
                if ahead > 0.005:
                    time.sleep(ahead)
                if self.over.is_set():
                    return
                self.say(client, session)
        except OSError as e:
            self.faults.append(str(e))

    def say(self, client, session):
        turns = self.acknowledged.get(session, 0)
        status, answer = client.chat(session, WORDS[turns % len(WORDS)])
        if status == 200:
            self.acknowledged[session] = turns + 1
            # Who talks for long folds: what is left of it is then checked at the end.
            if len(answer["history"]) > 2 * (turns + 1):
                self.faults.append(f"{session} has {len(answer['history'])} messages")
        elif answer.get("code") in ORDINARY:
            self.refused[answer["code"]] += 1
        else:
            self.faults.append(f"{status} {answer}")


def look_at_all(bench, folder, crowds, sample):
    """After the kill, without a limit: how many are not as they were acknowledged."""
    maya = Maya(bench.maya, folder, bench.on, MAYA_SESSIONS_PER_CONTAINER="1000000",
                MAYA_ADMISSION_POLICY="measured", MAYA_SESSION_HIBERNATE_SECONDS="1",
                MAYA_DEFAULT_SESSION_MEMORY_MB="0.0625")
    known = [x for c in crowds for x in sorted(c.acknowledged.items())]
    lost = 0
    with maya.client() as c:
        for session, turns in random.Random(1).sample(known, min(sample, len(known))):
            status, body = c.get("/api/v1/session/history", session)
            lost += status != 200 or (len(body["history"]) + body.get("folded", 0)) != 2 * turns
    maya.stop()
    return lost, len(known)


def real(bench, fits):
    from cgroup_helper import CgroupUnavailable, MemoryCgroup
    args = bench.args
    what = "over HTTP in a cgroup, " + ("hot set fits" if fits else "hot set too large")
    try:
        group = MemoryCgroup(args.hour_real_mib * MIB)
    except CgroupUnavailable as e:
        yield Row(what, f"not measured: {e}")
        return
    seconds = args.hour_real_seconds if fits else args.hour_real_seconds // 2
    with group, tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        maya = Maya(bench.maya, folder, bench.on, group, MAYA_SESSIONS_PER_CONTAINER="1000000",
                    MAYA_ADMISSION_POLICY="measured", MAYA_DEFAULT_SESSION_MEMORY_MB="0.0625",
                    MAYA_SESSION_HIBERNATE_SECONDS="2" if fits else "3600")
        began, over = time.monotonic(), threading.Event()
        hot, cold = (100, 10 ** 6) if fits else (args.hour_real_mib * 200, 0)
        crowds = [Crowd(maya.port, i, hot, cold, CLIENTS / 1600 if fits else 0, over)
                  for i in range(CLIENTS)]
        most = 0
        for c in crowds:
            c.start()
        # A slow machine gets the time it needs to fill the memory.
        while maya.process.poll() is None and time.monotonic() - began < (
                seconds if fits or any(c.refused for c in crowds) else 5 * seconds):
            with contextlib.suppress(OSError):  # when it was killed: the rows below say so
                most = max(most, int(maya.metric("maya_active_sessions")))
            time.sleep(0.2)  # between two looks
        over.set()
        for c in crowds:
            c.join()
        alive, kills = maya.process.poll() is None, group.oom_kills()
        maya.kill()
        lost, known = look_at_all(bench, folder, crowds, 5000)
        faults = [f for c in crowds for f in c.faults]
        turns = sum(sum(c.acknowledged.values()) for c in crowds)
        yield from verdict(what, fits, (known, most, turns), lost + len(faults),
                           max(kills, int(not alive)), sum(sum(c.refused.values()) for c in crowds))
        for fault in faults[:3]:
            yield Row(f"{what}: a fault", fault, must=True, met=False)


def rows(bench):
    for policy in ("reserved", "measured"):
        for fits in (True, False):
            yield from virtual(bench, policy, fits)
    for fits in (True, False):
        yield from real(bench, fits)

"""People who talk through the gateway at a steady rate while everything behind it is changed.

A Docker Engine of its own, Maya deployed on it, guests who order one glass of water after the other.
What was acknowledged must be on their tab in the end, to the dollar.
"""
import asyncio
import json
import pathlib
import subprocess
import tempfile
import threading
import time

from kit import Row

HOST_ENV = {"MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0", "MAYA_BURST_LIMIT": "0",
            "MAYA_SESSION_HIBERNATE_SECONDS": "15", "MAYA_LOG_LEVEL": "warning"}
SPEC = {"name": "bar", "memory": 1024, "sessions": 1500, "session_memory": 0.25, "drain": 10,
        "min_containers": 1, "max_containers": 3, "scaledown_window": 5,
        "canary": {"step": 3, "within": 120, "sample": 40}}


def arguments(parser):
    parser.add_argument("--people", type=int, default=1000, help="people: how many talk")
    parser.add_argument("--people-steps", default="", metavar="WORDS",
                        help="people: only steps whose titles have one of these words")
    parser.add_argument("--people-every", type=float, default=10,
                        help="people: seconds between two messages of one")


class Crowd:
    """Guests on a loop of their own."""

    def __init__(self, port, every):
        self.port, self.every = port, every
        self.acknowledged, self.failures, self.requests = {}, [], 0
        self.slowest = 0.0
        self.loop = asyncio.new_event_loop()
        self.tasks = []
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    async def ask(self, method, path, session, body=None, timeout=30):
        data = json.dumps(body).encode() if body else b""
        head = (f"{method} {path} HTTP/1.1\r\nHost: bar\r\nX-Session-ID: {session}\r\n"
                f"Connection: close\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(data)}\r\n\r\n").encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head + data)
            answer = await asyncio.wait_for(reader.read(), timeout)
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body

    async def guest(self, name, first, fresh):
        await asyncio.sleep(first)
        session, n = name, 0
        while True:
            if fresh:  # another one each time, as people who come in
                session, n = f"{name}-x{n}", n + 1
            begin = time.monotonic()
            self.requests += 1
            try:
                status, body = await self.ask("POST", "/api/v1/chat", session,
                                              {"user_input": "one water please"})
            except (OSError, IndexError, ValueError, asyncio.TimeoutError) as e:
                status, body = 0, repr(e).encode()
            self.slowest = max(self.slowest, time.monotonic() - begin)
            if status == 200:
                self.acknowledged[session] = self.acknowledged.get(session, 0) + 1
            else:
                self.failures.append((time.time(), session, status, body[:200]))
            await asyncio.sleep(max(0, self.every - (time.monotonic() - begin)))

    def come(self, name, n, fresh=False):
        """Guests whose first messages are spread over one interval."""
        made = [asyncio.run_coroutine_threadsafe(
            self.guest(f"{name}-{i:05}", i * self.every / n, fresh), self.loop) for i in range(n)]
        self.tasks += made
        return made

    def tab(self, session):
        for _ in range(20):
            try:
                status, body = asyncio.run_coroutine_threadsafe(
                    self.ask("GET", f"/api/v1/payments/tab?session_id={session}", session),
                    self.loop).result()
                if status == 200:
                    return json.loads(body)
            except (OSError, ValueError):
                pass
            time.sleep(0.2)
        return None


def services(place, name):
    return next(s for s in place.engine.json("GET", "/services") if s["Spec"]["Name"] == name)


def restart(place, name):
    """What `docker service update --force` does; returns when the new one runs alone."""
    s = services(place, name)
    s["Spec"]["TaskTemplate"]["ForceUpdate"] = s["Spec"]["TaskTemplate"].get("ForceUpdate", 0) + 1
    place.engine.call("POST", f"/services/{s['ID']}/update?version={s['Version']['Index']}", s["Spec"])
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = (services(place, name).get("UpdateStatus") or {}).get("State")
        if state == "completed":
            return
        time.sleep(0.2)


def containers(place):
    return [c for c in json.loads(place.maya("container", "list", "--app", "bar", "--json"))
            if c["state"] == "running"]


class Evening:
    """What happens, one after the other."""

    def __init__(self, place, crowd):
        self.place, self.crowd, self.n = place, crowd, 0

    def deploy(self, *flags, env=None, code=0):
        self.n += 1
        spec = {**SPEC, "env": {**HOST_ENV, "EVENING": str(self.n), **(env or {})}}
        path = pathlib.Path(self.place.folder) / "bar.yaml"
        path.write_text(json.dumps(spec))
        self.place.maya("deploy", "-f", str(path), "-y", "--http", str(self.place.port), *flags,
                        code=code)

    def new_deploy(self):
        self.deploy()

    def rollback(self):
        self.place.maya("app", "rollback", "bar")

    def blue_green(self):
        self.deploy("--strategy", "blue-green")
        self.place.maya("app", "promote", "bar")

    def canary(self):
        guests = self.crowd.come(f"canary{self.n}", 200, fresh=True)
        self.deploy("--strategy", "canary", "--weight", "20")
        self.leave(guests)

    def bad_canary(self):
        """Every answer of it is late: a mind that nobody reaches is asked first."""
        guests = self.crowd.come(f"bad{self.n}", 200, fresh=True)
        self.deploy("--strategy", "canary", "--weight", "20", code=1,
                    env={"MAYA_MIND": "openai", "MAYA_OPENAI_BASE_URL": "http://192.0.2.1/v1",
                         "MAYA_MIND_CONNECT_SECONDS": "1", "MAYA_MIND_RETRIES": "0"})
        self.leave(guests)

    def leave(self, guests):
        for g in guests:
            g.cancel()

    def wait_for(self, look, seconds=90):
        end = time.monotonic() + seconds
        while not look() and time.monotonic() < end:
            time.sleep(0.5)

    def scale_out(self):
        self.more = self.crowd.come(f"more{self.n}", 400)
        self.wait_for(lambda: len(containers(self.place)) > 1)

    def scale_in(self):
        self.leave(self.more)
        self.wait_for(lambda: len(containers(self.place)) == 1)

    def kill(self):
        who = containers(self.place)[0]["container_id"]
        self.place.engine.call("POST", f"/containers/{who}/kill?signal=KILL")
        self.wait_for(lambda: len(containers(self.place)) >= 1 and
                      containers(self.place)[0]["container_id"] != who)

    def gateway(self):
        restart(self.place, "maya-gateway")

    def keeper(self):
        restart(self.place, "maya-keeper")


STEPS = (("deploy", "new_deploy"), ("rollback", "rollback"),
         ("blue-green, promoted", "blue_green"), ("canary, promoted", "canary"),
         ("bad canary, taken back", "bad_canary"), ("scale out", "scale_out"),
         ("scale in", "scale_in"), ("kill -9 of a container", "kill"),
         ("restart of the gateway", "gateway"), ("restart of the keeper", "keeper"))


def rows(bench):
    import apps  # of the tests; it needs pytest

    args = bench.args
    with tempfile.TemporaryDirectory() as folder:
        place = apps.Place(pathlib.Path(folder))
        try:
            yield from evening(place, args)
        finally:
            place.close()


def evening(place, args):
    crowd = Crowd(place.port, args.people_every)
    what = Evening(place, crowd)
    what.deploy()
    crowd.come("guest", args.people)
    time.sleep(args.people_every * 1.5)
    words = args.people_steps.split()
    for title, step in STEPS:
        if words and not any(w in title for w in words):
            continue
        failed, asked = len(crowd.failures), crowd.requests
        crowd.slowest = 0.0
        begin = time.monotonic()
        getattr(what, step)()
        time.sleep(3)
        bad = crowd.failures[failed:]
        yield Row(f"{title}, {time.monotonic() - begin:.0f} s",
                  f"{len(bad)} of {crowd.requests - asked} requests failed",
                  f"slowest {crowd.slowest * 1000:.0f} ms", "0",
                  not bad, True)
        for at, session, status, body in bad[:5]:
            print(f"<!-- {session} {status} {body!r} -->")
    for t in crowd.tasks:
        t.cancel()
    time.sleep(2)
    lost = gone = 0
    for session, n in sorted(crowd.acknowledged.items()):
        tab = crowd.tab(session)
        gone += tab is None
        lost += max(0, n - int(tab["tab_amount"])) if tab else n
    yield Row("acknowledged turns lost", str(lost), f"{sum(crowd.acknowledged.values())} acknowledged",
              "0", lost == 0, True)
    yield Row("sessions lost", str(gone), f"{len(crowd.acknowledged)} sessions", "0", gone == 0, True)

"""An evening: people who talk through the gateway at a steady rate while everything behind it is
changed. test_people.py asks that nobody notices, the benchmark how long it took.

A Docker Engine of its own, Maya deployed on it, guests who order one glass of water after the other.
What was acknowledged must be on their tab after each step, to the dollar, and in the end on all tabs. Some
of them are watched: whoever does so reads what happens in the session as a browser's EventSource does.
"""
import asyncio
import contextlib
import json
import pathlib
import threading
import time
import typing

from watchers import Watcher

HOST_ENV = {"MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0", "MAYA_BURST_LIMIT": "0",
            "MAYA_SESSION_HIBERNATE_SECONDS": "15", "MAYA_LOG_LEVEL": "warning"}
SPEC = {"name": "bar", "memory": 1024, "session_memory": 0.25, "drain": 10,
        "min_containers": 1, "max_containers": 3, "scaledown_window": 5,
        "canary": {"step": 3, "within": 120, "sample": 40}}


class Crowd:
    """Guests on a loop of their own."""

    def __init__(self, port, every):
        self.port, self.every = port, every
        self.acknowledged, self.failures, self.requests = {}, [], 0
        self.slowest, self.watchers = 0.0, {}
        self.looked, self.missing = {}, {}  # session -> turns, when its tab was looked at last
        self.loop = asyncio.new_event_loop()
        self.tasks = []
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    async def ask(self, method, path, session, body=None, timeout=90):
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
                n_th = self.acknowledged[session] = self.acknowledged.get(session, 0) + 1
                if session in self.watchers:
                    self.watchers[session].expect(n_th)
            else:
                self.failures.append((time.time(), session, status, body[:200]))
            await asyncio.sleep(max(0, self.every - (time.monotonic() - begin)))

    def come(self, name, n, fresh=False):
        """Guests whose first messages are spread over one interval."""
        made = [asyncio.run_coroutine_threadsafe(
            self.guest(f"{name}-{i:05}", i * self.every / n, fresh), self.loop) for i in range(n)]
        self.tasks += made
        return made

    def watch(self, name, n):
        """Before the guests of that name come: each of the first n has a watcher."""
        for i in range(n):
            session = f"{name}-{i:05}"
            self.watchers[session] = Watcher(self.port, session)
            self.tasks.append(asyncio.run_coroutine_threadsafe(self.watchers[session].stay(), self.loop))

    async def tab(self, session):
        for _ in range(300):  # to look wakes it, and there may be no room for that just now
            with contextlib.suppress(OSError, ValueError, IndexError, asyncio.TimeoutError):
                status, body = await self.ask("GET", f"/api/v1/payments/tab?session_id={session}", session)
                if status == 200:
                    return int(json.loads(body)["tab_amount"])
            await asyncio.sleep(0.2)
        return None

    async def lost(self, everybody=False):
        """
        Acknowledged turns that are on no tab, and sessions that are not there, of those who have
        said something since their tab was looked at last; what was missing then counts no more.
        """
        turns = sessions = 0
        names = [name for name, n in self.acknowledged.items()
                 if everybody or self.looked.get(name) != n]
        for i in range(0, len(names), 50):
            some = {name: self.acknowledged[name] for name in names[i:i + 50]}
            for (name, n), tab in zip(some.items(), await asyncio.gather(*map(self.tab, some))):
                missing = max(0, n - (tab or 0))
                turns += max(0, missing - self.missing.get(name, 0))
                sessions += tab is None
                self.looked[name], self.missing[name] = n, missing
        return turns, sessions

    def asked_for(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()


def restart(place, name):
    """What `docker service update --force` does; returns when the new one runs alone."""
    place.engine.replace(name)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = (place.engine.json("GET", f"/services/{name}").get("UpdateStatus") or {}).get("State")
        if state == "completed":
            return
        time.sleep(0.2)


def containers(place):
    return [c for c in json.loads(place.maya("container", "list", "--app", "bar", "--json"))
            if c["state"] == "running"]


class Noticed(typing.NamedTuple):
    """Of one step."""
    took: float
    asked: int
    failed: list  # of (when, session, status, body)
    turns_lost: int
    sessions_lost: int
    slowest: float
    streams: int
    cut: int  # streams, some twice
    refused: int
    missed: list  # events that no reader heard of: (session, turn, s since its answer, what it is at)
    gap: float
    late: float


class Evening:
    """What happens, one after the other."""

    def __init__(self, place, people, every, watch_s=20):
        """A container has room for all of `people`, and not for so many and `more`."""
        self.place, self.crowd, self.n = place, Crowd(place.port, every), 0
        self.every, self.watch_s = every, watch_s
        self.sessions, self.more_count = people * 3 // 2, people * 2 // 5
        self.fresh_count = people // 5

    def begin(self, people, watched):
        self.deploy()
        self.crowd.watch("guest", watched)
        self.crowd.come("guest", people)
        time.sleep(self.every * 1.5)

    def end(self):
        """All go. Turns and sessions that are lost now, of everybody who was there."""
        for t in self.crowd.tasks:
            t.cancel()
        return self.crowd.asked_for(self.crowd.lost(everybody=True))

    def take(self, step):
        """One of STEPS, and what was noticed of it."""
        crowd = self.crowd
        failed, asked = len(crowd.failures), crowd.requests
        crowd.slowest = 0.0
        begin = time.monotonic()
        getattr(self, step)()
        took = time.monotonic() - begin
        time.sleep(3)
        until = time.monotonic()
        lost = crowd.asked_for(crowd.lost())
        # A reader that was cut off just now hears of it when it is back.
        self.wait_for(lambda: not any(w.waits(until) for w in crowd.watchers.values()))
        told = [w.take(until) for w in crowd.watchers.values()]
        return Noticed(took, crowd.requests - asked, crowd.failures[failed:], *lost, crowd.slowest,
                       len(told),
                       *(sum(t[i] for t in told) for i in range(2)), sum((t[2] for t in told), []),
                       *(max((t[i] for t in told), default=0) for i in (3, 4)))

    def deploy(self, *flags, env=None, code=0):
        self.n += 1
        spec = {**SPEC, "sessions": self.sessions, "health": {"watch": self.watch_s}, "env": {**HOST_ENV, "EVENING": str(self.n), **(env or {})}}
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
        guests = self.crowd.come(f"canary{self.n}", self.fresh_count, fresh=True)
        self.deploy("--strategy", "canary", "--weight", "20")
        self.leave(guests)

    def bad_canary(self):
        """Every answer of it is late: a mind that nobody reaches is asked first."""
        guests = self.crowd.come(f"bad{self.n}", self.fresh_count, fresh=True)
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
        """Some of those who come are watched: they are in the container that goes afterwards."""
        self.wait_for(lambda: len(containers(self.place)) == 1)
        self.crowd.watch(f"more{self.n}", self.more_count // 4)
        self.more = self.crowd.come(f"more{self.n}", self.more_count)
        self.wait_for(lambda: len(containers(self.place)) > 1)

    def scale_in(self):
        self.leave(self.more)
        self.wait_for(lambda: len(containers(self.place)) == 1)

    def kill_all(self, but):
        """kill -9 of all containers but the youngest so many; returns when as many run as before."""
        there = [c["container_id"] for c in sorted(containers(self.place), key=lambda c: c["since"])]
        killed = there[:len(there) - but]
        for who in killed:
            self.place.engine.call("POST", f"/containers/{who}/kill?signal=KILL")
        self.wait_for(lambda: len({c["container_id"] for c in containers(self.place)}
                                  - set(killed)) >= len(there))

    def kill(self):
        self.more = self.crowd.come("beside", self.more_count)
        self.wait_for(lambda: len(containers(self.place)) > 1)
        time.sleep(3)
        self.kill_all(but=1)
        self.leave(self.more)
        self.wait_for(lambda: len(containers(self.place)) == 1)

    def kill_only(self):
        self.wait_for(lambda: len(containers(self.place)) == 1)
        self.kill_all(but=0)
        answered = sum(self.crowd.acknowledged.values())
        self.wait_for(lambda: sum(self.crowd.acknowledged.values()) > answered)

    def gateway(self):
        restart(self.place, "maya-gateway")
        # The one before goes on with its streams for as long as it may.
        self.wait_for(lambda: sum("maya-gateway" in c["Names"][0] for c in
                                  self.place.engine.json("GET", "/containers/json")) == 1)

    def keeper(self):
        restart(self.place, "maya-keeper")


STEPS = (("deploy", "new_deploy"), ("rollback", "rollback"),
         ("blue-green, promoted", "blue_green"), ("canary, promoted", "canary"),
         ("bad canary, taken back", "bad_canary"), ("scale out", "scale_out"),
         ("scale in", "scale_in"), ("kill -9 of a container", "kill"),
         ("restart of the gateway", "gateway"), ("restart of the keeper", "keeper"),
         ("kill -9 of the only container", "kill_only"))

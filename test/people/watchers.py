"""Who watches a session as a browser's EventSource does: it comes back by itself, after the time
that it was last told (`retry:`), and says what it has heard last."""
import asyncio
import contextlib
import json
import time

RETRY_S = 3.0  # of a browser that was told nothing
EVENTS = "/api/v1/session/events"


class Lines:
    """The lines of a chunked body."""

    def __init__(self, reader):
        self.reader, self.rest = reader, b""

    async def next(self):
        while b"\n" not in self.rest:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            if not size:
                raise EOFError
            self.rest += (await self.reader.readexactly(size + 2))[:-2]
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()


class Watcher:
    def __init__(self, port, session):
        self.port, self.session, self.retry = port, session, RETRY_S
        self.last, self.cut_at, self.refused = "0", None, 0  # before the first turn
        self.cuts, self.gap, self.late = 0, 0.0, 0.0
        self.at = "begin"  # what it is at, for who wonders why it heard nothing
        self.heard, self.answered = {}, {}  # turn -> when

    def expect(self, turn):
        """Its guest was answered."""
        self.answered[turn] = time.monotonic()

    def waits(self, until):
        """Has it not heard yet of all that was answered until then?"""
        return any(at <= until and turn not in self.heard
                   for turn, at in list(self.answered.items()))

    def take(self, until):
        """Cut off, refused, the events missed, longest gap, latest event; and begin anew."""
        now = time.monotonic()
        if self.cut_at:
            self.gap = max(self.gap, now - self.cut_at)
        missed = []
        for turn, at in list(self.answered.items()):
            if turn in self.heard:
                self.late = max(self.late, self.heard[turn] - at)
            elif at > until:
                continue  # it may be on its way
            else:
                missed.append((self.session, turn, round(now - at, 1), self.at))
            del self.answered[turn]
        told = self.cuts, self.refused, missed, self.gap, self.late
        self.cuts, self.refused, self.gap, self.late = 0, 0, 0.0, 0.0
        return told

    async def open(self, path, *more):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("\r\n".join((f"GET {path} HTTP/1.1", "Host: bar", f"X-Session-ID: {self.session}",
                                  "Connection: close", *more, "", "")).encode())
        return reader, writer

    async def stay(self):
        while True:
            with contextlib.suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError):
                await self.listen()
            if not self.cut_at:
                self.cut_at = time.monotonic()
                self.cuts += 1
            self.at = "away"
            await asyncio.sleep(self.retry)

    async def listen(self):
        """Until the stream ends."""
        self.at = "connecting"
        reader, writer = await self.open(EVENTS, f"Last-Event-ID: {self.last}")
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n")[0]:
                self.refused += 1
                return
            lines, event = Lines(reader), {}
            self.at = "listening"
            while True:
                line = await lines.next()
                if line:
                    name, _, value = line.partition(":")
                    event[name] = value.strip()
                else:
                    await self.hear(event)
                    event = {}
        finally:
            writer.close()

    async def hear(self, event):
        if self.cut_at:
            self.gap, self.cut_at = max(self.gap, time.monotonic() - self.cut_at), None
        self.retry = float(event.get("retry", self.retry * 1000)) / 1000
        self.last = event.get("id", self.last)
        what = json.loads(event.get("data", "{}"))
        if what.get("type") == "turn":
            self.heard.setdefault(what["turn"], time.monotonic())
        elif what.get("type") == "reload":
            self.at = "reading the history"
            await self.read_history()
            self.at = "listening"

    async def read_history(self):
        """All that was said is known now."""
        reader, writer = await self.open("/api/v1/session/history")
        try:
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        turns = json.loads(body).get("turn", 0) if b" 200 " in head.split(b"\r\n")[0] else 0
        self.last = str(turns) if turns else self.last
        for turn in range(1, turns + 1):
            self.heard.setdefault(turn, time.monotonic())

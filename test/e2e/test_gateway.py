"""People in front of a real HAProxy, containers behind it that reject, drain, die and come."""
import contextlib
import http.client
import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from certs import certificate
from gateway import HAPROXY, Fake, Gateway, Relay, Waiting, configuration, pass_on, server
from node import IPV6, free_port, until
from provider import Provider, openai_words

pytestmark = pytest.mark.skipif(not HAPROXY, reason="there is no haproxy (tools/deps.sh test)")

BAR = {"name": "bar", "fallback": True, "slots": 6, "versions": [{"name": "v1"}]}


@pytest.fixture
def gateway(tmp_path_factory):
    made = []

    def make(apps=None, servers=(), start=True, **plan):
        apps = apps or [{**BAR, "servers": list(servers)}]
        g = Gateway(tmp_path_factory.mktemp("g"), apps, **plan)
        made.append(g)
        return g.start() if start else g

    yield make
    for g in made:
        g.close()
        shutil.rmtree(g.folder, ignore_errors=True)


@pytest.fixture
def fakes():
    made = []

    def make(answer):
        made.append(Fake(answer))
        return made[-1]

    yield make
    for f in made:
        f.close()


@pytest.fixture
def crew(nodes, tmp_path_factory):
    """crew(3): that many containers of one app, on one data folder."""
    data = tmp_path_factory.mktemp("data")

    def make(count=2, **env):
        found = []
        for _ in range(count):
            n = nodes(env={"MAYA_DEFAULT_SESSION_MEMORY_MB": "0.5",
                           "MAYA_SESSIONS_PER_CONTAINER": "400", **env}, start=False)
            n.data = data
            found.append(n.start())
        return found

    return make


# -- the configuration

def random_plan(r, cert):
    def name():
        return r.choice("abcxyz09") + "".join(r.choices("abc-019", k=r.randrange(20)))

    def app(i):
        versions = [{"name": f"v{k}", "weight": r.choice([0, 1, 5, 95, 100, 10000]),
                     "role": r.choice(["stable", "canary", "old"])} for k in range(r.randrange(4))]
        agent = r.random() < 0.5
        servers = [{"version": r.choice(versions)["name"],
                    "address": r.choice(["10.0.0.7", "127.0.0.1", "fd00::1", "::1"]),
                    "port": r.randrange(1, 65536), "agent_port": r.randrange(1, 65536),
                    "state": r.choice(["maint", "ready", "drain"])} if r.random() < 0.7 else {}
                   for _ in range(r.randrange(8))] if versions else []
        return {"name": f"{name()}{i}", "maya": r.random() < 0.5, "agent": agent, "slots": 8,
                "hosts": [f"{r.choice(['', '*.'])}h{i}-{k}.{name()}.example"
                          for k in range(1 + r.randrange(3))],
                "expiry_s": r.choice([1, 3600, 315360000]), "turn_s": r.randrange(1, 1000),
                "health": r.choice(["/", "/readyz", "/a/b?c=d&e=~f@g:h,i+j"]),
                "versions": versions, "servers": servers}

    apps = [app(i) for i in range(r.randrange(5))]
    if apps and r.random() < 0.5:
        apps[0]["fallback"] = True
    return {"runtime": r.choice(["/tmp/maya-g.sock", "127.0.0.1:7999", "[::1]:7999"]),
            "bind": r.choice(["*", "::", "127.0.0.1", "::1", "10.0.0.7"]),
            "http_port": r.randrange(1, 65536), "max_conns": r.randrange(10, 100000),
            "buffer": r.choice([16384, 65536, 1048576]), "check_ms": r.randrange(50, 60000),
            **({"peer": "/tmp/maya-p.sock"} if r.random() < 0.5 else {}), "apps": apps,
            **tls(r, apps, cert)}


def tls(r, apps, cert):
    if r.random() < 0.5:
        return {}
    for a in apps:
        a["redirect"] = r.random() < 0.5
    return {"https_port": r.choice([443, 8443]), "certs": [cert]}


def test_haproxy_takes_what_is_made(tmp_path):
    r = random.Random(5)
    _, cert = pem(tmp_path)
    for i in range(60):
        plan = random_plan(r, cert)
        config = configuration(plan)
        assert config == configuration(plan)
        (tmp_path / "c").write_text(config)
        said = subprocess.run([HAPROXY, "-c", "-f", str(tmp_path / "c")], capture_output=True,
                              text=True, timeout=60, check=False)
        assert said.returncode == 0, (i, said.stderr, config)
        assert "WARNING" not in said.stderr, (i, said.stderr)


@pytest.mark.parametrize("change, word", [
    ({"http_port": 0}, "http_port"),
    ({"http_port": 70000}, "70000"),
    ({"https_port": 8443}, "certificate"),
    ({"apps": [{**BAR, "redirect": True}]}, "app 'bar': a redirect needs both"),
    ({"runtime": "relative.sock"}, "runtime"),
    ({"runtime": "/tmp/a b"}, "runtime"),
    ({"bind": "example.com"}, "bind"),
    ({"colour": 1}, "colour"),
    ({"buffer": 100}, "buffer"),
    ({"apps": [{"name": "bar"}]}, "no host"),
    ({"apps": [{"name": "Bar", "fallback": True}]}, "app 'Bar'"),
    ({"apps": [{"name": "a'\nglobal", "fallback": True}]}, "app"),
    ({"apps": [{"name": "a", "hosts": ["x' }\n    http-request deny"]}]}, "host"),
    ({"apps": [{"name": "a", "hosts": ["UPPER.example"]}]}, "small letters"),
    ({"apps": [{"name": "a", "hosts": ["x.example"]}, {"name": "b", "hosts": ["x.example"]}]},
     "x.example"),
    ({"apps": [{"name": "a", "fallback": True}, {"name": "b", "fallback": True}]}, "fallback"),
    ({"apps": [{"name": "a", "fallback": True}, {"name": "a", "hosts": ["b.c"]}]}, "once"),
    ({"apps": [{"name": "a", "fallback": True, "health": "/x' #"}]}, "health"),
    ({"apps": [{"name": "a", "fallback": True, "versions": [{"name": "v\n1"}]}]}, "version"),
    ({"apps": [{"name": "a", "fallback": True, "servers": [{"version": "v9"}]}]}, "v9"),
    ({"apps": [{**BAR, "servers": [{"version": "v1", "address": "host.name", "port": 1}]}]},
     "numeric"),
    ({"apps": [{**BAR, "slots": 1, "servers": [{}, {}]}]}, "slots"),
    ({"apps": [{**BAR, "slots": "many"}]}, "whole number"),
    ({"apps": "bar"}, "list"),
])
def test_a_plan_that_cannot_be(change, word):
    with pytest.raises(ValueError) as e:
        configuration({"http_port": 8080, "apps": [], **change})
    said = str(e.value)
    assert word in said and said.startswith("maya: ") and said.count("\n") == 1, said


def test_routes_by_name(gateway, crew, fakes):
    (node,) = crew(1)
    page = fakes(lambda h, body: h.reply(200, b"another app at " + h.path.encode()))
    g = gateway([{**BAR, "fallback": False, "hosts": ["bar.example", "*.bars.example"],
                  "servers": [server(node)]},
                 {"name": "page", "hosts": ["page.example"], "maya": False, "health": "/readyz",
                  "versions": [{"name": "v1"}], "servers": [server(page)]}])
    view = g.view()
    for host in ("bar.example", "BAR.example:80", "x.bars.example"):
        assert view.get("/api/v1/menu", headers={"Host": host}).status == 200, host
    r = view.get("/x", headers={"Host": "page.example"})
    assert (r.status, r.body) == (200, b"another app at /x")
    for host in ("bars.example", "elsewhere.example", "bar.example.evil"):
        r = view.get("/", headers={"Host": host})
        assert (r.status, r.json()["code"]) == (404, "unknown_host")
    # Who comes by the gateway comes from anywhere, and cannot say that he does not.
    r = view.get("/api/v1/ops/sessions", headers={"Host": "bar.example"})
    assert r.status == 403
    view.get("/", headers={"Host": "page.example", "X-Forwarded-For": "1.2.3.4",
                           "X-Forwarded-Proto": "https", "Gateway-Key": "mine"})
    headers = page.seen[-1][2]
    assert headers["x-forwarded-for"] == "127.0.0.1" and headers["x-forwarded-proto"] == "http"


@pytest.mark.skipif(not IPV6, reason="this machine has no IPv6")
def test_both_kinds_of_addresses(gateway, fakes):
    page = fakes(lambda h, body: h.reply(200, b"here"))
    g = gateway([{**BAR, "maya": False, "servers": [server(page)]}], bind="::")
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, g.port)) as s:
            s.sendall(b"GET /from HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert s.recv(15) == b"HTTP/1.1 200 OK"
        assert page.seen[-1][2]["x-forwarded-for"] == host


def test_nobody_there(gateway):
    r = gateway().view().get("/api/v1/menu")
    assert (r.status, r.json()["code"], r.headers["retry-after"]) == (503, "no_container", "5")


@pytest.fixture
def waiting(tmp_path_factory):
    made = Waiting(str(tmp_path_factory.mktemp("w") / "w.sock"))
    yield made
    made.close()


def test_nobody_comes_in_time(gateway, waiting):
    path = waiting.listener.getsockname()
    g = gateway([{**BAR, "waiting": path, "wait_s": 1}])
    with socket.create_connection((g.host, g.port)) as first:
        first.sendall(b"GET /api/v1/menu HTTP/1.1\r\nHost: a\r\n\r\n")
        until("it waits", lambda: waiting.held)
        r = g.view().get("/api/v1/menu")
        assert (r.status, r.json()["code"], r.headers["retry-after"]) == (503, "no_container", "5")
        waiting.held[0].sendall(b"HTTP/1.1 504 Over\r\nGateway-Wait-Over: 1\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")
        head = first.recv(4096).decode().lower()
        assert head.startswith("http/1.1 503 ") and "retry-after: 5" in head and "gateway-wait" not in head


def pem(folder):
    """The paths of a certificate, and of it with its key in one file."""
    cert, _ = certificate(folder / "tls", "DNS:bar.example")
    both = folder / "both.pem"
    both.write_text(cert.read_text() + (folder / "tls/key.pem").read_text())
    return str(cert), str(both)


def test_tls(gateway, crew, tmp_path):
    cert, both = pem(tmp_path)
    (node,) = crew(1)
    port = free_port()
    there = {"fallback": False, "servers": [server(node)]}
    g = gateway([{**BAR, **there, "hosts": ["bar.example", "*.bars.example"], "redirect": True},
                 {**BAR, **there, "name": "plain", "hosts": ["plain.bars.example"]}],
                https_port=port, certs=[both])
    for host in ("bar.example", "bar.example:8080", "BAR.example", "x.bars.example"):
        r = g.view().get("/api/v1/menu?a=%20b", headers={"Host": host})
        name = host.partition(":")[0].lower()
        assert r.status == 308, (host, r)
        assert r.headers["location"] == f"https://{name}:{port}/api/v1/menu?a=%20b"
    assert g.view().post("/api/v1/chat", {"user_input": "hello"},
                         headers={"Host": "bar.example"}).status == 308
    r = g.view().get("/api/v1/menu", headers={"Host": "plain.bars.example"})
    assert r.status == 200
    trust = ssl.create_default_context(cafile=cert)
    with socket.create_connection(("127.0.0.1", port)) as raw, \
            trust.wrap_socket(raw, server_hostname="bar.example") as s:
        s.sendall(b"GET /api/v1/menu HTTP/1.1\r\nHost: bar.example\r\nConnection: close\r\n\r\n")
        assert s.recv(15) == b"HTTP/1.1 200 OK"


# -- who goes where

def test_a_session_stays_where_it_is(gateway, crew):
    crew_ = crew(3)
    g = gateway(servers=[server(n) for n in crew_])
    view = g.view()
    sessions = {}
    for i in range(12):
        if i % 2:  # learned from the answer, or from what the request says
            sid = view.chat("a martini please").session
        else:
            sid = f"given-session-{i:04}"
            view.say("a martini please", sid)
        sessions[sid] = g.table()[sid]
    assert set(sessions.values()) == {1, 2, 3}
    for sid, slot in sessions.items():
        view.say("another martini please", sid)
        view.tab(sid)
        assert view.get(f"/api/v1/chat/stream?message=hello&session_id={sid}").status == 200
        assert g.table()[sid] == slot
    # Each was read once, where it is: nobody woke it elsewhere.
    assert sum(n.metric("maya_sessions_woken_total") for n in crew_) == 0


def test_new_sessions_by_weight_and_room(gateway, crew):
    light, heavy = crew(2)
    g = gateway([{**BAR, "versions": [{"name": "v1", "weight": 90},
                                      {"name": "v2", "weight": 10, "role": "canary"}],
                  "servers": [server(light), server(heavy, "v2")]}])
    view = g.view()
    for i in range(40):
        view.say("hello", f"weight-session-{i:03}")
    slots = list(g.table().values())
    few = slots.count(2)
    assert 2 <= few <= 6  # 4, but each thread of HAProxy begins for itself
    # The canary is taken back: those it has stay until they are moved, and nobody new comes.
    g.plan["apps"][0]["versions"][1]["role"] = "old"
    g.put([server(light), server(heavy, "v2")])
    for i in range(20):
        view.say("hello", f"later-session-{i:03}")
        view.say("hello", f"weight-session-{i:03}")
    slots = list(g.table().values())
    assert slots.count(2) == few


def test_the_agent_tells_the_room(gateway, crew):
    ports = [free_port(), free_port()]
    full, empty = [crew(1, MAYA_SESSIONS_PER_CONTAINER="20", MAYA_AGENT_CHECK_PORT=str(p))[0]
                   for p in ports]
    for i in range(20):
        full.say("hello", f"already-here-{i:03}")
    g = gateway([{**BAR, "agent": True,
                  "servers": [server(full, agent_port=ports[0]),
                              server(empty, agent_port=ports[1])]}])
    until("the gateway knows the room", lambda: "s1 127.0.0.1:%d ready up weight=1\n" % full.port
          in g.show() and "ready up weight=256" in g.show())
    view = g.view()
    for i in range(10):
        view.say("hello", f"new-session-{i:03}")
    assert list(g.table().values()).count(1) <= 1
    # Another share, told while it runs.
    g.plan["apps"][0]["versions"] = [{"name": "v1", "weight": 1}]
    g.put([server(full, agent_port=ports[0], state="drain"), server(empty, agent_port=ports[1])])
    until("it drains", lambda: f"s1 127.0.0.1:{full.port} drain" in g.show())


def test_every_word_of_the_agent(gateway, fakes):
    """Each line that ops_tell() can say, said to a real HAProxy."""
    line, asked = [b"up 50%\n"], []
    with socket.create_server(("127.0.0.1", 0)) as s:
        def serve():
            while True:
                try:
                    c, _ = s.accept()
                except OSError:
                    return
                with c, contextlib.suppress(OSError):  # it may not have waited so long
                    if said := c.recv(64):
                        asked.append(said)
                    c.sendall(line[0])

        threading.Thread(target=serve, daemon=True).start()
        there = fakes(lambda h, body: h.reply(200, b""))
        g = gateway([{**BAR, "agent": True,
                      "servers": [server(there, agent_port=s.getsockname()[1])]}])
        for said, shown in ((b"up 50%\n", "ready up weight=50\n"),
                            (b"down #store\n", "ready down weight=50\n"),
                            (b"up 256%\n", "ready up weight=256\n"),
                            (b"up 1%\n", "ready up weight=1\n"),
                            (b"drain\n", "drain up weight=1\n")):
            line[0] = said
            until(shown, lambda shown=shown: shown in g.show())
        assert set(asked) == {b"256%"}
        s.shutdown(socket.SHUT_RDWR)


# -- containers that say no, die, or are taken away

def refuse(handler, body):
    handler.reply(503, b'{"code":"session_limit","detail":"Session limit reached"}',
                  **{"Retry-After": "10", "Content-Type": "application/json"})


def test_who_rejects_is_not_seen(gateway, crew, fakes):
    (node,) = crew(1)
    no = fakes(refuse)
    g = gateway(servers=[server(no), server(node)])
    view = g.view()
    for i in range(8):
        reply = view.chat("a martini please", f"rejected-{i:03}")
        assert reply.status == 200
        assert g.table()[f"rejected-{i:03}"] == 2
    with view.stream("hello", session="rejected-001") as s:
        assert s.status == 200
    assert no.seen
    # When all say no, people hear it from a container, in its own words.
    g.put([server(no)])
    reply = view.chat("hello", "rejected-009")
    assert (reply.status, reply.json()["code"]) == (503, "session_limit")


def test_an_answer_that_is_lost_is_given_again(gateway, crew, fakes):
    """The order is committed, the container dies before it says so. It is not taken twice."""
    one, other = crew(2)

    def lose(handler, body):
        pass_on(handler, body, one.port)
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    lost = fakes(lose)
    g = gateway(servers=[server(lost), server(other)])
    view = g.view()
    for i in range(4):
        said = view.say("two martinis please", f"lost-answer-{i:03}")
        assert said["payment_summary"]["tab_amount"] == 26.0
        said = view.say("an ipa please", f"lost-answer-{i:03}")
        assert said["payment_summary"]["tab_amount"] == 32.0
        assert len(said["history"]) == 4
    assert [path for method, path, _, _ in lost.seen if method == "POST"]
    assert other.metric("maya_turns_total", outcome="replayed") == len(lost.seen)
    # What may not be done twice, and has no key, is not sent again.
    before = len(lost.seen)
    codes = {view.post("/api/v1/chat/stop", session=f"nobody-{i:03}").status for i in range(4)}
    assert 502 in codes and len(lost.seen) > before


def test_a_body_larger_than_the_buffer(gateway, crew):
    one, other = crew(2)
    g = gateway(servers=[server(one), server(other)], buffer=16384)
    view = g.view()
    long = "x" * 40000
    reply = view.chat(long, "long-session-01")
    assert reply.status in (200, 413), reply


@pytest.fixture
def slow(fakes):
    """A container that has begun its answer and is waiting to be told to end it."""
    begun, go_on = threading.Event(), threading.Event()

    def answer(handler, body):
        begun.set()
        assert go_on.wait(120)
        handler.reply(200, b'{"slow":true}')

    fake = fakes(answer)
    fake.begun, fake.go_on = begun, go_on
    yield fake
    go_on.set()


def talk_aside(view, session):
    got = []
    t = threading.Thread(target=lambda: got.append(view.chat("an ipa please", session)))
    t.start()

    def answer():
        t.join()
        return got[0]

    return answer


def test_sessions_are_handed_over(gateway, crew, slow):
    """MAINT: what is being answered goes on to its end; the next turn is somebody else's."""
    (node,) = crew(1)
    g = gateway(servers=[server(slow)])
    view = g.view()
    answer = talk_aside(view, "mid-turn-01")
    assert slow.begun.wait(60)
    g.put([server(slow, state="maint"), server(node)])
    for _ in range(3):
        assert view.chat("hello", "other-one-01").status == 200
    slow.go_on.set()
    assert answer().json() == {"slow": True}
    assert view.chat("hello", "mid-turn-01").json()["history"]
    assert len(slow.seen) == 1


def test_drain_keeps_what_it_has(gateway, crew):
    one, other = crew(2)
    g = gateway(servers=[server(one)])
    view = g.view()
    view.say("hello", "old-session-01")
    g.put([server(one, state="drain"), server(other)])
    for i in range(4):
        view.say("hello", f"new-session-{i:02}")
        view.say("hello", "old-session-01")
    assert g.table() == {"old-session-01": 1, **{f"new-session-{i:02}": 2 for i in range(4)}}


def test_a_container_that_hangs(gateway, crew, slow):
    """It is found out by its checks, and when it is let go of, its turn goes on elsewhere."""
    (node,) = crew(1)
    g = gateway(servers=[server(slow)])
    view = g.view()
    answer = talk_aside(view, "moved-turn-01")
    assert slow.begun.wait(60)
    slow.ready = lambda: slow.go_on.wait(120)
    g.put([server(slow), server(node)])
    until("the checks fail", lambda: not g.up(1))
    g.put([server(slow, state="maint"), server(node)])
    g.ask("shutdown sessions server app-bar/s1")
    assert answer().json()["payment_summary"]["tab_amount"] == 6.0


@pytest.mark.plain
def test_killed_in_mid_turn(gateway, crew):
    """The mind is thinking, the container is killed: another asks it again. One order."""
    first = openai_words("Once ", "asked.").cut(1, "hang")
    with Provider(first, openai_words("Twice asked, ", "once answered.")) as provider:
        one, other = crew(2, MAYA_MIND="openai", MAYA_OPENAI_BASE_URL=provider.url + "/v1")
        g = gateway(servers=[server(one)])
        answer = talk_aside(g.view(), "killed-turn-01")
        provider.wait_for(1)
        g.put([server(one), server(other)])
        one.kill()
        said = answer().json()
        assert [m["content"] for m in said["history"]] == ["an ipa please",
                                                           "Twice asked, once answered."]
        assert len(provider.asked) == 2


def test_streams_pass_as_they_come(gateway, crew):
    (node,) = crew(1)
    g = gateway(servers=[server(node)])
    view = g.view()
    sid = "watched-session"
    view.say("hello", sid)
    with view.stream(session=sid, method="GET", path="/api/v1/session/events") as watch:
        assert watch.status == 200
        events = iter(watch)
        next(events)
        view.say("a martini please", sid)
        assert any("martini" in e.data for e in itertools.islice(events, 3))
    with view.stream("an ipa please", session=sid) as s:
        assert [e.name for e in s][-1] == "complete" or s.status == 200


def test_websocket_passes(gateway, fakes):
    def echo(handler, body):
        assert handler.headers["upgrade"].lower() == "websocket"
        handler.send_response(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        handler.end_headers()
        while data := handler.connection.recv(4096):
            handler.connection.sendall(data.upper())
        handler.close_connection = True

    g = gateway(servers=[server(fakes(echo))])
    with socket.create_connection((g.host, g.port), timeout=30) as s:
        s.sendall(b"GET /api/v1/talk?session_id=ws-session-01 HTTP/1.1\r\nHost: x\r\n"
                  b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(4096)
        assert head.startswith(b"HTTP/1.1 101")
        for word in (b"one", b"two", struct.pack("!I", 7)):
            s.sendall(word)
            assert s.recv(4096) == word.upper()
    assert g.table()["ws-session-01"] == 1


def test_reload_and_restart_of_the_gateway(gateway, crew):
    crew_ = crew(3)
    g = gateway(servers=[server(n) for n in crew_])
    view = g.view()
    sessions = [f"kept-session-{i:03}" for i in range(9)]
    for sid in sessions:
        view.say("a martini please", sid)
    before = g.table()
    g.reload()
    until("the table is handed over", lambda: g.table() == before)
    g.old[-1].wait(60)
    for sid in sessions:
        assert view.say("a martini please", sid)["payment_summary"]["tab_amount"] == 26.0
    assert g.table() == before
    # A restart forgets who was where: a session wakes anywhere, and nothing of it is lost, also
    # when it then comes back to where an old state of it is in memory.
    for i in range(3):
        g.restart()
        assert g.table() == {}
        for sid in random.Random(i).sample(sessions, len(sessions)):
            said = view.say("a martini please", sid)
            assert said["payment_summary"]["tab_amount"] == 13.0 * (3 + i)
    assert sum(n.metric("maya_sessions_woken_total") for n in crew_) > 0


# -- all of it at once

class Guest(threading.Thread):
    """Orders one drink after the other and knows what he must owe."""

    def __init__(self, view, number, stop):
        super().__init__(daemon=True)
        self.view, self.stop = view, stop
        self.number = number
        self.sid, self.turns, self.faults = f"guest-number-{number:04}", 0, []

    def say(self, text):
        """Every other one keeps its connection, as browsers do; and as they do, it asks again on
        a new one when a kept one was closed before there was any answer."""
        key = {"Idempotency-Key": f"{self.sid}-{self.turns}"} if self.connection else {}
        try:
            return self.view.chat(text, self.sid, headers=key, connection=self.connection)
        except (ConnectionError, http.client.RemoteDisconnected):
            if not self.connection:
                raise
            self.connection.close()
            return self.view.chat(text, self.sid, headers=key, connection=self.connection)

    def run(self):
        self.connection = self.view.connection() if self.number % 2 else None
        while not self.stop.is_set() and not self.faults:
            orders = self.turns % 2 == 0
            try:
                reply = self.say("an ipa please" if orders else "remove the ipa please")
            except OSError as e:
                self.faults.append((self.turns, repr(e)))
                break
            self.turns += 1
            if reply.status != 200:
                self.faults.append((self.turns, reply))
            elif reply.json()["payment_summary"]["tab_amount"] != 6.0 * orders:
                self.faults.append((self.turns, reply.json()["payment_summary"]))


def wait_turns(guests, more):
    """Until everybody has been answered so often again, or has a fault to tell of."""
    goal = {g: g.turns + more for g in guests}
    until("turns go on", lambda: all(g.turns >= goal[g] or g.faults or not g.is_alive()
                                     for g in guests), 120)


@pytest.mark.plain
def test_nobody_notices(gateway, crew):
    crew_ = crew(3)
    g = gateway(servers=[server(n) for n in crew_])
    stop = threading.Event()
    guests = [Guest(g.view(), i, stop) for i in range(100)]
    for guest in guests:
        guest.start()

    def slots(*busy):
        g.put([server(n) if n else {} for n in busy])

    a, b, c = crew_
    try:
        wait_turns(guests, 1)
        a.kill()
        wait_turns(guests, 2)
        a.start()
        slots(a, b, c)
        wait_turns(guests, 1)
        b.stop()  # SIGTERM, and nobody told the gateway
        wait_turns(guests, 2)
        b.start()
        slots(a, b, c)
        wait_turns(guests, 1)
        g.put([server(a), server(b), server(c, state="maint")])
        wait_turns(guests, 1)
        slots(a, b, None)
        c.stop()
        wait_turns(guests, 1)
        (d,) = crew(1)
        slots(a, b, d)
        wait_turns(guests, 1)
        g.reload()
        wait_turns(guests, 1)
        a.kill()
        b.stop()
        wait_turns(guests, 1)
        a.start()
        slots(a, None, d)
        wait_turns(guests, 1)
    finally:
        stop.set()
        for guest in guests:
            guest.join()
    faults = [f for guest in guests for f in guest.faults]
    assert not faults, (len(faults), faults[:5])
    for guest in guests:
        said = guest.view.get("/api/v1/session/history", session=guest.sid).json()
        assert said["turn"] == guest.turns
    print(sum(g.turns for g in guests), "turns", g.show())


def test_the_limit_of_all_sessions_is_one(crew):
    one, other = crew(2, MAYA_MAX_SESSIONS="4")
    for i in range(4):
        one.say("hello", f"limited-session-{i}")
    reply = other.chat("hello", "limited-session-9")
    assert (reply.status, reply.json()["code"]) == (503, "session_limit")
    other.say("hello", "limited-session-2")


def test_the_only_container_dies_and_nobody_notices(gateway, crew, waiting):
    """Whatever is in front of it goes on taking connections; what was under way is asked again,
    and all wait until there is another."""
    (dies,) = crew(1)
    relay = Relay(dies.port)
    g = gateway([{**BAR, "waiting": waiting.listener.getsockname(), "servers": [server(relay)]}], threads=1)
    stop = threading.Event()
    guests = [Guest(g.view(), i, stop) for i in range(8)]
    for guest in guests:
        guest.start()
    try:
        wait_turns(guests, 2)
        # She is held, so that the check that is under way still is when she dies.
        os.kill(dies.pid, signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{dies.pid}/stat")
        until("she is held", lambda: ") T " in stat.read_text())
        relay.settle()
        until("a check is under way", lambda: relay.checks)
        dies.kill()
        until("all wait", lambda: len(waiting.held) == 1 and g.queued() == len(guests) - 1)
        (comes,) = crew(1)
        g.put([server(comes)])
        until("it is up", lambda: g.up(1))
        for state in ("maint", "ready"):
            g.ask(f"set server app-bar/wait state {state}")
        waiting.let_go()
        wait_turns(guests, 2)
    finally:
        stop.set()
        for guest in guests:
            guest.join()
        relay.close()
    assert [f for guest in guests for f in guest.faults] == []

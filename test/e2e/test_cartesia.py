"""Cartesia's voices against a scripted server: over the WebSocket, over HTTP, and what is heard
when they fail. What is heard is compared with what was sent, sample by sample."""
import base64
import concurrent.futures
import json
import re
import shutil
import ssl
import subprocess
import threading

import pytest

from cartesia_tts import Bytes, Cartesia, error, pcm
from node import PATIENCE_S, ROOT, Node, until
from test_voice import CHECKS, Listener, files, told

KEY = "sk_car_" + "ServerServerServerServer"
OWN = "sk_car_" + "PersonPersonPersonPerson"
MENU = "what is on the menu?"
TWO = "two dry martinis please"
# Where no deadline is what is looked at, a thread of the scripted server may take its time.
PATIENT = {name: str(PATIENCE_S) for name in (
    "MAYA_MIND_CONNECT_SECONDS", "MAYA_VOICE_FIRST_SECONDS", "MAYA_VOICE_SILENCE_SECONDS")}


@pytest.fixture
def cartesia():
    with Cartesia() as c:
        yield c


@pytest.fixture
def bar(nodes, cartesia):
    """bar(**env): a Maya that Cartesia speaks for."""
    def make(key=KEY, **env):
        n = nodes({**PATIENT, "MAYA_CARTESIA_URL": cartesia.url, "MAYA_MIND_RETRIES": "1",
                   "MAYA_DEFAULT_SESSION_MEMORY_MB": "16",
                   **({"CARTESIA_API_KEY": key} if key else {}), **env})
        n.unsaid |= {KEY, OWN}
        until("eSpeak NG is there",
              lambda: env.get("MAYA_VOICE") == "off" or
              n.metric("maya_voice_available", voice="espeak") == 1)
        return n
    return make


def heard(events):
    return [(e["voice"], data) for e, data in files(events)]


def outcome(n, over, what):
    return n.metric("maya_voice_requests_total", voice="cartesia", over=over, outcome=what)


def once(lines):
    """What was asked for again elsewhere is heard once."""
    return list(dict.fromkeys(lines))


def left_alone(n):
    """Asks until Cartesia is not asked any more; how often that was. Between two, it may have
    waited long enough to be asked again, and then is left alone for twice as long."""
    tried = 0
    while True:
        skipped = outcome(n, "http", "skipped")
        end = told(n, "hello there", voice=1)[-1]
        assert end["voice"] == "espeak"
        if outcome(n, "http", "skipped") == skipped:
            tried += 1
            assert tried < 20, "it is asked for ever"
        else:
            assert "left alone" in end["voice_why"], end
            if n.metric("maya_voice_breaker_state", voice="cartesia") == 2:
                return tried


def exactly(events, fake, of=None):
    """What was heard is what the server said, sentence by sentence."""
    lines = list(fake.lines if of is None else of)
    got = files(events)
    assert len(got) == len(lines), (len(got), lines)
    for (e, data), line in zip(got, lines):
        assert e["voice"] == "cartesia" and e["sample_rate"] == 24000
        assert data == pcm(line), line


def check_text(events):
    """Each sentence's audio comes with its text, in order, and each begins and ends once."""
    sentences = [e["content"] for e in events if e["type"] == "sentence"]
    audio = [e for e in events if e["type"] == "audio"]
    assert [e["sentence"] for e in audio] == sorted(e["sentence"] for e in audio)
    for n in {e["sentence"] for e in audio}:
        mine = [e for e in audio if e["sentence"] == n]
        assert mine[0]["content"].strip() in sentences[n]
        firsts = [e for e in mine if e["chunk"] == 0]
        assert len(firsts) == sum(e["last"] for e in mine) and mine[0]["chunk"] == 0


# -- HTTP

@pytest.fixture
def plain(cartesia):
    cartesia.websocket = False
    return cartesia


@pytest.mark.parametrize("text", ["hello there", TWO, MENU])
def test_http(bar, plain, text):
    n = bar()
    events = told(n, text, audio="pcm")
    assert events[-1]["type"] == "audio_end" and events[-1]["outcome"] == "spoken"
    assert events[-1]["voice"] == "cartesia" and "voice_why" not in events[-1]
    exactly(events, plain)
    check_text(events)
    for a in plain.asked:
        assert a.headers["authorization"] == f"Bearer {KEY}"
        assert a.headers["cartesia-version"] == "2026-08-14"
        assert a.body["voice"] == {"mode": "id", "id": "f786b574-daa5-4673-aa0c-cbe3e8534c02"}
        assert a.body["model_id"] == "sonic-3.5" and a.body["language"] == "en"
        assert a.body["output_format"] == {"container": "raw", "encoding": "pcm_s16le",
                                           "sample_rate": 24000}
        assert "context_id" not in a.body and "generation_config" not in a.body
    assert outcome(n, "http", "ok") == len(plain.asked)


def test_http_split_at_every_byte(bar, plain):
    plain.otherwise = Bytes(piece=1)
    exactly(told(bar(), "hello there", audio="pcm"), plain)


@pytest.mark.parametrize("form", ["wav", "opus", "mp3", "pcm"])
def test_formats(bar, plain, form):
    n = bar()
    for e, data in files(told(n, MENU, audio=form)):
        assert e["format"] == form and e["voice"] == "cartesia"
        if form == "wav":
            assert data[:4] == b"RIFF" and data[44:] == pcm(plain.lines[0])
            plain.lines.pop(0)
        elif form == "mp3":
            assert data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and len(data) > 1000
        else:
            assert CHECKS[form](data)
    reply = n.post("/api/v1/chat", {"user_input": TWO, "audio": form}, session="joined")
    data = base64.b64decode(reply.json()["audio_base64"], validate=True)
    assert reply.json()["voice"] == "cartesia" and len(data) > 2000
    reply = n.get(f"/api/v1/speech/1?format={form}", session="joined")
    assert reply.status == 200 and len(reply.body) > 2000
    if form == "pcm":
        assert reply.headers["Content-Type"] == "audio/pcm; rate=24000; channels=1"
        assert reply.body == data and len(data) % 2 == 0


# What comes of a request that fails: (answers, requests, who speaks, the outcome that counts).
FAILURES = {
    "401": ([error(401, "unauthorized")], 1, "espeak", "refused", "it answers 401 unauthorized"),
    "402": ([error(402, "quota")], 1, "espeak", "refused", "it answers 402 quota"),
    "404": ([error(404, "model_not_found")], 1, "espeak", "refused", "404 model_not_found"),
    "429": ([error(429, "concurrency_limited")], 2, "cartesia", "limited", None),
    "429 for long": ([error(429, "concurrency_limited", {"Retry-After": "60"})], 1, "espeak",
                     "limited", "it answers 429 concurrency_limited"),
    "429 soon": ([error(429, "concurrency_limited", {"Retry-After": "1"})], 2, "cartesia",
                 "limited", None),
    "429 again": ([error(429, "x"), error(429, "x")], 2, "espeak", "limited", "it answers 429"),
    "500": ([error(500, "")], 2, "cartesia", "failed", None),
    "500 again": ([error(500, ""), error(503, "")], 2, "espeak", "failed", "it answers 503"),
    "no audio": ([Bytes(body=b"")], 1, "espeak", "malformed", "it sent no audio"),
    "a page": ([Bytes(body=b"<html>", kind="text/html")], 1, "espeak", "malformed",
               "its answer is not audio"),
    "cut at once": ([Bytes(cut=0, end="cut")], 2, "cartesia", "cut_off", None),
    "cut inside": ([Bytes(cut=5001, end="cut")], 2, "cartesia", "cut_off", None),
    "hangs": ([Bytes(cut=0, end="hang")], 1, "espeak", "timeout", "said nothing for 0.5 s"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_http_fails(bar, plain, name):
    answers, requests, voice, what, why = FAILURES[name]
    soon = {"MAYA_VOICE_FIRST_SECONDS": "0.5", "MAYA_VOICE_SILENCE_SECONDS": "0.5"}
    n = bar(**(soon if what == "timeout" else {}))
    plain.then(*answers)
    events = told(n, "hello there", audio="pcm")
    assert events[-1]["outcome"] == "spoken" and events[-1]["voice"] == voice, events[-1]
    check_text(events)
    if voice == "cartesia":
        assert "voice_why" not in events[-1]
        exactly(events, plain, once(a.text for a in plain.asked))
    else:
        assert why in events[-1]["voice_why"] and events[-1]["voice_why"].startswith("cartesia: ")
        assert all(by == "espeak" and len(data) > 4000 for by, data in heard(events))
        until("all came that was sent", lambda: len(plain.asked) >= requests)
        assert len(plain.asked) == requests
        assert n.metric("maya_voice_fallbacks_total", voice="cartesia") == 1
    assert "sk_car_x" not in json.dumps(events) and KEY not in json.dumps(events)
    assert outcome(n, "http", what) >= 1
    assert n.metric("maya_voice_retries_total", voice="cartesia") == requests - 1 \
        if voice == "espeak" else True


def test_breaks_off_for_good(bar, plain):
    """What was begun ends where it broke off, and eSpeak NG says the sentences behind it."""
    n = bar(MAYA_MIND_RETRIES="0")
    plain.then(Bytes(), Bytes(cut=9001, end="cut"))
    events = told(n, MENU, audio="pcm")
    got = heard(events)
    assert got[0] == ("cartesia", pcm(plain.lines[0])) and got[1][0] == "cartesia"
    assert got[1][1] == pcm(plain.lines[1])[:9000]
    assert len(got) > 3 and all(by == "espeak" for by, _ in got[2:])
    assert events[-1]["voice"] == "espeak" and events[-1]["outcome"] == "spoken"
    check_text(events)


@pytest.mark.parametrize("form", ["pcm", "opus", "mp3", "wav"])
def test_breaks_off_in_one_file(bar, plain, form):
    """A file for all sentences has one rate, whoever speaks."""
    n = bar(MAYA_MIND_RETRIES="0")
    n.say(MENU, "one-file")
    plain.then(Bytes(), Bytes(cut=9001, end="cut"))
    reply = n.get(f"/api/v1/speech/1?format={form}", session="one-file")
    assert reply.status == 200 and len(reply.body) > 20000
    if form == "pcm":
        assert reply.headers["Content-Type"] == "audio/pcm; rate=24000; channels=1"
        first, second = (pcm(line) for line in plain.lines)
        assert reply.body.startswith(first + second[:9000])
        assert len(reply.body) > len(first) + 9000 + 24000
    elif form in ("opus",):
        assert CHECKS[form](reply.body)


def test_endless(bar, plain):
    """A sentence that does not end is cut after a minute of audio."""
    n = bar()
    plain.then(Bytes(end="endless"))
    events = told(n, "hello there", audio="pcm")
    got = heard(events)
    assert got[0][0] == "cartesia" and 0 < len(got[0][1]) <= 60 * 48000
    assert n.metric("maya_voice_sentences_total", voice="cartesia", outcome="failed") >= 1
    assert n.metric("maya_voice_speeches") == 0


def test_without_espeak_there_is_text(bar, plain, tmp_path):
    (tmp_path / "libespeak-ng.so.1").write_bytes(b"not a library")
    n = Node(tmp_path / "node", {**PATIENT, "MAYA_CARTESIA_URL": plain.url,
                                 "CARTESIA_API_KEY": KEY, "LD_LIBRARY_PATH": str(tmp_path)})
    n.start()
    plain.otherwise = error(401, "unauthorized")
    events = told(n, "hello there", audio="pcm")
    assert events[-1]["outcome"] == "failed" and not files(events)
    assert "401 unauthorized" in events[-1]["voice_why"]
    assert "complete" in [e["type"] for e in events]
    plain.otherwise = None
    assert heard(told(n, "hello there", audio="pcm"))
    n.close()


def test_breaker(bar, plain):
    n = bar(MAYA_MIND_RETRIES="0")
    plain.otherwise = error(500, "")
    for i in range(5):
        assert told(n, "hello there", voice=1)[-1]["voice"] == "espeak"
        assert len(plain.asked) == i + 1
    assert outcome(n, "http", "skipped") == 0
    tried = left_alone(n)
    assert len(plain.asked) == 5 + tried


# -- keys

def test_own_key(bar, plain):
    n = bar()
    n.post("/api/v1/session/keys", {"gemini_key": "x" * 20, "cartesia_key": OWN}, session="own")
    told(n, "hello there", "own", voice=1)
    mine = len(plain.asked)
    told(n, "hello there", "other", voice=1)
    keys = [a.headers["authorization"] for a in plain.asked]
    assert set(keys[:mine]) == {f"Bearer {OWN}"} and set(keys[mine:]) == {f"Bearer {KEY}"}


def test_only_own_keys(bar, plain):
    n = bar(key=None)
    assert n.get("/api/v1/agent").json()["voice"]["name"] == "espeak"
    assert n.metric("maya_voice_available", voice="cartesia") == 0
    assert told(n, "hello there", "other", voice=1)[-1]["voice"] == "espeak"
    assert not plain.asked
    n.post("/api/v1/session/keys", {"gemini_key": "x" * 20, "cartesia_key": OWN}, session="own")
    exactly(told(n, "hello there", "own", audio="pcm"), plain)
    plain.otherwise = error(401, "unauthorized")
    for i in range(7):  # a wrong key of one is no reason to leave Cartesia alone
        assert told(n, "hello there", "own", voice=1)[-1]["voice"] == "espeak"
    assert n.metric("maya_voice_breaker_state", voice="cartesia") == 0


@pytest.mark.parametrize("choice, voice", [("auto", "cartesia"), ("cartesia", "cartesia"),
                                           ("espeak", "espeak")])
def test_choice(bar, plain, choice, voice):
    n = bar(MAYA_VOICE=choice)
    assert n.get("/api/v1/agent").json()["voice"]["name"] == voice
    assert told(n, "hello there", voice=1)[-1]["voice"] == voice
    assert bool(plain.asked) == (voice == "cartesia")


def test_cartesia_without_a_key(nodes):
    n = nodes({"MAYA_VOICE": "cartesia"})
    assert "CARTESIA_API_KEY is not set" in n.log()
    assert told(n, "hello there", voice=1)[-1]["voice"] == "espeak"
    command = [n.command()[0], "config", "check", "--memory-mb", "512"]
    run = subprocess.run(command, env=n.environment(), capture_output=True, text=True, timeout=60)
    assert "Cartesia speaks to who brings a key" in run.stdout


# -- the agent folder

def folder(tmp_path, cartesia, name="maya"):
    to = tmp_path / name
    shutil.copytree(ROOT / "agents" / "maya", to)
    text = (to / "agent.yaml").read_text()
    old = re.search(r"  cartesia:\n(    .*\n)+", text)
    text = text.replace(old[0], "") if old else text
    at = text.splitlines().index("voice:") + 1
    lines = "\n".join(["voice:", "  cartesia:", *[f"    {line}" for line in cartesia], ""])
    (to / "agent.yaml").write_text(text.replace("\nvoice:\n", "\n" + lines))
    return to, at


def test_folder(bar, plain, tmp_path, nodes):
    to, _ = folder(tmp_path, ["model: sonic-3", "voice: a5136bf9-224c-4d76-b823-52bd5efcffcc",
                              "speed: 1.2", "volume: 0.8", "emotion: calm", "language: de"])
    n = nodes({**PATIENT, "MAYA_CARTESIA_URL": plain.url, "CARTESIA_API_KEY": KEY},
              args=["--agent", str(to)])
    told(n, "hello there", voice=1)
    body = plain.asked[0].body
    assert body["model_id"] == "sonic-3" and body["language"] == "de"
    assert body["voice"]["id"] == "a5136bf9-224c-4d76-b823-52bd5efcffcc"
    assert body["generation_config"] == {"speed": 1.2, "volume": 0.8, "emotion": "calm"}
    n.restart(MAYA_VOICE_NAME="F786B574-daa5-4673-aa0c-cbe3e8534c02")
    told(n, "hello there", voice=1)
    assert plain.asked[-1].body["voice"]["id"] == "F786B574-daa5-4673-aa0c-cbe3e8534c02"


@pytest.mark.parametrize("line, part", [
    ("model: sonic", "any more; take sonic-3.5"),
    ("model: sonic-turbo-2025-03-07", "any more; take sonic-turbo-2025-06-04"),
    ("model: so nic", "'so nic' is not a model"),
    ("voice: Katie", "'Katie' is not a voice of Cartesia"),
    ("speed: 1.6", "'1.6' is not a speed for Cartesia"),
    ("speed: fast", "'fast' is not a speed"),
    ("volume: 3", "'3' is not a volume for Cartesia"),
    ("language: en-us", "'en-us' is not a language"),
    ("emotion: '{}'", "'{}' is not an emotion"),
    ("voise: x", "did you mean 'voice'"),
])
def test_folder_with_a_fault(nodes, tmp_path, line, part):
    to, at = folder(tmp_path, [line])
    n = nodes(args=["--agent", str(to)], start=False)
    run = subprocess.run(n.command(), env=n.environment(), capture_output=True, text=True,
                         cwd=tmp_path, timeout=60)
    assert run.returncode != 0
    assert f"agent.yaml:{at + 2}" in run.stderr and part in run.stderr, run.stderr


# -- the WebSocket

@pytest.mark.parametrize("text", ["hello there", TWO, MENU])
def test_socket(bar, cartesia, text):
    cartesia.waits = True
    n = bar()
    events = told(n, text, audio="pcm")
    assert events[-1]["outcome"] == "spoken" and events[-1]["voice"] == "cartesia", events[-1]
    exactly(events, cartesia)
    check_text(events)
    assert not cartesia.asked and len(cartesia.connections) == 1
    assert cartesia.connections[0].headers["authorization"] == f"Bearer {KEY}"
    (context,) = cartesia.contexts
    until("the end was told", lambda: context.ended)
    assert not context.cancelled.is_set()
    for m in context.messages:
        assert m["voice"] == {"mode": "id", "id": "f786b574-daa5-4673-aa0c-cbe3e8534c02"}
        assert m["add_phoneme_timestamps"] is True
    visemes = [v for e in events if e["type"] == "audio" for v in e.get("visemes", ())]
    assert {v["viseme"] for v in visemes} == {"mouth_talk_a", "mouth_talk_e", "mouth_talk_o"}
    until("it is counted", lambda: outcome(n, "websocket", "ok") == 1)


def test_first_audio_comes_before_the_sentence_is_whole(bar, cartesia):
    """The second chunk of a sentence waits until the first was heard."""
    n = bar()
    go, sent = threading.Event(), []

    def wait(m):
        if m["type"] == "chunk":
            sent.append(m)
            if len(sent) == 3:
                go.wait(PATIENCE_S)
        return [m]

    cartesia.mangle = wait
    with n.stream(method="GET", query={"message": "hello there", "audio": "pcm"}) as s:
        for event in s:
            if event.json()["type"] == "audio":
                go.set()
    assert go.is_set() and len(sent) > 3


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("piece", [4800, 4801, 1001])
def test_timestamps(bar, cartesia, when, piece):
    cartesia.timestamps, cartesia.piece = when, piece
    events = told(bar(), MENU, audio="pcm")
    exactly(events, cartesia)
    for n in {e["sentence"] for e in events if e["type"] == "audio"}:
        mine = [e for e in events if e["type"] == "audio" and e["sentence"] == n]
        times = [v["at"] for e in mine for v in e.get("visemes", ())]
        length = sum(e.get("seconds", 0) for e in mine)
        assert times and times[0] < 0.2 and times[-1] <= length + 0.001
        if sum(e["last"] for e in mine) == 1:
            assert times == sorted(times)
            # every 0.1 s of audio has its own four, of which some look the same
            assert len(times) >= 2 * length / 0.1 - 2


def test_no_timestamps(bar, cartesia):
    cartesia.timestamps = None
    exactly(told(bar(), "hello there", audio="pcm"), cartesia)


def test_one_socket_for_many(bar, cartesia):
    cartesia.piece, cartesia.waits = 960, True
    n = bar()
    told(n, "hello there", voice=1)

    def one(i):
        events = told(n, MENU if i % 2 else TWO, f"many-{i}", audio="pcm")
        assert events[-1]["outcome"] == "spoken" and events[-1]["voice"] == "cartesia"
        check_text(events)
        return heard(events)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        all_heard = list(pool.map(one, range(16)))
    said = {pcm(line) for line in cartesia.lines}
    assert all(data in said for got in all_heard for _, data in got)
    assert len(cartesia.connections) == 1 and len(cartesia.contexts) == 17
    assert n.metric("maya_voice_sockets", voice="cartesia") == 1
    assert n.metric("maya_voice_speeches") == 0


def test_bytewise(bar, cartesia):
    cartesia.bytewise = True
    exactly(told(bar(), "hello there", audio="pcm"), cartesia)


def test_own_key_has_its_own_socket(bar, cartesia):
    cartesia.waits = True
    n = bar()
    told(n, "hello there", "other", voice=1)
    n.post("/api/v1/session/keys", {"gemini_key": "x" * 20, "cartesia_key": OWN}, session="own")
    for _ in range(2):
        since = cartesia.since()
        exactly(told(n, "hello there", "own", audio="pcm"), cartesia, since)
    keys = [c.headers["authorization"] for c in cartesia.connections]
    assert keys == [f"Bearer {KEY}", f"Bearer {OWN}", f"Bearer {OWN}"]
    assert len(cartesia.connections[0].contexts) == 1
    until("its sockets are closed",
          lambda: all(c.closed.is_set() for c in cartesia.connections[1:]))
    assert not cartesia.connections[0].closed.is_set()


def test_barge_in(bar, cartesia):
    n = bar()
    cartesia.endless = True
    reader = Listener(n, "/api/chat/stream?message=hello&audio=pcm&session_id=barge")
    reader.read_until(b'"type": "audio"')
    until("the turn is over, and only heard", lambda: n.metric("maya_turns_in_progress") == 0)
    n.post("/api/v1/chat/stop", session="barge")
    assert reader.rest()[-1]["outcome"] == "stopped"
    assert cartesia.contexts[0].cancelled.wait(PATIENCE_S)
    until("stopped", lambda: outcome(n, "websocket", "stopped") == 1)
    cartesia.endless = False
    # The socket goes on, and what still comes for the dead context is nobody's.
    since = cartesia.since()
    exactly(told(n, "hello there", "barge", audio="pcm"), cartesia, since)
    assert len(cartesia.connections) == 1


def test_listener_that_leaves(bar, cartesia):
    n = bar()
    cartesia.endless = True
    reader = Listener(n, "/api/chat/stream?message=hello&audio=pcm&session_id=leaves")
    reader.read_until(b'"type": "audio"')
    reader.s.close()
    assert cartesia.contexts[0].cancelled.wait(PATIENCE_S)
    until("nobody speaks", lambda: n.metric("maya_voice_speeches") == 0)


def test_endless_over_the_socket(bar, cartesia):
    n = bar()
    cartesia.endless, cartesia.piece = True, 48000
    events = told(n, "hello there", audio="pcm")
    assert all(0 < len(data) <= 60 * 48000 for by, data in heard(events) if by == "cartesia")
    assert all(c.cancelled.wait(PATIENCE_S) for c in cartesia.contexts)
    assert n.metric("maya_voice_speeches") == 0


REFUSALS = {
    "401": (401, {}, b'{"error_code": "unauthorized"}'), "404": (404, {}, b""),
    "429": (429, {"Retry-After": "1"}, b"{}"), "500": (500, {}, b"no"), "200": (200, {}, b""),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_socket(bar, cartesia, name):
    cartesia.refuse = REFUSALS[name]
    n = bar()

    def tried():
        before, since = cartesia.upgrades, cartesia.since()
        events = told(n, "hello there", audio="pcm")
        exactly(events, cartesia, since)
        assert "voice_why" not in events[-1]
        return cartesia.upgrades - before

    assert [tried(), tried()] == [1, 1] and cartesia.asked
    # Then the socket is left alone, after each time that it is asked again for twice as long.
    assert 0 in (tried() for _ in range(5))


def cut_after(count):
    sent = []

    def mangle(m):
        sent.append(m)
        return [m, "cut"] if len(sent) == count else [m]
    return mangle


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 21])
def test_cut_socket(bar, cartesia, count):
    """What is left is asked for over HTTP; nothing is heard twice, nothing is missing."""
    cartesia.mangle = cut_after(count)
    n = bar()
    events = told(n, MENU, audio="pcm")
    assert events[-1]["outcome"] == "spoken" and "voice_why" not in events[-1], events[-1]
    exactly(events, cartesia, once(cartesia.lines))
    check_text(events)
    assert cartesia.asked


@pytest.mark.parametrize("bad", [
    b"{", b"[]", b"null", b'{"type": 7}', b'{"type": "error", "status_code": 500}',
    {"type": "chunk", "context_id": None, "data": "!!!"},
    {"type": "chunk", "context_id": None, "data": 5},
    {"type": "chunk", "context_id": None},
    {"type": "phoneme_timestamps", "context_id": None, "phoneme_timestamps": {"phonemes": ["a"]}},
    {"type": "done", "context_id": None},
    {"type": "error", "context_id": None, "status_code": 500, "done": True},
    {"type": "error", "context_id": None, "status_code": 429,
     "error_code": "concurrency_limited"},
], ids=str)
@pytest.mark.parametrize("at", [0, 2])
def test_bad_message(bar, cartesia, bad, at):
    count = [0]

    def mangle(m):
        count[0] += 1
        if count[0] != at + 1:
            return [m]
        return [{**bad, "context_id": m["context_id"]} if isinstance(bad, dict) else bad, m]

    cartesia.mangle = mangle
    n = bar()
    events = told(n, MENU, audio="pcm")
    assert events[-1]["outcome"] == "spoken" and "voice_why" not in events[-1], events[-1]
    if isinstance(bad, dict) and bad["type"] == "done" and at == 2:
        check_text(events)  # it says that it is whole
    else:
        exactly(events, cartesia, once(cartesia.lines))
    since = cartesia.since()
    exactly(told(n, "hello there", audio="pcm"), cartesia, since)


@pytest.mark.parametrize("status", [400, 401, 402, 404])
def test_error_of_a_context(bar, cartesia, status):
    cartesia.mangle = lambda m: [{"type": "error", "context_id": m["context_id"], "done": True,
                                  "status_code": status, "error_code": "nope",
                                  "message": "sk_car_x"}]
    n = bar()
    events = told(n, TWO, voice=1)
    assert events[-1]["voice"] == "espeak"
    assert events[-1]["voice_why"] == "cartesia: it reports an error nope"
    assert not cartesia.asked and outcome(n, "websocket", "refused") == 1


def test_unknown_messages(bar, cartesia):
    cartesia.mangle = lambda m: [
        {"type": "news", "context_id": m["context_id"]}, {"type": "chunk", "context_id": "other",
         "data": "AAAA"}, {"type": "news"}, m]
    exactly(told(bar(), TWO, audio="pcm"), cartesia)


def test_context_that_is_forgotten(bar, cartesia):
    """What was pushed into it is asked for elsewhere, and what comes later goes into another."""
    cartesia.mangle = lambda m: [m, {"type": "done", "context_id": m["context_id"], "done": True}] \
        if m["type"] == "flush_done" and m["flush_id"] == 1 else [m]
    n = bar()
    for text in (MENU, "hello there"):
        since = cartesia.since()
        events = told(n, text, audio="pcm")
        exactly(events, cartesia, once(since))
        assert "voice_why" not in events[-1]


def test_never_done(bar, cartesia):
    """Flushes that are never done: the listener does not wait for ever."""
    cartesia.mangle = lambda m: [] if m["type"] in ("flush_done", "done") else [m]
    n = bar(MAYA_VOICE_SILENCE_SECONDS="0.3")
    events = told(n, "hello there", audio="pcm")
    assert events[-1]["type"] == "audio_end"
    check_text(events)
    assert outcome(n, "websocket", "timeout") == 1


def test_silent(bar, cartesia):
    cartesia.mangle = lambda m: []
    n = bar(MAYA_VOICE_FIRST_SECONDS="0.3")
    events = told(n, "hello there", voice=1)
    assert events[-1]["voice"] == "espeak"
    assert events[-1]["voice_why"] == "cartesia: it took too long"


def test_server_that_goes_and_comes_back(bar, cartesia):
    n = bar()
    told(n, "hello there", voice=1)
    for s in list(cartesia.open):
        s.shutdown(2)
    until("it is seen", lambda: n.metric("maya_voice_sockets", voice="cartesia") == 0)
    since = cartesia.since()
    exactly(told(n, TWO, audio="pcm"), cartesia, since)
    assert len(cartesia.connections) == 2 and not cartesia.asked


@pytest.mark.parametrize("websocket", [True, False])
def test_slow_listener(bar, cartesia, websocket):
    """Memory stays within the budget, and everything that is heard is whole."""
    cartesia.websocket = websocket
    n = bar(MAYA_DEFAULT_SESSION_MEMORY_MB="4")
    n.say("hello there", "slow")
    reader = Listener(n, "/api/chat/stream?message=what+is+on+the+menu&audio=pcm&session_id=slow")
    reader.read_until(b'"type": "audio"')
    assert n.metric("maya_sessions_memory_bytes") < 4 << 20
    events = reader.rest()
    assert events[-1]["outcome"] == "spoken"
    said = {pcm(line) for line in cartesia.lines}
    assert all(data in said for by, data in heard(events))
    until("all is given back", lambda: n.metric("maya_sessions_memory_bytes") < 200000)


@pytest.mark.parametrize("mb", ["0.0625", "0.125", "0.25"])
@pytest.mark.parametrize("websocket", [True, False])
def test_small_budget(bar, cartesia, mb, websocket):
    cartesia.websocket = websocket
    n = bar(MAYA_DEFAULT_SESSION_MEMORY_MB=mb)
    events = told(n, TWO, "small", voice=1)
    assert "complete" in [e["type"] for e in events] and events[-1]["type"] == "audio_end"
    assert n.tab("small")["tab_amount"] == 26.0
    check_text(events)


# -- TLS

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    to = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-keyout", to / "key.pem", "-out", to / "cert.pem"], check=True,
                   capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(to / "cert.pem", to / "key.pem")
    return to / "cert.pem", context


@pytest.mark.parametrize("websocket", [True, False])
def test_tls(nodes, certificate, websocket):
    path, context = certificate
    with Cartesia(tls=context, websocket=websocket) as c:
        n = nodes({**PATIENT, "MAYA_CARTESIA_URL": c.url, "CARTESIA_API_KEY": KEY,
                   "MAYA_CA_FILE": str(path)})
        exactly(told(n, TWO, audio="pcm"), c)
        assert bool(c.connections) == websocket


def test_certificate_that_does_not_verify(nodes, certificate):
    with Cartesia(tls=certificate[1]) as c:
        n = nodes({**PATIENT, "MAYA_CARTESIA_URL": c.url, "CARTESIA_API_KEY": KEY})
        events = told(n, "hello there", voice=1)
        assert events[-1]["voice"] == "espeak" and not c.asked and not c.connections
        assert "certificate" in events[-1]["voice_why"]

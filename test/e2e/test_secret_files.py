"""Options from files of secrets, and secrets that change under a Maya that runs."""
import base64
import os
import re
import signal
import subprocess
import threading

import pytest

from cartesia_tts import Cartesia
from node import MAYA, PATIENCE_S, until
from provider import Answer, Provider, failure, openai_words
from test_voice import told

FIRST, SECOND, THIRD = ("sk-the-first-key-never-logged", "sk-the-second-key-never-logged",
                        "sk-the-third-key-never-logged")
TOKEN, OTHER_TOKEN = "operators-first-token", "operators-second-token"


def maya(folder, *args, **env):
    return subprocess.run([MAYA, *args], cwd=folder, env={"PATH": "/usr/bin:/bin", **env},
                          capture_output=True, text=True, timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL)


def config(folder, secrets, *args, **env):
    p = maya(folder, "config", *args, MAYA_SECRETS_DIR=str(secrets), **env)
    assert p.returncode == 0, p.stderr
    return p.stdout, p.stderr


def put(path, text):
    """As an engine does it: whole, in the place of the old one."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    os.replace(fresh, path)


@pytest.fixture
def secrets(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


# Reading


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "gemini_api_key", "gemini-api-key"])
def test_a_file_named_like_an_option_holds_its_value(tmp_path, secrets, name):
    (secrets / name).write_text(FIRST + "\n")
    out, err = config(tmp_path, secrets)
    assert f"GEMINI_API_KEY: set (from {secrets}/{name})" in out
    assert FIRST not in out + err


def test_lines_in_any_other_file(tmp_path, secrets):
    (secrets / "maya-production").write_text(
        f"# keys\nGEMINI_API_KEY={FIRST}\nexport MAYA_BURST_LIMIT='7'\nDB_URL=postgres://x\n")
    out, err = config(tmp_path, secrets)
    assert f"GEMINI_API_KEY: set (from {secrets}/maya-production line 2)" in out
    assert f"MAYA_BURST_LIMIT=7 (from {secrets}/maya-production line 3)" in out
    assert not err


def test_precedence(tmp_path, secrets):
    later = tmp_path / "later"
    later.mkdir()
    (tmp_path / ".env").write_text("PORT=1\nMAYA_BURST_LIMIT=1\nMAYA_SESSION_RATE_LIMIT=1\n"
                                   "MAYA_APP_RATE_LIMIT=1\nMAYA_LOG_LEVEL=debug\n")
    (secrets / "a").write_text("PORT=2\nMAYA_BURST_LIMIT=2\nMAYA_SESSION_RATE_LIMIT=2\n"
                               "MAYA_APP_RATE_LIMIT=2\n")
    (secrets / "b").write_text("MAYA_APP_RATE_LIMIT=3\n")
    (later / "a").write_text("MAYA_SESSION_RATE_LIMIT=4\n")
    out, err = config(tmp_path, f"{secrets}, {later}", "--port", "6", MAYA_BURST_LIMIT="5")
    told = dict(re.findall(r"^(\w+)=(\S*)", out, re.M))
    assert (told["PORT"], told["MAYA_BURST_LIMIT"], told["MAYA_SESSION_RATE_LIMIT"],
            told["MAYA_APP_RATE_LIMIT"], told["MAYA_LOG_LEVEL"]) == ("6", "5", "4", "3", "debug")
    assert "MAYA_BURST_LIMIT is in the environment" in err


def test_the_folder_may_be_named_in_env_file_and_flag(tmp_path, secrets):
    (secrets / "cartesia_api_key").write_text(FIRST)
    (tmp_path / ".env").write_text(f"MAYA_SECRETS_DIR={secrets}\n")
    assert "CARTESIA_API_KEY: set" in maya(tmp_path, "config").stdout
    assert "CARTESIA_API_KEY: not" in maya(tmp_path, "config", "--secrets-dir", "/none").stdout


def test_what_is_not_ours_is_left_alone(tmp_path, secrets):
    (secrets / "tls.key").write_bytes(b"\x30\x82\x00\x01 = \xff\n\"never closed")
    (secrets / "db_password").write_text("pass=word\nwith 'half a quote\n")
    (secrets / "kubernetes.io").mkdir()
    (secrets / "..2024_10").mkdir()
    (secrets / "broken").symlink_to("nowhere")
    out, err = config(tmp_path, secrets)
    assert not err and "from " + str(secrets) not in out.replace(
        f"MAYA_SECRETS_DIR={secrets}", "")


@pytest.mark.parametrize("text, place", [
    (f"GEMINI_API_KEY={FIRST}\n\nnonsense here\n", "maya:3: "),
    (f"\nMAYA_ADMIN_TOKEN='{FIRST}\n", "maya:2: "),
    ("MAYA_ADMIN_TOKEN=short\n", "maya line 1"),
])
def test_a_mistake_names_file_and_line_and_never_the_value(tmp_path, secrets, text, place):
    (secrets / "maya").write_text(text)
    p = maya(tmp_path, "serve", MAYA_SECRETS_DIR=str(secrets))
    assert p.returncode == 1
    assert f"{secrets}/{place}" in p.stderr
    assert FIRST not in p.stderr and "'short'" not in p.stderr
    assert len(p.stderr.strip().splitlines()) == 1


def test_a_value_with_two_lines(tmp_path, secrets):
    (secrets / "MAYA_MASTER_KEY").write_text("one\ntwo\n")
    p = maya(tmp_path, "config", MAYA_SECRETS_DIR=str(secrets))
    assert p.returncode == 1 and f"from {secrets}/MAYA_MASTER_KEY" in p.stderr
    assert "one line" in p.stderr


# Rotation


@pytest.fixture
def bar(nodes, secrets):
    def make(**env):
        n = nodes({"MAYA_SECRETS_DIR": str(secrets), **env})
        for text in FIRST, SECOND, THIRD, TOKEN, OTHER_TOKEN:
            n.never_logged(text)
        return n
    return make


def changed(n, option, times=1):
    until(f"{option} changed", lambda: len(re.findall(
        rf"secrets +changed option=\"{option}", n.log())) >= times)


def keys(p):
    return [a.headers["authorization"].removeprefix("Bearer ") for a in p.asked]


def openai(p):
    return {"MAYA_MIND": "openai", "MAYA_OPENAI_BASE_URL": p.url + "/v1",
            "MAYA_MIND_RETRIES": "0"}


@pytest.mark.parametrize("how", ["value", "lines", "link", "env"])
def test_a_providers_key_changes(bar, secrets, how):
    with Provider(*[openai_words("Coming.")] * 3) as p:
        env, path = openai(p), secrets / "maya_openai_api_key"
        put(path, FIRST)
        n = None
        if how == "env":
            path.unlink()
            path = secrets / "dot-env-file"
            put(path, f"MAYA_OPENAI_API_KEY={FIRST}\n")
            env["MAYA_ENV_FILE"] = str(path)
            env["MAYA_SECRETS_DIR"] = "/none"
        elif how == "lines":
            path.unlink()
            path = secrets / "maya"
            put(path, f"MAYA_OPENAI_API_KEY={FIRST}\n")
        elif how == "link":  # as Kubernetes changes a secret
            path.unlink()
            for i, key in enumerate([FIRST, SECOND]):
                (secrets / f"..{i}").mkdir()
                (secrets / f"..{i}" / path.name).write_text(key)
            (secrets / "..data").symlink_to("..0")
            path.symlink_to(f"..data/{path.name}")
        n = bar(**env)
        n.say("good evening to you", "one")
        if how == "link":
            (secrets / "..fresh").symlink_to("..1")
            os.replace(secrets / "..fresh", secrets / "..data")
        else:
            put(path, SECOND if how == "value" else f"MAYA_OPENAI_API_KEY={SECOND}\n")
        changed(n, "MAYA_OPENAI_API_KEY")
        n.say("good evening again", "one")
        assert keys(p) == [FIRST, SECOND]


def test_a_key_that_was_refused_is_asked_with_again(bar, secrets):
    put(secrets / "maya_openai_api_key", FIRST)
    with Provider(otherwise=failure(401)) as p:
        n = bar(**openai(p))
        asked = 0
        while True:  # until the provider is not asked any more
            said = n.say("good evening to you", "one")
            assert said["mind"] == "house"
            if len(p.asked) == asked:
                break
            asked = len(p.asked)
        p.otherwise = openai_words("Coming.")
        put(secrets / "maya_openai_api_key", SECOND)
        changed(n, "MAYA_OPENAI_API_KEY")
        assert n.say("good evening again", "one")["mind"] == "openai"
        assert keys(p)[-1] == SECOND


class Held(Answer):
    """Says its first piece, and the rest when the gate is open."""

    def __init__(self, answer):
        self.all, self.gate = answer.pieces, threading.Event()
        super().__init__([])

    @property
    def pieces(self):
        yield self.all[0]
        assert self.gate.wait(PATIENCE_S)
        yield from self.all[1:]

    @pieces.setter
    def pieces(self, _):
        pass


def test_an_answer_under_way_ends_with_the_old_key(bar, secrets):
    put(secrets / "maya_openai_api_key", FIRST)
    held = Held(openai_words("Slowly ", "but ", "surely."))
    with Provider(held, openai_words("Coming.")) as p:
        n = bar(**openai(p), MAYA_MIND_FIRST_SECONDS="60", MAYA_MIND_SILENCE_SECONDS="60")
        with n.stream("good evening to you", "one") as s:
            events = iter(s)
            until("asked", lambda: p.asked)
            put(secrets / "maya_openai_api_key", SECOND)
            changed(n, "MAYA_OPENAI_API_KEY")
            held.gate.set()
            assert [e.json()["type"] for e in events][-1] == "complete"
        n.say("good evening again", "one")
        assert keys(p) == [FIRST, SECOND]


@pytest.mark.parametrize("websocket", [True, False])
def test_cartesias_key_changes(bar, secrets, websocket):
    with Cartesia() as fake:
        fake.websocket = websocket
        put(secrets / "cartesia_api_key", FIRST)
        n = bar(MAYA_CARTESIA_URL=fake.url, MAYA_VOICE_FIRST_SECONDS="25",
                MAYA_VOICE_SILENCE_SECONDS="25")
        assert told(n, "hello there", "one", voice=1)[-1]["voice"] == "cartesia"
        asked = len(fake.asked)
        put(secrets / "cartesia_api_key", SECOND)
        changed(n, "CARTESIA_API_KEY")
        assert told(n, "hello there", "two", voice=1)[-1]["voice"] == "cartesia"
        if websocket:
            keys = [c.headers["authorization"] for c in fake.connections]
        else:
            keys = [fake.asked[0].headers["authorization"],
                    fake.asked[asked].headers["authorization"]]
        assert keys == [f"Bearer {FIRST}", f"Bearer {SECOND}"]


def test_a_second_folder_and_a_signal(bar, secrets, tmp_path):
    second = tmp_path / "delivered"
    put(secrets / "maya_admin_token", TOKEN)
    n = bar(MAYA_SECRETS_DIR=f"{secrets},{second}")

    def status(token):
        return n.get("/api/v1/ops/sessions",
                     headers={"Authorization": f"Bearer {token}"}).status

    assert (status(TOKEN), status(OTHER_TOKEN)) == (200, 401)
    second.mkdir()
    put(second / "maya_admin_token", OTHER_TOKEN)
    os.kill(n.pid, signal.SIGUSR1)
    changed(n, "MAYA_ADMIN_TOKEN")
    assert (status(TOKEN), status(OTHER_TOKEN)) == (401, 200)


def test_what_is_wrong_or_gone_changes_nothing(bar, secrets):
    path = secrets / "maya"
    put(path, f"MAYA_ADMIN_TOKEN={TOKEN}\n")
    n = bar()

    def opens():
        return n.get("/api/v1/ops/sessions",
                     headers={"Authorization": f"Bearer {TOKEN}"}).status == 200

    put(path, "MAYA_ADMIN_TOKEN=short\n")
    until("refused", lambda: "secrets not_taken" in re.sub(" +", " ", n.log()))
    assert "short" not in n.log() and opens()
    put(path, f"MAYA_ADMIN_TOKEN='{OTHER_TOKEN}\n")
    until("not read", lambda: "maya:1: the single quote is never closed" in n.log())
    assert opens()
    path.unlink()
    gone = until("gone", lambda: re.findall("secrets +gone .*\n", n.log()))
    assert [line for line in gone if "MAYA_ADMIN_TOKEN" not in line] == []
    assert opens()
    put(path, f"MAYA_ADMIN_TOKEN={OTHER_TOKEN}\n")
    changed(n, "MAYA_ADMIN_TOKEN")
    assert not opens()


def test_the_environment_does_not_change(bar, secrets):
    n = bar(MAYA_ADMIN_TOKEN=TOKEN)
    put(secrets / "maya_admin_token", OTHER_TOKEN)
    os.kill(n.pid, signal.SIGUSR1)
    until("read", lambda: "secrets asked" in re.sub(" +", " ", n.log()))
    put(secrets / "gemini_api_key", FIRST)  # what is read after it is taken
    changed(n, "GEMINI_API_KEY")
    assert n.get("/api/v1/ops/sessions",
                 headers={"Authorization": f"Bearer {TOKEN}"}).status == 200


def make_key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@pytest.mark.parametrize("before", ["given", "file", "passphrase"])
def test_the_master_key_changes(bar, secrets, before):
    """Sessions sealed with the old one are read and sealed again; a start needs only the new."""
    old, new = make_key(), make_key()
    if before == "passphrase":
        old, new = "a fake passphrase of before", "a fake passphrase of today"
    if before != "file":
        put(secrets / "maya", f"MAYA_MASTER_KEY='{old}'\n")
    n = bar()
    n.never_logged(old)
    n.never_logged(new)
    n.say("an ipa please, if you can", "sealed-guest")
    if before == "file":
        put(secrets / "maya", f"MAYA_MASTER_KEY={new}\n")
    else:
        put(secrets / "maya", f"MAYA_MASTER_KEY='{new}'\nMAYA_MASTER_KEY_OLD='{old}'\n")
    changed(n, "MAYA_MASTER_KEY:")
    until("sealed again", lambda: "resealed" in n.log())
    assert "key_not_kept" not in n.log()
    n.say("one more ipa please", "sealed-guest")
    put(secrets / "maya", f"MAYA_MASTER_KEY='{new}'\n")
    (n.data / "master.key").unlink(missing_ok=True)
    n.restart()
    assert n.get("/api/v1/session/history", session="sealed-guest").json()["turn"] == 2
    assert "unreadable=0" in n.log()


def test_the_old_master_key_is_not_kept(bar, secrets):
    put(secrets / "MAYA_MASTER_KEY", make_key())
    n = bar()
    n.say("an ipa please, if you can", "sealed-guest")
    put(secrets / "MAYA_MASTER_KEY", make_key())
    changed(n, "MAYA_MASTER_KEY:")
    assert "key_not_kept" in n.log()
    n.say("one more ipa please", "sealed-guest")  # in memory it is kept

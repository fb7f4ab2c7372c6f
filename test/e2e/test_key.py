"""Changing the master key: nobody notices, nothing is lost, and no key is ever shown."""
import re
import sqlite3
import subprocess
import threading

import pytest

from node import MAYA, PATIENCE_S, SANITIZED, until

PROVIDER = {"gemini_key": "AIza" + "TestTestTestTestTestTestTestTestTes",
            "cartesia_key": "sk_car_" + "TestTestTestTestTestTest"}
MANY = 400 if SANITIZED else 1200
STATUS = re.compile(r"^(\w{8}|-) +(seals now|older|in use|not here|damaged) +(\d+) sessions  (.*)$",
                    re.M)


def maya(node, *args, **env):
    """`maya key ...` on the node's data, with its keys in the environment; 75 and 1 come back too."""
    keys = {k: v for k, v in node.env.items() if k.startswith("MAYA_MASTER_KEY")}
    return subprocess.run([MAYA, "key", *args, "--data-dir", str(node.data)], cwd=node.folder,
                          env={"PATH": "/usr/bin:/bin", **keys, **env}, capture_output=True,
                          text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)


def key_files(node):
    return {p.name: p.read_text().strip() for p in node.data.iterdir()
            if p.name.startswith("master.key")}


def run(node, *args, status=0, **env):
    """The command's output; no key that lies in a file or in the environment is in it."""
    before = key_files(node) if node.data.exists() else {}
    p = maya(node, *args, **env)
    assert p.returncode == status, p
    secrets = {*before.values(), *key_files(node).values()}
    node.unsaid |= secrets
    for secret in secrets:
        assert secret not in p.stdout + p.stderr
    return p.stdout if status == 0 else p.stderr


def keys(node):
    """What `maya key status` says: id to (state, sessions, where)."""
    return {m[1]: (m[2], int(m[3]), m[4]) for m in STATUS.finditer(run(node, "status"))}


def current(node):
    (key,) = [k for k, (state, _, _) in keys(node).items() if state == "seals now"]
    return key


def rotate(node):
    """Returns the ids of the new key and of the one before it."""
    said = run(node, "rotate")
    return re.match(r"Key (\w{8}) seals from now on .* (\w{8}) still opens", said).groups()


def sealed_with(node):
    """Which keys the rows name, read without the program."""
    with sqlite3.connect(node.data / "maya.db") as db:
        return {bytes(r[0])[1:5].hex() for r in
                db.execute("SELECT DISTINCT substr(data, 1, 5) FROM session")}


def done(node, rows):
    """
    The server has looked at all rows for the key that seals now. The rows first: as long as it
    does not know of that key nothing is pending.
    """
    return sealed_with(node) == {rows} and node.metric("maya_seal_rows_pending") == 0


def give_keys(node, sid):
    assert node.post("/api/v1/session/keys", PROVIDER, session=sid).status == 200


def has_keys(node, sid):
    return node.get("/api/v1/session/status", session=sid).json()["has_valid_keys"]


class Guest(threading.Thread):
    def __init__(self, node, name):
        super().__init__(daemon=True)
        self.node, self.session, self.said, self.fault = node, name, [], None
        self.leave = threading.Event()

    def run(self):
        try:
            give_keys(self.node, self.session)
            self.node.say("an ipa please", self.session)
            while not self.leave.is_set():
                text = f"{self.session} says this is number {len(self.said)}, hello"
                self.node.say(text, self.session)
                self.said.append(text)
        except (AssertionError, OSError) as e:
            self.fault = e


def check_guest(node, guest):
    body = node.say("what do I owe you?", guest.session)
    heard = [m["content"] for m in body["history"] if m["content"].startswith(guest.session)]
    assert heard == guest.said[-len(heard):] and heard
    assert body["payment_summary"]["tab_amount"] == 6
    assert has_keys(node, guest.session)


def test_rotate_while_people_talk(nodes):
    node = nodes({"MAYA_SESSION_HIBERNATE_SECONDS": "1"})
    for i in range(5):  # who stopped talking before
        node.say("an ipa please", f"one-of-very-many-{i}")
        give_keys(node, f"one-of-very-many-{i}")
    guests = [Guest(node, f"guest-who-keeps-talking-{i}") for i in range(4)]
    for guest in guests:
        guest.start()
    until("a first round", lambda: all(g.said or g.fault for g in guests))
    ids = []
    for _ in range(3):
        new, old = rotate(node)
        assert not ids or ids[-1] == old
        ids.append(new)
        until("the rotation is over", lambda: done(node, ids[-1]))
    for guest in guests:
        guest.leave.set()
        guest.join(PATIENCE_S)
        assert guest.fault is None, guest.fault
    assert node.metric("maya_seal_rewritten_total") >= 3 * 5
    assert node.metric("maya_store_conflicts_total") == 0
    until("the older keys can go", lambda: maya(node, "prune").returncode == 0)
    assert set(key_files(node)) == {"master.key"}
    for guest in guests:
        check_guest(node, guest)
    node.restart()
    assert keys(node) == {ids[-1]: ("seals now", len(guests) + 5, f"{node.data}/master.key")}
    for guest in guests:
        check_guest(node, guest)
    check_all(node, 5)
    log = node.log()
    for key in ids:
        assert re.search(rf"info +session reseal key={key} older=\d", log)
        assert re.search(rf"info +session resealed key={key} sessions=\d+ sealed=\d+ unreadable=0",
                         log)
    assert PROVIDER["gemini_key"] not in log


def many(nodes):
    return nodes({"MAYA_SESSIONS_PER_CONTAINER": str(MANY + 50), "MAYA_LOG_LEVEL": "info",
                  "MAYA_DEFAULT_SESSION_MEMORY_MB": "0.25"})


def fill(node, count):
    """Sessions with a tab and provider's keys."""
    def some(first):
        for i in range(first, count, 4):
            node.say("an ipa please", f"one-of-very-many-{i}")
            give_keys(node, f"one-of-very-many-{i}")
    threads = [threading.Thread(target=some, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert node.metric("maya_stored_sessions") == count


def check_all(node, count):
    for i in range(count):
        assert node.tab(f"one-of-very-many-{i}")["tab_amount"] == 6
        assert has_keys(node, f"one-of-very-many-{i}")


def test_kill_while_rows_are_sealed_again(nodes):
    node = many(nodes)
    fill(node, MANY)
    new, old = rotate(node)
    for round_ in range(3):
        before = keys(node)[new][1]
        # Each start goes on with what is left, and is killed in the middle of it.
        until("more rows", lambda seen=before: node.metric("maya_seal_rewritten_total") > 0 or
              sealed_with(node) == {new})
        node.kill()
        left = keys(node)
        assert left[new][1] + left[old][1] == MANY
        assert left[new][1] >= before
        if left[old][1]:
            assert re.search(r"stays: \d+ sessions are sealed with it", run(node, "prune", status=75))
            assert f"master.key.old-{old}" in key_files(node)
        node.start()
    until("the end", lambda: done(node, new))
    assert node.metric("maya_seal_rows_unreadable") == 0
    check_all(node, MANY)
    run(node, "prune")
    node.kill()
    node.start()
    check_all(node, MANY)


def test_two_containers_on_one_folder(nodes):
    first = nodes()
    second = nodes(start=False)
    second.data = first.data
    second.start()
    for i in range(20):
        (first, second)[i % 2].say("an ipa please", f"one-of-very-many-{i}")
        give_keys((first, second)[i % 2], f"one-of-very-many-{i}")
    new, _ = rotate(first)
    # Whoever has it already seals with the new key; the other must be able to read that.
    for i in range(20):
        for node in (first, second):
            until("no conflict", lambda: node.chat("another ipa please",
                                                   f"one-of-very-many-{i}").status == 200)
    until("both are done", lambda: done(first, new) and done(second, new))
    until("the older key can go", lambda: maya(first, "prune").returncode == 0)
    for node in (first, second):
        node.restart()  # so that it reads what is stored
        for i in range(20):
            assert node.tab(f"one-of-very-many-{i}")["tab_amount"] == 18
            assert has_keys(node, f"one-of-very-many-{i}")
        assert f"session reseal key={new} older=1" in node.log()


def test_nobody_removes_a_key_that_a_server_seals_with(nodes):
    """A server that could not take the new key up goes on with the old one, which must stay."""
    node = nodes()
    node.say("an ipa please", "one-of-very-many-0")
    new, old = rotate(node)
    key = node.data / "master.key"
    text = {new: key.read_text(), old: (node.data / f"master.key.old-{old}").read_text()}

    def put(path, which, mode=0o600):
        """At once and whole: the server looks at any moment, and complains once."""
        away = node.data / "away"
        away.write_text(text[which])
        away.chmod(mode)
        away.rename(path)

    until("the new key is known", lambda: done(node, new))
    put(key, old)
    (node.data / f"master.key.old-{old}").unlink()
    until("back to the old one", lambda: done(node, old))
    put(node.data / f"master.key.old-{new}", new)
    put(node.data / f"master.key.old-{old}", old)
    assert "keys_not_read" not in node.log()
    put(key, new, 0o640)  # others may read it: the server refuses it
    until("it says why", lambda: re.search(
        f"keys_not_read .*others may use the key file .*'{key}'", node.log()))
    node.say("another ipa please", "one-of-very-many-0")
    assert sealed_with(node) == {old}
    key.chmod(0o600)
    until("taken up", lambda: done(node, new))
    assert node.tab("one-of-very-many-0")["tab_amount"] == 12


def settings(text):
    """The two lines for the environment, as they stand."""
    lines = text.splitlines()
    assert [x.split("=")[0] for x in lines] == ["MAYA_MASTER_KEY", "MAYA_MASTER_KEY_OLD"], text
    return lines


@pytest.mark.parametrize("given", [
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 'open, "sesame" $HOME `x` \\n it\'s # me'])
def test_a_key_from_the_environment(nodes, given):
    node = nodes({"MAYA_MASTER_KEY": given})
    node.unsaid.add(given)
    for i in range(5):
        node.say("an ipa please", f"one-of-very-many-{i}")
        give_keys(node, f"one-of-very-many-{i}")
    old = current(node)
    p = maya(node, "rotate")
    assert p.returncode == 0
    assert "nothing has changed yet" in p.stderr and given not in p.stderr
    assert current(node) == old
    node.stop()
    lines = settings(p.stdout)
    (node.folder / ".env").write_text(p.stdout)  # for the program to read
    del node.env["MAYA_MASTER_KEY"]
    node.unsaid.add(lines[0].split("=", 1)[1])
    node.start()
    until("the rotation is over", lambda: old not in sealed_with(node) and
          node.metric("maya_seal_rows_pending") == 0)
    said = maya(node, "status").stdout
    assert "No session needs what MAYA_MASTER_KEY_OLD says; it can go." in said and given not in said
    (new,) = sealed_with(node)
    assert new != old
    (node.folder / ".env").write_text(lines[0] + "\n")
    node.restart()
    for i in range(5):
        assert node.tab(f"one-of-very-many-{i}")["tab_amount"] == 6
        assert has_keys(node, f"one-of-very-many-{i}")
    assert not key_files(node)


def test_from_the_file_to_the_environment(nodes):
    node = nodes()
    node.say("an ipa please", "one-of-very-many-0")
    old = current(node)
    node.restart(MAYA_MASTER_KEY="a passphrase that is kept elsewhere")
    node.unsaid.add("a passphrase that is kept elsewhere")
    until("sealed again", lambda: node.metric("maya_seal_rewritten_total") == 1)
    until("done", lambda: node.metric("maya_seal_rows_pending") == 0)
    new = current(node)
    assert keys(node) == {new: ("seals now", 1, "MAYA_MASTER_KEY (a passphrase)"),
                          old: ("older", 0, f"{node.data}/master.key")}
    assert run(node, "prune") == f"{old}: removed {node.data}/master.key\n"
    node.restart()
    assert node.tab("one-of-very-many-0")["tab_amount"] == 6
    # And back: the first start without makes a file of its own.
    del node.env["MAYA_MASTER_KEY"]
    node.restart(MAYA_MASTER_KEY_OLD="a passphrase that is kept elsewhere")
    until("sealed again", lambda: node.metric("maya_seal_rewritten_total") == 1)
    assert node.tab("one-of-very-many-0")["tab_amount"] == 6
    assert "key_lost" not in node.log()


def test_a_wrong_key_is_refused_politely(nodes):
    node = nodes({"MAYA_MASTER_KEY": "the passphrase of the evening"})
    node.say("an ipa please", "one-of-very-many-0")
    right = current(node)
    node.restart(MAYA_MASTER_KEY="a passphrase that is wrong",
                 MAYA_MASTER_KEY_OLD="another one that is, and so are these")
    node.unsaid |= {"the passphrase of the evening", "a passphrase that is wrong",
                    "another one that is", "and so are these"}
    until("it has looked", lambda: node.metric("maya_seal_rows_unreadable") == 1)
    reply = node.chat("another ipa please", "one-of-very-many-0")
    assert reply.status == 500 and reply.json()["code"] == "session_unreadable"
    assert "passphrase" not in reply.body.decode()
    said = maya(node, "status").stdout
    assert re.search(rf"{right} +not here +1 sessions  nobody can read them", said)
    assert f"sealed with another key (id {right}; ours is" in node.log()
    node.say("an ipa please", "one-of-very-many-1")
    node.restart(MAYA_MASTER_KEY_OLD="the passphrase of the evening")
    assert node.tab("one-of-very-many-0")["tab_amount"] == 6
    node.stop()
    node.env["MAYA_MASTER_KEY_OLD"] = "a passphrase without its salt"
    (node.data / "master.salt").rename(node.data / "away")
    node.env["MAYA_MASTER_KEY"] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with pytest.raises(AssertionError, match="no ready line"):
        node.start()
    assert "is not there; put it back" in node.log()


def test_asking_makes_nothing(nodes):
    node = nodes(start=False)
    node.folder.mkdir(exist_ok=True)
    for verb in ("status", "rotate", "prune"):
        assert "No such file or directory" in maya(node, verb).stderr
        assert not node.data.exists()
    node.data.mkdir()
    for verb in ("status", "rotate", "prune"):
        p = maya(node, verb)
        assert p.returncode == 1 and "the first start of `maya serve` makes one" in p.stderr
        assert not list(node.data.iterdir())
    p = maya(node, "turn")
    assert p.returncode == 2 and "status, rotate, prune" in p.stderr
    node.start()
    assert run(node, "prune") == "There is no file of an older key.\n"
    assert list(keys(node).values()) == [("seals now", 0, f"{node.data}/master.key")]


def test_what_stands_in_the_files_is_checked(nodes):
    node = nodes()
    rotate(node)
    node.stop()
    (older,) = node.data.glob("master.key.old-*")
    older.chmod(0o644)
    assert f"run: chmod 600 '{older}'" in run(node, "status", status=1)
    older.chmod(0o600)
    text = older.read_text()
    older.write_text("half a key")
    assert "has 10 bytes and should have 45" in run(node, "rotate", status=1)
    older.write_text(text)
    run(node, "rotate")

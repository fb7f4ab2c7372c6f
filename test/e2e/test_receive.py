"""`maya receive`: how a replaced secret gets into a container's memory."""
import subprocess

from node import MAYA

OLD, NEW = "a" * 40, "b" * 40


def receive(*words, text="", code=0):
    done = subprocess.run([MAYA, "receive", *map(str, words)], input=text, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == code, done.stderr
    return done.stderr


def test_a_file_is_there_when_all_of_it_is(tmp_path):
    folder = tmp_path / "secrets"
    receive(folder / "keys", len(OLD), text=OLD)
    assert (folder / "keys").read_text() == OLD
    assert ((folder / "keys").stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    for text in (NEW[1:], NEW + "x", ""):
        said = receive(folder / "keys", len(NEW), text=text, code=1)
        assert "not as long as it was to be" in said and NEW[1:] not in said
    assert (folder / "keys").read_text() == OLD
    receive(folder / "keys", len(NEW), text=NEW)
    assert [p.name for p in folder.iterdir()] == ["keys"] and (folder / "keys").read_text() == NEW
    (tmp_path / "link").symlink_to(folder)
    receive(tmp_path / "link" / "keys", len(OLD), text=OLD, code=1)
    receive("keys", 1, text="x", code=2)
    receive(folder / "keys", text="x", code=2)

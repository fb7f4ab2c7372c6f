"""Every command of docs/deploy.md, run as it stands there."""
import json
import os
import pathlib
import re
import subprocess

import pytest

from apps import Place, People
from node import MAYA

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

DOC = pathlib.Path(__file__).resolve().parents[2] / "docs" / "deploy.md"


def commands():
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOC.read_text(), re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    # They run on this very machine: nothing on the page may change it.
    assert [line for line in lines if not line.startswith("maya ")] == []
    return lines


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("doc"))
    programs = made.folder / "programs"
    programs.mkdir()
    (programs / "maya").symlink_to(MAYA)
    made.path = f"{programs}:{os.environ['PATH']}"
    # The gateway has its usual port on a machine of one's own; here it may be taken.
    made.deploy("neighbour", {"VERSION": "1"})
    made.maya("app", "stop", "neighbour", "-y")
    yield made
    made.close()


class Reader:
    """Somebody who follows the page, with an app of his own."""

    def __init__(self, place):
        self.place, self.changes = place, 0

    def change(self):
        """What makes the next deploy another version."""
        self.changes += 1
        path = self.place.write("bar", {"VERSION": str(self.changes)},
                                canary={"step": 1, "within": 120, "sample": 20})
        pathlib.Path(path).rename(self.place.folder / "deploy.yaml")

    def run(self, command):
        done = subprocess.run(["bash", "-ec", command], cwd=self.place.folder,
                              env={**self.place.engine.env, "PATH": self.place.path},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=240)
        assert done.returncode == 0, f"{command}: {done.stderr}{self.place.state()}"
        return done.stdout

    def prepare(self, command):
        """What the page takes for granted when it gets there."""
        if "--strategy" in command and not self.place.services("bar"):
            self.change()
            self.run("maya deploy")
        if command.startswith("maya deploy") or " -f deploy.yaml" in command:
            self.change()
        elif command == "maya app rollback bar":
            self.change()
            self.run("maya deploy")
        elif command.startswith("maya app discard"):
            self.change()
            self.run("maya deploy --strategy blue-green")


def test_the_page_works_as_written(place):
    reader, run = Reader(place), []
    for command in commands():
        reader.prepare(command)
        if "canary" in command:
            with People(place) as people:
                out = reader.run(command)
            assert not people.failed
        else:
            out = reader.run(command)
        run.append(command)
        if command == "maya app rollback bar v2":
            assert [v["tag"] for v in place.history("bar").values()][0] == "rollback-to-v2"
        elif command == "maya app list --json":
            rows = {r["app"]: r for r in json.loads(out)}
            assert rows["bar"]["state"] == "deployed" and rows["neighbour"]["state"] == "stopped"
    assert len(run) > 25
    assert (place.folder / "copy.yaml").read_text() == (place.folder / "deploy.yaml").read_text()


def test_the_page_tells_of_every_verb():
    """What an app, a secret, a volume or a container can be told stands on it."""
    said = DOC.read_text()
    verbs = (DOC.parents[1] / "src/cli/verb.def").read_text()
    for command, verb in re.findall(r'^VERB\((app|secret|volume|container), (\w+)', verbs, re.M):
        assert f"maya {command} {verb}" in said, f"maya {command} {verb}"

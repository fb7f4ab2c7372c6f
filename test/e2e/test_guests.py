"""The conversations of test/data/house over the wire: order, tab, tip and balance after each."""
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "data" / "house"
FILES = sorted(HOUSE.glob("guests*.txt"))
LINE = re.compile(r"(\d+) ([^(,]+?)(?: \(([^)]*)\))?(?:, |$)")


class Guest:
    """What is expected of one guest so far; the columns are told in the README beside the files."""

    def __init__(self):
        self.order, self.tip, self.paid = "-", 0.0, 0.0

    def read(self, columns):
        for column in columns:
            if column.startswith("tip "):
                self.tip = float(column[4:])
            elif column.startswith("paid "):
                self.paid = float(column[5:])
            elif column and column != "=" and not column.startswith(("/", "!/")):
                self.order = column

    def lines(self):
        return sorted((m[2], int(m[1]), m[3] or "") for m in LINE.finditer(self.order))


def evenings(path):
    for part in re.split(r"^== .*$", path.read_text(), flags=re.M)[1:]:
        yield [[c.strip() for c in s[2:].split(" | ")] for s in part.splitlines()
               if s.startswith("> ")]


def plain(modifiers):
    return "" if modifiers == "no modifiers" else modifiers


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_sentence_of_every_guest(nodes, path):
    node = nodes(env={"MAYA_SESSIONS_PER_CONTAINER": "400", "MAYA_BURST_LIMIT": "0",
                      "MAYA_DEFAULT_SESSION_MEMORY_MB": "1", "MAYA_SESSION_RATE_LIMIT": "0",
                      "MAYA_APP_RATE_LIMIT": "0"})
    for number, evening in enumerate(evenings(path)):
        session, want = f"{path.stem}-{number:08}", Guest()
        for said, *columns in evening:
            body, tab = node.say(said, session), node.tab(session)
            want.read(columns)
            got = sorted((line["name"], line["quantity"], plain(line["modifiers"]))
                         for line in body["current_order"])
            assert got == want.lines(), (said, body["response_text"])
            sum_of_lines = sum(line["price"] for line in body["current_order"])
            assert tab["tab_amount"] == pytest.approx(sum_of_lines), said
            assert tab["tip_amount"] == pytest.approx(want.tip), (said, body["response_text"])
            assert tab["balance"] == pytest.approx(1000 - want.paid - sum_of_lines), said

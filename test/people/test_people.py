"""A thousand people talk while everything behind the gateway is changed, and nobody notices.

In one engine and in this order, and not beside other tests of the running program: `make
test-people`.
How long it takes them is for the benchmark of the same name to say.
"""
import pytest

import apps
from evening import STEPS, Evening

PEOPLE, WATCHED, EVERY_S, WATCH_S = 1000, 200, 10, 5


@pytest.fixture(scope="module")
def evening(tmp_path_factory):
    place = apps.Place(tmp_path_factory.mktemp("evening"))
    try:
        what = Evening(place, PEOPLE, EVERY_S, WATCH_S)
        what.begin(PEOPLE, WATCHED)
        yield what
    finally:
        place.close()


@pytest.mark.parametrize("step", [step for _, step in STEPS], ids=[title for title, _ in STEPS])
def test_nobody_notices(evening, step):
    noticed = evening.take(step)
    assert noticed.asked > PEOPLE / 2  # it was an evening like any other
    assert noticed.failed == [], evening.place.state()
    assert (noticed.turns_lost, noticed.sessions_lost, noticed.missed) == (0, 0, []), noticed


def test_all_of_it_was_said(evening):
    assert len(evening.crowd.acknowledged) >= PEOPLE
    assert evening.end() == (0, 0)

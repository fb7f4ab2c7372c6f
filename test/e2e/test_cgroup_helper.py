"""The helper itself: what later tests conclude from it must hold."""

import pytest

from cgroup_helper import MIB, CgroupUnavailable, MemoryCgroup
from node import until

LIMIT = 96 * MIB


@pytest.fixture
def group():
    try:
        made = MemoryCgroup(LIMIT)
    except CgroupUnavailable as e:
        pytest.skip(str(e))
    with made:
        yield made


def test_page_cache_is_charged_up_to_the_limit(group, tmp_path):
    try:
        writer = group.fill_page_cache(tmp_path)
    except CgroupUnavailable as e:
        pytest.skip(str(e))
    try:
        assert group.charged() > LIMIT * 0.95
        assert group.oom_kills() == 0
    finally:
        group.let_go(writer)


def test_held_memory_is_charged_and_comes_back(group):
    holder = group.hold_memory(60 * MIB)
    try:
        assert group.charged() >= 60 * MIB
    finally:
        group.let_go(holder)
    until("its memory is given back", lambda: group.charged() < 20 * MIB)


def test_too_much_memory_is_killed_and_counted(group):
    with pytest.raises(RuntimeError):
        group.hold_memory(120 * MIB)
    assert group.oom_kills() == 1

"""Items are shared out to processes and nothing is lost when one of them dies."""

import os
import signal

import pytest

from stages.core.errors import ResourceError
from stages.training.workers import AHEAD, shared_out
from tests.training.fake_people import After, never


def _square(number: int) -> int:
    return number * number


def _die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_worked_on_once(workers):
    assert sorted(shared_out(_square, range(5), workers, never)) == [0, 1, 4, 9, 16]
    assert list(shared_out(_square, [], workers, never)) == []


def test_a_stop_lets_the_items_under_way_finish():
    assert list(shared_out(_square, range(50), 1, After(2))) == [0, 1]
    assert len(list(shared_out(_square, range(50), 2, After(3)))) <= 2 * AHEAD


def test_a_killed_worker_is_said():
    with pytest.raises(ResourceError, match="killed"):
        list(shared_out(_die_at_three, range(8), 2, never))

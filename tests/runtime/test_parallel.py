"""A pool of processes ends with its block, whatever its workers are doing."""

import os
import time
from multiprocessing import active_children

import pytest

from solvers import InputError
from solvers.runtime.parallel import each_result, pool

A_DAY = 86_400


def test_work_that_an_interrupt_left_behind_is_not_waited_for() -> None:
    def interrupted() -> None:
        with pool(2, 9) as executor:
            assert executor is not None
            # Two of them run, the others are cancelled; an exception in the executor's own
            # thread would be a warning, and so an error.
            for _, _ in each_result(time.sleep, [0, *[A_DAY] * 8], executor):
                raise KeyboardInterrupt

    before = set(active_children())
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # The executor's own thread may be about to strike them off that list; they are gone.
    for process in set(active_children()) - before:
        assert process.pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)


def test_one_worker_or_one_piece_needs_no_process() -> None:
    for workers, pieces in ((1, 9), (9, 1), (None, 1)):
        with pool(workers, pieces) as executor:
            assert executor is None
    with (
        pytest.raises(InputError, match="workers: expected a whole number"),
        pool(0, 2),
    ):
        pass

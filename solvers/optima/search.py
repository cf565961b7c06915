"""How to search: how many starts, from which seed, on which processes, and who is told."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeAlias

from solvers.runtime.arguments import check_whole
from theory.exact.errors import InputError

#: Called with the numbers of finished and of planned pieces of work.
Progress: TypeAlias = Callable[[int, int], None]

_LARGEST_COUNT = 10**9
# A search that goes on takes at most this many times the starts that it was asked for.
_LIMIT = 8


@dataclass(frozen=True)
class Search:
    """How to search for the minima of a loss.

    Parameters
    ----------
    starts : int ≥ 1, optional
        Random starts, at least. By default 32 for an optimum, 4 where the reconstruction is
        relative, and 256 for a landscape.
    seed : int ≥ 0
        Fixes every start. What is found does not depend on the executor.
    executor : concurrent.futures.Executor, optional
        Runs the starts: a process pool, a cluster's. By default they run here, one after the
        other.
    progress : callable, optional
        Called with the numbers of finished and of planned starts.
    limit : int ≥ starts, optional
        Random starts, at most: an optimum's search goes on while the best loss was rarely reached
        and the proven bound leaves room. By default 8 times `starts`.

    Raises
    ------
    InputError
        Naming the field, its value and what was expected.

    Examples
    --------
    >>> Search(starts=64).most(32), Search(starts=64, limit=64).most(32), Search().most(32)
    (512, 64, 256)
    """

    starts: int | None = None
    seed: int = 0
    executor: Executor | None = None
    progress: Progress | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.starts is not None:
            check_whole("starts", self.starts, 1, _LARGEST_COUNT)
        check_whole("seed", self.seed, 0, _LARGEST_COUNT)
        if self.limit is not None:
            check_whole("limit", self.limit, self.starts or 1, _LARGEST_COUNT)
        for name, method in (("executor", "submit"), ("progress", "__call__")):
            value = getattr(self, name)
            if value is not None and not hasattr(value, method):
                raise InputError(name, f"None or an object with a method {method}", value)

    def least(self, default: int) -> int:
        """Return the number of starts to make in any case."""
        count = default if self.starts is None else int(self.starts)
        return count if self.limit is None else min(count, int(self.limit))

    def most(self, default: int) -> int:
        """Return the number of starts at which to stop in any case."""
        return _LIMIT * self.least(default) if self.limit is None else int(self.limit)

    def tell(self, done: int, planned: int) -> None:
        """Report progress, if anyone wants to know."""
        if self.progress is not None:
            self.progress(done, planned)

"""Independent pieces of work, here or through any `concurrent.futures.Executor`."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import TypeVar

from solvers.runtime.arguments import check_whole
from theory.exact.errors import InputError

# What the libraries behind numpy read when they are loaded.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

_SECONDS_BETWEEN_LOOKS = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_result(
    work: Callable[[Item], Result], items: Sequence[Item], executor: Executor | None
) -> Iterator[tuple[int, Result]]:
    """Yield index and result of every item as it ends; in order if there is no executor.

    When the caller stops early, as an interrupt makes it do, what has not begun is cancelled.

    Examples
    --------
    >>> list(each_result(abs, [-1, 2], None))
    [(0, 1), (1, 2)]
    """
    if executor is None:
        for index, item in enumerate(items):
            yield index, work(item)
        return
    futures: dict[Future[Result], int] = {
        executor.submit(work, item): index for index, item in enumerate(items)
    }
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def pool(workers: int | None, pieces: int) -> Iterator[Executor | None]:
    """Yield a process pool of as many workers, or None if one worker or piece is all there is.

    Parameters
    ----------
    workers : int ≥ 1 or None
        None for as many as the machine has cores.
    pieces : int
        How many pieces of work there are.

    Raises
    ------
    InputError
        If `workers` is less than 1, or one of them dies, as for want of memory.
    """
    if workers is not None:
        workers = check_whole("workers", workers, 1)
    count = min(workers or os.cpu_count() or 1, pieces)
    if count <= 1:
        yield None
        return
    before = active_children()
    # Forking a process that has threads, as numerical libraries start them, may deadlock.
    executor = ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_follow, initargs=(os.getpid(),)
    )
    with _one_thread_each(), _without_interrupts():
        # A worker is started for every piece for which none is idle; these are none to do.
        for _ in range(count):
            executor.submit(int)
    try:
        with _one_thread_each():
            yield executor
    except BrokenProcessPool:
        raise InputError(
            "workers",
            f"fewer than {count}",
            hint="one of the processes died; with fewer there is more memory for each",
        ) from None
    finally:
        # Not `with`, which waits for what an interrupt left behind, however long it takes. The
        # executor is told first, so that it does not take the end of its workers for a failure.
        executor.shutdown(wait=False, cancel_futures=True)
        # On a busy machine a worker may have been started later than the others.
        processes = [process for process in active_children() if process not in before]
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _follow(parent: int) -> None:
    """Leave interrupts to the parent, and end when it does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C meanwhile, as do processes that are started: they inherit it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that begin meanwhile use one thread for linear algebra.

    As many threads in each of as many processes wait for each other more than they work.
    """
    absent = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(absent, "1"))
    try:
        yield
    finally:
        for name in absent:
            del os.environ[name]

"""Work that processes share: one function over many items, stopped between items; none outlives its parent."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from stages.core.errors import ResourceError
from stages.synthetic.stream import become_worker

AHEAD = 2  # items under way for each worker


def shared_out(
    task: Callable[[Any], Any], items: Sequence[Any], workers: int, stop: Callable[[], bool]
) -> Iterator[Any]:
    """What `task` returns of each item, as it gets ready; ends early when `stop()`, after the items under way.

    task     picklable, as are items and results; with one worker or one item it runs in this process
    errors   what `task` raises. ResourceError: a worker was killed
    """
    if workers <= 1 or len(items) <= 1:
        for item in items:
            if stop():
                return
            yield task(item)
        return
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(min(workers, len(items)), spawn, initializer=become_worker) as executor:
            waiting, running = list(reversed(items)), set[Future]()
            while waiting or running:
                while waiting and len(running) < AHEAD * workers and not stop():
                    running.add(executor.submit(task, waiting.pop()))
                if stop():
                    waiting = []
                finished, running = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
    except BrokenProcessPool as error:
        raise ResourceError("a worker process was killed, perhaps for want of memory. Use fewer --workers") from error

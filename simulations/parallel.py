"""A function called over many values in so many processes; what it returns comes as it is done."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Protocol, TypeVar

S = TypeVar("S")
T = TypeVar("T")


class Players(Protocol):
    """Calls a function over many values."""

    def __call__(self, function: Callable[[S], T], values: Sequence[S], /) -> Iterable[tuple[S, T]]:
        """Yield each value with what the function returns for it, as it is done."""


def as_done(workers: int) -> Players:
    """Return what calls a function in so many processes; one process is this one."""

    def play(function: Callable[[S], T], values: Sequence[S]) -> Iterator[tuple[S, T]]:
        if workers < 2 or len(values) < 2:  # noqa: PLR2004  # one process is this one
            yield from ((value, function(value)) for value in values)
            return
        with ProcessPoolExecutor(min(workers, len(values)), mp_context=get_context("spawn")) as pool:
            futures: dict[Future[T], S] = {pool.submit(function, value): value for value in values}
            try:
                yield from ((futures[future], future.result()) for future in as_completed(futures))
            finally:
                pool.shutdown(cancel_futures=True)

    return play

"""The queue of one planning run: asked for one job at a time, so that the order can depend on what was placed."""

from collections.abc import Iterable, Iterator

from scheduler.model.workloads import TrainingJob


class Line:
    """Waiting jobs in the order in which they are tried; gone through again it is the same order."""

    def __init__(self, order: Iterable[TrainingJob]) -> None:
        """Take an order that is worked out as it is asked for."""
        self._known = list(order) if isinstance(order, tuple) else []
        self._coming = iter(()) if isinstance(order, tuple) else iter(order)

    def __iter__(self) -> Iterator[TrainingJob]:
        """Yield what was asked for before, then what comes."""
        yield from self._known
        position = len(self._known)
        while position < len(self._known) or self._ask():
            yield self._known[position]
            position += 1

    def _ask(self) -> bool:
        job = next(self._coming, None)
        if job is not None:
            self._known.append(job)
        return job is not None

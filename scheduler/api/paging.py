"""Long lists in pages: what comes after a cursor, and the cursor of what comes after that."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from scheduler.control.records import EventRecord, JobRecord
from scheduler.model.errors import ConfigError
from scheduler.store.numbering import row_number
from scheduler.wire.jobs import Job

CHUNK: Final = 200
"""Jobs read from the store at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list of jobs: first those that wait, in the order of trying, then all others by number.

    Attributes:
        order: of the last one seen that waits; None when all of these were seen.
        number: of the last one seen of the others.
    """

    order: int | None = 0
    number: int = 0

    @classmethod
    def of(cls, cursor: str) -> "Place":
        """Read a cursor.

        Raises:
            ConfigError: it is none of ours.
        """
        kind, _, number = cursor.partition("-")
        if not cursor:
            return cls()
        place = row_number(number)
        if kind not in {"order", "job"} or place is None:
            raise ConfigError(f'"{cursor}" is no cursor', help="give what the page before said under next")
        return cls(place) if kind == "order" else cls(None, place)


def page_of(
    waiting: Sequence[Job], others: Callable[[int], Iterator[Job]], place: Place, limit: int
) -> tuple[tuple[Job, ...], str]:
    """Return a page, and the cursor of the next; "" at the end.

    Args:
        waiting: that have a place in the order of trying.
        others: yields those with numbers above one, by number.
        place: where the page before ended.
        limit: of jobs.
    """

    def following() -> Iterator[Job]:
        if place.order is not None:
            yield from sorted(
                (job for job in waiting if (job.order or 0) > place.order), key=lambda job: job.order or 0
            )
        yield from others(place.number)

    found = tuple(islice(following(), limit + 1))
    if len(found) <= limit:
        return found, ""
    last = found[limit - 1]
    return found[:limit], f"job-{last.id}" if last.order is None else f"order-{last.order}"


def in_chunks(read: Callable[[int, int], Sequence[JobRecord]], after: int) -> Iterator[JobRecord]:
    """Yield jobs by number, read as far as somebody asks for them."""
    while chunk := read(after, CHUNK):
        yield from chunk
        after = int(chunk[-1].job_id)


def newest(found: Sequence[EventRecord], limit: int) -> tuple[Sequence[EventRecord], str]:
    """Return the newest of one event more than was asked for, and the cursor of those before; "" without any."""
    if len(found) <= limit:
        return found, ""
    kept = found[len(found) - limit :]
    return kept, str(kept[0].event_id)

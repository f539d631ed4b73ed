"""Spans of time in which a start meets the same bookings, whenever in the span it is."""

from collections.abc import Iterator, Sequence
from math import inf, nextafter
from typing import TypeAlias

from scheduler.planning.placement.availability import PlannedStart
from scheduler.planning.placement.cached_trial import CachedTrial

Booked: TypeAlias = tuple[PlannedStart, CachedTrial]
"""A booking, and what will be free when it begins, all bookings taken off."""


def spans(booked: Sequence[Booked], now_s: float, runtime_s: float) -> Iterator[tuple[float, float, list[Booked]]]:
    """Yield spans of starting times, one after the other, with the bookings that begin while a job would run.

    They change where a booking begins or ends, and where the job's end meets one's beginning: a span of that one
    moment lies before the one in which they overlap.

    Args:
        booked: all bookings.
        now_s: where the first span begins, epoch seconds.
        runtime_s: how long the job would run.
    """
    edges = ((one.start_s, one.end_s, one.start_s - runtime_s) for one, _ in booked)
    moments = sorted({now_s, *(at_s for edge in edges for at_s in edge if now_s < at_s < inf)})
    for begins_s, until_s in zip(moments, [*moments[1:], inf], strict=True):
        ahead = [pair for pair in booked if begins_s < pair[0].start_s]
        touching = [pair for pair in ahead if pair[0].start_s < begins_s + runtime_s]
        overlapping = [pair for pair in ahead if pair[0].start_s - runtime_s <= begins_s]
        if len(touching) < len(overlapping):
            yield begins_s, nextafter(begins_s, inf), touching
        yield begins_s, until_s, overlapping

"""Keeping serving at the replicas demanded: start, move, stop, and take room from training when there is no other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from scheduler.model.demand import Demand
from scheduler.model.plan import Cause, StartReplica, StopReplica
from scheduler.planning.draft.changes import Preemption
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need
from scheduler.planning.placement.placing import fewest_hosts, most_even
from scheduler.planning.preemption.candidates import Victim
from scheduler.planning.restarts.shrink import victims_by_cost
from scheduler.planning.serving.fleet import Fleet, allowed, count_by_row, fleets, survival_need
from scheduler.planning.serving.retirement import give_way, let_go
from scheduler.planning.serving.scale_down import stop_surplus
from scheduler.planning.victim_selection.weighing import weighed


@dataclass
class ServingDecision:
    """What serving was given.

    Attributes:
        starts: replicas that start now, most important model first.
        stops: replicas that are not needed (any more) where they are.
        fleets: what there was before, in the same order.
    """

    starts: list[StartReplica] = field(default_factory=list)
    stops: list[StopReplica] = field(default_factory=list)
    fleets: tuple[Fleet, ...] = ()


def keep_serving(draft: Draft, demand: Demand) -> ServingDecision:
    """Start what is missing, most important model first, and stop what is not needed."""
    served = ServingDecision(fleets=fleets(draft.snapshot, demand.models))
    served.stops.extend(let_go(draft, served.fleets))
    for fleet in served.fleets:
        served.stops.extend(stop_surplus(fleet, draft))
    for fleet in served.fleets:
        _Supply(fleet, draft, served).secure()
    return served


class _Supply:
    """The search for room for one model's missing replicas."""

    def __init__(self, fleet: Fleet, draft: Draft, served: ServingDecision) -> None:
        self.fleet, self.draft, self.served = fleet, draft, served
        self.name, self.shape = fleet.model.name, fleet.model.shape
        self.reserved_before = list(draft.release(self.name))

    def secure(self) -> None:
        """Find room for the replicas wanted, and then for those that make up for lost hosts."""
        missing = min(self.fleet.wanted - len(self.fleet.staying), self.fleet.may_start)
        if missing <= 0 and not self.fleet.model.survive_host_losses:
            return
        rows = self.draft.room.now.table.rows
        self.counts = count_by_row(self.fleet.staying, rows)
        if missing > 0:
            limit = allowed(self.fleet.model, np.maximum(self.fleet.max_per_host - self.counts, 0), rows)
            missing = self._have_room_left(self._find_room(Need(self.shape, missing, limit)))
        if missing <= 0 and self.fleet.model.survive_host_losses:
            room = self.draft.stoppable.candidates.units_if_all_stopped(self.draft.room.coming, self.shape)
            need = survival_need(self.fleet, self.counts, allowed(self.fleet.model, room, rows))
            if need and self.fleet.may_start > 0:
                self._find_room(replace(need, count=min(need.count, self.fleet.may_start)))

    def _have_room_left(self, need: Need) -> int:
        """Have undeclared models leave room for what found none; return what still misses."""
        if need.count and not self.served.starts and (stops := give_way(need, self.draft)):
            self.served.stops.extend(stops)
            need = self._reserve(need)
        return need.count

    def _find_room(self, need: Need) -> Need:
        """Start in free room, then in room reserved for the less important, then have room freed; return what misses.

        What is reserved for others comes after all that is free, but before anybody is preempted: stopping more
        training would lose work to keep a reservation of room that nobody uses yet.
        """
        need = self._start(need)
        if need.count:
            released = self.draft.release_all_but((*self._more_important(), self.name))
            need = self._reserve_or_preempt(self._start(need))
            self.draft.reserve_again(released)
        return need

    def _reserve_or_preempt(self, before: Need) -> Need:
        need = self._reserve(before)
        victims = self._preempt(need)
        need = self._reserve(need)
        if victims and not self.fleet.model.survive_host_losses:
            whole = replace(before, count=before.count - need.count)
            self.draft.may_spare(Preemption(self.name, whole, victims, Cause.SERVING))
        return need

    def _more_important(self) -> tuple[str, ...]:
        names = [fleet.model.name for fleet in self.served.fleets]
        return tuple(names[: names.index(self.name)])

    def _start(self, need: Need) -> Need:
        rows = self._rows(need, self.draft.room.now)
        slots = self.draft.start_replicas(self.name, rows)
        model = self.fleet.model
        self.served.starts.extend(StartReplica(model.served_as, slot, revision=model.revision) for slot in slots)
        return self._less(need, rows)

    def _reserve(self, need: Need) -> Need:
        """Reserve what is being freed, where it was reserved before if that still holds.

        What was reserved for lost hosts stays where it is, too: moved, its old room would have others stopped.
        """
        row_of = self.draft.room.now.table.rows
        while need.count and self.reserved_before:
            slot, *self.reserved_before = self.reserved_before
            row = row_of.get(slot.host)
            if row is not None and need.limit_on(row) and self.draft.reserve_at(self.name, (slot,)):
                need = self._less(need, [row])
        rows = self._rows(need, self.draft.room.coming)
        self.draft.reserve(self.name, rows)
        return self._less(need, rows)

    def _preempt(self, need: Need) -> tuple[Victim, ...]:
        """Have training stopped for as many of the missing replicas as that can make room for."""
        room, candidates = self.draft.room.coming, self.draft.stoppable.candidates
        possible = int(need.fitting(candidates.units_if_all_stopped(room, self.shape)).sum())
        attainable = replace(need, count=min(need.count, possible))
        cheapest = victims_by_cost(attainable, self.draft, candidates) or ()
        victims = weighed(attainable, self.draft, candidates, cheapest, self.name)
        self.draft.stop(Preemption(self.name, attainable, victims, Cause.SERVING))
        return victims

    def _rows(self, need: Need, ledger: CachedTrial) -> Sequence[int]:
        units = need.fitting(ledger.units(self.shape))
        count = min(need.count, int(units.sum()))
        if not count:
            return ()
        if self.fleet.model.survive_host_losses:
            return most_even(units, count, ledger.scores(self.shape, self.draft.scorer), self.counts)
        return fewest_hosts(units, count, ledger.score(self.shape, self.draft.scorer))

    def _less(self, need: Need, rows: Sequence[int]) -> Need:
        added = np.bincount(np.array(rows, dtype=np.int64), minlength=len(self.counts))
        self.counts = self.counts + added
        return replace(need, count=need.count - len(rows), limit=np.maximum(need.limit - added, 0))

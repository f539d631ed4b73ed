"""The simulated cluster: hosts, gangs that take their time and replicas that warm up, all on the virtual clock."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from scheduler.control.ports import JobSpecs
from scheduler.control.settings import Declared
from scheduler.model.errors import ActionFailed, NotFound
from scheduler.model.hosts import Host, HostState
from scheduler.model.observation import Observation, Order, Run, RunState, Stray
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Held
from scheduler.model.workloads import JobId, ServingModel
from scheduler.planning.reasons.wording import size
from simulations.engine import Engine, Event
from simulations.replicas import Replicas
from simulations.room import Room
from simulations.showing import Showing
from simulations.usage import Meter, TrainingTotals, Use
from simulations.work import Attempt, Workload


class SimulatedCluster:
    """A `scheduler.control.ports.Cluster` whose hosts exist only in memory.

    It refuses whatever would take more than a host has, keeps checkpoints of jobs for ever, and lets nothing happen
    but through the engine.

    Attributes:
        engine: the virtual clock.
        room: what is free, counted apart from the planner's ledger.
        replicas: the replicas of served models.
        meter: GPU-seconds by `Use`.
        totals: where the GPU-seconds of ended attempts went.
        refused: how many actions it refused; the planner is at fault for each.
        shares: part of its model's requests that a revision gets, of those for which it is said.
    """

    def __init__(
        self,
        engine: Engine,
        hosts: Iterable[Host],
        models: Iterable[ServingModel],
        specs: JobSpecs,
        workload: Workload,
    ) -> None:
        """Start with empty hosts."""
        self.engine = engine
        self.room = Room(tuple(hosts))
        self.meter = Meter(engine.now_s())
        self.replicas = Replicas(engine, self.room, self.meter, models)
        self.totals = TrainingTotals()
        self.refused = 0
        self.shares: dict[tuple[str, int], float] = {}
        self._specs = specs
        self._workload = workload
        self._attempts: dict[tuple[JobId, int], Attempt] = {}
        self._running: dict[JobId, tuple[JobId, int]] = {}
        self._timers: dict[tuple[JobId, int], Event] = {}
        self._last_seen: dict[tuple[JobId, int], Run] = {}
        self._showing = Showing()
        self._silent: set[str] = set()
        self._spoiled: set[JobId] = set()
        self._saved_s: dict[JobId, float] = {}
        self._known: dict[JobId, int] = {}
        self._strays: dict[str, Stray] = {}
        self._occupied: dict[str, tuple[Held, ...]] = {}
        self._asked: dict[str, int] = {}
        self._orders: dict[str, Order] = {}

    def observe(self) -> Observation:
        """Return what runs now; never fails."""
        now_s, shown = self.engine.now_s(), self._showing.of
        runs = tuple(self._last_seen.get(key) or shown(attempt, now_s) for key, attempt in self._attempts.items())
        strays = tuple(self._strays[name] for name in sorted(self._strays))
        occupied = tuple(held for name in sorted(self._occupied) for held in self._occupied[name])
        return Observation(
            now_s,
            self.room.hosts,
            runs,
            self.replicas.all,
            strays=strays,
            occupied=occupied,
            asked=tuple(sorted(self._asked.items())),
            orders=tuple(self._orders.values()),
        )

    def apply(self, action: Action) -> None:
        """Begin to carry out one action.

        Raises:
            ActionFailed: there is no such host, model or job, or no room; nothing was changed.
        """
        try:
            self._apply(action)
        except ActionFailed:
            self.refused += 1
            raise

    def declare(self, declared: Sequence[Declared]) -> None:
        """Know which revisions of models are served, and which part of the requests each gets."""
        self.replicas.declare(one.model for one in declared)
        self.shares = {one.model.revised: one.share for one in declared if one.share is not None}

    def forget(self, job_id: JobId, attempt: int) -> None:
        """Drop an ended attempt; one that holds room stays."""
        kept = self._attempts.get((job_id, attempt))
        if kept is not None and not kept.run.state.holds_room:
            del self._attempts[job_id, attempt]
            self._showing.forget((job_id, attempt))

    def resume(self, attempt: Attempt, grace_s: float) -> None:
        """Let an attempt be there part-way; one that was told to stop ends after what is left of its grace.

        Raises:
            ActionFailed: it has no room.
        """
        self.room.take(attempt.run.slots, attempt.shape)
        self._attempts[attempt.key] = attempt
        self._running[attempt.run.job_id] = attempt.key
        self._known[attempt.run.job_id] = attempt.run.attempt
        self._saved_s[attempt.run.job_id] = attempt.base_s
        now_s = self.engine.now_s()
        self.meter.add(Use.TRAINING, attempt.gpus, now_s)
        if attempt.stop_at_s is None:
            self._timers[attempt.key] = self._end_of(attempt)
            return
        saves, ends_s = attempt.saves_within(grace_s), attempt.stop_at_s + min(attempt.work.save_s, grace_s)
        end = lambda: self._end(attempt.key, RunState.STOPPED, saved=saves)  # noqa: E731  # as for one told here
        self._timers[attempt.key] = self.engine.at(ends_s, end)

    def knows(self, job_id: JobId, attempts: int) -> None:
        """Know how many attempts a job had before the simulation began."""
        self._known[job_id] = attempts

    def settle(self, stray: Stray) -> None:
        """Let somebody else's work be there, in the room that it says it holds.

        Raises:
            ActionFailed: there is no such room.
        """
        for slot, shape in stray.held:
            self.room.take((slot,), shape)
        self._strays[stray.name] = stray

    def adopt(self, stray: Stray) -> None:
        """Go on with a stray as the attempt that it says it is.

        Raises:
            ActionFailed: it says nothing of that kind.
        """
        if stray.name not in self._strays:
            return
        action = StartJob(JobId(stray.job_id), stray.attempt, tuple(slot for slot, _ in stray.held))
        self._new_attempt(action)  # refused before anything is changed
        self._leave(stray.name)
        self._start(action)

    def evict(self, stray: Stray, grace_s: float) -> None:
        """End a stray when the grace is over."""
        self.engine.after(grace_s, lambda: self._leave(stray.name))

    def occupy(self, host: str, *held: Held) -> None:
        """Let other work take this room of a host from now on, in place of what it took before; none for nothing.

        Args:
            host: its name.
            held: in the order of their slots, one entry a slot; ours goes on where it takes more than is left.
        """
        self.room.occupy(self._occupied.pop(host, ()), held)
        if held:
            self._occupied[host] = held

    def ask(self, model: str, replicas: int) -> None:
        """Let a controller of the cluster itself want so many replicas of a model from now on; 0 for none."""
        self._asked = {name: count for name, count in {**self._asked, model: replicas}.items() if count}

    def order(self, order: Order) -> None:
        """Let a job be given to the cluster itself, or be there otherwise than before."""
        self._orders[order.spec.origin] = order

    def withdraw(self, origin: str) -> None:
        """Delete a job that was given to the cluster itself, with what runs of it."""
        self._orders.pop(origin, None)
        for job_id in [job_id for job_id in self._running if self._specs.spec(job_id).origin == origin]:
            self.remove_by_hand(job_id)

    def lose_host(self, name: str, reason: str = "no heartbeat") -> None:
        """Take a host away with all that runs on it; gangs with one worker there are lost whole."""
        now_s = self.engine.now_s()
        host = self.room.host(name)
        if host.state is HostState.LOST and name not in self._silent:
            return
        self._end_silence(name)
        for key in self._alive_on(name):
            self._end(key, RunState.LOST, message=f"host {name} was lost")
        self.replicas.lose_host(name)
        self.room.replace(replace(host, state=HostState.LOST, reason=reason, since_s=now_s))
        self.meter.add(Use.LOST, len(host.devices), now_s)

    def silence_host(self, name: str, reason: str = "no word from it", since_s: float | None = None) -> None:
        """Hear no more of a host: what runs there goes on, is shown as it was last seen, and hears no orders."""
        now_s = self.engine.now_s()
        self._silent.add(name)
        self._last_seen |= {key: self._attempts[key].seen_at(now_s) for key in self._alive_on(name)}
        self.room.replace(
            replace(
                self.room.host(name), state=HostState.LOST, reason=reason, since_s=now_s if since_s is None else since_s
            )
        )

    def hear_host(self, name: str) -> None:
        """Hear of a silent host again, with all that runs there."""
        self._end_silence(name)
        self.room.replace(replace(self.room.host(name), state=HostState.READY, reason="", since_s=self.engine.now_s()))

    def cordon_host(self, name: str, reason: str) -> None:
        """Let the cluster itself give a host no new work; what runs there goes on."""
        cordoned = replace(self.room.host(name), state=HostState.CORDONED, reason=reason, since_s=self.engine.now_s())
        self.room.replace(cordoned)

    def stop_by_hand(self, job_id: JobId) -> None:
        """Stop a job's attempt as somebody would who goes past the control plane."""
        self._end(self._running[job_id], RunState.STOPPED)

    def remove_by_hand(self, job_id: JobId) -> None:
        """Remove a job's attempt without a trace, as somebody would who goes past the control plane."""
        key = self._running[job_id]
        self._end(key, RunState.STOPPED)
        del self._attempts[key]
        self._showing.forget(key)

    def spoil(self, job_id: JobId) -> None:
        """Let no attempt of a job come up: each gets its room, and is over before it runs."""
        self._spoiled.add(job_id)

    def return_host(self, name: str) -> None:
        """Bring a lost host back, empty."""
        now_s = self.engine.now_s()
        host = self.room.host(name)
        if host.state is HostState.LOST and name not in self._silent:
            self.room.replace(replace(host, state=HostState.READY, reason="", since_s=now_s))
            self.meter.add(Use.LOST, -len(host.devices), now_s)

    def saved_s(self, job_id: JobId) -> float:
        """Return the seconds of progress from which a job would go on."""
        return self._saved_s.get(job_id, 0.0)

    def totals_now(self) -> TrainingTotals:
        """Return where the GPU-seconds of attempts went, with those that run: what they have done is not lost yet."""
        now_s, totals = self.engine.now_s(), self.totals
        for key in self._timers:
            attempt = self._attempts[key]
            done = (attempt.done_s(now_s) - attempt.base_s) * attempt.gpus / attempt.speed
            totals = totals.plus(held=(now_s - attempt.run.started_at_s) * attempt.gpus, kept=done, lost=0.0)
        return totals

    def _leave(self, name: str) -> None:
        stray = self._strays.pop(name, None)
        for slot, shape in stray.held if stray else ():
            self.room.give((slot,), shape)

    def _apply(self, action: Action) -> None:
        match action:
            case StartJob():
                self._start(action)
            case PreemptJob():
                self._stop(action)
            case StartReplica():
                self.replicas.start(action.model, action.slot, action.revision)
            case StopReplica():
                self.replicas.stop(action.replica_id)
            case _:
                assert_never(action)

    def _start(self, action: StartJob) -> None:
        if action.attempt <= self._known.get(action.job_id, 0):
            return
        attempt = self._new_attempt(action)
        self.room.take(action.slots, attempt.shape)
        self._attempts[attempt.key] = attempt
        self._running[action.job_id] = attempt.key
        self._known[action.job_id] = action.attempt
        self.meter.add(Use.TRAINING, attempt.gpus, self.engine.now_s())
        self._timers[attempt.key] = self._end_of(attempt)

    def _end_of(self, attempt: Attempt) -> Event:
        if attempt.run.job_id not in self._spoiled and not self.replicas.faults.job_fails(*attempt.key):
            return self.engine.at(attempt.ends_at_s, self._finisher(attempt.key))
        why = "its driver did not come up"
        return self.engine.after(1.0, lambda: self._end(attempt.key, RunState.NOT_STARTED, message=why))

    def _new_attempt(self, action: StartJob) -> Attempt:
        job_id = action.job_id
        try:
            spec, work = self._specs.spec(job_id), self._workload.work(job_id)
        except (NotFound, KeyError) as missing:
            raise ActionFailed(f"job {job_id} is unknown to the simulation") from missing
        if job_id in self._running and self._running[job_id] not in self._last_seen:
            raise ActionFailed(f"job {job_id} still holds room with attempt {self._running[job_id][1]}")
        if not spec.gang.workers <= len(action.slots) <= spec.gang.most:
            raise ActionFailed(f"job {job_id} has {size(spec.gang)} workers, not {len(action.slots)}")
        run = Run(job_id, action.attempt, action.slots, RunState.STARTING, self.engine.now_s())
        speed = len(action.slots) / spec.gang.most
        return Attempt(run, spec.gang.shape, work, self.saved_s(job_id), spec.checkpoint_interval_s, speed)

    def _finisher(self, key: tuple[JobId, int]) -> Callable[[], None]:
        def finish() -> None:
            breaks = self._attempts[key].work.breaks
            self._end(key, RunState.FAILED if breaks else RunState.SUCCEEDED, message="exit code 1" if breaks else "")

        return finish

    def _stop(self, action: PreemptJob) -> None:
        key = (action.job_id, action.attempt)
        attempt = self._attempts.get(key)
        if attempt is None or key in self._last_seen or attempt.run.state not in {RunState.STARTING, RunState.RUNNING}:
            return
        now_s = self.engine.now_s()
        stopping = self._attempts[key] = attempt.told_to_stop(now_s)
        saves = stopping.saves_within(action.grace_period_s)
        takes_s = min(attempt.work.save_s, action.grace_period_s)
        self._timers[key].call_off()
        self._timers[key] = self.engine.after(takes_s, lambda: self._end(key, RunState.STOPPED, saved=saves))

    def _end(self, key: tuple[JobId, int], state: RunState, *, saved: bool = False, message: str = "") -> None:
        now_s = self.engine.now_s()
        attempt = self._attempts[key] = self._attempts[key].ended(state, now_s, saved=saved, message=message)
        self._timers.pop(key).call_off()
        if self._running.get(key[0]) == key:
            del self._running[key[0]]
        self.room.give(attempt.run.slots, attempt.shape)
        self.meter.add(Use.TRAINING, -attempt.gpus, now_s)
        self._account(attempt, now_s)

    def _end_silence(self, host: str) -> None:
        self._silent.discard(host)
        self._last_seen = {
            key: run for key, run in self._last_seen.items() if any(slot.host in self._silent for slot in run.slots)
        }

    def _alive_on(self, host: str) -> list[tuple[JobId, int]]:
        return [key for key in self._timers if _sits_on(self._attempts[key].run, host)]

    def _account(self, attempt: Attempt, now_s: float) -> None:
        done_s = attempt.done_s(now_s)
        kept_s = done_s if attempt.run.state is RunState.SUCCEEDED else attempt.kept_s(now_s)
        self._saved_s[attempt.key[0]] = kept_s
        self.totals = self.totals.plus(
            held=(now_s - attempt.run.started_at_s) * attempt.gpus,
            kept=(kept_s - attempt.base_s) * attempt.gpus / attempt.speed,
            lost=(done_s - kept_s) * attempt.gpus / attempt.speed,
        )


def _sits_on(run: Run, host: str) -> bool:
    return any(slot.host == host for slot in run.slots)

"""The traffic to come as paths, drawn once, and what serving needs on each of them step by step: nothing is refitted.

A control plane on a path would know its load up to then. Its forecast is taken to be the one of now, with the errors
of as many bins ahead as it looks from there, moved by as much as the path is off the middle by then, which fades.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted
from forecasting.joint import joint_paths
from forecasting.shares import Share
from scheduler.control.demand.joint_peaks import kind_of, replicas_for
from scheduler.control.demand.loads import lead_s_of, peak_of, quantile_of
from scheduler.control.settings import Served, Settings
from scheduler.control.whatif.question import Question
from scheduler.model.demand import Basis, Demand, Level, ModelDemand, PoolDemand
from simulations.serving import Load
from simulations.whatif.moment import ModelTraffic, Moment

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

FEW_MODELS: Final = 20
STEPS_S: Final = (600.0, 1800.0, 3600.0)
"""Serving's needs change at most so often: with few models; with many, when up to `FINE_S` is looked at; and else."""
FINE_S: Final = 86_400.0
LEAST_KNOT_S: Final = 1800.0
"""Forecasts are asked for peaks no more often; in between they are interpolated."""
FADES_S: Final = 6 * 3600.0
"""What a load is off the middle fades by a factor e in so long, as in `Fitted.corrected`."""
ANCHOR_S: Final = 3600.0
"""A path comes from the load of now, and is its own after about so long."""
AHEAD_S: Final = 129_600.0
"""How far ahead rises and falls of serving are foreseen."""


@dataclass(frozen=True, eq=False)
class Paths:
    """The load of every source on every path.

    Attributes:
        at_s: (t,), moments, the first of them now: a step apart, and where a spike begins or ends.
        step_s: seconds from one to the next at most.
        loads: requests per second of each source, (n, t).
        middle: (t,), by source, where there is a forecast.
        peaks: what has been asked of the forecasts, see `Coming`.
    """

    at_s: Floats
    step_s: float
    loads: Mapping[str, Floats]
    middle: Mapping[str, Floats]
    peaks: dict[tuple[str, Share, float, float], Floats] = field(default_factory=dict, repr=False)

    @classmethod
    def drawn(cls, moment: Moment, question: Question, n: int) -> "Paths":
        """Draw so many paths; equal seeds and numbers give equal paths."""
        is_many = len(moment.served) > FEW_MODELS
        step_s = STEPS_S[is_many + (is_many and question.horizon_s > FINE_S)]
        at_s = _moments(moment.now_s, question, step_s)
        rates = {one.source: one.rps_now / one.share.middle for one in moment.traffic.values() if one.share.middle}
        names = [name for name in moment.forecasts if name in rates]
        forecasts = [moment.forecasts[name] for name in names]
        horizons = [_bins_to(forecast, float(at_s[-1])) for forecast in forecasts]
        drawn = joint_paths(forecasts, horizons, n, question.seed) if forecasts else []
        loads = {name: np.full((n, len(at_s)), rate) for name, rate in rates.items()}
        for name, forecast, paths in zip(names, forecasts, drawn, strict=True):
            loads[name] = _from_now(_along(forecast, paths, at_s), rates[name], at_s - moment.now_s)
        return cls(at_s, step_s, loads, {name: _middle(moment.forecasts[name], at_s) for name in names})


def _moments(now_s: float, question: Question, step_s: float) -> Floats:
    end_s = now_s + question.horizon_s + step_s
    edges = [at_s for spike in question.spikes for at_s in (spike.at_s, spike.at_s + spike.lasts_s)]
    inside = [at_s for at_s in edges if now_s < at_s < end_s]
    return np.unique(np.concatenate([np.arange(now_s, end_s, step_s), inside]))


def factors(question: Question, at_s: Floats) -> Floats:
    """Return by what the loads at these moments are multiplied."""
    factor = np.full(at_s.shape, question.traffic)
    for spike in question.spikes:
        factor[(at_s >= spike.at_s) & (at_s < spike.at_s + spike.lasts_s)] *= spike.factor
    return factor


def _bins_to(forecast: Fitted, until_s: float) -> int:
    return int(np.clip(np.ceil((until_s - forecast.start_s) / forecast.step_s) + 1, 1, forecast.bins))


def _along(forecast: Fitted, paths: Floats, at_s: Floats) -> Floats:
    """Return paths (n, bins) read off at moments, (n, t), in straight lines between the middles of bins."""
    centres = forecast.start_s + (np.arange(paths.shape[1]) + 0.5) * forecast.step_s
    return np.array([np.interp(at_s, centres, path) for path in paths])


def _middle(forecast: Fitted, at_s: Floats) -> Floats:
    bins = _bins_to(forecast, float(at_s[-1]))
    middle = forecast.transform.inverse(forecast.cloud.centre[:bins])
    return np.asarray(_along(forecast, middle[None, :], at_s)[0])


def _from_now(loads: Floats, rate: float, since_s: Floats) -> Floats:
    """Return loads (n, t) that begin with the rate of now."""
    first = loads[:, :1]
    off = np.where(first > 0, rate / np.where(first > 0, first, 1.0), 1.0)
    return np.asarray(loads * off ** np.exp(-since_s / ANCHOR_S))


@dataclass(frozen=True, eq=False)
class ModelNeeds:
    """What one model needs on every path.

    Attributes:
        served: the model.
        usual: its load without what is otherwise, (n, t).
        rps: its load, (n, t).
        now, wanted, held: replicas, (n, t).
        course: when another number is expected to be wanted than before, by the middle of the forecast.
    """

    served: Served
    usual: Floats
    rps: Floats
    now: Counts
    wanted: Counts
    held: Counts
    course: tuple[Level, ...]

    def at(self, path: int, step: int, at_s: float) -> ModelDemand:
        """Return its demand at a step of a path."""
        course = tuple(level for level in self.course if at_s < level.at_s <= at_s + AHEAD_S)
        falls = tuple(_falls(course, int(self.wanted[path, step])))
        return ModelDemand(
            self.served.model.name,
            int(self.now[path, step]),
            int(self.wanted[path, step]),
            int(self.held[path, step]),
            float(self.rps[path, step]),
            rps_per_replica=self.served.rule.rps_per_replica,
            peak_at_s=at_s,
            basis=Basis.FORECAST,
            replicas_low=falls[-1][1] if falls else None,
            low_at_s=falls[-1][0] if falls else 0.0,
            falls=falls,
            course=course,
        )


class Coming:
    """What serving needs from now on, path by path and step by step."""

    def __init__(self, moment: Moment, question: Question, paths: Paths) -> None:
        """Work out every model's needs on all paths.

        Args:
            moment: what is known.
            question: what is otherwise.
            paths: of the sources, as they are.
        """
        rules = question.rules
        self._moment, self._question, self._paths = moment, question, paths
        self._settings = rules.settings if rules else moment.settings
        self._factors = factors(question, paths.at_s)
        self._foreseen = question.traffic
        self._is_as_it_is = not question.changes_traffic and rules is None
        extra = (question.model,) if question.model else ()
        self.served = (*moment.served, *extra)
        self._needs = [self._of(served) for served in self.served]
        before = {pool.models: pool for pool in moment.demand.pools}
        self._pools = [(members, before.get(tuple(one.served.model.name for one in members))) for members in
                       _grouped(self._needs)]  # fmt: skip

    def load_of(self, model: str, path: int) -> Load:
        """Return what says a model's requests per second at moments, on a path."""
        usual = next(one.usual[path] for one in self._needs if one.served.model.name == model)
        return lambda at_s: np.interp(at_s, self._paths.at_s, usual) * factors(self._question, at_s)

    def demands(self, path: int) -> "Demands":
        """Return what serving needs on one path."""
        at_s = self._paths.at_s
        numbers = np.array([rows for one in self._needs for rows in (one.now[path], one.wanted[path], one.held[path])])
        is_other = (np.diff(numbers.reshape(-1, len(at_s)), axis=1) != 0).any(axis=0)
        is_other[:1] = True  # the first one is what the loop made of all that it knew
        return Demands(lambda step: self._at(path, step), at_s, at_s[1:][is_other], self._paths.step_s)

    def _at(self, path: int, step: int) -> Demand:
        if step == 0 and self._is_as_it_is:
            return self._with_new_ones(self._moment.demand)
        at_s = float(self._paths.at_s[step])
        return Demand(
            tuple(needs.at(path, step, at_s) for needs in self._needs),
            tuple(_pool(members, before, path, step, self._settings) for members, before in self._pools),
        )

    def _with_new_ones(self, demand: Demand) -> Demand:
        known = {one.model for one in demand.models}
        new = [one.at(0, 0, self._moment.now_s) for one in self._needs if one.served.model.name not in known]
        return Demand((*demand.models, *new), demand.pools)

    def _of(self, served: Served) -> ModelNeeds:
        traffic = self._moment.traffic.get(served.model.name) or self._traffic_of(served)
        usual = self._paths.loads[traffic.source] * traffic.share.middle
        loads = usual * self._factors
        if served.model.min_replicas == served.model.max_replicas:
            always = np.full(loads.shape, served.model.max_replicas)
            return ModelNeeds(served, usual, loads, always, always, always, ())
        wanted, held = self._planned_for(served, traffic, loads)
        most, least = served.model.max_replicas, served.model.min_replicas
        needed, room = (np.clip(replicas_for(served.rule, most, rps), least, most) for rps in (wanted, held))
        now = np.clip(replicas_for(served.rule, most, loads), least, most)
        kept = _kept(needed, int(np.ceil(self._settings.scale_down_after_s / self._paths.step_s)))
        course = self._course(served, traffic)
        return ModelNeeds(served, usual, loads, np.minimum(now, kept), kept, np.maximum(room, kept), course)

    def _traffic_of(self, served: Served) -> ModelTraffic:
        """Return what is known of the traffic of a model that is new."""
        return ModelTraffic(0.0, served.source, Share(served.share), lead_s_of(served, self._settings))

    def _planned_for(self, served: Served, traffic: ModelTraffic, loads: Floats) -> tuple[Floats, Floats]:
        """Return the loads (n, t) that are planned for within the lead time, and held room for."""
        forecast, settings = self._moment.forecasts.get(traffic.source), self._settings
        if forecast is None or settings.reactive:
            padded = loads * (1 + settings.margin)
            return padded, padded
        quantile, lead_s = quantile_of(served, settings), traffic.lead_s + self._paths.step_s
        held_s = max(lead_s, traffic.lead_s + settings.min_runtime_s)
        wanted, held = (
            self._moved(forecast, traffic, self._peaks(traffic, window_s, quantile), loads, lead_s)
            for window_s in (lead_s, held_s)
        )
        return np.maximum(wanted, loads), np.maximum(held, np.maximum(wanted, loads))

    def _peaks(self, traffic: ModelTraffic, window_s: float, quantile: float) -> Floats:
        """Return the quantile of the highest load in a window from each moment on, (t,), as it is; found once."""
        known, key = self._paths.peaks, (traffic.source, traffic.share, window_s, quantile)
        if key not in known:
            base, at_s = _Later(self._moment.forecasts[traffic.source]), self._paths.at_s
            knots_s = np.append(np.arange(at_s[0], at_s[-1], max(LEAST_KNOT_S, self._paths.step_s)), at_s[-1])
            peaks = [base.peak(traffic.share, knot_s, window_s, quantile) for knot_s in knots_s.tolist()]
            known[key] = np.interp(at_s, knots_s, peaks)
        return known[key]

    def _moved(self, forecast: Fitted, traffic: ModelTraffic, rps: Floats, loads: Floats, lead_s: float) -> Floats:
        """Return planned loads (t,) moved on each path by what its load is off the middle, (n, t)."""
        even, source = forecast.transform, self._paths.middle[traffic.source]
        share = traffic.share.middle or 1.0
        of_source = loads / share / self._foreseen if self._foreseen else loads * 0.0
        off = even.forward(of_source) - even.forward(source)
        moved = even.inverse(even.forward(rps / share) + off * np.exp(-lead_s / 2 / FADES_S))
        return np.asarray(moved * share * self._foreseen)

    def _course(self, served: Served, traffic: ModelTraffic) -> tuple[Level, ...]:
        """Return the rises and falls that are foreseen: by the middle of the forecast, and by its quantile."""
        middle = self._paths.middle.get(traffic.source)
        if middle is None or self._settings.reactive:
            return ()
        most, least = served.model.max_replicas, served.model.min_replicas
        peaks = self._peaks(traffic, traffic.lead_s + self._paths.step_s, quantile_of(served, self._settings))
        expected, high = (
            np.clip(replicas_for(served.rule, most, rps * self._foreseen), least, most)
            for rps in (middle * traffic.share.middle, peaks)
        )
        high = np.maximum(high, expected)
        both = list(zip(self._paths.at_s.tolist(), expected.tolist(), high.tolist(), strict=True))
        return tuple(Level(*after) for before, after in pairwise(both) if before[1:] != after[1:])


class _Later:
    """A forecast as it may stand at later moments."""

    def __init__(self, forecast: Fitted) -> None:
        self._forecast = forecast
        self._by_bin: dict[int, Fitted] = {}

    def peak(self, share: Share, at_s: float, window_s: float, quantile: float) -> float:
        """Return the quantile of a model's highest load in a window."""
        first = self._forecast
        bin_ = int(np.clip((at_s - first.start_s) // first.step_s, 0, first.bins - 2))
        if bin_ not in self._by_bin:
            self._by_bin[bin_] = first.later(bin_)
        return peak_of(self._by_bin[bin_], share, at_s, window_s, quantile)[0]


class Demands:
    """What serving needs on one path: one demand from each moment on, made when it is asked for.

    Attributes:
        step_s: from one moment to the next at most.
    """

    def __init__(self, make: Callable[[int], Demand], at_s: Floats, changes_s: Floats, step_s: float) -> None:
        """Begin at the first moment.

        Args:
            make: returns the demand of a step.
            at_s: (t,), when each step begins, epoch seconds.
            changes_s: those at which some number is another one than before.
            step_s: see the attributes.
        """
        self.step_s = step_s
        self._make, self._at_s, self._changes_s = make, at_s, changes_s
        self._made: dict[int, Demand] = {}

    def of(self, at_s: float) -> Demand:
        """Return it at a moment."""
        step = max(0, int(np.searchsorted(self._at_s, at_s, side="right")) - 1)
        if step not in self._made:
            self._made = {step: self._make(step)}
        return self._made[step]

    def changes_after(self, at_s: float) -> float:
        """Return when it is another one than at a moment, epoch seconds; infinity when it stays."""
        place = int(np.searchsorted(self._changes_s, at_s, side="right"))
        return float(self._changes_s[place]) if place < len(self._changes_s) else np.inf


def _kept(needed: Counts, back: int) -> Counts:
    """Return for each step the most that was needed in it and so many before."""
    most = needed.copy()
    for steps in range(1, back + 1):
        most[:, steps:] = np.maximum(most[:, steps:], needed[:, :-steps])
    return most


def _falls(course: Sequence[Level], wanted: int) -> list[tuple[float, int]]:
    falls, least = list[tuple[float, int]](), wanted
    for level in course:
        if level.replicas < least:
            falls.append((level.at_s, level.replicas))
            least = level.replicas
    return falls


def _grouped(needs: Sequence[ModelNeeds]) -> list[list[ModelNeeds]]:
    groups: dict[object, list[ModelNeeds]] = {}
    for one in needs:
        if not one.served.model.elsewhere:
            groups.setdefault(kind_of(one.served.model.shape), []).append(one)
    return list(groups.values())


def _pool(
    members: Sequence[ModelNeeds], before: PoolDemand | None, path: int, step: int, settings: Settings
) -> PoolDemand:
    """Return what is held for a pool: of the sum of the models' own as large a part as just now."""
    own = [int(one.held[path, step] - one.wanted[path, step]) for one in members]
    together = before.replicas_peak / before.replicas_apart if before and before.replicas_apart else 1.0
    peak = max(round(sum(own) * together), *own, 0) if settings.joint_peak else sum(own)
    names = tuple(one.served.model.name for one in members)
    return PoolDemand(
        before.name if before else names[0],
        names,
        peak,
        sum(own),
        before.replicas_flash_crowd if before else 0,
        before.replicas_surge if before else 0,
    )

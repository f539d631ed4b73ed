"""`headroom size`: the smallest set of hosts that keeps a site's objectives."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.output_files import check_plot
from scheduler.cli.progress import progress
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, Fault

if TYPE_CHECKING:
    from scheduler.config.scenario import Scenario
    from simulations.objectives import Objective
    from simulations.outcome import Outcome
    from simulations.sizing import Counts, Play, Search, Sized

NOT_MET: Final = 1
SHOWN: Final = 12
"""Sets in the table: around the smallest that keeps the objectives."""

ScenarioArgument = Annotated[Path, typer.Argument(help="A scenario file: its hosts are varied, all else stays.")]
ObjectiveOption = Annotated[
    str, typer.Option("--objective", metavar="TEXT", help='For instance "late_requests <= 0.0001, wait_p95 <= 4h".')
]
PricesOption = Annotated[
    Path | None,
    typer.Option("--prices", metavar="FILE", help="Price of a host by the name of its group; one a GPU if not given."),
]
MostOption = Annotated[int, typer.Option("--most", min=1, help="So many times the hosts there are are tried at most.")]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Runs of those that are left in the end.")]
ParallelOption = Annotated[int, typer.Option("--parallel", min=0, help="Processes; 0 for one a processor.")]
PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Also draw cost against the objectives.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def size(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    scenario: ScenarioArgument,
    *,
    objective: ObjectiveOption,
    prices: PricesOption = None,
    most: MostOption = 2,
    seeds: SeedsOption = 4,
    parallel: ParallelOption = 1,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the cheapest hosts that keep the objectives, and say how sure that is; exit code 1 where none do."""
    from scheduler.config.scenario_loading import load_scenario  # noqa: PLC0415  # other commands need not load it
    from simulations.objectives import objectives_of  # noqa: PLC0415  # likewise
    from simulations.sizing import Search  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    check_plot(plot)
    objectives, asked = objectives_of(objective), load_scenario(scenario)
    costs = _costs(asked, prices)
    kinds = list(costs)
    counts = tuple(most * group.count for group in asked.hosts if group.name in costs)
    workers = parallel or len(os.sched_getaffinity(0))
    with progress("size", 0, screen, "runs") as told:
        search = Search(
            list(costs.values()), counts, objectives, seeds, _player(asked, kinds, workers, told), asked.seed
        )
        sized = search.run()
    chosen = next((one for one in sized if one.keeps and len(one.outcomes) == seeds), None)
    if plot:
        _draw(plot, sized, objectives, chosen)
    if as_json:
        screen.say(json_text(_document(kinds, sized, objectives, chosen, search.runs)))
    else:
        _say(kinds, sized, objectives, chosen, search, screen)
    if chosen is None:
        raise typer.Exit(NOT_MET)


def _costs(scenario: "Scenario", prices: Path | None) -> dict[str, float]:
    """Return what a host of each group costs that is varied: those with GPUs, or those with a price.

    Raises:
        ConfigError: the prices are none, or of hosts that are not there.
    """
    if prices is None:
        found = {group.name: float(group.gpus) for group in scenario.hosts if group.gpus}
        if not found:
            raise ConfigError("no host of the scenario has GPUs", help="--prices FILE says what its hosts cost")
        return found
    from scheduler.config.yaml_file import read_yaml  # noqa: PLC0415  # other commands need not load it

    document = read_yaml(prices)
    names = [group.name for group in scenario.hosts]
    faults = [] if isinstance(document.data, Mapping) and document.data else [
        Fault("BadValue", "names no price", str(prices), help=f"{names[0]}: 100")
    ]  # fmt: skip
    told = document.data if isinstance(document.data, Mapping) else {}
    for name, price in told.items():
        line = document.lines.get((name,), 0)
        if name not in names:
            said = f'there is no group of hosts "{name}"'
            faults.append(Fault("BadValue", said, str(prices), line, str(name), f"there are: {', '.join(names)}"))
        elif isinstance(price, bool) or not isinstance(price, int | float) or price <= 0:
            faults.append(Fault("BadValue", f"{name}: {price} is no price", str(prices), line, str(name), "above 0"))
    if faults:
        raise ConfigError(*faults)
    return {name: float(told[name]) for name in names if name in told}


def _player(scenario: "Scenario", kinds: Sequence[str], workers: int, told: Callable[[float], None]) -> "Play":
    """Return what plays sets of hosts in so many processes."""
    from simulations.parallel import as_done  # noqa: PLC0415  # other commands need not load it
    from simulations.sizing import play_one, with_counts  # noqa: PLC0415  # likewise

    done = 0

    def play(tasks: "Sequence[tuple[Counts, int]]") -> "dict[tuple[Counts, int], Outcome | None]":
        nonlocal done
        values = [(with_counts(scenario, kinds, counts), seed) for counts, seed in tasks]
        by_value = {id(value): task for value, task in zip(values, tasks, strict=True)}
        found: dict[tuple[Counts, int], Outcome | None] = {}
        for value, outcome in as_done(workers)(play_one, values):
            found[by_value[id(value)]] = outcome
            done += 1
            told(done)
        return found

    return play


def _say(  # noqa: PLR0913, PLR0917  # one answer, and what it rests on
    kinds: Sequence[str],
    sized: "Sequence[Sized]",
    objectives: "Sequence[Objective]",
    chosen: "Sized | None",
    search: "Search",
    screen: Screen,
) -> None:
    columns = (
        Column("HOSTS"),
        Column("COST", right=True),
        *(Column(one.name.upper(), right=True) for one in objectives),
    )
    place = sized.index(chosen) if chosen else len(sized)
    shown = sized[max(0, place - SHOWN // 2) : max(0, place - SHOWN // 2) + SHOWN]
    rows = tuple(_row(kinds, one, objectives, chosen) for one in shown)
    screen.say(render(Table((*columns, Column("SEEDS", right=True), Column("")), rows), screen))
    screen.say(_verdict(kinds, objectives, chosen, search))


def _row(
    kinds: Sequence[str], one: "Sized", objectives: "Sequence[Objective]", chosen: "Sized | None"
) -> tuple[str, ...]:
    values = [_shown(objective, one) for objective in objectives]
    missed = [
        objective.name for objective in objectives if one.outcomes and objective.excess(_mean(objective, one)) > 0
    ]
    said = "a job fits on no such set" if not one.outcomes else f"misses {', '.join(missed)}" if missed else "keeps all"
    said = "smallest that keeps all" if one is chosen else said
    kept = f"{one.kept_in} of {len(one.outcomes)}"
    return (_hosts(kinds, one), f"{one.cost:g}", *values, kept, said)


def _verdict(kinds: Sequence[str], objectives: "Sequence[Objective]", chosen: "Sized | None", search: "Search") -> str:
    asked = ", ".join(map(str, objectives))
    if chosen is None:
        return f"no set of up to {'+'.join(map(str, search.most))} hosts keeps {asked} ({plural(search.runs, 'run')})"
    sure = "with 95 % confidence" if chosen.is_sure else "on average; more --seeds would say how surely"
    kept = f"{chosen.kept_in} of {plural(len(chosen.outcomes), 'seed')} keep all"
    return f"{_hosts(kinds, chosen)} keeps {asked} {sure} ({kept}; {plural(search.runs, 'run')})"


def _hosts(kinds: Sequence[str], one: "Sized") -> str:
    return " + ".join(f"{count}×{kind}" for kind, count in zip(kinds, one.counts, strict=True) if count)


def _mean(objective: "Objective", one: "Sized") -> float:
    return sum(map(objective.value, one.outcomes)) / len(one.outcomes)


def _shown(objective: "Objective", one: "Sized") -> str:
    if not one.outcomes:
        return "-"
    values = [objective.value(outcome) for outcome in one.outcomes]
    spread = f" ({objective.shown(min(values))} – {objective.shown(max(values))})" if len(values) > 1 else ""
    return f"{objective.shown(sum(values) / len(values))}{spread}"


def _document(
    kinds: Sequence[str],
    sized: "Sequence[Sized]",
    objectives: "Sequence[Objective]",
    chosen: "Sized | None",
    runs: int,
) -> dict[str, object]:
    def told(one: "Sized") -> dict[str, object]:
        values = {objective.name: [objective.value(outcome) for outcome in one.outcomes] for objective in objectives}
        found = {"hosts": dict(zip(kinds, one.counts, strict=True)), "cost": one.cost, "values": values}
        return {**found, "keeps": one.keeps, "kept_in": one.kept_in, "is_sure": one.is_sure}

    return {
        "objectives": [str(objective) for objective in objectives],
        "chosen": told(chosen) if chosen else None,
        "runs": runs,
        "sets": [told(one) for one in sized],
    }


def _draw(path: Path, sized: "Sequence[Sized]", objectives: "Sequence[Objective]", chosen: "Sized | None") -> None:
    from simulations.objectives import HOUR_S, QUANTITIES  # noqa: PLC0415  # likewise
    from simulations.plotting import plot_sizes  # noqa: PLC0415  # other commands need not load it

    units = [HOUR_S if QUANTITIES[one.name].is_time else 1.0 for one in objectives]
    values = {
        f"{objective}{', in hours' if unit == HOUR_S else ''}": [
            [objective.value(outcome) / unit for outcome in one.outcomes] for one in sized
        ]
        for objective, unit in zip(objectives, units, strict=True)
    }
    limits = [objective.limit / unit for objective, unit in zip(objectives, units, strict=True)]
    plot_sizes(path, [one.cost for one in sized], values, limits, chosen.cost if chosen else None)

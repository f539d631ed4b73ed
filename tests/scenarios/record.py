"""Record a journal of a simulated scenario for `test_journals.py`.

    python tests/scenarios/record.py configs/scenarios/evening-peak.yaml 30

runs the first 30 hours of it and keeps the turns that decided something. Record again after a deliberate change of
the planner, and look at what has changed: `python tests/scenarios/record.py --diff JOURNAL SCENARIO`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from scheduler.config.scenario_loading import load_scenario
from scheduler.control.records import CycleRecord
from scheduler.planning.planner import plan
from scheduler.store.codec import read_journal, write_journal
from simulations.run import Simulation
from simulations.wiring import setup_of

MOST_CYCLES = 60
JOURNALS = Path(__file__).parent / "journals"


def record(scenario: Path, hours: float) -> Path:
    """Simulate the first hours of a scenario and write its busiest turns, in order; return the file."""
    simulation = Simulation(setup_of(load_scenario(scenario), seed=1))
    cycles: list[CycleRecord] = []
    simulation.cycle.board.listeners.append(lambda report: cycles.append(report.cycle))
    engine = simulation.world.engine
    ends_s = engine.now_s() + hours * 3600
    while engine.now_s() < ends_s:
        simulation._turn(ends_s)  # the simulation's own beat, cut short
    busy = sorted((c for c in cycles if c.plan.actions), key=lambda c: (-len(c.plan.actions), c.number))[:MOST_CYCLES]
    path = JOURNALS / f"{scenario.stem}.jsonl.gz"
    write_journal(path, sorted(busy, key=lambda cycle: cycle.number))
    return path


def differences(journal: Path, scenario: Path) -> list[str]:
    """Return a line per turn that is now decided otherwise."""
    policy = setup_of(load_scenario(scenario), seed=1).policy
    return [
        f"cycle {cycle.number}: was {cycle.plan.actions}, is {again.actions}"
        for cycle in read_journal(journal)
        if (again := plan(cycle.snapshot, cycle.demand, policy)) != cycle.plan
    ]


def main(words: Sequence[str]) -> None:
    """Do what the command line says."""
    if words[0] == "--diff":
        sys.stdout.write("\n".join([*differences(Path(words[1]), Path(words[2])), ""]))
    else:
        sys.stdout.write(f"{record(Path(words[0]), float(words[1]))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

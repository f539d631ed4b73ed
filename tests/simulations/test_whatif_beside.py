"""Questions in a process of their own: the same answer as here, at a lower priority, and gone when it is closed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from scheduler.control.whatif.question import Question, Rules
from scheduler.model.errors import Unreachable
from simulations.run import Setup, Simulation
from simulations.whatif.beside import BesideTheLoop
from simulations.whatif.errands import Asked
from simulations.whatif.moment import Moment


def test_a_process_beside_says_the_same_and_ends(make_setup: Callable[..., Setup]) -> None:
    setup = make_setup(per_day=0.0001)
    simulation = Simulation(setup)
    simulation.cycle.settings = setup.settings
    report, question = simulation.cycle.turn(), Question(7200.0, runs=2, traffic=2.0)
    beside = BesideTheLoop()
    said = list(beside.play(report, Rules(setup.policy, setup.settings), question))
    asked = Asked.of(Moment.of(report, setup.policy, setup.settings), question)
    assert said == [asked.play(), asked.play(), asked.covered()]
    broken = replace(question, lost_hosts=("no such host",))
    with pytest.raises(Unreachable, match="no such host"):
        list(beside.play(report, Rules(setup.policy, setup.settings), broken))
    beside.close()
    with pytest.raises(Unreachable, match="ends"):
        list(beside.play(report, Rules(setup.policy, setup.settings), question))

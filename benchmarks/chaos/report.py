"""What came of many stories: promises kept, and for each that was not, the shortest story that breaks it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.chaos.living import Verdict, play
from benchmarks.chaos.shrinking import shrunk
from benchmarks.chaos.stories import STORY, Story, story_of
from simulations.parallel import as_done

MOST_SHRUNK: Final = 3
"""Failures that are shrunk; each takes a minute or so."""


def play_seed(seed: int) -> Verdict:
    """Play the story of a seed."""
    return play(story_of(seed))


def play_seeds(seeds: Sequence[int], workers: int, told: Callable[[int], None]) -> list[Verdict]:
    """Play the stories of seeds, in so many processes; verdicts are in their order."""
    found: dict[int, Verdict] = {}
    for seed, verdict in as_done(workers)(play_seed, seeds):
        found[seed] = verdict
        told(len(found))
    return [found[seed] for seed in seeds]


def failures(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return verdicts on stories in which a promise was broken."""
    return [verdict for verdict in verdicts if verdict.broken]


def shortest(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the first failures, each with the shortest story that breaks the same promise."""
    return [shrunk(verdict) for verdict in failures(verdicts)[:MOST_SHRUNK]]


def document(verdicts: Sequence[Verdict], short: Sequence[Verdict]) -> dict[str, object]:
    """Return all of it for JSON."""
    troubles = Counter(trouble.kind.name for verdict in verdicts for trouble in verdict.story.troubles)
    return {
        "stories": len(verdicts),
        "turns": sum(verdict.turns for verdict in verdicts),
        "deaths": sum(verdict.deaths for verdict in verdicts),
        "troubles": dict(sorted(troubles.items())),
        "failures": [_told(verdict) for verdict in failures(verdicts)],
        "shortest": [{**_told(verdict), "story": written(verdict.story)} for verdict in short],
    }


def written(story: Story) -> object:
    """Return a story as JSON knows it; `STORY` reads it."""
    return STORY.dump_python(story, mode="json")


def _told(verdict: Verdict) -> dict[str, object]:
    return {"seed": verdict.story.seed, "broken": verdict.broken, "why": verdict.why, "at_s": verdict.at_s}

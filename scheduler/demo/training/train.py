"""A training job: a gang of Ray actors that fit a small network to hourly traffic, in numpy, with checkpoints.

It forecasts the next hour of a series from the day before it. Each worker holds a shard of the examples and computes
gradients; the driver averages them, takes the step, and saves. Run by Headroom it sits in the placement group that
was reserved for it; run by hand (`python train.py`) it starts a Ray of its own.

    python train.py --steps 400 --pause 0.1
"""

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a gang of workers shares the cores with whoever serves

import numpy as np
import ray
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from scheduler.jobkit import Checkpoints

HOURS = 24
HIDDEN = 16
Weights = dict[str, np.ndarray]


def series(length: int = 4000) -> np.ndarray:
    """Return a noisy daily and weekly rhythm, mean 0, about -1 to 1."""
    hours = np.arange(length)
    noise = np.random.default_rng(1).normal(scale=0.05, size=length)
    return 0.7 * np.sin(2 * np.pi * hours / 24) + 0.2 * np.sin(2 * np.pi * hours / 168) + noise


def examples(shard: int, shards: int) -> tuple[np.ndarray, np.ndarray]:
    """Return this shard's days (n, 24) and the hours after them (n,)."""
    values = series()
    starts = np.arange(shard, len(values) - HOURS, shards)
    return np.stack([values[s : s + HOURS] for s in starts]), values[starts + HOURS]


def fresh_weights() -> Weights:
    """Return a network of one hidden layer."""
    rng = np.random.default_rng(2)
    return {"w1": rng.normal(size=(HOURS, HIDDEN)) / 5, "b1": np.zeros(HIDDEN), "w2": rng.normal(size=HIDDEN) / 4}


def gradients(weights: Weights, days: np.ndarray, after: np.ndarray) -> tuple[float, Weights]:
    """Return the mean squared error on a batch and its gradients."""
    hidden = np.tanh(days @ weights["w1"] + weights["b1"])
    error = hidden @ weights["w2"] - after
    back = np.outer(error, weights["w2"]) * (1 - hidden**2) * (2 / len(after))
    return float(np.mean(error**2)), {
        "w1": days.T @ back,
        "b1": back.sum(axis=0),
        "w2": hidden.T @ error * (2 / len(after)),
    }


class Worker:
    """Holds one shard and computes gradients on random batches of it."""

    def __init__(self, shard: int, shards: int) -> None:
        if hasattr(os, "nice"):
            os.nice(10)
        self._days, self._after = examples(shard, shards)
        self._rng = np.random.default_rng(shard)

    def step(self, weights: Weights, size: int = 64) -> tuple[float, Weights]:
        """Return loss and gradients of one batch."""
        batch = self._rng.integers(0, len(self._after), size)
        return gradients(weights, self._days[batch], self._after[batch])


def gang(workers: int) -> list[ray.actor.ActorHandle]:
    """Start one actor in each bundle of the reserved group, or anywhere when there is none."""
    actor = ray.remote(num_cpus=0)(Worker)
    name = os.environ.get("HEADROOM_PLACEMENT_GROUP")
    if not name:
        return [actor.remote(shard, workers) for shard in range(workers)]
    group: PlacementGroup = ray.util.get_placement_group(name)
    return [
        actor.options(
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=shard)
        ).remote(shard, workers)
        for shard in range(workers)
    ]


def averaged(parts: list[Weights]) -> Weights:
    """Return the mean of the workers' gradients."""
    return {key: np.mean([part[key] for part in parts], axis=0) for key in parts[0]}


def save(weights: Weights, file: Path) -> None:
    """Write weights to exactly this file."""
    with file.open("wb") as out:
        np.savez(out, w1=weights["w1"], b1=weights["b1"], w2=weights["w2"])


def load(file: Path) -> Weights:
    """Read weights back."""
    with np.load(file) as saved:
        return dict(saved)


def train(steps: int, pause_s: float, every: int) -> bool:
    """Train from the last checkpoint; return whether all steps were done."""
    checkpoints = Checkpoints(total_steps=steps)
    ray.init(namespace=os.environ.get("HEADROOM_NAMESPACE"), log_to_driver=False)
    checkpoints.catch_stop()
    workers = gang(int(os.environ.get("HEADROOM_WORKERS", "1")))
    first = checkpoints.resume_step
    weights = load(checkpoints.path) if first else fresh_weights()
    print(f"attempt {os.environ.get('HEADROOM_ATTEMPT', '1')}: {len(workers)} workers, from step {first}", flush=True)
    for step in range(first + 1, steps + 1):
        losses, parts = zip(*ray.get([worker.step.remote(weights) for worker in workers]), strict=True)
        weights = {key: weights[key] - 0.05 * change for key, change in averaged(list(parts)).items()}
        if step % every == 0 or step == steps or checkpoints.stop_requested:
            checkpoints.save(step, partial(save, weights))
            print(f"step {step} loss {np.mean(losses):.4f}", flush=True)
        if checkpoints.stop_requested:
            return step == steps
        time.sleep(pause_s)
    return True


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train a small forecaster with a gang of workers.")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--pause", type=float, default=0.1, help="wall seconds between steps")
    parser.add_argument("--every", type=int, default=25, help="steps between checkpoints")
    options = parser.parse_args()
    sys.exit(0 if train(options.steps, options.pause, options.every) else 1)


if __name__ == "__main__":
    main()

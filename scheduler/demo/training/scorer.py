"""Trains the scorer of the demo's community model: logistic regression on hashed trigrams in numpy, with checkpoints.

It learns to tell made-up revisions that end in some digits from others, and leaves its weights in the folder `model`
of its checkpoints, which Headroom publishes. `--features` must be as many as the serving code hashes to: with fewer the
weights are those of another model, and whoever serves them finds that out.

    python scorer.py --steps 40
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from scheduler.demo.scoring import FEATURES, WEIGHTS, hashed
from scheduler.jobkit import Checkpoints

EXAMPLES = 512
RATE = 60.0


def gradient(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the gradient of the log loss on random revisions."""
    change = np.zeros_like(weights)
    for revision in rng.integers(0, 10_000, EXAMPLES).tolist():
        hits = hashed(revision, len(weights))
        score = 1.0 / (1.0 + np.exp(-weights[hits].mean()))
        change[hits] += (score - (revision % 10 in {3, 7})) / (EXAMPLES * len(hits))
    return change


def save(weights: np.ndarray, file: Path) -> None:
    """Write weights to exactly this file."""
    with file.open("wb") as out:
        np.save(out, weights)


def train(steps: int, features: int, every: int) -> bool:
    """Train from the last checkpoint, and leave what is published; return whether all steps were done."""
    checkpoints, rng = Checkpoints(total_steps=steps), np.random.default_rng(3)
    checkpoints.catch_stop()
    first = checkpoints.resume_step
    weights = np.load(checkpoints.path) if first else np.zeros(features)
    for step in range(first + 1, steps + 1):
        weights -= RATE * gradient(weights, rng)
        if step % every == 0 or step == steps or checkpoints.stop_requested:
            checkpoints.save(step, partial(save, weights))
        if checkpoints.stop_requested:
            return step == steps
    published = checkpoints.folder / "model"
    published.mkdir(exist_ok=True)
    save(weights, published / WEIGHTS)
    return True


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the scorer of the demo's community model.")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--every", type=int, default=10, help="steps between checkpoints")
    options = parser.parse_args()
    raise SystemExit(0 if train(options.steps, options.features, options.every) else 1)


if __name__ == "__main__":
    main()

"""What the demo's models compute: the score of a revision's text by hashed trigrams and a logistic layer."""

import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

FEATURES: Final = 4096
WEIGHTS: Final = "weights.npy"
"""File in the folder that a job publishes."""


def hashed(revision: int, features: int = FEATURES) -> list[int]:
    """Return the features of a revision's text."""
    text = f"revision {revision}"
    return [zlib.crc32(text[i : i + 3].encode()) % features for i in range(len(text) - 2)]


def weights_of(artifact: str) -> NDArray[np.float64]:
    """Return the weights that a job has published; some that nobody trained where there is no artifact."""
    if not artifact:
        return np.random.default_rng(0).normal(size=FEATURES)
    weights: NDArray[np.float64] = np.load(Path(artifact) / WEIGHTS)
    return weights


def score(weights: NDArray[np.float64], revision: int) -> float:
    """Return how likely a revision is one of those that were to be found.

    Raises:
        IndexError: there are fewer weights than features: those of another model.
    """
    return float(1.0 / (1.0 + np.exp(-weights[hashed(revision)].mean())))

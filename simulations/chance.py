"""Chance by seed and purpose, so that more of one thing never changes the draws of another."""

import zlib

import numpy as np


def chance(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose; equal arguments give equal draws."""
    return np.random.default_rng((seed, zlib.crc32(purpose.encode())))

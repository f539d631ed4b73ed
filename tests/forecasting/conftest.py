"""Series that the tests of forecasting share."""

from pathlib import Path

import numpy as np
import pytest

from forecasting.series import Series

HOUR_S = 3600
MONDAY_S = 1325462400  # 2012-01-02 00:00 UTC


def weekly_traffic(weeks: float, *, seed: int = 0, level: float = 100.0, noise: float = 0.03) -> np.ndarray:
    """Return hourly traffic (n,) with a day's and a week's rhythm and noise that lasts some hours."""
    random = np.random.default_rng(seed)
    hours = np.arange(int(weeks * 168))
    rhythm = 0.5 * np.sin(2 * np.pi * (hours - 9) / 24) - 0.2 * (hours % 168 >= 120)
    wander = np.zeros(len(hours))
    for i in range(1, len(hours)):
        wander[i] = 0.8 * wander[i - 1] + noise * random.standard_normal()
    return level * np.exp(rhythm + wander)


@pytest.fixture
def hourly() -> Series:
    """Twelve weeks of hourly traffic in UTC."""
    return Series(MONDAY_S, HOUR_S, weekly_traffic(12))


@pytest.fixture
def data() -> Path:
    """The folder of real data beside the repository; skips where there is none."""
    import os  # noqa: PLC0415  # only here

    folder = Path(os.environ.get("HEADROOM_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set HEADROOM_DATA)")
    return folder

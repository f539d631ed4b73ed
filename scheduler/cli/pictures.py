"""Whether a picture can be drawn, asked before anything long begins: `--plot` of every command."""

from importlib.util import find_spec
from pathlib import Path

from scheduler.model.errors import ConfigError


def check_plot(plot: Path | None) -> None:
    """Say before long work that there will be no picture.

    Raises:
        ConfigError: one is asked for, and matplotlib, an extra, is not installed.
    """
    if plot is not None and find_spec("matplotlib") is None:
        raise ConfigError("a picture needs matplotlib", help='pip install "headroom-scheduler[plot]"')

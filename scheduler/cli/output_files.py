"""Whether a file that a flag names can be written, asked before anything long begins."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from scheduler.model.errors import ConfigError

PICTURES: Final = (".png", ".svg")


def check_file(flag: str, file: Path | None) -> None:
    """Say before long work that its result could not be written.

    Raises:
        ConfigError: a file is asked for where there is no folder, or where nothing may be written.
    """
    if file is None:
        return
    if file.is_dir():
        raise ConfigError(f"{flag}: {file} is a directory", help="name a file in it")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"{flag}: there is no directory for {file}", help="make it first, or choose another")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise ConfigError(f"{flag}: {file} cannot be written", help="choose a file of your own")


def check_plot(plot: Path | None) -> None:
    """Say before long work that there will be no picture.

    Raises:
        ConfigError: one is asked for that cannot be written or is of no kind we draw, or matplotlib, an extra, is not
            installed.
    """
    if plot is None:
        return
    check_file("--plot", plot)
    if plot.suffix.lower() not in PICTURES:
        raise ConfigError(
            f"--plot: {plot} is no kind of picture", help=f"a name that ends with {' or '.join(PICTURES)}"
        )
    if find_spec("matplotlib") is None:
        raise ConfigError("--plot: a picture needs matplotlib", help='pip install "headroom-scheduler[plot]"')


def write_text(flag: str, file: str, text: str) -> None:
    """Write a result to the file that a flag names.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        Path(file).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{flag}: {file} cannot be written: {error.strerror}") from error

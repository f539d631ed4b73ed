"""Forecasters by name, for comparison; what statsforecast, LightGBM and Prophet do comes with `headroom[peers]`."""

from collections.abc import Callable
from datetime import date
from importlib import import_module
from typing import Final

from forecasting.evaluation.questions import Model

_HOMES: Final = {
    "headroom": ("forecasting.peers.own", ""),
    "seasonal-naive": ("forecasting.peers.naive", ""),
    "mstl": ("forecasting.peers.mstl", "statsforecast"),
    "lightgbm": ("forecasting.peers.boosted", "lightgbm"),
    "mstl+lightgbm": ("forecasting.peers.blend", "statsforecast and lightgbm"),
    "prophet": ("forecasting.peers.prophet", "prophet"),
}

NAMES: Final = tuple(_HOMES)


class PeerMissing(ImportError):
    """A model's library is not installed."""


def model(name: str, holidays: frozenset[date] = frozenset()) -> Model:
    """Return a fresh model by its name; only the product's own knows of holidays.

    Raises:
        KeyError: no model has that name.
        PeerMissing: its library is not installed.
    """
    home, library = _HOMES[name]
    try:
        build: Callable[..., Model] = import_module(home).build
    except ImportError as error:
        raise PeerMissing(f'the model "{name}" needs {library}: pip install "headroom-scheduler[peers]"') from error
    return build(holidays) if name == "headroom" else build()


def installed() -> tuple[str, ...]:
    """Return the names of the models that can be used here, without Prophet, which takes long."""

    def works(name: str) -> bool:
        try:
            model(name)
        except PeerMissing:
            return False
        return True

    return tuple(name for name in NAMES if name != "prophet" and works(name))

"""The page's colours for those who draw on a canvas, which knows no CSS variables."""

from dataclasses import dataclass
from typing import Literal

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme; every text colour is at least 4.5 : 1 on `card`."""

    card: str
    ink: str
    muted: str
    line: str
    serving: str
    training: str
    free: str
    out: str
    bad: str


PALETTES: dict[ThemeName, Palette] = {
    "light": Palette(
        card="#ffffff",
        ink="#1d2024",
        muted="#5c636b",
        line="#eeeeeb",
        serving="#0072b2",
        training="#e69f00",
        free="#eeeeeb",
        out="#8a9094",
        bad="#b3401a",
    ),
    "dark": Palette(
        card="#1b1f23",
        ink="#e4e7e9",
        muted="#9aa3ab",
        line="#252a2f",
        serving="#4fa8dc",
        training="#e8ab3a",
        free="#252a2f",
        out="#767e85",
        bad="#f0875c",
    ),
}

"""Numbers, times and names as the page writes them; pure text, no state."""

import math
from datetime import UTC, datetime, timedelta

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
THIN = "\N{NARROW NO-BREAK SPACE}"
"""Between a number and its unit, and between thousands."""


def number(value: float | None, digits: int = 0) -> str:
    """Return "18 422" or "12.1"; "-" when unknown."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.{digits}f}".replace(",", THIN)


def trimmed(value: float | None, digits: int = 1) -> str:
    """Return a number without trailing zeros: "17", "0.5"."""
    text = number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def ratio(value: float | None) -> str:
    """Return a headroom with two decimals; "-" when there is no load."""
    return "-" if value is None else f"{value:.2f}" if value < 100 else "> 99"  # noqa: PLR2004  # beyond reading


def rate(value: float | None) -> str:
    """Return requests per second: one decimal, two below 1."""
    return number(value, 2 if value is not None and 0 < value < 1 else 1)


def percent(share: float, digits: int = 0) -> str:
    """Return "0.0008 %", with as many digits as show something."""
    if share > 0 and round(share * 100, digits) == 0:
        digits = min(4, -math.floor(math.log10(share * 100)))
    return f"{number(share * 100, digits)}{THIN}%"


def late_share(late: int, total: int) -> str:
    """Return the share of late and failed requests, "0 %" when none was."""
    return f"0{THIN}%" if not late or not total else percent(late / total, 2)


def duration(seconds: float | None) -> str:
    """Return two units at most: "22 s", "9 min", "4 h 10", "2 d 3 h"; "-" when unknown."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    if whole < MINUTE_S:
        return f"{whole}{THIN}s"
    if whole < HOUR_S:
        return f"{round(whole / MINUTE_S)}{THIN}min"
    if whole < DAY_S:
        hours, minutes = divmod(round(whole / MINUTE_S), 60)
        return f"{hours}{THIN}h" + (f"{THIN}{minutes:02d}" if minutes else "")
    days, hours = divmod(round(whole / HOUR_S), 24)
    return f"{days}{THIN}d" + (f"{THIN}{hours}{THIN}h" if hours else "")


def span(seconds: float) -> str:
    """Return a long time in one unit: "26 weeks", "9 days", "5 h"."""
    for unit_s, name in ((7 * DAY_S, "weeks"), (DAY_S, "days")):
        if seconds >= 2 * unit_s:
            return f"{round(seconds / unit_s)} {name}"
    return f"{round(seconds / HOUR_S)}{THIN}h"


def warm_up(seconds: float) -> str:
    """Return "20m 50s", or "1h 48m": a warm-up is compared to the second while it is short."""
    if seconds >= HOUR_S:
        hours, minutes = divmod(round(seconds / MINUTE_S), 60)
        return f"{hours}h{THIN}{minutes:02d}m"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{THIN}{rest:02d}s" if minutes else f"{rest}s"


def clock(at: datetime | None, now: datetime, *, seconds: bool = False) -> str:
    """Return "17:24" today, "Tue 19:00" within a week, else "24 Nov 19:00"; all in UTC."""
    if at is None:
        return "-"
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    time = at.strftime("%H:%M:%S" if seconds else "%H:%M")
    if at.date() == now.date():
        return time
    day = at.strftime("%a") if abs(at - now) < timedelta(days=6) else f"{at.day} {at.strftime('%b')}"
    return f"{day} {time}"


def initials(name: str) -> str:
    """Return two letters for a cell: of the first and the last word, or the first two of a single one."""
    words = [word for word in name.replace("_", "-").split("-") if word]
    return (words[0][:2] if len(words) == 1 else words[0][0] + words[1][0]).lower() if words else "?"


def asks_for(workers: int, gpus: float, models: tuple[str, ...], cpus: float, most: int = 0) -> str:
    """Return what a gang asks for: "8 × 1 MI300X", "1 × 0.5 any", "4 CPU", or "2–8 × 1 any" when it can grow."""
    if not gpus:
        return f"{trimmed(workers * cpus)}{f'–{trimmed(most * cpus)}' if most else ''} CPU"
    return f"{workers}{f'–{most}' if most else ''}{THIN}×{THIN}{trimmed(gpus, 2)} {'/'.join(models) or 'any'}"


def shortened(names: tuple[str, ...]) -> dict[str, str]:
    """Return each host's name without the letters that all share: "ml-serve1013" becomes "1013"."""
    prefix = 0
    if len(names) > 1:
        first, last = min(names), max(names)
        prefix = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(map(len, names)))
        while prefix and first[prefix - 1].isdigit():
            prefix -= 1
    return {name: name[prefix:] or name for name in names}

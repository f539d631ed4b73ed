"""What a control plane is the same by after it was started again: its store and its clock."""

from datetime import datetime
from pathlib import Path

from scheduler.config import schema
from scheduler.config.schema import Config
from scheduler.control.clocks import ReplayClock, WallClock
from scheduler.control.ports import Clock


def store_url(config: Config) -> str:
    """Return the store's URL: what the configuration says, or SQLite inside the state directory."""
    return config.store or f"sqlite:///{config.state_dir.resolve() / 'headroom.db'}"


def clock_of(replay: schema.Replay | None, state_dir: Path) -> Clock:
    """Return the world's clock; a replay that was begun in this state directory goes on where it would be by now."""
    if replay is None:
        return WallClock()
    start_s = datetime.fromisoformat(replay.start).timestamp()
    return ReplayClock.kept_in(state_dir / "replay.json", start_s, replay.speed)

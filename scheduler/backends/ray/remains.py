"""What runs on Ray have left in the state directory: outputs and checkpoints, dropped when they are no longer kept."""

from pathlib import Path

from scheduler.backends.ray.names import run_name
from scheduler.control.private_files import remove_folder
from scheduler.control.upkeep.retention import Ended
from scheduler.model.workloads import JobId


class RunRemains:
    """`scheduler.control.upkeep.retention.Remains` of one store's runs.

    Args:
        state_dir: has `logs/` and `checkpoints/`.
        owner: identity of the store.
    """

    def __init__(self, state_dir: Path, owner: str) -> None:
        self._logs, self._checkpoints, self._owner = state_dir / "logs", state_dir / "checkpoints", owner

    def drop_logs(self, ended: Ended) -> int:
        """Drop what the attempts of a job have printed, also before runs bore their store's mark; return how many."""
        names = (run_name(ended.job_id, number, owner) for number in ended.attempts for owner in (self._owner, ""))
        return sum(_dropped(self._logs / f"{name}.log") for name in dict.fromkeys(names))

    def has_checkpoints(self, job_id: JobId) -> bool:
        """Whether there is a folder of checkpoints, or a link to one."""
        folder = self._checkpoints / job_id
        return folder.is_symlink() or folder.is_dir()

    def drop_checkpoints(self, job_id: JobId) -> None:
        """Drop the checkpoints of a job; of a link that somebody put there only the link."""
        folder = self._checkpoints / job_id
        if folder.is_symlink():
            folder.unlink(missing_ok=True)
        elif folder.is_dir():
            remove_folder(folder)


def _dropped(file: Path) -> bool:
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True

"""What runs have printed: asked of Ray while it remembers them, kept in files when it is told to forget."""

from pathlib import Path

from scheduler.backends.ray.rest import RayRest
from scheduler.control.private_files import private_folder, write_private
from scheduler.model.errors import ActionFailed


class Outputs:
    """The output of drivers, by the name of their run.

    Args:
        rest: asks Ray.
        folder: where output is kept; made when first needed.
    """

    def __init__(self, rest: RayRest, folder: Path) -> None:
        self._rest, self._folder = rest, folder

    def read(self, name: str) -> str:
        """Return what a run has printed so far; "" when nobody knows the run.

        Raises:
            Unreachable: Ray does not answer.
        """
        file = self._file(name)
        return file.read_text(encoding="utf-8") if file.exists() else self._rest.logs(name)

    def keep(self, name: str) -> None:
        """Write down what a run that is over has printed, so that Ray may forget it.

        Raises:
            Unreachable: Ray does not answer.
        """
        if self._file(name).exists():
            return
        private_folder(self._folder)
        write_private(self._file(name), self._last_words(name).encode())

    def _last_words(self, name: str) -> str:
        try:
            return self._rest.logs(name)
        except ActionFailed as error:
            return f"The output was lost with its host: {error}\n"

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.log"

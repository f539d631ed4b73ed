"""The API on a loopback port, in a thread of its own, for clients that speak real HTTP."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from simulations.kubernetes.api import Api
from simulations.kubernetes.app import application

SHUTDOWN_S = 5


class Server:
    """Serves an API from `with` to its end; in between it can go away and come back on the same port."""

    def __init__(self, api: Api, port: int = 0) -> None:
        self.api = api
        with socket.create_server(("127.0.0.1", port)) as held:
            self.port = int(held.getsockname()[1])

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving; open watches end."""
        self.stop()

    def start(self) -> None:
        """Listen and serve."""
        application_of = application(self.api)
        config = uvicorn.Config(
            application_of, log_level="critical", lifespan="off", timeout_graceful_shutdown=0, ws="none"
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            threading.Event().wait(0.005)

    def stop(self) -> None:
        """Refuse new connections and cut those that are open."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(SHUTDOWN_S)
        self._socket.close()

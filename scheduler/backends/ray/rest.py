"""Ray's REST API, with deadlines: jobs, packages and Serve. What it answers stays as it is; others read it."""

import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx

from scheduler.backends.ray.auth import auth_headers
from scheduler.model.errors import ActionFailed, Unreachable

TIMEOUT_S: Final = 10.0
SERVE_TIMEOUT_S: Final = 60.0
"""The first configuration starts Serve itself, and whoever looks meanwhile waits for it."""


class RayRest:
    """Ray's dashboard as a client sees it. Every call may raise `Unreachable`.

    Args:
        dashboard_url: for instance "http://127.0.0.1:8265".
        prove: called before each request that changes something; raises when this process may not.
    """

    def __init__(self, dashboard_url: str, prove: Callable[[], object] = lambda: None) -> None:
        self._url, self._prove = dashboard_url, prove
        self._http = httpx.Client(
            base_url=dashboard_url,
            headers=auth_headers(os.environ, Path.home()),
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def jobs(self) -> list[dict[str, Any]]:
        """Return all submissions and drivers Ray remembers."""
        return list(self._ask("GET", "/api/jobs/").json())

    def job(self, submission_id: str) -> dict[str, Any] | None:
        """Return one submission, or None when Ray does not know it."""
        answer = self._ask("GET", f"/api/jobs/{submission_id}", accept={HTTPStatus.NOT_FOUND})
        return None if answer.status_code == HTTPStatus.NOT_FOUND else dict(answer.json())

    def submit(self, submission: Mapping[str, Any]) -> None:
        """Submit a job.

        Raises:
            ActionFailed: Ray refuses it.
        """
        self._ask("POST", "/api/jobs/", json=submission)

    def stop(self, submission_id: str) -> None:
        """Have SIGTERM sent to a job's driver; nothing happens when it is over or unknown."""
        self._ask("POST", f"/api/jobs/{submission_id}/stop", accept={HTTPStatus.NOT_FOUND})

    def delete(self, submission_id: str) -> None:
        """Make Ray forget a job that is over; nothing happens when it is unknown."""
        self._ask("DELETE", f"/api/jobs/{submission_id}", accept={HTTPStatus.NOT_FOUND})

    def logs(self, submission_id: str) -> str:
        """Return what a job's driver has printed, "" when Ray does not know it."""
        answer = self._ask("GET", f"/api/jobs/{submission_id}/logs", accept={HTTPStatus.NOT_FOUND})
        return "" if answer.status_code == HTTPStatus.NOT_FOUND else str(answer.json()["logs"] or "")

    def serve(self) -> dict[str, Any]:
        """Return Serve's applications with their replicas and the configuration they were deployed with."""
        return dict(self._ask("GET", "/api/serve/applications/", timeout=SERVE_TIMEOUT_S).json())

    def serve_config(self, config: Mapping[str, Any]) -> None:
        """Replace Serve's whole configuration; an application that is left out is removed.

        Raises:
            ActionFailed: Serve refuses it.
        """
        self._ask("PUT", "/api/serve/applications/", json=config, timeout=SERVE_TIMEOUT_S)

    def _ask(
        self, method: str, path: str, *, accept: set[HTTPStatus] | None = None, timeout: float = TIMEOUT_S, **body: Any
    ) -> httpx.Response:
        if method != "GET":
            self._prove()
        try:
            answer = self._http.request(method, path, timeout=timeout, **body)
        except httpx.HTTPError as error:
            raise Unreachable(f"Ray at {self._url} does not answer: {error or type(error).__name__}") from error
        if answer.is_success or answer.status_code in (accept or ()):
            return answer
        raise ActionFailed(f"Ray answers {answer.status_code} to {method} {path}: {_last_words(answer.text)}")


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.replace("\\n", "\n").splitlines() if line.strip(' "}')]
    return lines[-1][:500] if lines else "no reason given"

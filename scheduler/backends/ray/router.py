"""The front door of all served models: a Serve application that spreads requests over the hosts.

It lives in Ray, so requests go on being answered while the control plane is away. It listens itself: Serve's own proxy
in front of it would cost another process and 3.5 ms of a core for each request.

    any method /models/<model>/<anything>   to a replica of the model
    GET /headroom/request-counts                   {"<model>": {"total": …, "late": …, "failed": …}}
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from ray import serve
from ray.exceptions import RayActorError, RayError
from ray.serve.exceptions import RayServeException

from scheduler.backends.ray.request_counts import Tallies
from scheduler.backends.ray.routes import ModelRoutes, Route, set_ready, updated
from scheduler.model.workloads import trial_name

LOOK_S: Final = 0.5
"""How often it asks Serve which replicas are ready, and saves its counts."""
PATIENCE_S: Final = 5.0
"""How long a request waits for a first ready replica."""
LIMIT_S: Final = 60.0
"""Longest a replica may take to answer."""
HANGS_S: Final = 5.0
LATE_TIMES: Final = 5.0
"""Where another revision is ready, a replica is given so long, or so many times its objective, to answer."""
TRIES: Final = 3
"""Replicas tried when one dies under a request; a prediction may be made twice without harm."""
LARGEST_BODY: Final = 64 * 2**20
log = logging.getLogger("ray.serve")


@serve.deployment(name="Router", max_ongoing_requests=1000)
class Router:
    """Routes, counts, and answers 503 when a model has no ready replica.

    Args:
        host, port: where to listen.
        tally_file: where the counts are kept.
    """

    def __init__(self, host: str, port: int, tally_file: str) -> None:
        self._host, self._port = host, port
        self._tallies = Tallies(Path(tally_file))
        self._models: dict[str, ModelRoutes] = {}
        self._watch: asyncio.Task[None] | None = None

    async def reconfigure(self, config: Mapping[str, Any]) -> None:
        """Take a new set of applications; requests in flight are not touched."""
        self._models = updated(self._models, config["routes"])
        await self._look()
        if self._watch is None:
            await self._listen()
            self._watch = asyncio.get_running_loop().create_task(self._keep_looking())

    async def _listen(self) -> None:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_get("/headroom/request-counts", self._answer_request_counts)
        app.router.add_route("*", "/models/{model}{rest:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        # When Serve replaces this replica, the new one listens before the old one has gone.
        await web.TCPSite(runner, self._host, self._port, reuse_port=True).start()

    async def _answer_request_counts(self, _: web.Request) -> web.Response:
        return web.json_response(self._tallies.as_json())

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        model = self._models.get(name)
        if model is None:
            return web.Response(text=f"no model {name} is served\n", status=HTTPStatus.NOT_FOUND)
        began_s = time.monotonic()
        response = await self._serve(name, model, await _call(request))
        late = time.monotonic() - began_s > model.objective_s
        failed = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self._tallies.count(name, late=late and not failed, failed=failed)
        return response

    async def _serve(self, name: str, model: ModelRoutes, call: Mapping[str, Any]) -> web.Response:
        """Answer a request; where a revision fails it and another one is ready, that one answers instead."""
        tried: set[str] = set()
        refusal = _refusal(f"no replica of {name} is ready", HTTPStatus.SERVICE_UNAVAILABLE)
        for _ in range(TRIES):
            route = await self._route(name, tried)
            if route is None:
                break
            is_first, began_s, failed = not tried, time.monotonic(), True
            limit_s = _limit_s(model, route)
            try:
                answer = _response(await _ask(route, call, limit_s))
                failed = False
            except (RayActorError, RayServeException):
                tried.add(route.app)
                route.ready = max(0, route.ready - 1)  # until the next look
            except (TimeoutError, RayError) as error:
                refusal = _failure(name, error, limit_s)
                if not is_first or not model.rivals(route):
                    break
                tried |= model.of_revision(route.revision)
            finally:
                if is_first:
                    self._judge(name, model, route, time.monotonic() - began_s, failed=failed)
            if not failed:
                return answer
        return refusal

    def _judge(self, name: str, model: ModelRoutes, route: Route, took_s: float, *, failed: bool) -> None:
        """Count a request for the revision that had it first, while there are several to compare."""
        if model.has_several:
            late = took_s > model.objective_s and not failed
            self._tallies.count(trial_name(name, route.revision), late=late, failed=failed)

    async def _route(self, name: str, tried: set[str]) -> Route | None:
        deadline_s = time.monotonic() + PATIENCE_S
        while (model := self._models.get(name)) is not None and time.monotonic() < deadline_s:
            if route := model.best(tried) or model.best():
                return route
            await asyncio.sleep(0.05)
        return None

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(RayError, RayServeException, OSError):
                await self._look()
                self._tallies.save()

    async def _look(self) -> None:
        models = list(self._models.values())
        await asyncio.to_thread(lambda: set_ready(models, _running(), serve.get_deployment_handle))


def build(args: Mapping[str, Any]) -> serve.Application:
    """Return the application; Serve's configuration names this function."""
    return Router.bind(args["host"], args["port"], args["tally_file"])  # type: ignore[attr-defined]  # the decorator makes it a Deployment


def _running() -> dict[str, int]:
    return {
        name: sum(deployment.replica_states.get("RUNNING", 0) for deployment in app.deployments.values())
        for name, app in serve.status().applications.items()
    }


async def _call(request: web.Request) -> dict[str, Any]:
    """Return what a model's deployment is called with: plain values, cheap to send."""
    return {
        "method": request.method,
        "path": request.match_info["rest"].removeprefix("/"),
        "query": request.query_string,
        "body": await request.read(),
    }


def _limit_s(model: ModelRoutes, route: Route) -> float:
    """Return how long a replica may take: not so long where another revision can answer instead."""
    return min(LIMIT_S, max(HANGS_S, LATE_TIMES * model.objective_s)) if model.rivals(route) else LIMIT_S


async def _ask(route: Route, call: Mapping[str, Any], limit_s: float) -> Any:
    route.in_flight += 1
    try:
        return await asyncio.wait_for(route.handle.remote(call), limit_s)
    finally:
        route.in_flight -= 1


def _failure(name: str, error: Exception, limit_s: float) -> web.Response:
    if isinstance(error, TimeoutError):
        return _refusal(f"{name} did not answer in {limit_s:g} s", HTTPStatus.GATEWAY_TIMEOUT)
    log.warning("%s failed: %s", name, error)
    return _refusal(f"{name} failed: {_last_line(error)}", HTTPStatus.INTERNAL_SERVER_ERROR)


def _response(answer: Any) -> web.Response:
    match answer:
        case bytes():
            return web.Response(body=answer)
        case str():
            return web.Response(text=answer)
        case _:
            return web.json_response(answer)


def _refusal(words: str, status: HTTPStatus) -> web.Response:
    return web.Response(text=f"{words}\n", status=status)


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]

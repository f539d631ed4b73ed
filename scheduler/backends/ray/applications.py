"""Ray Serve's configuration that stands for a set of replicas: one application a model and host, and the router."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from scheduler.backends.ray.names import bundle_of, mark_of
from scheduler.backends.ray.replicas import MARK, Wanted
from scheduler.model.workloads import ServingModel

ROUTER_APP: Final = "headroom-router"
ROUTER_DEPLOYMENT: Final = "Router"
HEAD: Final = {"node:__internal_head__": 0.001}
"""Pins the router next to Serve's proxy."""
TOLD_S: Final = 1.0
"""Wall seconds between telling the router that an application goes and removing it, so that no request is caught."""


@dataclass(frozen=True, slots=True)
class ServeApplication:
    """What a replica of a model runs.

    Attributes:
        import_path: "package.module:name" of a Serve application or of a function that builds one.
        args: for such a function.
        runtime_env: Ray's runtime environment.
        deployment: name of the deployment that answers requests; its replicas are the model's. It is called with
            `scheduler.backends.ray.router.Call`'s fields as a dict and returns bytes, text or something JSON can hold.
        latency_objective_s: wall seconds; a request that takes longer counts as late.
    """

    import_path: str
    args: Mapping[str, Any] = field(default_factory=dict)
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    deployment: str = "Model"
    latency_objective_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Front:
    """Where the router answers, and what it keeps.

    Attributes:
        host, port: HTTP address.
        tally_file: where it saves its counts, on the head.
    """

    host: str
    port: int
    tally_file: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What may be served.

    Attributes:
        models: by name.
        applications: by model name.
    """

    models: Mapping[str, ServingModel]
    applications: Mapping[str, ServeApplication]


@dataclass(frozen=True, slots=True)
class Former:
    """What Serve runs of models that are declared no longer, in its own words: they answer until they are stopped.

    Attributes:
        apps: configuration of each application, by its name.
        routes: how the router reaches each model.
    """

    apps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    routes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def router_name(owner: str) -> str:
    """Return the name of the router's application; each owner has one of its own."""
    return f"{ROUTER_APP}{MARK}{mark_of(owner)}" if owner else ROUTER_APP


def former_in(
    details: Mapping[str, Any], wanted: Iterable[Wanted], catalogue: Catalogue, router: str = ROUTER_APP
) -> Former:
    """Return what Serve shows of replicas whose models are not in the catalogue."""
    others = [each for each in wanted if each.model not in catalogue.applications]
    shown = {each.app: details["applications"].get(each.app, {}).get("deployed_app_config") for each in others}
    routes = _router_words(details, router).get("routes", {})
    return Former(
        {app: config for app, config in shown.items() if config},
        {each.model: routes[each.model] for each in others if each.model in routes},
    )


def serve_config(  # noqa: PLR0913, PLR0917  # what is asked for, what is known of it, and when
    wanted: Sequence[Wanted],
    catalogue: Catalogue,
    front: Front,
    selectors: Mapping[str, Mapping[str, str]],
    wall_s: float,
    former: Former = Former(),
    router: str = ROUTER_APP,
) -> dict[str, Any]:
    """Return the whole configuration for `/api/serve/applications/`.

    Args:
        wanted: replicas to run, and those asked to stop.
        catalogue: shapes and applications of the models.
        front: see `Front`.
        selectors: labels of each host's node; replicas on hosts that are not here are left out.
        wall_s: now, wall time.
        former: applications of models that are not in the catalogue any more.
        router: name of the router's application.
    """
    here = [each for each in wanted if each.host in selectors]
    counts = _counts((w for w in here if w.model in catalogue.applications), wall_s)
    left = _counts((w for w in here if w.app in former.apps), wall_s)
    apps = [_application(*key, count, catalogue, selectors[key[2]]) for key, count in sorted(counts.items())]
    apps += [_as_before(former.apps[app], count) for (app, _, _), count in sorted(left.items())]
    return {
        "proxy_location": "Disabled",  # the router listens itself
        "logging_config": {"enable_access_log": False},
        "applications": [_router(wanted, catalogue, front, former, router), *apps],
    }


def is_waiting(wanted: Iterable[Wanted], wall_s: float) -> bool:
    """Whether an application is kept only until the router has surely heard that it goes."""
    return any(not w.is_live and wall_s - (w.stopped_wall_s or 0.0) < TOLD_S for w in wanted)


def wanted_in(details: Mapping[str, Any], router: str = ROUTER_APP) -> tuple[Wanted, ...] | None:
    """Read the bookkeeping back from what Serve shows; None when there is no router."""
    if _router_config(details, router) is None:
        return None
    return tuple(Wanted.of(each) for each in _router_words(details, router).get("wanted", ()))


def front_in(details: Mapping[str, Any], router: str = ROUTER_APP) -> Front | None:
    """Return where the router that runs already answers; None when there is none."""
    app = _router_config(details, router)
    return Front(**app["args"]) if app else None


def _router_config(details: Mapping[str, Any], router: str) -> Mapping[str, Any] | None:
    app = details["applications"].get(router) or {}
    return app.get("deployed_app_config") or None


def _router_words(details: Mapping[str, Any], router: str) -> Mapping[str, Any]:
    """Return what the router that runs already was told; nothing when there is none."""
    deployments = (_router_config(details, router) or {}).get("deployments", ())
    return next((d.get("user_config") for d in deployments if d["name"] == ROUTER_DEPLOYMENT), None) or {}


def _counts(wanted: Iterable[Wanted], wall_s: float) -> dict[tuple[str, str, str], int]:
    """Return the replicas of each application, by its name, model and host."""
    live: Counter[tuple[str, str, str]] = Counter()
    going: Counter[tuple[str, str, str]] = Counter()
    for each in wanted:
        if each.is_live:
            live[each.app, each.model, each.host] += 1
        elif is_waiting([each], wall_s):
            going[each.app, each.model, each.host] += 1
    return {**going, **live}  # where some stay, Serve itself lets go of the rest without losing a request


def _application(
    name: str, model: str, _host: str, count: int, catalogue: Catalogue, selector: Mapping[str, str]
) -> dict[str, Any]:
    application = catalogue.applications[model]
    bundle = bundle_of(catalogue.models[model].shape)
    options = {
        "num_cpus": bundle.get("CPU", 0),
        "num_gpus": bundle.get("GPU", 0),
        "label_selector": dict(selector),
    } | ({"memory": bundle["memory"]} if "memory" in bundle else {})
    return {
        "name": name,
        "route_prefix": None,  # reached through the router alone
        "import_path": application.import_path,
        "args": dict(application.args),
        "runtime_env": dict(application.runtime_env),
        "deployments": [{"name": application.deployment, "num_replicas": count, "ray_actor_options": options}],
    }


def _as_before(config: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return an application as Serve has it, with another number of replicas."""
    return {**config, "deployments": [{**each, "num_replicas": count} for each in config["deployments"]]}


def _router(wanted: Sequence[Wanted], catalogue: Catalogue, front: Front, former: Former, name: str) -> dict[str, Any]:
    routes = {
        name: {**route, "apps": sorted({w.app for w in wanted if w.is_live and w.model == name})}
        for name, route in former.routes.items()
    } | {
        name: {
            "objective_s": application.latency_objective_s,
            "deployment": application.deployment,
            "apps": sorted({w.app for w in wanted if w.is_live and w.model == name}),
        }
        for name, application in sorted(catalogue.applications.items())
    }
    return {
        "name": name,
        "route_prefix": None,
        "import_path": "scheduler.backends.ray.router:build",
        "args": asdict(front),
        "deployments": [
            {
                "name": ROUTER_DEPLOYMENT,
                "num_replicas": 1,
                "ray_actor_options": {"num_cpus": 0, "resources": HEAD},
                "user_config": {"routes": routes, "wanted": [w.as_json() for w in wanted]},
            }
        ],
    }

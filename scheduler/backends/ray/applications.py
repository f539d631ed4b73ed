"""Ray Serve's configuration that stands for a set of replicas: one application a model and host, and the router."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from scheduler.backends.ray.names import bundle_of, mark_of
from scheduler.backends.ray.replicas import MARK, Wanted, key_of
from scheduler.control.settings import Declared
from scheduler.model.workloads import FIRST_REVISION, ServingModel

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

    @classmethod
    def of(cls, declared: Declared) -> "ServeApplication":
        """Return what is declared to run; ValueError where nothing is."""
        if declared.application is None:
            msg = f"{declared.model.name} runs no application"
            raise ValueError(msg)
        runs = declared.application
        return cls(runs.import_path, runs.args, runs.runtime_env, latency_objective_s=declared.latency_objective_s)


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
    """What may be served; revisions of models go by `key_of`.

    Attributes:
        models: by key.
        applications: by key.
        shares: part of its model's requests that a revision gets, by key, of those for which it is said.
    """

    models: Mapping[str, ServingModel]
    applications: Mapping[str, ServeApplication]
    shares: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, declared: Sequence[Declared]) -> "Catalogue":
        """Return what is declared; what has no application is served by nobody."""
        known = {key_of(*one.model.revised): one for one in declared if one.application is not None}
        return cls(
            {key: one.model for key, one in known.items()},
            {key: ServeApplication.of(one) for key, one in known.items()},
            {key: one.share for key, one in known.items() if one.share is not None},
        )

    def with_former(self, before: "Catalogue", keys: Iterable[str]) -> "Catalogue":
        """Return it with what it leaves out of an earlier one and still has replicas: they get no new requests."""
        left = {key for key in keys if key in before.applications and key not in self.applications}
        return Catalogue(
            {**self.models, **{key: before.models[key] for key in left}},
            {**self.applications, **{key: before.applications[key] for key in left}},
            {**self.shares, **dict.fromkeys(left, 0.0)},
        )

    @property
    def names(self) -> dict[str, list[str]]:
        """The keys of each model, by the name under which it serves: that whose share nobody has set comes first."""
        found: dict[str, list[str]] = {}
        for key in sorted(self.applications, key=lambda key: (key in self.shares, key)):
            found.setdefault(self.models[key].served_as, []).append(key)
        return found


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
    others = [each for each in wanted if each.key not in catalogue.applications]
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
    counts = _counts((w for w in here if w.key in catalogue.applications), wall_s)
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
    """Return the replicas of each application, by its name, what it runs and host."""
    live: Counter[tuple[str, str, str]] = Counter()
    going: Counter[tuple[str, str, str]] = Counter()
    for each in wanted:
        if each.is_live:
            live[each.app, each.key, each.host] += 1
        elif is_waiting([each], wall_s):
            going[each.app, each.key, each.host] += 1
    return {**going, **live}  # where some stay, Serve itself lets go of the rest without losing a request


def _application(
    name: str, key: str, _host: str, count: int, catalogue: Catalogue, selector: Mapping[str, str]
) -> dict[str, Any]:
    application = catalogue.applications[key]
    bundle = bundle_of(catalogue.models[key].shape)
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


def _plain(route: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a model that nobody declares any more is reached: nothing of it is tried."""
    return {key: value for key, value in route.items() if key not in {"revisions", "shares"}}


def _apps(model: str, wanted: Sequence[Wanted]) -> dict[str, Any]:
    """Return the applications of a model, and of which revision those are that are not of the first."""
    apps = {w.app: w.revision for w in wanted if w.is_live and w.model == model}
    others = {app: revision for app, revision in apps.items() if revision != FIRST_REVISION}
    return {"apps": sorted(apps)} | ({"revisions": others} if others else {})


def _shares(keys: Sequence[str], catalogue: Catalogue) -> dict[str, Any]:
    shares = {str(catalogue.models[key].revision): catalogue.shares[key] for key in keys if key in catalogue.shares}
    return {"shares": shares} if shares else {}


def _router(wanted: Sequence[Wanted], catalogue: Catalogue, front: Front, former: Former, name: str) -> dict[str, Any]:
    routes = {model: {**_plain(route), **_apps(model, wanted)} for model, route in former.routes.items()} | {
        model: {
            "objective_s": catalogue.applications[keys[0]].latency_objective_s,
            "deployment": catalogue.applications[keys[0]].deployment,
            **_shares(keys, catalogue),
            **_apps(model, wanted),
        }
        for model, keys in catalogue.names.items()
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

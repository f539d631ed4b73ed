"""cluster.yaml: sound files are read whole; every fault is found, with its line and what to do."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.config.checks import is_loopback
from scheduler.config.loading import load_config
from scheduler.config.nouns import serving_model_of
from scheduler.config.queues import order_name, queue_names
from scheduler.config.schema import Config, LocalRay, PrometheusTraffic, ReplayTraffic
from scheduler.model.errors import Fault
from scheduler.model.resources import Shape
from scheduler.model.workloads import ServingModel

FaultsOf = Callable[..., tuple[Fault, ...]]
Cluster = Callable[..., Path]
_CLUSTER_HELP = 'did you mean "cluster"? all keys: headroom explain cluster'
_REACHABLE = "2: api.host: 0.0.0.0 is reachable from outside, and api.tokens is empty"
REPOSITORY = Path(__file__).parents[2]
EVERY_CLUSTER = [
    *sorted((REPOSITORY / "configs").glob("*.yaml")),
    *sorted((REPOSITORY / "scheduler" / "demo").glob("*.yaml")),
]


def test_a_small_file_gets_all_defaults(cluster: Cluster) -> None:
    config = load_config(cluster())
    assert (config.api.host, config.api.port, queue_names(config.queues)) == ("127.0.0.1", 8321, ("default",))
    assert config.priorities == {"urgent": 100, "high": 75, "normal": 50, "low": 25}
    assert (config.control.period, config.control.quantile, config.control.reactive) == (30.0, 0.99, False)
    assert isinstance(config.backend, LocalRay)
    assert not config.api.public


def test_a_model_becomes_the_planners_noun(cluster: Cluster) -> None:
    more = (
        "    resources: {cpus: 4, memory: 8Gi, gpus: 0.5, gpu_model: MI300X}\n    max_replicas: 6\n    warm_up: 2m10s\n"
    )
    rest = "    max_per_host: 2\n    survive_host_losses: 1\n    community: true\n    traffic: wiki\n"
    (model,) = load_config(cluster(("    traffic: wiki\n", more + rest))).models
    shape = Shape(cpu_milli=4000, memory_mib=8192, gpu_count=1, gpu_milli=500, gpu_models=frozenset({"MI300X"}))
    assert serving_model_of(model) == ServingModel(
        "edit-check",
        shape,
        max_replicas=6,
        warm_up_s=130.0,
        max_per_host=2,
        survive_host_losses=1,
        community=True,
        elsewhere=True,
    )


def test_a_replayed_file_is_found_beside_the_configuration(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "traffic.csv").write_text("timestamp,requests\n", encoding="utf-8")
    path = cluster(('{kind: prometheus, url: "http://127.0.0.1:9090", query: up}', "{kind: replay, file: traffic.csv}"))
    source = load_config(path).traffic["wiki"]
    assert isinstance(source, ReplayTraffic)
    assert source.file == tmp_path / "traffic.csv"


@pytest.mark.parametrize(
    ("old", "new", "said", "help_"),
    [
        ("traffic: wiki", "traffic: wikki", '11: unknown traffic source "wikki" of edit-check', 'did you mean "wiki"?'),
        ("traffic: wiki", "traffic: x", '11: unknown traffic source "x" of edit-check', "sources: wiki"),
        ("cluster: small", "cluster: small\nclutser: x", '2: unknown key "clutser"', _CLUSTER_HELP),
        (
            "kind: local",
            "kind: locl",
            '3: backend.kind: "locl" is not one of local, ray, kubernetes',
            'did you mean "local"?',
        ),
        (
            "kind: rate",
            "kind: rat",
            '10: models.0.capacity.kind: "rat" is not one of rate, erlang-c, erlang-a',
            'did you mean "rate"?',
        ),
        (
            "kind: rate, rps_per_replica: 15",
            "kind: rate",
            "10: models.0.capacity.rps_per_replica is missing",
            "rps_per_replica: 15",
        ),
        (
            "rps_per_replica: 15",
            "rps_per_replica: 0",
            "10: models.0.capacity.rps_per_replica: 0 is too small",
            "use more than 0",
        ),
        (
            "kind: rate, rps_per_replica: 15",
            "kind: erlang-c, service_time: 2s, latency_objective: 1s",
            "10: edit-check: no number of replicas answers within less than the service time",
            "raise latency_objective",
        ),
        (
            "name: edit-check",
            "name: Edit_Check",
            '9: models.0.name: "Edit_Check" is not allowed',
            "Unique name: lower-case letters, digits and hyphens",
        ),
        (
            "traffic: wiki",
            "traffic: wiki\n    min_replicas: 3",
            "12: edit-check: min_replicas 3 is above max_replicas 1",
            "raise max_replicas, or lower min_replicas",
        ),
        (
            "traffic: wiki",
            "traffic: wiki\n    resources: {gpu_model: MI300}",
            '12: edit-check: no host has GPUs of model "MI300"',
            'did you mean "MI300X"?',
        ),
        (
            "{name: gpu-1, gpus: 4, gpu_model: MI300X}",
            "{name: a}\n    - {name: a}",
            '6: backend.hosts.1.name: "a" is taken by entry 0',
            "give each its own name",
        ),
        ("{name: gpu-1, gpus: 4, gpu_model: MI300X}", "{gpus: 1}", "5: backend.hosts.0.name is missing", "name: gpu-1"),
        (
            "http://127",
            "127",
            '7: traffic.wiki.url: "127.0.0.1:9090" is not a URL',
            "begin it with http:// or https://",
        ),
        (
            "query: up",
            "step: 1h",
            "7: traffic.wiki: has no query",
            'query: "sum(rate(…[5m]))", or preset: istio with namespace: and service:',
        ),
        (
            "query: up",
            "query: up, preset: istio",
            "7: traffic.wiki: has a query and a preset",
            'query: "sum(rate(…[5m]))", or preset: istio with namespace: and service:',
        ),
        (
            "query: up",
            "preset: istio, service: edit-check-predictor",
            "7: traffic.wiki: the preset istio wants a namespace and a service",
            "namespace: …, service: …",
        ),
        (
            "query: up",
            "query: up, service: edit-check-predictor",
            "7: traffic.wiki: service goes with a preset, not with a query",
            "leave service out, or write it into the query",
        ),
        (
            "query: up",
            "query: up, zone: Europe/Berln",
            '7: unknown time zone "Europe/Berln"',
            "for instance Europe/Berlin or UTC",
        ),
        (
            "cluster: small",
            "cluster: small\nretention: {events: 23h}",
            "2: retention.events: 23h is less than a day",
            "1d or more, or 0 for ever",
        ),
        (
            "cluster: small",
            "cluster: small\nretention: {jobs: 30d, logs: 31d}",
            "2: retention.logs: logs are kept no longer than the jobs they are of",
            "30d or less, or retention.jobs as long",
        ),
        (
            "cluster: small",
            "cluster: small\nretention: {checkpoints: 0}",
            "2: retention.checkpoints: checkpoints are kept no longer than the jobs they are of",
            "90d or less, or retention.jobs as long",
        ),
        ("query: up", "query: up, step: 1 hour", '7: step "1 hour" is not a duration', "30s, 10m, 6h, 2d or 1d12h"),
        (
            "cluster: small",
            "cluster: small\napi: {host: 0.0.0.0}",
            _REACHABLE,
            "declare tokens (headroom explain cluster), or listen on 127.0.0.1",
        ),
        (
            "cluster: small",
            "cluster: small\napi: {public: true}",
            "2: api.public: without tokens everybody on this machine is an operator, whatever is public",
            "declare tokens (headroom explain cluster), or leave it out",
        ),
        (
            "cluster: small",
            "cluster: small\napi: {port: 70000}",
            "2: api.port: 70000 is too large",
            "use 65535 or less",
        ),
        ("cluster: small", "cluster: small\npriorities: {}", "2: priorities: is empty", "give at least one"),
        (
            "cluster: small",
            "cluster: small\nreplay: {start: yesterday}",
            '2: replay.start: "yesterday" is not an RFC 3339 time',
            "for instance 2012-02-04T18:40:00Z",
        ),
        (
            "cluster: small",
            "cluster: small\nreplay: {start: 2012-02-04T18:40:00}",
            '2: replay.start: "2012-02-04T18:40:00" has no zone',
            "for instance 2012-02-04T18:40:00Z",
        ),
        (
            "cluster: small",
            "cluster: small\ncontrol: {quantile: 0.3}",
            "2: control.quantile: 0.3 is too small",
            "use more than 0.5",
        ),
        (
            "cluster: small",
            "cluster: small\ncontrol: {period: 0s}",
            '2: control.period: "0s" is too small',
            "use more than 0",
        ),
        (
            "cluster: small",
            "cluster: small\npolicy: {queue_order: lifo}",
            '2: unknown queue_order "lifo"',
            "one of: fair-share, fifo, priority, shortest-first",
        ),
        (
            "cluster: small",
            "cluster: small\ncluster: large",
            '2: "cluster" stands twice, first on line 1',
            "keep one of them",
        ),
    ],
)
def test_each_fault_is_found_where_it_stands(  # noqa: PLR0913, PLR0917  # one row of the table above and two fixtures
    old: str, new: str, said: str, help_: str, cluster: Cluster, faults_of: FaultsOf
) -> None:
    path = cluster((old, new))
    (fault,) = faults_of(load_config, path)
    assert (str(fault), fault.help) == (f"{path}:{said}", help_)


def test_a_remote_ray_needs_whole_addresses(cluster: Cluster, faults_of: FaultsOf) -> None:
    path = cluster(
        (
            "  kind: local\n  hosts:\n    - {name: gpu-1, gpus: 4, gpu_model: MI300X}\n",
            "  {kind: ray, address: head, dashboard: head}\n",
        )
    )
    found = faults_of(load_config, path)
    assert {fault.message for fault in found} == {
        'backend.address: "head" has no port',
        'backend.dashboard: "head" is not a URL',
    }


def test_tokens_open_other_addresses(cluster: Cluster) -> None:
    token = f"{{name: ci, role: operator, sha256: {'a' * 64}}}"
    config = load_config(cluster(("cluster: small", f"cluster: small\napi: {{host: 0.0.0.0, tokens: [{token}]}}")))
    assert config.api.tokens[0].role == "operator"


def test_a_missing_traffic_file_is_named(cluster: Cluster, faults_of: FaultsOf, tmp_path: Path) -> None:
    old = '{kind: prometheus, url: "http://127.0.0.1:9090", query: up}'
    (fault,) = faults_of(load_config, cluster((old, "{kind: replay, file: none.csv}")))
    assert fault.message == f"there is no file {tmp_path / 'none.csv'}"
    assert (fault.line, fault.field) == (7, "traffic.wiki.file")


@pytest.mark.parametrize(
    ("host", "inside"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),  # noqa: S104
     ("10.0.0.5", False),
     ("ml.example", False), ("", False)],
)  # fmt: skip
def test_loopback_is_told_from_the_world(host: str, inside: bool) -> None:  # noqa: FBT001  # a row of the table
    assert is_loopback(host) is inside


@pytest.mark.parametrize("path", EVERY_CLUSTER, ids=lambda path: path.name)
def test_every_cluster_in_the_repository_is_sound(path: Path) -> None:
    assert isinstance(load_config(path), Config)


def test_the_lift_wing_fleet_is_the_declared_one() -> None:
    config = load_config(REPOSITORY / "configs" / "liftwing-eqiad.yaml")
    assert isinstance(config.backend, LocalRay)
    assert [host.name for host in config.backend.hosts] == [f"ml-serve{number}" for number in range(1001, 1016)]
    assert {(host.gpu_model, host.gpus) for host in config.backend.hosts} == {("", 0), ("MI210", 2), ("MI300X", 8)}
    declared = _declared()
    models = {model.name: model for model in config.models}
    assert set(models) == {row["service"] for row in declared}
    for row in declared:
        model = models[row["service"]]
        assert model.min_replicas == int(float(row["min_replicas"] or 1))
        assert model.max_replicas == int(float(row["max_replicas"] or 1))
        assert model.resources.gpus == float(row["gpu"] or 0)
        assert model.resources.cpus == float(row["cpu"] or 1)
        assert isinstance(config.traffic[model.traffic], PrometheusTraffic)


def _declared() -> list[dict[str, str]]:
    data = Path(os.environ.get("HEADROOM_DATA", REPOSITORY.parent / "shared" / "data"))
    file = data / "liftwing" / "services.csv"
    if not file.is_file():
        pytest.skip("the record of declared services is not on this machine (set HEADROOM_DATA)")
    with file.open(encoding="utf-8", newline="") as rows:
        return [row for row in csv.DictReader(rows) if row["site"] == "eqiad"]


def test_the_shipped_example_of_shared_queues_has_terms_that_fit_its_hosts() -> None:
    config = load_config(REPOSITORY / "configs" / "three-teams.yaml")
    assert isinstance(config.backend, LocalRay)
    guaranteed = sum(queue.guarantee.gpus or 0 for queue in config.queues)
    assert 0 < guaranteed < sum(host.gpus for host in config.backend.hosts)
    assert order_name(config.policy.queue_order, config.queues) == "fair-share"


def test_a_model_that_nobody_would_run_is_refused_with_its_line(cluster: Cluster, faults_of: FaultsOf) -> None:
    (fault,) = faults_of(load_config, cluster(("    served_elsewhere: true\n", "")))
    assert (fault.line, fault.message) == (9, "edit-check has no application: no replica of it could start")
    assert fault.help.startswith("application: {import_path:")
    assert "served_elsewhere: true" in fault.help


def test_a_model_is_served_here_or_elsewhere_not_both(cluster: Cluster, faults_of: FaultsOf) -> None:
    both = '    served_elsewhere: true\n    application: {import_path: "models:build"}\n'
    (fault,) = faults_of(load_config, cluster(("    served_elsewhere: true\n", both)))
    assert fault.message == "edit-check is served elsewhere, and has an application here"


def test_an_application_makes_the_model_ours(cluster: Cluster) -> None:
    (model,) = load_config(cluster(("served_elsewhere: true", 'application: {import_path: "models:build"}'))).models
    assert not serving_model_of(model).elsewhere

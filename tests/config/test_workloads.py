"""Models that a cluster's own controllers run: where they may be declared, and on which hosts they are planned."""

from pathlib import Path

import pytest

from scheduler.config.loading import load_config
from scheduler.config.model import ModelForms
from scheduler.config.wiring import served_of
from scheduler.control.settings import MAY_RUN, Workload
from scheduler.model.errors import ConfigError

KUBERNETES = "{kind: kubernetes}"
RAY = '{kind: ray, address: "127.0.0.1:1", dashboard: "http://127.0.0.1:1"}'
WORKLOAD = "workload: {kind: InferenceService, namespace: edit, name: check}"
APPLICATION = 'application: {import_path: "a:b"}'


def cluster(folder: Path, backend: str, *keys: str) -> Path:
    """Write a configuration with one model."""
    model = "".join(f"    {key}\n" for key in keys)
    path = folder / "cluster.yaml"
    path.write_text(
        f"cluster: c\nbackend: {backend}\n"
        'traffic: {t: {kind: prometheus, url: "http://127.0.0.1:1", query: "up"}}\n'
        "models:\n  - name: m\n    traffic: t\n    capacity: {kind: rate, rps_per_replica: 4}\n"
        f"    resources: {{host_labels: {{rack: r1}}}}\n{model}"
    )
    return path


def test_a_workload_is_known_and_planned_where_its_pods_may_go(tmp_path: Path) -> None:
    (served,) = served_of(load_config(cluster(tmp_path, KUBERNETES, WORKLOAD)).models)
    assert served.workload == Workload("InferenceService", "edit", "check")
    assert served.declared().workload == served.workload
    assert served.model.shape.host_labels == ((MAY_RUN, "m"), ("rack", "r1"))
    (watched,) = served_of(load_config(cluster(tmp_path, KUBERNETES, WORKLOAD, "served_elsewhere: true")).models)
    assert (watched.model.elsewhere, watched.model.shape) == (True, served.model.shape)


@pytest.mark.parametrize(
    ("backend", "keys", "said"),
    [
        (RAY, [WORKLOAD], "m has a workload, and the backend is ray"),
        (KUBERNETES, [APPLICATION], "m has an application, and the backend is kubernetes"),
        (KUBERNETES, [APPLICATION, WORKLOAD], "m has an application and a workload"),
        (KUBERNETES, [WORKLOAD, "max_per_host: 2"], "where its replicas run is kube-scheduler's to say"),
        (KUBERNETES, [], "m has no application"),
        (
            KUBERNETES,
            ["workload: {kind: Pod, namespace: a, name: b}"],
            '"Pod" is not one of InferenceService, Deployment',
        ),
        (KUBERNETES, ['workload: {kind: Deployment, namespace: "a/b", name: b}'], '"a/b" is not allowed'),
        (KUBERNETES, ["workload: {kind: Deployment, namespace: a}"], "workload.name is missing"),
    ],
)
def test_what_does_not_go_together_is_refused(backend: str, keys: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(cluster(tmp_path, backend, *keys))
    assert any(said in fault.message for fault in refused.value.faults), refused.value.faults


def test_such_a_model_is_declared_in_the_file_only() -> None:
    rule = {"kind": "rate", "rps_per_replica": 4}
    workload = {"kind": "Deployment", "namespace": "a", "name": "b"}
    with pytest.raises(ConfigError, match="its revisions are rolled out on the cluster itself") as refused:
        ModelForms(("t",)).draft({"name": "m", "traffic": "t", "capacity": rule, "workload": workload})
    assert refused.value.faults[0].help == "declare it in cluster.yaml, and headroom reload"

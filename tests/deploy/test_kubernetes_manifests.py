"""deploy/kubernetes: every release that users have takes it, Pod Security lets it run, and it works as it stands."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scheduler.api.routes.control import router
from scheduler.config.loading import load_config
from tests.deploy.conftest import ROOT, Rendered

FOLDERS = ["", *(f"overlays/{path.name}" for path in sorted((ROOT / "overlays").iterdir()))]
RELEASES = ["1.31", "1.34", "1.37"]
OF_OPERATORS = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of which Kubernetes has no schema."""
RESTRICTED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected", "downwardAPI", "csi"}


def only(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_is_what_a_release_knows(folder: str, release: str, rendered: Rendered) -> None:
    known = [one for one in rendered(folder) if one["kind"] not in OF_OPERATORS]
    for one in known:
        kubernetes_validate.validate(one, release, strict=True)
    assert known or folder in {"overlays/service-monitor", "overlays/prometheus-rule"}


def test_a_wrong_key_would_be_noticed(rendered: Rendered) -> None:
    deployment = only(rendered(""), "Deployment")
    deployment["spec"]["replicaz"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.34", strict=True)


@pytest.mark.parametrize("folder", ["", "overlays/two-replicas"])
def test_pod_security_restricted_lets_the_pod_run(folder: str, rendered: Rendered) -> None:
    """The rules of https://kubernetes.io/docs/concepts/security/pod-security-standards/, one by one."""
    objects = rendered(folder)
    assert only(objects, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    spec = only(objects, "Deployment")["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {key for volume in spec["volumes"] for key in volume if key != "name"} <= RESTRICTED_VOLUMES
    for container in spec["containers"]:
        context = container["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
        assert "privileged" not in context
        assert not any("hostPort" in port for port in container["ports"])


@pytest.mark.parametrize("folder", ["", "overlays/two-replicas"])
def test_the_pod_finds_what_it_mounts_and_answers_where_it_is_asked(folder: str, rendered: Rendered) -> None:
    objects = rendered(folder)
    spec = only(objects, "Deployment")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert volumes["config"]["configMap"]["name"] == only(objects, "ConfigMap")["metadata"]["name"]
    claims = [one["metadata"]["name"] for one in objects if one["kind"] == "PersistentVolumeClaim"]
    claimed = [
        volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume
    ]
    assert claimed == claims
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert {probe["path"] for probe in probes} <= {getattr(route, "path", "") for route in router.routes}
    assert {probe["port"] for probe in probes} == {port["name"] for port in container["ports"]} == {"http"}
    service, labels = (
        only(objects, "Service")["spec"],
        only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"],
    )
    assert service["selector"].items() <= labels.items()
    assert service["ports"][0]["targetPort"] == "http"


@pytest.mark.parametrize(("folder", "store"), [("", ""), ("overlays/two-replicas", "postgresql")])
def test_its_configuration_is_one_that_the_control_plane_takes(
    folder: str, store: str, rendered: Rendered, tmp_path: Path
) -> None:
    objects = rendered(folder)
    path = tmp_path / "cluster.yaml"
    path.write_text(only(objects, "ConfigMap")["data"]["cluster.yaml"])
    config = load_config(path)
    container = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert config.backend.kind == "kubernetes"
    assert config.store.startswith(store)
    assert [config.api.port] == [port["containerPort"] for port in container["ports"]]
    assert str(config.state_dir) in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {token.sha256 for token in config.api.tokens} == {"0" * 64}, "nobody gets in with what is shipped"


def test_two_writers_never_share_a_volume(rendered: Rendered) -> None:
    one, two = (only(rendered(folder), "Deployment")["spec"] for folder in ("", "overlays/two-replicas"))
    assert (one["replicas"], one["strategy"]) == (1, {"type": "Recreate"})
    (container,) = two["template"]["spec"]["containers"]
    assert (two["replicas"], container["args"][:2]) == (2, ["run", "--standby"])
    assert [entry["name"] for entry in container["env"]] == ["PGPASSWORD", "HOME"]


def test_additions_hold_nothing_but_what_they_add(rendered: Rendered) -> None:
    added = {
        folder: [one["kind"] for one in rendered(folder)]
        for folder in FOLDERS
        if folder not in {"", "overlays/two-replicas"}
    }
    assert added == {
        "overlays/admission-policy": ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
        "overlays/prometheus-rule": ["PrometheusRule"],
        "overlays/service-monitor": ["ServiceMonitor"],
    }
    monitor, service = rendered("overlays/service-monitor")[0], only(rendered(""), "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ["http"]


def test_the_alerts_are_such_that_prometheus_takes_and_of_metrics_that_there_are(
    rendered: Rendered, tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs the program promtool")
    (rule,) = rendered("overlays/prometheus-rule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    test = {"rule_files": ["rules.yaml"], "tests": [_firing("headroom_ratio", 0.5, "HeadroomShort")]}
    (tmp_path / "test.json").write_text(json.dumps(test))
    command = [promtool, "test", "rules", "test.json"]
    tested = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    telemetry = "".join(path.read_text() for path in (ROOT.parents[1] / "scheduler" / "telemetry").glob("*.py"))
    used = re.findall(r"headroom_(\w+)", str([alert["expr"] for alert in rule["spec"]["groups"][0]["rules"]]))
    assert len(used) == len(rule["spec"]["groups"][0]["rules"])
    for name in used:
        assert re.search(f'"(headroom_)?{name.removesuffix("_total")}"', telemetry), name


def _firing(series: str, value: float, alert: str) -> dict[str, Any]:
    labels = {"model": "tone", "severity": "critical"}
    said = {
        "summary": "tone can serve 50% of its load",
        "runbook": "headroom capacity says which model and since when; uncordon what is drained, stop low jobs there",
    }
    told = [{"exp_labels": labels, "exp_annotations": said}]
    return {
        "interval": "1m",
        "input_series": [{"series": f'{series}{{model="tone"}}', "values": f"{value}+0x10"}],
        "alert_rule_test": [
            {"eval_time": "1m", "alertname": alert, "exp_alerts": []},
            {"eval_time": "5m", "alertname": alert, "exp_alerts": told},
        ],
    }

"""`headroom models import`: the services of a Kubernetes cluster as models that `cluster.yaml` takes."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import render
from scheduler.config.units import UnitError, duration_s
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError


class Preset(StrEnum):
    """Who counts the requests."""

    ISTIO = "istio"
    KNATIVE = "knative"
    KSERVE = "kserve"


def import_models(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="Only of this one; all when left out.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", "-f", help="Objects as kubectl get -o yaml writes them, - for a pipe; asks no cluster."),
    ] = None,
    kubeconfig: Annotated[str, typer.Option(help="Of the cluster; what kubectl uses when left out.")] = "",
    kube_context: Annotated[str, typer.Option("--context", help="Of the kubeconfig.")] = "",
    prometheus: Annotated[str, typer.Option(help="Address of the Prometheus.")] = "http://prometheus:9090",
    preset: Annotated[Preset, typer.Option(help="Who counts the requests there.")] = Preset.ISTIO,
    rps: Annotated[float, typer.Option(help="Requests/s of a replica, where nothing says so.", min=0.001)] = 10.0,
    service_time: Annotated[str, typer.Option(help="Of a request, where the target is a concurrency.")] = "500ms",
    warm_up: Annotated[str, typer.Option(help="Of a replica, where nothing says so.")] = "1m",
    output: OutputOption = Output.TABLE,
) -> None:
    """Make models of InferenceServices and labelled Deployments; -o yaml prints what cluster.yaml takes."""
    from scheduler.backends.kubernetes.importing import imported  # noqa: PLC0415  # other commands need none of this
    from scheduler.backends.kubernetes.importing_capacity import Assumed  # noqa: PLC0415  # likewise
    from scheduler.cli.documents import json_text  # noqa: PLC0415  # likewise
    from scheduler.cli.import_text import Measuring, as_document, as_table, as_yaml, only_those_that_load  # noqa: PLC0415  # likewise

    if file and (namespace or kubeconfig or kube_context):
        raise ConfigError("--file asks no cluster", help="leave out --namespace, --kubeconfig and --context")
    for flag, value in (("--service-time", service_time), ("--warm-up", warm_up)):
        _check_duration(flag, value)
    session, measuring = Session.of(context), Measuring(prometheus, preset.value)
    objects = _from_files(file) if file else _from_cluster(kubeconfig, kube_context, namespace or [])
    found = only_those_that_load(imported(objects, Assumed(rps, service_time, warm_up)))
    match output:
        case Output.YAML:
            session.screen.say(as_yaml(found, measuring))
        case Output.JSON:
            session.screen.say(json_text(as_document(found, measuring)))
        case Output.NAME:
            session.screen.say("\n".join(as_table(found).names))
        case _:
            session.screen.say(render(as_table(found), session.screen))
    session.screen.note(f"{plural(len(found.models), 'model')}, {len(found.left_out)} left out")
    for left in found.left_out:
        session.screen.note(f"{left.what}: {left.why}")


def _from_files(files: Sequence[Path]) -> Sequence[Mapping[str, Any]]:
    from scheduler.cli.object_files import objects_in  # noqa: PLC0415  # other commands need none of this

    return objects_in(files)


def _from_cluster(kubeconfig: str, context: str, namespaces: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    from scheduler.backends.kubernetes.connection import Connection  # noqa: PLC0415  # likewise
    from scheduler.backends.kubernetes.importing_live import services_of  # noqa: PLC0415  # likewise

    connection = Connection.open(kubeconfig, context)
    try:
        return list(services_of(connection, namespaces))
    finally:
        connection.close()


def _check_duration(flag: str, value: str) -> None:
    try:
        duration_s(value)
    except UnitError as error:
        raise ConfigError(f"{flag}: {error}", help=error.help) from error

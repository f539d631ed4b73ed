"""Queries by name: the requests per second of one service, as what stands in front of it counts them."""

from typing import Final

PRESETS: Final = {
    "istio": (
        "max(sum by (reporter) (rate(istio_requests_total{"
        'destination_service_namespace="NAMESPACE",destination_service_name=~"SERVICE(-[0-9]{5})?(-private)?"}[5m])))'
    ),
    "knative": (
        "sum("
        'rate(kn_serving_invocation_duration_seconds_count{k8s_namespace_name="NAMESPACE",kn_configuration_name="SERVICE"}[5m])'
        ' or rate(revision_app_request_count{namespace_name="NAMESPACE",configuration_name="SERVICE"}[5m]))'
    ),
    "kserve": 'sum(rate(request_predict_seconds_count{namespace="NAMESPACE",model_name="SERVICE"}[5m]))',
}
"""By name, with the places of namespace and service.

istio: a request that passes two proxies is counted by both, as `reporter` source and destination; the more complete
    of the two counts. Knative's revisions (`edit-check-predictor-00002`) are of their service.
knative: queue-proxy's own; its metrics have other names since its move to OpenTelemetry, and both are read.
kserve: of servers written with KServe's Python library, scraped with the usual label `namespace`.
"""


def query_of(preset: str, namespace: str, service: str) -> str:
    """Return the PromQL of a preset, for names that mean nothing in PromQL but dots."""
    return PRESETS[preset].replace("NAMESPACE", namespace).replace("SERVICE", service)

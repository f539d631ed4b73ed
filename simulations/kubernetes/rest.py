"""A client of a Kubernetes API over HTTP and JSON: where objects are, and the requests that actors and tests need."""

from typing import Any

import httpx

Json = dict[str, Any]
PLURALS = {
    "Pod": "pods", "Node": "nodes", "Namespace": "namespaces", "ConfigMap": "configmaps", "Event": "events",
    "ResourceQuota": "resourcequotas", "LimitRange": "limitranges", "Job": "jobs", "Deployment": "deployments",
    "ReplicaSet": "replicasets", "Lease": "leases", "PodDisruptionBudget": "poddisruptionbudgets",
    "PriorityClass": "priorityclasses", "Role": "roles", "RoleBinding": "rolebindings", "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings", "CustomResourceDefinition": "customresourcedefinitions",
    "RayJob": "rayjobs", "RayCluster": "rayclusters", "InferenceService": "inferenceservices", "JobSet": "jobsets",
    "TrainJob": "trainjobs", "Revision": "revisions", "Configuration": "configurations", "Service": "services",
    "PodAutoscaler": "podautoscalers", "Secret": "secrets", "ServiceAccount": "serviceaccounts",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}  # fmt: skip
CLUSTER_KINDS = {
    "Node", "Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip
FORMS = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


def path(api_version: str, plural: str, namespace: str = "", name: str = "", part: str = "") -> str:
    """Return where a collection, an object or a part of it is."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    inside = f"/namespaces/{namespace}" if namespace else ""
    return "/".join(filter(None, [f"{root}{inside}/{plural}", name, part]))


def path_of(body: Json, part: str = "") -> str:
    """Return where an object is."""
    return f"{collection_of(body)}/{body['metadata']['name']}" + (f"/{part}" if part else "")


def collection_of(body: Json) -> str:
    """Return where objects of this one's kind and namespace are."""
    namespace = "" if body["kind"] in CLUSTER_KINDS else body["metadata"].get("namespace", "default")
    return path(body["apiVersion"], PLURALS[body["kind"]], namespace)


class Rest:
    """Reads and writes objects; an answer that is an error is raised as `httpx.HTTPStatusError`."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, where: str, **query: str) -> Json:
        """Return an object."""
        return self._answer(self.client.get(where, params=query))

    def list(self, where: str, **query: str) -> list[Json]:
        """Return the objects of a collection."""
        found: list[Json] = self._answer(self.client.get(where, params=query))["items"]
        return found

    def create(self, body: Json) -> Json:
        """Create an object where its metadata says."""
        return self._answer(self.client.post(collection_of(body), json=body))

    def replace(self, body: Json, part: str = "") -> Json:
        """Put an object in place of the one there."""
        return self._answer(self.client.put(path_of(body, part), json=body))

    def patch(self, where: str, patch: Any, form: str = "merge", **query: str) -> Json:
        """Patch an object; the form is merge, json, strategic or apply."""
        headers = {"Content-Type": FORMS[form]}
        return self._answer(self.client.patch(where, json=patch, headers=headers, params=query))

    def delete(self, where: str, **options: Any) -> Json:
        """Delete an object; options are those of DeleteOptions."""
        return self._answer(self.client.request("DELETE", where, json=options or None))

    def post(self, where: str, body: Json) -> Json:
        """Post to a part of an object."""
        return self._answer(self.client.post(where, json=body))

    def _answer(self, response: httpx.Response) -> Json:
        response.raise_for_status()
        found: Json = response.json()
        return found

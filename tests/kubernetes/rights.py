"""The control plane's account on the double: what deploy/kubernetes grants it, and nothing else."""

from pathlib import Path
from typing import Any, Final

import yaml

from simulations.kubernetes.access import ADMIN
from simulations.kubernetes.api import Api
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.transport import client

OURS: Final = "ours"
"""Token of the control plane."""
_ROOT: Final = "root"
_RIGHTS: Final = Path(__file__).parents[2] / "deploy" / "kubernetes" / "base" / "rights.yaml"


def administrator(api: Api) -> Rest:
    """Give the control plane the shipped account, and return a client of an administrator."""
    api.access.tokens |= {_ROOT: ADMIN, OURS: "system:serviceaccount:headroom:headroom"}
    rest = Rest(client(api, _ROOT))
    for one in yaml.safe_load_all(_RIGHTS.read_text()):
        rest.create(one)
    return rest


def let_schedule(rest: Rest, namespace: str) -> None:
    """Let the control plane act in a namespace, as docs/kubernetes.md says."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "headroom-schedule"}
    account = {"kind": "ServiceAccount", "name": "headroom", "namespace": "headroom"}
    binding: dict[str, Any] = {"kind": "RoleBinding", "roleRef": role, "subjects": [account]}
    metadata = {"name": "headroom", "namespace": namespace}
    rest.create({"apiVersion": "rbac.authorization.k8s.io/v1", **binding, "metadata": metadata})

"""Who is on stage: everything that a cluster with KubeRay and KServe has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from simulations.kubernetes.actors.deployments import DeploymentController, ReplicaSetController
from simulations.kubernetes.actors.garbage import GarbageCollector
from simulations.kubernetes.actors.jobs import JobController
from simulations.kubernetes.actors.jobsets import JobSetController
from simulations.kubernetes.actors.knative import RevisionController, ServiceController
from simulations.kubernetes.actors.kserve import InferenceServiceController
from simulations.kubernetes.actors.kubelet import Kubelets
from simulations.kubernetes.actors.namespaces import NamespaceController
from simulations.kubernetes.actors.nodes import NodeController
from simulations.kubernetes.actors.ray import RayClusterController, RayJobController
from simulations.kubernetes.actors.scheduler import Scheduler
from simulations.kubernetes.actors.stage import Actor, Stage
from simulations.kubernetes.actors.trainjobs import TrainJobController
from simulations.kubernetes.rest import Rest


@dataclass
class Cast:
    """All actors, each within reach of a test that wants to change how it behaves."""

    scheduler: Scheduler = field(default_factory=Scheduler)
    kubelets: Kubelets = field(default_factory=Kubelets)
    jobs: JobController = field(default_factory=JobController)
    replica_sets: ReplicaSetController = field(default_factory=ReplicaSetController)
    deployments: DeploymentController = field(default_factory=DeploymentController)
    ray_clusters: RayClusterController = field(default_factory=RayClusterController)
    ray_jobs: RayJobController = field(default_factory=RayJobController)
    job_sets: JobSetController = field(default_factory=JobSetController)
    train_jobs: TrainJobController = field(default_factory=TrainJobController)
    inference_services: InferenceServiceController = field(default_factory=InferenceServiceController)
    services: ServiceController = field(default_factory=ServiceController)
    revisions: RevisionController = field(default_factory=RevisionController)
    nodes: NodeController = field(default_factory=NodeController)
    namespaces: NamespaceController = field(default_factory=NamespaceController)
    garbage: GarbageCollector = field(default_factory=GarbageCollector)

    def actors(self) -> list[Actor]:
        """Return them in the order in which they act: what makes pods, what places them, what runs them."""
        training: list[Actor] = [self.train_jobs, self.job_sets, self.jobs, self.ray_jobs, self.ray_clusters]
        serving: list[Actor] = [self.inference_services, self.services, self.revisions]
        return [
            *training,
            *serving,
            self.deployments,
            self.replica_sets,
            self.nodes,
            self.scheduler,
            self.kubelets,
            self.namespaces,
            self.garbage,
        ]

    def stage(self, rest: Rest, clock: Callable[[], datetime]) -> Stage:
        """Put them on stage on a cluster."""
        return Stage(rest, self.actors(), clock)

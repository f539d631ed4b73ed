"""A gang for tests: one actor a bundle says where it is and which devices it sees."""

import os
import sys

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy


@ray.remote
class Worker:
    """Tells where it runs."""

    def where(self) -> str:
        """Return "host:number of devices"."""
        context = ray.get_runtime_context()
        return f"{context.get_node_labels()['host']}:{len(ray.get_gpu_ids())}"


ray.init(namespace=os.environ["HEADROOM_NAMESPACE"], log_to_driver=False)
group = ray.util.get_placement_group(os.environ["HEADROOM_PLACEMENT_GROUP"])
workers = [
    Worker.options(
        num_cpus=1,
        num_gpus=float(os.environ["HEADROOM_GPUS_PER_WORKER"]),
        scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank),
    ).remote()
    for rank in range(int(os.environ["HEADROOM_WORKERS"]))
]
places = ray.get([worker.where.remote() for worker in workers])
sys.stdout.write(f"workers on {' '.join(places)}\n")

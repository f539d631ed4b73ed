"""What a job has printed: of the pod that speaks for it, and a sentence where it cannot be read."""

from types import SimpleNamespace
from typing import Any

from scheduler.backends.kubernetes.connection import Refused
from scheduler.backends.kubernetes.kinds import BY_NAME
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.output import printed
from scheduler.backends.kubernetes.pods import Owner, Pod

SEEN = TrainingObject("ml/train", 1, BY_NAME["RayJob"], "u-1", "ml", "train", 1, is_suspended=False)


def pod(name: str, owner: Owner, **labels: str) -> Pod:
    said = {key.replace("_", "/"): value for key, value in labels.items()}
    return Pod(f"ml/{name}", 1, name, "ml", name, labels=said, owner=owner)


def caches(*pods: Pod) -> Any:
    return SimpleNamespace(pods={each.key: each for each in pods})


class Line:
    """Answers with the path."""

    def text(self, path: str) -> str:
        return path


def test_the_pod_that_submitted_speaks_for_a_job_and_otherwise_the_first() -> None:
    head = pod("train-head", Owner("RayCluster", "train-x", "c"), headroom_object="u-1")
    submitter = pod("z", Owner("Job", "train", "j"))
    other = pod("a", Owner("Job", "other", "j"))
    line: Any = Line()
    assert printed(line, SEEN, caches(head, submitter, other)) == "/api/v1/namespaces/ml/pods/z/log"
    assert printed(line, SEEN, caches(head, other)) == "/api/v1/namespaces/ml/pods/train-head/log"
    assert printed(line, SEEN, caches(other)) == ""


def test_what_cannot_be_read_is_said() -> None:
    class Refuses:
        def text(self, path: str) -> str:
            raise Refused(f"GET {path}", 400, {"message": "container is waiting to start"})

    line: Any = Refuses()
    head = pod("h", Owner(), headroom_object="u-1")
    assert "container is waiting to start" in printed(line, SEEN, caches(head))

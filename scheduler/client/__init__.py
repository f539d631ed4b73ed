"""The Python SDK: everything the HTTP API offers, as methods that return the resources of `scheduler.wire`.

Example:
    from scheduler.client import Client

    client = Client()
    job = client.submit(entrypoint="python train.py", gpus=1, workers=2, priority="high", working_dir=".")
    for line in client.logs(job.id, follow=True):
        print(line)
"""

from scheduler.client.control import ControlRequests
from scheduler.client.hosts import HostRequests
from scheduler.client.jobs import JobRequests
from scheduler.client.models import ModelRequests
from scheduler.client.questions import QuestionRequests

__all__ = ["Client"]


class Client(JobRequests, ModelRequests, HostRequests, QuestionRequests, ControlRequests):
    """Speaks with one control plane; use it as a context manager, or close it.

    Every method may raise Unreachable (no answer), NotPermitted (the token's role) and what it names itself.
    """

"""What a control plane answers about models that were deployed."""

from datetime import UTC, datetime, timedelta

from scheduler.wire.models import Compared, ModelHistory, ModelRevision, RolloutState

NOW = datetime(2026, 11, 23, 17, 24, tzinfo=UTC)


def a_rollout(phase: str = "trying", **more: object) -> RolloutState:
    """Return a rollout to revision 3."""
    plain = {
        "revision": 3,
        "phase": phase,
        "since": NOW - timedelta(minutes=2),
        "began": NOW - timedelta(minutes=4),
        "share": 0.1,
        "new": Compared(requests=120, failed=1, late=2),
        "old": Compared(requests=1080, failed=3, late=11),
    }
    return RolloutState(**{**plain, **more})


def a_history(rollout: RolloutState | None = None, **more: object) -> ModelHistory:
    """Return a model of three revisions, the second of which serves."""
    revisions = (
        ModelRevision(number=1, at=NOW - timedelta(days=40), by="ada", source="edit-check.yaml", state="past",
                      fate="first ready after 2m10s"),
        ModelRevision(number=2, at=NOW - timedelta(days=2), by="ada", source="edit-check.yaml", state="serves",
                      changed=("application.args.weights: another one",), fate="took over within 12m"),
        ModelRevision(number=3, at=NOW - timedelta(minutes=4), by="ben", source="edit-check.yaml", state="rollout",
                      changed=("application.args.weights: another one", "max_replicas: 4 → 6")),
    )  # fmt: skip
    shown = {"name": "edit-check", "serving": 2, "rollout": rollout or a_rollout(), "revisions": revisions}
    return ModelHistory(**{**shown, **more})

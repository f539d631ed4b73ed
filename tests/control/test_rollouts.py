"""A new revision takes over while the old one answers, is rolled back when it is worse, and survives restarts."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest

from scheduler.control.model_records import Proposal, RolloutPhase
from scheduler.control.models.draft import ModelDraft
from scheduler.control.service.models import RolloutVerb
from scheduler.control.service.people import Person
from scheduler.model.errors import ConfigError, Conflict, NotFound
from tests.control.conftest import ToldTraffic, build, gpu_hosts
from tests.control.rollout_lab import RolloutLab, draft, read, told


@pytest.fixture
def lab() -> RolloutLab:
    """Two hosts with two devices each, and a source of traffic."""
    return a_lab()


def a_lab(hosts: int = 2, devices: int = 2) -> RolloutLab:
    made = build(gpu_hosts(hosts, devices).values())
    lab = RolloutLab(made)
    made.sources["m"] = ToldTraffic(lambda _: lab.rps)
    lab.restart()
    return lab


def test_a_first_revision_serves_once_a_replica_is_ready(lab: RolloutLab) -> None:
    made = lab.service.deploy(draft(1))
    assert (made.revision.number, made.is_new, made.record.serving) == (1, True, 0)
    lab.settle()
    assert (lab.record.serving, lab.revisions) == (1, [1])
    assert told(lab.lab)[:1] == ["m deployed"]
    assert "m: revision 1 serves" in told(lab.lab)


def test_a_new_revision_is_tried_and_takes_over(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.deploy(draft(2))
    phases = [lab.record.rollout.phase]
    for _ in range(200):
        lab.turns(1)
        if lab.record.rollout.phase is not phases[-1]:
            phases.append(lab.record.rollout.phase)
        if lab.record.active is None:
            break
    assert phases == [RolloutPhase.STARTING, RolloutPhase.TRYING, RolloutPhase.REPLACING, RolloutPhase.DONE]
    assert (lab.record.serving, lab.record.before, lab.revisions) == (2, 1, [2])
    assert lab.lowest >= 1.0
    assert lab.service.history("m")[1][-1].fate.startswith("took over within ")


def test_while_it_is_tried_it_gets_its_share_and_no_more(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.deploy(draft(2))
    shares = set()
    while lab.record.active is not None and lab.record.active.phase is not RolloutPhase.REPLACING:
        lab.turns(1)
        shares |= {one.share for one in lab.lab.cluster.declared if one.model.revision == 2}
    assert shares >= {0.0, 0.1, 0.5}


def test_one_that_does_not_start_is_rolled_back_at_once(lab: RolloutLab) -> None:
    lab.serve()
    lab.break_(2)
    lab.service.deploy(draft(2))
    record = lab.settle()
    assert (record.rollout.phase, record.serving, lab.revisions) == (RolloutPhase.ROLLED_BACK, 1, [1])
    assert "constructor raised" in record.rollout.reason
    assert lab.lowest >= 1.0
    (rolled,) = [e for e in lab.lab.store.events(limit=1000) if e.title == "m: revision 2 rolled back"]
    assert "constructor raised" in rolled.detail
    assert "revision 1 serves on" in rolled.detail


def test_one_that_fails_requests_is_rolled_back_with_figures(lab: RolloutLab) -> None:
    lab.serve()
    lab.bad[2] = 0.5
    lab.service.deploy(draft(2))
    record = lab.settle()
    assert (record.rollout.phase, record.serving, lab.revisions) == (RolloutPhase.ROLLED_BACK, 1, [1])
    assert "failed" in record.rollout.reason
    assert "of the revision before meanwhile" in record.rollout.reason


def test_one_that_fails_as_often_as_the_old_one_takes_over(lab: RolloutLab) -> None:
    lab.serve()
    lab.bad = {1: 0.2, 2: 0.2}
    lab.service.deploy(draft(2))
    assert lab.settle().serving == 2


def test_one_that_gets_bad_while_it_replaces_is_rolled_back(lab: RolloutLab) -> None:
    lab.rps = 20.0
    lab.serve()
    lab.service.deploy(draft(2))
    while lab.record.active.phase is not RolloutPhase.REPLACING:
        lab.turns(1)
    lab.bad[2] = 1.0
    record = lab.settle()
    assert (record.rollout.phase, record.serving, set(lab.revisions)) == (RolloutPhase.ROLLED_BACK, 1, {1})
    assert lab.lowest >= 1.0


def test_a_first_one_that_does_not_start_holds_no_room(lab: RolloutLab) -> None:
    lab.break_(1)
    lab.service.deploy(draft(1))
    lab.turns(20)
    assert (lab.record.rollout.phase, lab.revisions) == (RolloutPhase.FAILED, [])
    lab.service.deploy(draft(2))
    lab.settle()
    assert (lab.record.serving, lab.revisions) == (2, [2])


def test_one_replica_on_a_full_cluster_is_replaced_at_the_cost_of_training() -> None:
    lab = a_lab(hosts=1, devices=2)
    lab.serve(max_replicas=1, surge=0)
    job = lab.lab.submit("train", priority=25)
    lab.turns(3)
    assert lab.lab.store.job(job).state.value == "Running"
    lab.service.deploy(draft(2, max_replicas=1, surge=0))
    record = lab.settle()
    assert (record.serving, lab.revisions, lab.lowest >= 1.0) == (2, [2], True)
    assert "train preempting" in " ".join(lab.lab.events())


def test_without_room_it_waits_and_nothing_is_lost() -> None:
    lab = a_lab(hosts=1, devices=1)
    lab.serve(max_replicas=1)
    lab.service.deploy(draft(2, max_replicas=1))
    lab.turns(30)
    assert (lab.record.active.phase, lab.revisions, lab.lowest >= 1.0) == (RolloutPhase.STARTING, [1], True)
    assert lab.lab.board.report.cycle.plan.reason_for("m@2") is not None


def test_what_runs_the_same_replicas_takes_over_at_once(lab: RolloutLab) -> None:
    lab.serve()
    made = lab.service.deploy(draft(1, max_replicas=3))
    assert (made.is_rolled_out, made.record.serving, made.revision.changed) == (False, 2, ("max_replicas: 3",))
    lab.turns(3)
    assert lab.revisions == [1]
    lab.service.deploy(draft(2, max_replicas=3))
    assert (lab.settle().serving, lab.revisions) == (3, [3])


def test_deploying_what_is_there_changes_nothing(lab: RolloutLab) -> None:
    lab.serve()
    before = lab.record
    made = lab.service.deploy(draft(1))
    assert (made.is_new, lab.record, len(lab.service.history("m")[1])) == (False, before, 1)


def test_a_newer_one_comes_before_one_that_is_tried(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.deploy(draft(2))
    lab.turns(6)
    lab.service.deploy(draft(3))
    assert (lab.settle().serving, lab.revisions) == (3, [3])


def test_paused_it_stays_and_resumed_it_goes_on(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.deploy(draft(2))
    lab.service.rollout("m", RolloutVerb.PAUSE)
    lab.turns(60)
    assert lab.record.active.phase is RolloutPhase.STARTING
    lab.service.rollout("m", RolloutVerb.RESUME)
    assert lab.settle().serving == 2


def test_undone_on_its_way_the_old_one_serves_on(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.deploy(draft(2))
    lab.turns(8)
    lab.service.rollout("m", RolloutVerb.UNDO)
    record = lab.settle()
    assert (record.serving, record.rollout.reason, lab.revisions) == (1, "undone", [1])


def test_undone_afterwards_the_one_before_comes_back_without_a_trial(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.deploy(draft(2))
    lab.settle()
    lab.service.rollout("m", RolloutVerb.UNDO)
    seen = set()
    while lab.record.active is not None:
        lab.turns(1)
        seen.add(lab.record.rollout.phase)
    assert RolloutPhase.TRYING not in seen
    assert (lab.record.serving, lab.lowest >= 1.0) == (1, True)


def test_any_revision_can_be_rolled_out_again(lab: RolloutLab) -> None:
    for version in (1, 2, 3):
        lab.service.deploy(draft(version))
        lab.settle()
    lab.service.rollout("m", to=1)
    assert lab.settle().serving == 1
    with pytest.raises(NotFound, match="no revision 9 of m"):
        lab.service.rollout("m", to=9)


def test_removed_its_room_is_free_and_its_history_stays(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.remove("m")
    with pytest.raises(Conflict, match="is being removed"):
        lab.service.deploy(draft(2))
    lab.turns(5)
    assert (lab.revisions, lab.record.removed_s is not None) == ([], True)
    assert [one.number for one in lab.service.history("m")[1]] == [1]
    made = lab.service.deploy(draft(2))
    assert made.revision.number == 2
    assert lab.settle().serving == 2


def test_what_belongs_to_the_file_is_refused_unless_it_is_taken_over(lab: RolloutLab) -> None:
    lab.lab.served.append(draft(1).served)
    lab.declared["m"] = draft(1)
    lab.restart()
    lab.turns(10)
    with pytest.raises(Conflict, match="belongs to the file"):
        lab.service.deploy(draft(2))
    with pytest.raises(Conflict, match="belongs to the file"):
        lab.service.remove("m")
    made = lab.service.deploy(draft(2), take_over=True)
    assert (made.revision.number, made.record.serving) == (2, 1)
    lab.watch()
    assert (lab.settle().serving, lab.revisions, lab.lowest >= 1.0) == (2, [2], True)
    lab.restart()
    lab.turns(3)
    assert lab.revisions == [2], "the file's section is the store's now, after a restart too"


def test_whenever_the_process_dies_a_rollout_goes_on_and_is_not_doubled() -> None:
    class Death(BaseException):
        """As of a kill -9."""

    for dies_at in range(1, 40, 3):
        lab = a_lab()
        lab.serve()
        lab.service.deploy(draft(2))
        lab.turns(dies_at // 2)
        real, left = lab.lab.cluster.apply, iter(range(dies_at % 2))

        def dying(action: object, real: object = real, left: object = left) -> None:
            if next(left, None) is None:
                raise Death
            real(action)

        lab.lab.cluster.apply = dying
        with suppress(Death):
            lab.turns(1)
        lab.lab.cluster.apply = real
        lab.restart()
        assert (lab.settle().serving, set(lab.revisions), lab.lowest >= 1.0) == (2, {2}, True), dies_at
        assert [one.number for one in lab.service.history("m")[1]] == [1, 2]


def test_a_model_that_cannot_be_read_keeps_none_of_the_others_from_being_served(lab: RolloutLab) -> None:
    lab.serve()
    lab.service.deploy(draft(1, name="other"))
    real = lab.lab.cycle.read_model

    def refusing(body: str) -> object:
        if '"other"' in body:
            raise ValueError("written by a newer Headroom")
        return real(body)

    lab.lab.restart()
    lab.lab.cycle.read_model = refusing
    lab.turns(3)
    assert lab.revisions == [1]
    assert "reading model other failed" in " ".join(lab.lab.events())


ANA, OPERATOR = Person("ana", "submitter"), Person("ben", "operator")


def again(proposal: Proposal) -> ModelDraft:
    return ModelDraft(proposal.name, proposal.body, read(proposal.body), f"of {proposal.by}")


def test_what_is_proposed_is_deployed_once_an_operator_approves(lab: RolloutLab) -> None:
    lab.service.propose(draft(1), by=ANA)
    lab.turns(3)
    assert lab.revisions == [], "nobody has approved it"
    assert [one.by for one in lab.service.proposals()] == ["ana"]
    made = lab.service.approve("m", again, by=OPERATOR)
    assert (made.revision.by, made.revision.source, lab.service.proposals()) == ("ben", "of ana", ())
    assert lab.settle().serving == 1


def test_a_rejection_says_why_and_nothing_is_deployed(lab: RolloutLab) -> None:
    lab.service.propose(draft(1), by=ANA)
    lab.service.reject("m", "no licence", by=OPERATOR)
    with pytest.raises(NotFound, match="no model m is proposed"):
        lab.service.approve("m", again, by=OPERATOR)
    (event,) = [one for one in lab.lab.store.events(limit=100) if one.title == "m of ana is rejected"]
    assert (event.detail, event.actor, lab.lab.store.models()) == ("no licence", "ben", ())


def test_a_name_is_proposed_by_one_at_a_time_who_may_think_better_of_it(lab: RolloutLab) -> None:
    lab.service.propose(draft(1), by=ANA)
    lab.service.propose(draft(2), by=ANA)
    with pytest.raises(Conflict, match="ana has proposed a m already"):
        lab.service.propose(draft(3), by=Person("eve", "submitter"))
    assert [one.body for one in lab.service.proposals()] == [draft(2).body]


def test_what_cannot_be_deployed_any_more_stays_proposed(lab: RolloutLab) -> None:
    lab.service.propose(draft(1), by=ANA)

    def refused(_: Proposal) -> ModelDraft:
        raise ConfigError("its traffic source is gone")

    with pytest.raises(ConfigError):
        lab.service.approve("m", refused, by=OPERATOR)
    assert len(lab.service.proposals()) == 1


def test_community_models_hold_no_more_together_than_they_may(lab: RolloutLab) -> None:
    lab.lab.settings = replace(lab.lab.settings, community_gpus=2.0)
    lab.restart()
    for name in ("m", "n"):
        lab.service.deploy(draft(1, name=name, community=True, min_replicas=2))
    lab.turns(15)
    there = Counter(one.model for one in lab.lab.cluster.replicas.values())
    assert there == {"m": 2}, "the first is served, and nothing is left for the second"


def test_the_organisations_own_come_before_the_communitys(lab: RolloutLab) -> None:
    lab.service.deploy(draft(1, name="theirs", community=True))
    lab.service.deploy(draft(1, name="ours"))
    lab.turns(1)
    assert [one.name for one in lab.lab.board.report.cycle.snapshot.served] == ["ours", "theirs"]

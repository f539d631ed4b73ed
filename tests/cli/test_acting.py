"""What submit, stop, hold, resume, set-priority, logs and hosts drain send, say, and end with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.wire.base import Single
from scheduler.wire.hosts import DrainAnswer

Headroom = Callable[..., Any]
FLAGS = [
    "--name", "talkpage-tone", "--entrypoint", "python train.py", "--gpus", "1", "--gpu-model", "MI300X",
    "--workers", "2", "--cpus", "4", "--memory", "8Gi", "--priority", "high", "--queue", "research",
    "--max-runtime", "6h", "--checkpoint-interval", "10m", "--grace", "30s", "--no-preemptible",
    "--env", "A=1", "--env", "B=x=y",
]  # fmt: skip


@pytest.fixture
def accepting(plane: Any) -> Any:
    """A control plane that accepts what is submitted as job 417."""
    plane.gives("POST", "/jobs", plane.answers["GET", "/jobs/417"])
    return plane


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_flags_become_the_keys_of_a_job(headroom: Headroom, accepting: Any) -> None:
    shown = headroom("submit", *FLAGS)
    (asked,) = accepting.of("POST", "/jobs")
    assert asked.json == {
        "job": {
            "name": "talkpage-tone", "entrypoint": "python train.py", "workers": 2, "priority": "high",
            "queue": "research", "max_runtime": "6h", "checkpoint_interval": "10m", "grace": "30s",
            "preemptible": False, "env": {"A": "1", "B": "x=y"},
            "resources": {"gpus": 1.0, "gpu_model": ["MI300X"], "cpus": 4.0, "memory": "8Gi"},
        },
        "working_dir": "",
    }  # fmt: skip
    assert shown.out == "Accepted 417 talkpage-tone · high · 8×MI300X\nWaits  8 on one host, best 4\n"
    assert (shown.code, shown.err) == (0, "")


def test_what_a_job_publishes_is_a_flag_too(headroom: Headroom, accepting: Any) -> None:
    for said in ("tone", "tone:out/model"):
        assert headroom("submit", "--entrypoint", "x", "--publishes", said).code == 0
    assert [asked.json["job"]["publishes"] for asked in accepting.of("POST", "/jobs")] == [
        {"model": "tone"},
        {"model": "tone", "path": "out/model"},
    ]
    shown = headroom("submit", "--entrypoint", "x", "--publishes", "tone:../secrets")
    assert (shown.code, len(accepting.of("POST", "/jobs"))) == (2, 2)
    assert "publishes.path" in shown.err


def test_flags_win_over_a_file_and_its_directory_is_beside_it(
    headroom: Headroom, accepting: Any, tmp_path: Path
) -> None:
    (tmp_path / "jobs" / "code").mkdir(parents=True)
    (tmp_path / "jobs" / "code" / "train.py").write_text("", encoding="utf-8")
    (tmp_path / "jobs" / "job.yaml").write_text(
        "entrypoint: python train.py\nworking_dir: code\nworkers: 2\nresources: {gpus: 1, cpus: 2}\n", encoding="utf-8"
    )
    accepting.gives("PUT", _upload_path(tmp_path / "jobs" / "code"), "")
    shown = headroom("submit", "jobs/job.yaml", "--workers", "4", "--gpus", "2", "-o", "name")
    assert (shown.code, shown.out) == (0, "417\n")
    (asked,) = accepting.of("POST", "/jobs")
    assert asked.json["job"]["workers"] == 4
    assert asked.json["job"]["resources"] == {"gpus": 2.0, "cpus": 2}
    assert asked.json["working_dir"].startswith("sha256:")
    (uploaded,) = [one for one in accepting.asked if one.method == "PUT"]
    assert uploaded.body.startswith(b"PK")


def _upload_path(folder: Path) -> str:
    from scheduler.package import pack  # noqa: PLC0415  # only this test packs

    package = pack(folder)
    package.file.close()
    return f"/packages/{package.digest}"


def test_a_terminal_gets_the_next_commands(headroom: Headroom, accepting: Any) -> None:
    assert accepting
    shown = headroom("--color=never", "submit", *FLAGS, width=100)
    assert shown.err == (
        "  follow  headroom logs -f 417      why  headroom describe 417      cancel  headroom stop 417\n"
    )


def test_what_may_surprise_later_is_said_now(headroom: Headroom, accepting: Any, tmp_path: Path) -> None:
    careless = accepting.answers["POST", "/jobs"].item.model_copy(update={"checkpoint_interval_s": None})
    accepting.gives("POST", "/jobs", accepting.answers["POST", "/jobs"].model_copy(update={"item": careless}))
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    shown = headroom("submit", "--entrypoint", "python train.py")
    assert shown.err == (
        "warning: no --checkpoint-interval: if preempted, this job starts over\n"
        "warning: train.py of this directory stays here: --working-dir . takes it along\n"
    )


@pytest.mark.parametrize(("state", "code"), [("Succeeded", 0), ("Failed", 1), ("Stopped", 1)])
def test_wait_ends_as_the_job_does(  # noqa: PLR0913, PLR0917  # a row and four fixtures
    state: str, code: int, headroom: Headroom, accepting: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.cli.submitting.POLL_S", 0.0)
    states = iter(["Pending", "Admitted", "Running", "Running", state])
    pending = jobs[2]

    def answer(_: object) -> object:
        now = next(states)
        where = ("ml-serve1012:0",) if now in {"Admitted", "Running"} else ()
        job = pending.model_copy(update={"state": now, "where": where, "why": None})
        return accepting.answers["POST", "/jobs"].model_copy(update={"item": job})

    accepting.gives("GET", "/jobs/417", answer)
    shown = headroom("submit", *FLAGS, "--wait")
    assert shown.code == code
    assert shown.err == (
        "417 talkpage-tone Pending: 8 on one host, best 4\n"
        "417 talkpage-tone Admitted: ml-serve1012\n"
        "417 talkpage-tone Running: ml-serve1012\n"
        f"417 talkpage-tone {state}\n"
    )


def test_a_variable_without_a_value_is_refused(headroom: Headroom, accepting: Any) -> None:
    shown = headroom("submit", "--entrypoint", "x", "--env", "A")
    assert (shown.code, shown.err) == (2, 'error: --env "A" has no value\nhelp: --env NAME=VALUE\n')
    assert accepting.of("POST", "/jobs") == []


def test_jobs_are_stopped_by_number_or_name(headroom: Headroom, plane: Any) -> None:
    for job_id in ("409", "417"):
        plane.gives("POST", f"/jobs/{job_id}/stop", plane.answers["GET", f"/jobs/{job_id}"])
    shown = headroom("stop", "409", "talkpage-tone")
    assert shown.out == "Stopping 409 embed-wiki-large: 1m to save a checkpoint\nStopped 417 talkpage-tone\n"
    assert (shown.code, shown.err) == (0, "")


def test_jobs_are_held_with_a_reason_and_resumed(headroom: Headroom, plane: Any) -> None:
    plane.gives("POST", "/jobs/398/hold", plane.answers["GET", "/jobs/398"])
    plane.gives("POST", "/jobs/398/resume", plane.answers["GET", "/jobs/398"])
    assert headroom("hold", "398", "--reason", "wait for labels").out == (
        "Held 398 revertrisk-v4. It keeps its place and gives up its GPUs; resume with: headroom resume 398\n"
    )
    (asked,) = plane.of("POST", "/jobs/398/hold")
    assert asked.json == {"reason": "wait for labels"}
    assert headroom("resume", "398").out == "Resumed 398 revertrisk-v4. It waits for its turn\n"


def test_a_priority_is_set_for_several_jobs(headroom: Headroom, plane: Any) -> None:
    for job_id in ("417", "398"):
        plane.gives("PUT", f"/jobs/{job_id}/priority", plane.answers["GET", f"/jobs/{job_id}"])
    shown = headroom("set-priority", "417", "398", "high")
    assert shown.out == ("417 talkpage-tone has priority high (50) now\n398 revertrisk-v4 has priority high (50) now\n")
    (asked,) = plane.of("PUT", "/jobs/417/priority")
    assert asked.json == {"priority": "high"}


def test_all_mine_are_those_of_the_name_the_control_plane_knows(headroom: Headroom, plane: Any) -> None:
    for job in plane.answers["GET", "/jobs"].items:
        plane.gives("POST", f"/jobs/{job.id}/stop", plane.answers["GET", f"/jobs/{job.id}"])
    shown = headroom("stop", "--all-mine")
    assert len(shown.out.splitlines()) == 5
    assert plane.of("GET", "/jobs")[-1].query == {"owner": "ana"}
    headroom("list", "--mine")
    assert plane.of("GET", "/jobs")[-1].query == {"all": "false", "owner": "ana"}


def test_one_refusal_does_not_keep_the_others_from_their_wish(headroom: Headroom, plane: Any) -> None:
    plane.fails("POST", "/jobs/409/stop", 409, "job 409 embed-wiki-large has succeeded already", code="Conflict")
    plane.gives("POST", "/jobs/417/stop", plane.answers["GET", "/jobs/417"])
    shown = headroom("stop", "409", "417")
    assert shown.out == "Stopped 417 talkpage-tone\n"
    assert (shown.code, shown.err) == (6, "error: job 409 embed-wiki-large has succeeded already\n")


@pytest.mark.parametrize("command", [["stop"], ["hold"], ["resume"], ["stop", "409", "--all-mine"]])
def test_nothing_and_both_are_refused(command: list[str], headroom: Headroom, plane: Any) -> None:
    shown = headroom(*command)
    assert (shown.code, shown.err) == (
        2, "error: name the jobs, or say --all-mine\nhelp: headroom list --mine shows yours\n",
    )  # fmt: skip
    assert [one for one in plane.asked if one.method == "POST"] == []


def test_a_priority_without_jobs_is_refused(headroom: Headroom) -> None:
    shown = headroom("set-priority", "high")
    assert shown.err == "error: name the jobs and the priority class\nhelp: headroom set-priority 417 high\n"
    assert shown.code == 2


def test_logs_are_printed_as_they_are(headroom: Headroom, plane: Any) -> None:
    said = "step 1\n── attempt 1 preempted 18:52, checkpoint 5 ──\nstep 6\n"
    plane.gives("GET", "/jobs/401/logs", said)
    assert headroom("logs", "401", "-f").out == said
    assert headroom("logs", "401", "--tail", "3", "--attempt", "2").out == said
    assert [one.query for one in plane.of("GET", "/jobs/401/logs")] == [
        {"follow": "true"}, {"attempt": "2", "tail": "3"},
    ]  # fmt: skip
    assert "\x1b[2m── attempt 1 preempted 18:52, checkpoint 5 ──\x1b[0m\n" in headroom("logs", "401", width=80).out


def drained(plane: Any, **changes: Any) -> None:
    plain = {"host": "ml-serve1014", "steps": ("405 image-topics ends by itself",), "covered": True, "empty_at": None}
    answer = DrainAnswer(**{**plain, "applied": True, **changes})
    observed = plane.answers["GET", "/hosts"]
    single = Single(kind="Drain", observed_at=observed.observed_at, cycle=observed.cycle, item=answer)
    plane.gives("POST", "/hosts/ml-serve1014/drain", single)


def test_a_drain_tells_each_step(headroom: Headroom, plane: Any) -> None:
    drained(plane, empty_at=plane.answers["GET", "/hosts"].observed_at)
    shown = headroom("hosts", "drain", "ml-serve1014", "--reason", "power supply swap", "--deadline", "2h")
    assert shown.out == (
        "Draining ml-serve1014: serving stays covered\n  405 image-topics ends by itself\nempty by 17:24\n"
    )
    assert (shown.code, shown.err) == (0, "undo: headroom hosts uncordon ml-serve1014\n")
    (asked,) = plane.of("POST", "/hosts/ml-serve1014/drain")
    assert asked.json == {"reason": "power supply swap", "deadline_s": 7200.0, "force": False, "dry_run": False}


def test_a_drain_can_be_waited_for(headroom: Headroom, plane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.cli.hosts.POLL_S", 0.0)
    drained(plane)
    full = plane.answers["GET", "/hosts/ml-serve1014"]
    cpu_only = full.item.model_copy(update={"devices": (), "cpus_used": 4.0})
    empty = full.item.model_copy(update={"devices": (), "cpus_used": 0.0})
    answers = iter([full, full, *(full.model_copy(update={"item": item}) for item in (cpu_only, empty))])
    plane.gives("GET", "/hosts/ml-serve1014", lambda _: next(answers))
    shown = headroom("hosts", "drain", "ml-serve1014", "--wait")
    assert shown.code == 0
    assert shown.err.splitlines()[1:] == [
        "ml-serve1014: edit-check, 63 cores",
        "ml-serve1014: 4 cores",
        "ml-serve1014 is empty",
    ]


def test_a_drain_that_leaves_serving_short_changes_nothing_and_ends_with_1(headroom: Headroom, plane: Any) -> None:
    drained(plane, covered=False, applied=False)
    shown = headroom("hosts", "drain", "ml-serve1014")
    assert shown.code == 1
    assert shown.out.startswith("Not draining ml-serve1014: serving falls short\n")
    assert shown.err == (
        "error: serving would fall short without ml-serve1014; nothing was changed\n"
        "help: --force drains it all the same\n"
    )


def test_a_drain_can_be_asked_first_and_as_data(headroom: Headroom, plane: Any) -> None:
    drained(plane, applied=False)
    shown = headroom("hosts", "drain", "ml-serve1014", "--dry-run", "-o", "json")
    assert (shown.code, json.loads(shown.out)["item"]["applied"]) == (0, False)
    shown = headroom("hosts", "drain", "ml-serve1014", "--dry-run")
    assert shown.out.startswith("Would drain ml-serve1014: serving stays covered\n")


def test_a_deadline_that_is_no_duration_is_refused(headroom: Headroom) -> None:
    shown = headroom("hosts", "drain", "ml-serve1014", "--deadline", "soon")
    assert (shown.code, shown.err) == (
        2, 'error: --deadline: "soon" is not a duration\nhelp: 30s, 10m, 6h, 2d or 1d12h\n',
    )  # fmt: skip


def test_hosts_are_cordoned_and_given_back(headroom: Headroom, plane: Any) -> None:
    for wish in ("cordon", "uncordon"):
        plane.gives("POST", f"/hosts/ml-serve1012/{wish}", plane.answers["GET", "/hosts/ml-serve1012"])
    assert headroom("hosts", "cordon", "ml-serve1012", "--reason", "disk").out == (
        "Cordoned ml-serve1012: it keeps its work and takes no more. Undo: headroom hosts uncordon ml-serve1012\n"
    )
    assert plane.of("POST", "/hosts/ml-serve1012/cordon")[0].json == {"reason": "disk"}
    assert headroom("hosts", "uncordon", "ml-serve1012").out == "ml-serve1012 takes work again\n"

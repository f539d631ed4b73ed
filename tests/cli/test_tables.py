"""Every table in every way of printing it: for people, for scripts, on narrow and on dumb terminals."""

import io
import json
import re
from collections.abc import Callable
from typing import Any, Protocol

import pytest
import yaml

from scheduler.cli.screen import Screen
from scheduler.cli.table import Cell, Column, Table, cell, render
from scheduler.wire.base import Listing
from scheduler.wire.hosts import Host
from scheduler.wire.jobs import Event, Job
from scheduler.wire.serving import ServedModel


class Shown(Protocol):
    """What a command did."""

    code: int
    out: str
    err: str


Headroom = Callable[..., Shown]
LISTS = {
    "list": ("JobList", Job, ["398", "409", "417", "420", "424"]),
    "hosts": ("HostList", Host, ["ml-serve1008", "ml-serve1012", "ml-serve1013", "ml-serve1014"]),
    "models": ("ModelList", ServedModel, ["edit-check", "revertrisk-wikidata", "reference-need", "cope-a-9b"]),
    "events": ("EventList", Event, ["7", "8"]),
}


@pytest.mark.parametrize("command", LISTS)
def test_json_is_the_wire_envelope(command: str, headroom: Headroom) -> None:
    shown = headroom(command, "-o", "json")
    kind, resource, _ = LISTS[command]
    body = json.loads(shown.out)
    assert (body["apiVersion"], body["kind"], body["observedAt"], body["cycle"]) == (
        "headroom/v1", kind, "2026-11-23T17:24:00Z", 18422,
    )  # fmt: skip
    assert Listing[resource].model_validate_json(shown.out).items
    assert (shown.code, shown.err) == (0, "")


@pytest.mark.parametrize("command", LISTS)
def test_yaml_says_the_same_as_json(command: str, headroom: Headroom) -> None:
    as_yaml = yaml.safe_load(headroom(command, "-o", "yaml").out)
    assert as_yaml == json.loads(headroom(command, "-o", "json").out)


@pytest.mark.parametrize("command", LISTS)
def test_names_are_one_a_line(command: str, headroom: Headroom) -> None:
    shown = headroom(command, "-o", "name")
    assert shown.out.split("\n")[:-1] == LISTS[command][2]
    assert shown.err == ""


@pytest.mark.parametrize("command", [*LISTS, "capacity", "explain job"])
def test_a_pipe_gets_tabs_a_header_and_nothing_cut(command: str, headroom: Headroom) -> None:
    shown = headroom(*command.split())
    table = shown.out.split("\n\n")[-1].rstrip("\n")
    columns = {line.count("\t") for line in table.split("\n")}
    assert len(columns) == 1
    assert columns.pop() >= 3
    assert "\x1b" not in shown.out + shown.err
    assert "…" not in shown.out


def test_the_header_can_be_left_out(headroom: Headroom) -> None:
    whole, bare = headroom("list").out.split("\n"), headroom("list", "--no-header").out.split("\n")
    assert whole[0].startswith("JOB\tNAME")
    assert bare == whole[1:]


def test_wide_adds_columns(headroom: Headroom) -> None:
    first, last = "JOB\tNAME\tPRIORITY\tSTATE\tGPUS\tAGE", "START | END (P50 – P90)\tWHY / WHERE"
    assert headroom("list").out.split("\n")[0] == f"{first}\t{last}"
    wide = "OWNER\tQUEUE\tWORKERS\tATTEMPTS\tWAITED\tRAN"
    assert headroom("list", "-o", "wide").out.split("\n")[0] == f"{first}\t{wide}\t{last}"


def test_the_list_on_a_terminal(headroom: Headroom) -> None:
    shown = headroom("list", "--color", "never", width=130)
    assert shown.out == (
        "JOB  NAME              PRIORITY  STATE       GPUS        AGE  START | END (P50 – P90)  WHY / WHERE\n"
        "398  revertrisk-v4     high      Running     3×MI300X  4h10m  end 19:05 – 19:40        ml-serve1012\n"
        "409  embed-wiki-large  normal    Preempting  4×MI300X  3h20m  -                        saving, at most 1m\n"
        "417  talkpage-tone     high      Pending     8×MI300X    22m  -                        8 on one host, best 4\n"
        "420  addlink-pt        normal    Pending     2×any        9m  start 18:04 – 20:24      next, when 412 ends\n"
        "424  ores-retrain      low       Held        4 CPU      1d2h  -                        wait for labels\n"
    )
    assert shown.err == "5 jobs (2 pending, 1 running, 1 preempting, 1 held) · finished ones too: --all\n"


def test_the_hosts_on_a_terminal(headroom: Headroom) -> None:
    shown = headroom("hosts", "--color=never", width=100)
    assert shown.out == (
        "HOST          STATE     GPUS      USE       FREE   CPU   MEM  SINCE\n"
        "ml-serve1008  lost      -         -            -     -     -  16:51 no heartbeat\n"
        "ml-serve1012  ready     8×MI300X  ██cc▒▓▓▓     0  72 %  66 %  41d\n"
        "ml-serve1013  ready     8×MI300X  █∙∙∙∙∙∙∙   7.5   3 %   1 %  -\n"
        "ml-serve1014  draining  8×MI300X  █///////     -  49 %  52 %  17:02 power supply swap\n"
    )
    assert shown.err == (
        "4 hosts: 2 ready, 1 lost, 1 draining\n"
        "24 GPUs: 5 serving, 7.5 free, 1 held, 2 training, 1 preempting, 7.5 drained\n"
        "█ serving  c community  ░ starting  ▓ training  ▒ held or reserved  ? stray  o other work  ∙ free  / drained\n"
    )


def test_the_models_on_a_terminal(headroom: Headroom) -> None:
    shown = headroom("models", "--color=never", width=110)
    assert shown.out == (
        "MODEL                OWNER    READY  WANT  PEAK (UTC)  REQ/S  P99 AHEAD  LEAD  HEADROOM    WARM-UP  LATE 24H\n"
        "edit-check           editing      3     3  5 at 19:00   35.1       47.0   26m  1.28          2m10s         0\n"
        "revertrisk-wikidata  editing      3     3  5 at 19:00    6.9        8.6   26m  1.05 tight    2m10s         0\n"
        "reference-need       editing      3     3  5 at 19:00   35.1       47.0   26m  0.93 short    2m10s         0\n"
        "cope-a-9b            -          0+1     3  5            35.1       47.0   26m  starting      2m10s         0\n"
    )
    assert shown.err == "4 models, 2 tight or short\n"


@pytest.mark.parametrize("command", ["list", "hosts", "models", "capacity", "events", "explain job"])
@pytest.mark.parametrize("width", [50, 60, 70, 80, 100, 140, 200])
def test_no_row_is_wider_than_the_terminal(command: str, width: int, headroom: Headroom) -> None:
    shown = headroom(*command.split(), width=width)
    table = re.sub(r"\x1b\[\d+m", "", shown.out).rstrip("\n").split("\n\n")[-1]
    assert max(map(len, table.split("\n"))) <= width


def test_narrow_terminals_lose_the_least_important_columns_first(headroom: Headroom) -> None:
    def head(width: int) -> list[str]:
        return re.split(r"\s{2,}", headroom("list", "--color=never", width=width).out.split("\n")[0])

    assert head(80) == ["JOB", "NAME", "PRIORITY", "STATE", "GPUS", "WHY / WHERE"]
    assert head(70) == ["JOB", "NAME", "STATE", "GPUS", "WHY / WHERE"]
    assert head(60) == ["JOB", "NAME", "STATE", "WHY / WHERE"]


def test_very_narrow_terminals_get_a_line_a_cell(headroom: Headroom) -> None:
    first = headroom("list", "--color=never", width=40).out.split("\n\n")[0]
    assert first == (
        "job: 398\nname: revertrisk-v4\npriority: high\nstate: Running\ngpus: 3×MI300X\nage: 4h10m\n"
        "start | end (p50 – p90): end 19:05 – 19:40\nwhy / where: ml-serve1012"
    )


def test_colours_are_for_terminals_and_can_be_had_or_refused(
    headroom: Headroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[33mPreempting\x1b[0m" in headroom("list", width=100).out
    assert "\x1b[33mPreempting\x1b[0m" in headroom("--color", "always", "list").out
    assert "\x1b" not in headroom("list", "--color=never", width=100).out
    assert "\x1b[31m0.93 short\x1b[0m" in headroom("models", width=100).out
    assert "\x1b[31mlost\x1b[0m" in headroom("hosts", width=100).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in headroom("list", width=100).out
    assert "\x1b" in headroom("list", "--color=always", width=100).out


def screen(width: int | None = None, encoding: str = "utf-8") -> Screen:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Screen(out, out, width is not None, width or 80, colored=False, header=True, zone=None)


def test_signs_fall_back_to_ascii_where_the_encoding_has_none() -> None:
    plain = screen(encoding="ascii")
    plain.say("4×MI300X → ██▒∙ – größer")
    plain.out.seek(0)
    assert plain.out.read() == "4xMI300X -> ##%. - gr??er\n"


def test_cells_with_tabs_and_line_breaks_stay_one_cell() -> None:
    table = Table((Column("A"), Column("B")), ((cell("x\ty"), "one\ntwo"),))
    assert render(table, screen()) == "A\tB\nx y\tone two"
    assert render(table, screen(80)) == "A    B\nx y  one two"


def test_wide_signs_count_as_two_columns() -> None:
    table = Table((Column("A"), Column("B")), (("模型", "x"), ("abcd", "y")))
    assert render(table, screen(80)) == "A     B\n模型  x\nabcd  y"


def test_numbers_stand_right_and_the_last_column_is_cut_with_a_sign() -> None:
    table = Table((Column("N", right=True), Column("TEXT")), (("1", "a" * 60), ("22", "b")))
    assert render(table, screen(52)) == " N  TEXT\n 1  " + "a" * 47 + "…\n22  b"


def test_an_empty_table_is_its_header() -> None:
    table = Table((Column("A"), Column("B")), ())
    assert render(table, screen()) == "A\tB"
    assert render(table, screen(80)) == "A  B"


def test_parts_of_a_cell_have_their_own_colour() -> None:
    colored = Screen(io.StringIO(), io.StringIO(), is_terminal=False, width=80, colored=True, header=False, zone=None)
    table = Table((Column("USE"),), ((Cell((("█", "blue"), ("▓", ""))),),))
    assert render(table, colored) == "\x1b[34m█\x1b[0m▓"


def test_a_warm_up_that_is_measured_otherwise_is_shown_beside_the_declared_one(plane: Any, headroom: Headroom) -> None:
    found = plane.answers["GET", "/models"]
    measured = found.items[0].model_copy(update={"warm_up_measured_s": 250.0, "starts_measured": 12})
    plane.gives("GET", "/models", found.model_copy(update={"items": (measured, *found.items[1:])}))
    assert "2m10s → 4m10s" in headroom("models", "--color=never", width=160).out

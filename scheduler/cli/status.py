"""`headroom status`: the control plane itself."""

from datetime import datetime

import typer

from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import Column, Table
from scheduler.cli.wording import moment, plain, seconds, zone_name
from scheduler.wire.base import Single
from scheduler.wire.control import Status


def status(context: typer.Context, *, output: OutputOption = Output.TABLE) -> None:
    """Show whether the control plane does its work, and as whom you speak to it."""
    session = Session.of(context)
    found = session.client.get("/status", Single[Status])
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.say(_text(found, session))
    else:
        session.show(output, found, lambda: Table((Column("CLUSTER"),), (), (found.item.cluster,)))


def _text(found: Single[Status], session: Session) -> str:
    item, now, screen = found.item, found.observed_at, session.screen
    state = screen.paint(item.state, "red" if item.state == "degraded" else "bold")
    lines = [
        f"{screen.paint(item.cluster, 'bold')} · {state}" + f": {item.message}" * bool(item.message),
        f"Plan       {found.cycle}, {_planned(item, now, screen)}; one every {seconds(item.period_s)}",
        *([f"Traffic    {item.waiting}"] if item.waiting else []),
        f"Clock      {now.astimezone(screen.zone):%d %b %Y %H:%M:%S} {zone_name(now, screen)}{_speed(item)}",
        f"Backend    {item.backend}",
        *([f"Strays     {item.strays} on the cluster: headroom strays"] if item.strays else []),
        f"Version    {item.version}",
        f"You        {item.caller or 'without a token'}, {item.role or 'no role'}",
        f"API        {session.client.url}",
    ]
    return "\n".join(lines)


def _planned(item: Status, now: datetime, screen: Screen) -> str:
    if item.last_plan_at is None:
        return "none yet"
    age = "" if item.last_plan_age_s is None else f" ({seconds(item.last_plan_age_s)} ago)"
    return f"made {moment(item.last_plan_at, now, screen)}{age} in {1000 * item.plan_duration_s:.0f} ms"


def _speed(item: Status) -> str:
    return "" if item.speed == 1 else f", {plain(item.speed)} times as fast as the wall's"
